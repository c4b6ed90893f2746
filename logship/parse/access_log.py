"""nginx and Apache access logs: common, combined, and combined with times behind it."""

from __future__ import annotations

import re
from typing import Any, Final

from logship.parse import times
from logship.parse.parsed import Parsed
from logship.record import DURATION_MS, KIND

NAME: Final = "access_log"
_LINE: Final = re.compile(
    r'(\S+) \S+ (\S+) \[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "((?:\\.|[^"\\])*)" (\d{3}) (\d+|-)'
    r'(?: "((?:\\.|[^"\\])*)" "((?:\\.|[^"\\])*)")?(.*)\Z',
    re.DOTALL,
)
_REQUEST: Final = re.compile(r"([A-Z]+) (\S+)(?: HTTP/([\d.]+))?\Z")
_NAMED: Final = re.compile(r'(?<!\w)(\w+)[=:]"?([^\s"]+)"?')
_SECONDS: Final = re.compile(r"\s+(\d{1,18}\.\d{3})(?:\s|\Z)")
_MICROSECONDS: Final = re.compile(r"\s+(\d{1,18})\s*\Z")
_MOST_DIGITS: Final = 18
"""Of whole numbers that 64 bits surely hold."""

SAMPLES: Final = (
    ('10.0.0.3 - - [23/Nov/2026:14:21:05 +0000] "GET /orders/97?x=1 HTTP/1.1" 502 157 "-" "curl/8.0"',
     {"body": "GET /orders/97?x=1 502", "severity": "ERROR", "http.request.method": "GET", "url.path": "/orders/97", "http.response.status_code": 502, "client.address": "10.0.0.3", "time": "2026-11-23T14:21:05.000000Z", "logship.kind": "request"}),
    ('10.0.0.3 - bob [23/Nov/2026:15:21:05 +0100] "POST /a HTTP/1.1" 200 5 "-" "x" 0.322 0.320',
     {"duration_ms": 322.0, "http.response.status_code": 200, "user.name": "bob", "time": "2026-11-23T14:21:05.000000Z"}),
    ('::1 - - [23/Nov/2026:14:21:05 +0000] "GET / HTTP/1.0" 404 -', {"severity": "WARN", "http.response.status_code": 404}),
    ('1.2.3.4 - - [23/Nov/2026:14:21:05 +0000] "GET /a HTTP/1.1" 200 5 "-" "x" rt=0.050 request_id=5b27 trace_id=aa',
     {"duration_ms": 50.0, "request_id": "5b27"}),
)  # fmt: skip


def parse(line: str) -> Parsed | None:
    """The parts of an access-log line."""
    found = _LINE.match(line)
    if not found:
        return None
    client, user, at, request, status, size, referer, agent, rest = found.groups()
    parsed = Parsed(f"{request.removesuffix(' HTTP/1.1').removesuffix(' HTTP/1.0')} {status}")
    parsed.time_us, parsed.zoned = times.strptime(at, "%d/%b/%Y:%H:%M:%S %z") or (None, False)
    code = int(status)
    parsed.severity = "ERROR" if code >= 500 else "WARN" if code >= 400 else "INFO"  # noqa: PLR2004 - HTTP's classes
    attributes: dict[str, Any] = {"client.address": client, "http.response.status_code": code, KIND: "request"}
    if words := _REQUEST.match(request):
        path, _, query = words[2].partition("?")
        attributes |= {"http.request.method": words[1], "url.path": path}
        if query:
            attributes["url.query"] = query
    for name, value in (("user.name", user), ("http.request.header.referer", referer), ("user_agent.original", agent)):
        if value and value != "-":
            attributes[name] = value
    if size != "-" and len(size) <= _MOST_DIGITS:
        attributes["http.response.body.size"] = int(size)
    parsed.attributes = attributes
    _read_rest(rest, parsed)
    return parsed


def _read_rest(rest: str, parsed: Parsed) -> None:
    """What people append: `$request_time`, Apache's `%D`, or pairs such as `rt=0.050`."""
    for name, value in _NAMED.findall(rest):
        if name in ("rt", "request_time"):
            _set_seconds(value, parsed)
        elif name == "trace_id":
            parsed.trace_id = value
        else:
            parsed.attributes[name] = value
    if DURATION_MS not in parsed.attributes and "=" not in rest:
        if seconds := _SECONDS.match(rest):
            _set_seconds(seconds[1], parsed)
        elif micros := _MICROSECONDS.match(rest):
            parsed.attributes[DURATION_MS] = int(micros[1]) / 1000


def _set_seconds(value: str, parsed: Parsed) -> None:
    try:
        parsed.attributes[DURATION_MS] = round(float(value) * 1000, 3)
    except ValueError:
        parsed.attributes["request_time"] = value
