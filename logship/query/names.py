"""Short names that people type → the names that records carry, and what kind of value each holds."""

from __future__ import annotations

from typing import Final

from logship import record

BODY: Final = "body"
TIME: Final = "@timestamp"
OBSERVED: Final = "observedTime"
SEVERITY: Final = "severity"
ID: Final = "_id"

SHORT_NAMES: Final = {
    "time": TIME,
    "ingested": OBSERVED,
    "message": BODY,
    "level": SEVERITY,
    "trace": "traceId",
    "span": "spanId",
    "parent": "parentSpanId",
    "service": record.SERVICE,
    "host": record.HOST,
    "env": "deployment.environment.name",
    "account": "cloud.account.id",
    "region": "cloud.region",
    "group": record.GROUP,
    "stream": record.STREAM,
    "method": "http.request.method",
    "route": "http.route",
    "path": "url.path",
    "status": "http.response.status_code",
    "duration": record.DURATION_MS,
    "error": "exception.type",
    "kind": record.KIND,
    "peer": record.PEER,
    "id": ID,
}

_ALIASES: Final = {
    "timestamp": TIME,
    "severity.text": SEVERITY,
    "severity_text": SEVERITY,
    "trace_id": "traceId",
    "span_id": "spanId",
    "parent_span_id": "parentSpanId",
}
_PREFIXES: Final = ("resource.attributes.", "attributes.")
TIMES: Final = frozenset({TIME, OBSERVED})
TOP_LEVEL: Final = frozenset({BODY, TIME, OBSERVED, SEVERITY, ID, "traceId", "spanId", "parentSpanId"})


def canonical(name: str) -> str:
    """The name a record carries for what a person typed; unknown names stand for themselves."""
    known = SHORT_NAMES.get(name) or _ALIASES.get(name)
    if known:
        return known
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


_SHORT_OF: Final = {long: short for short, long in SHORT_NAMES.items()}


def short(name: str) -> str:
    """The shortest name a person can type for a canonical one."""
    return _SHORT_OF.get(name, name)


def is_duration_ms(name: str) -> bool:
    """Whether a field holds milliseconds, so that units such as `1s` may be compared with it."""
    return name.endswith("_ms")


_BYTES: Final = ("bytes", "_size", ".size")
_PATHS: Final = frozenset({SHORT_NAMES["path"], SHORT_NAMES["route"], record.GROUP, record.STREAM})


def is_bytes(name: str) -> bool:
    """Whether a field holds bytes, so that units such as `5mb` may be compared with it."""
    return name.endswith(_BYTES)


def is_path(name: str) -> bool:
    """Whether a field holds paths, in which `/8` is a part and no length of a network."""
    return name in _PATHS or name.endswith("path")
