"""JSON application lines in the dialects people have: ours, spans, OTel, ECS, powertools, logback, pino, Spring, zap.

The tables of `dialects` read the names; what has rules of its own (numeric pino levels, units of durations, kinds
of spans) stands here. This is the definition of what a line means; `json_plans` does the same to lines of a shape
that comes again and again, in less time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship.parse import dialects, json_text, times, wrappers
from logship.parse.parsed import Parsed
from logship.record import DURATION_MS, KIND, severity

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME: Final = "json"

_UNIT_MS: Final = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
_WITH_UNIT: Final = re.compile(r"(\d+(?:\.\d+)?)\s?(ns|us|µs|ms|s|m)\Z")
_MAX_DEPTH: Final = 8
_SURELY_EXACT: Final = 1e9
"""Below this, doubles lie closer than a millionth, so that only one of them is nearest to a number of six digits."""
_MORE_DIGITS: Final = re.compile(rb"\.\d{7}|e")
STATUS: Final = "http.response.status_code"
STATEMENT: Final = "duration: "
"""How PostgreSQL begins a message that holds a duration."""

SAMPLES: Final = (
    ('{"timestamp":"2026-11-23T14:21:05.871234Z","severity_text":"ERROR","service.name":"orders","body":"timed out","trace_id":"5b27baf9c1d24a0e8f3b6d7e9a012345","span_id":"d1e0649ed0a041f7","logship.kind":"request","duration_ms":2104.2,"http.response.status_code":502,"logship.id":"7f3c-42"}',
     {"body": "timed out", "severity": "ERROR", "service.name": "orders", "time": "2026-11-23T14:21:05.871234Z", "trace_id": "5b27baf9c1d24a0e8f3b6d7e9a012345", "duration_ms": 2104.2, "http.response.status_code": 502, "logship.kind": "request"}),
    ('{"timestamp":"2023-01-30T11:58:53.531Z","level":"INFO","service":"ts-auth","event":"request","operation":"/api/v1/users","duration_ms":3.5,"trace_id":"ec61","span_id":"045f","parent_span_id":null}',
     {"severity": "INFO", "service.name": "ts-auth", "logship.kind": "request", "http.route": "/api/v1/users", "operation": "/api/v1/users", "duration_ms": 3.5}),
    ('{"timeUnixNano":"1795443665871234000","severityText":"WARN","severityNumber":13,"body":{"stringValue":"slow"},"traceId":"aa","spanId":"bb","attributes":{"http.route":"/x"},"resource":{"attributes":{"service.name":"cart"}}}',
     {"body": "slow", "severity": "WARN", "service.name": "cart", "http.route": "/x", "time": "2026-11-23T14:21:05.871234Z"}),
    ('{"@timestamp":"2026-11-23T14:21:05.871Z","log.level":"error","message":"boom","ecs.version":"1.6.0","service":{"name":"pay"},"event":{"duration":5000000},"error":{"type":"IOError","message":"x","stack_trace":"Trace"},"trace":{"id":"t9"}}',
     {"body": "boom", "severity": "ERROR", "service.name": "pay", "duration_ms": 5.0, "exception.type": "IOError", "exception.stacktrace": "Trace", "trace_id": "t9"}),
    ('{"level":"INFO","location":"handler:12","message":"Hello","timestamp":"2026-11-23 14:21:05,871+0000","service":"payment","xray_trace_id":"1-5b27"}',
     {"body": "Hello", "severity": "INFO", "service.name": "payment", "location": "handler:12", "time": "2026-11-23T14:21:05.871000Z"}),
    ('{"@timestamp":"2026-11-23T14:21:05.871+01:00","@version":"1","message":"started","logger_name":"a.B","thread_name":"main","level":"WARN","stack_trace":"java.lang.X: y"}',
     {"body": "started", "severity": "WARN", "logger": "a.B", "thread.name": "main", "exception.stacktrace": "java.lang.X: y", "time": "2026-11-23T13:21:05.871000Z"}),
    ('{"level":30,"time":1795443665871,"pid":7,"hostname":"h1","req":{"method":"GET","url":"/a"},"res":{"statusCode":200},"responseTime":12,"msg":"request completed"}',
     {"body": "request completed", "severity": "INFO", "host.name": "h1", "http.request.method": "GET", "url.path": "/a", "http.response.status_code": 200, "duration_ms": 12.0}),
    ('{"level":"error","ts":1795443665.871,"caller":"a/b.go:7","msg":"failed","error":"EOF","duration":"1.5s"}',
     {"body": "failed", "severity": "ERROR", "caller": "a/b.go:7", "error": "EOF", "duration_ms": 1500.0, "time": "2026-11-23T14:21:05.871000Z"}),
    ('{"timestamp":"2026-11-23T12:19:21+00:00","msec":"1795436361.178","service":"edge","request_id":"5b","trace_id":"5b","method":"GET","path":"/orders/97","status":200,"request_time":0.322,"upstream_response_time":"0.322"}',
     {"service.name": "edge", "http.request.method": "GET", "url.path": "/orders/97", "http.response.status_code": 200, "duration_ms": 322.0, "time": "2026-11-23T12:19:21.178000Z", "logship.kind": "request"}),
    ('{"timestamp":"2026-11-23 12:19:21.141 UTC","pid":18104,"error_severity":"LOG","message":"duration: 254.981 ms  statement: /* rid=5b */ select 1","application_name":"inventory 5"}',
     {"severity": "INFO", "duration_ms": 254.981, "pid": 18104, "time": "2026-11-23T12:19:21.141000Z"}),
)  # fmt: skip


def parse(line: str) -> Parsed | None:
    """The parts of a line that is one JSON object; None when it is anything else."""
    try:
        found = json_text.loads(line)
    except (ValueError, RecursionError):
        return None
    return from_object(found) if isinstance(found, dict) else None


def from_object(found: dict[str, Any]) -> Parsed:
    """The parts of a JSON object."""
    found = wrappers.renamed(found) if "s" in found or "logger" in found else found
    fields = found if _is_flat(found) else flatten(found)
    parsed = Parsed("")
    parsed.time_us, parsed.zoned = time_of(fields) or (None, False)
    parsed.severity = _level(fields)
    parsed.body = _text(fields, dialects.BODY)
    parsed.trace_id = _text(fields, dialects.TRACE)
    parsed.span_id = _text(fields, dialects.SPAN)
    parsed.parent_span_id = _text(fields, dialects.PARENT)
    _sort_out(fields, parsed)
    _finish(parsed)
    return parsed


def _is_flat(found: dict[str, Any]) -> bool:
    for value in found.values():
        if type(value) is dict or value is None or (type(value) is list and is_deep(value)):
            return False
    return True


def flatten(found: dict[str, Any]) -> dict[str, Any]:
    """Nested objects become dotted keys; OTel's containers and value wrappers vanish; null is left out.

    What is nested too deep is a text.
    """
    flat: dict[str, Any] = {}
    pending: list[tuple[str, Any, int]] = [("", found, 0)]
    while pending:
        prefix, value, depth = pending.pop()
        if isinstance(value, dict) and value and depth < _MAX_DEPTH:
            if len(value) == 1 and next(iter(value)) in ("stringValue", "intValue", "doubleValue", "boolValue"):
                pending.append((prefix, next(iter(value.values())), _MAX_DEPTH))
                continue
            inner = (
                "" if prefix in ("attributes", "resource", "resource.attributes", "mdc", "fields", "extra") else prefix
            )
            pending += [(f"{inner}.{key}" if inner else key, item, depth + 1) for key, item in reversed(value.items())]
        elif value is not None:
            is_text = isinstance(value, dict) or (isinstance(value, list) and is_deep(value))
            flat.setdefault(prefix, orjson.dumps(value).decode() if is_text else value)
    return flat


def is_deep(value: list[Any]) -> bool:
    """Whether lists and objects stand in it deeper than any store takes them."""
    inner: Any = value
    for _ in range(_MAX_DEPTH):
        inner = [one for some in inner if isinstance(some, (list, dict)) for one in _items(some)]
        if not inner:
            return False
    return True


def _items(some: list[Any] | dict[str, Any]) -> Iterable[Any]:
    return some.values() if isinstance(some, dict) else some


def time_of(fields: dict[str, Any]) -> tuple[int, bool] | None:
    """The time that the fields name first, and whether it names its zone."""
    best: tuple[int, bool] | None = None
    for name in dialects.TIME:
        if name in fields and (at := times.of_value(fields[name])):
            if best is None:
                best = at
            elif name == "msec" and abs(at[0] - best[0]) < 1_000_000:  # noqa: PLR2004 - nginx's exact form of the same time
                return at
    return best


def _level(fields: dict[str, Any]) -> str:
    for name in dialects.LEVEL:
        value = fields.get(name)
        if isinstance(value, str):
            if found := severity(value):
                return found
        elif isinstance(value, int) and value in dialects.PINO:
            return dialects.PINO[value]
    return ""


def _text(fields: dict[str, Any], wanted: tuple[str, ...]) -> str:
    for name in wanted:
        value = fields.get(name)
        if value is not None:
            return value if isinstance(value, str) else orjson.dumps(value).decode()
    return ""


def _sort_out(fields: dict[str, Any], parsed: Parsed) -> None:
    resource, attributes = parsed.resource, parsed.attributes
    for name, value in fields.items():
        if name in dialects.HANDLED:
            continue
        if name in dialects.RESOURCE:
            resource.setdefault(dialects.RESOURCE[name], value)
        elif name in dialects.DURATIONS and (took := milliseconds(name, value)) is not None:
            attributes.setdefault(DURATION_MS, took)
        elif isinstance(value, int) and not isinstance(value, bool) and not -dialects.INT64 <= value < dialects.INT64:
            attributes[dialects.ATTRIBUTE.get(name, name)] = str(value)
        else:
            attributes[dialects.ATTRIBUTE.get(name, name)] = value
    _set_kind(fields, parsed)


def milliseconds(name: str, value: Any) -> float | None:
    """A duration in the unit that its name, or its own text, says; None when it is none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return rounded(float(value) * dialects.DURATIONS[name])
    if isinstance(value, str):
        unit = _WITH_UNIT.match(value)
        if unit:
            return round(float(unit[1]) * _UNIT_MS[unit[2]], 6)
        try:
            return round(float(value) * dialects.DURATIONS[name], 6)
        except ValueError:
            return None
    return None


def rounded(number: float) -> float:
    """`round(number, 6)`; a number that has no more digits anyway, as most do, is told by one division."""
    if 0.0 <= number < _SURELY_EXACT and int(number * 1e6 + 0.5) / 1e6 == number:
        return number
    return round(number, 6)


def all_rounded(numbers: list[float]) -> list[float]:
    """Each of them rounded; what none of them has more digits than, as is mostly so, their text tells."""
    return [rounded(number) for number in numbers] if _MORE_DIGITS.search(orjson.dumps(numbers)) else numbers


def _set_kind(fields: dict[str, Any], parsed: Parsed) -> None:
    attributes = parsed.attributes
    for name in dialects.KIND_NAMES:
        known = dialects.KINDS.get(str(fields.get(name, "")).lower())
        if known:
            attributes[KIND] = known
            if name != KIND:
                attributes.pop(name, None)
            break
    else:
        if STATUS in attributes and DURATION_MS in attributes:
            attributes[KIND] = "request"
    if attributes.get(KIND) == "request" and "operation" in attributes:
        attributes.setdefault("http.route", attributes["operation"])


_STATUS: Final = re.compile(r"[0-9]{3}\Z")
_STATEMENT_TOOK: Final = re.compile(r"duration: (\d+(?:\.\d+)?) ms\b")


def _finish(parsed: Parsed) -> None:
    attributes = parsed.attributes
    if parsed.body.startswith(STATEMENT) and (found := _STATEMENT_TOOK.match(parsed.body)):
        attributes.setdefault(DURATION_MS, float(found[1]))
    status = attributes.get(STATUS)
    if isinstance(status, str):
        attributes[STATUS] = status_code(status)
    if not parsed.body:
        parsed.body = describe(attributes)


def status_code(text: str) -> int | str:
    """A status that was written as text, as the number that it is."""
    return int(text) if _STATUS.match(text) else text


def describe(attributes: dict[str, Any]) -> str:
    """What a line without a message says: `GET /orders/97 200`, or its operation."""
    names = ("http.request.method", "http.route", "url.path", STATUS, "event")
    words = [
        str(attributes[name])
        for name in names
        if name in attributes and not (name == "url.path" and "http.route" in attributes)
    ]
    return " ".join(words) or str(attributes.get("operation", ""))
