"""Lines of well-known servers whose level, status or duration stands where no other format looks for it."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from logship.parse import plain
from logship.parse.parsed import Parsed
from logship.record import DURATION_MS, severity

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME: Final = "server"
_TIME: Final = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_REQUEST: Final = r'"?(?P<method>[A-Z]{3,8}) (?P<path>[^ ?"]++)'
_ANY_LEVEL: Final = (
    r"(?P<level>TRACE|DEBUG|INFO|NOTICE|NOTE|WARN|WARNING|ERROR|ERR|WRN|INF|DBG|FTL|SEVERE|FATAL|CRITICAL|PANIC|ALERT)"
)
_SHAPES: Final[Mapping[str, tuple[str, ...]]] = {
    "[": (
        # Envoy
        rf"\[{_TIME}Z?\] {_REQUEST}[^\"]*\" (?P<status>\d{{3}}) \S+ (?:\S+ )??\d+ \d+ (?P<duration_ms>\d+) ",
        # OpenSearch, Elasticsearch; Celery; PHP-FPM
        rf"\[{_TIME}\]\[{_ANY_LEVEL} *\]",
        rf"\[{_TIME}: {_ANY_LEVEL}/",
        rf"\[\d\d-[A-Za-z]{{3}}-\d{{4}} [\d:.]+\] {_ANY_LEVEL}: ",
        # uWSGI
        rf"(?>\[pid: \d+\|.*?\] {_REQUEST}).*? in (?P<duration_ms>\d+) msecs \(HTTP/[\d.]+ (?P<status>\d{{3}})\)",
    ),
    "#": (r"# Time: .*\n(?:#.*\n)*?# Query_time: (?P<duration_s>[\d.]+)",),  # MySQL's slow log
    "0": (
        # MariaDB, Kubernetes (CRI), fail2ban, cloud-init
        rf"{_TIME} \d+ \[{_ANY_LEVEL}\] ",
        rf"{_TIME}(?:Z|[+-]\d\d:\d\d) std(?:out|err) [FP] .{{0,60}}?\b{_ANY_LEVEL}\b",
        rf"{_TIME} [\w.]+ +\[\d+\]: {_ANY_LEVEL} ",
        rf"{_TIME} - [\w./-]+\[{_ANY_LEVEL}\]: ",
        # Tomcat; Redis
        rf"\d\d-[A-Za-z]{{3}}-\d{{4}} [\d:.]+ {_ANY_LEVEL} ",
        r"\d+:[A-Z] \d\d [A-Z][a-z]{2} (?:\d{4} )?[\d:.]+ (?P<mark>[.*#-]) ",
        # .NET with Serilog
        rf"{_TIME} [+-]\d\d:\d\d \[{_ANY_LEVEL}\] (?:HTTP {_REQUEST}.*? responded (?P<status>\d{{3}}) in (?P<duration_ms>[\d.]+) ms)?",
    ),
    "A": (
        # Rails
        rf"[DIWEFA], \[{_TIME} #\d+\] +{_ANY_LEVEL} -- [^:]*: (?:(?>.*?Completed (?P<status>\d{{3}}) ).*? in (?P<duration_ms>[\d.]+)ms)?",
        # HAProxy's HTTP log through syslog
        rf".{{0,80}}\bhaproxy\[\d+\]: \S+ \[[^\]]*\] \S+ \S+ (?:[-+\d]+/){{4}}\+?(?P<duration_ms>\d+) (?P<status>\d{{3}}) .*?{_REQUEST}",
    ),
}
"""First character of a line, ``0`` for any digit and ``A`` for any letter → its shapes.

Where one thing is searched for behind another, the other is atomic: what is missing behind its first place is missing
behind every later one, and to look there again would take a second for each few kB.
"""
_COMPILED: Final = {
    first: [re.compile(one, re.IGNORECASE if first == "0" else 0) for one in found] for first, found in _SHAPES.items()
}
_REDIS_LEVELS: Final = {".": "DEBUG", "-": "DEBUG", "*": "INFO", "#": "WARN"}
_SHORT_LEVELS: Final = {
    "WRN": "WARN",
    "INF": "INFO",
    "DBG": "DEBUG",
    "FTL": "FATAL",
    "NOTE": "INFO",
    "NOTICE": "INFO",
    "ALERT": "FATAL",
}
_SERVER_ERROR: Final = 500

SAMPLES: Final = (
    ('[2026-11-23T14:21:05.871Z] "GET /orders/97 HTTP/1.1" 503 UF 0 91 2088 - "-"', {"http.response.status_code": 503, "duration_ms": 2088.0, "url.path": "/orders/97", "severity": "ERROR"}),
    ("[2026-11-23T14:21:05,871][WARN ][o.o.m.j.JvmGcMonitorService] [node-1] overhead", {"severity": "WARN"}),
    ("[2026-11-23 14:21:05,871: ERROR/ForkPoolWorker-1] Task failed", {"severity": "ERROR"}),
    ("2026-11-23 14:21:05 12 [Warning] Aborted connection", {"severity": "WARN"}),
    ("23-Nov-2026 14:21:05.871 SEVERE [main] failed", {"severity": "ERROR"}),
    ("811:M 23 Nov 2026 14:21:05.871 # WARNING: overcommit", {"severity": "WARN"}),
    ("I, [2026-11-23T14:21:05.871234 #811]  INFO -- : Completed 404 Not Found in 12ms", {"severity": "INFO", "duration_ms": 12.0, "http.response.status_code": 404}),
)  # fmt: skip


def parse(line: str) -> Parsed | None:
    """Level, status, duration and request of a line; the body stays the whole line."""
    first = line[:1]
    kind = "0" if first.isdecimal() else "A" if first.isalpha() else first
    if kind == "A" and "haproxy[" not in line and line[1:4] != ", [":
        return None
    for shape in _COMPILED.get(kind, ()):
        if found := shape.match(line):
            return _parsed(line, found.groupdict())
    return None


def _parsed(line: str, found: dict[str, Any]) -> Parsed:
    parsed = plain.parse(line) or Parsed(line, whole=True)
    if level := found.get("level"):
        parsed.severity = severity(_SHORT_LEVELS.get(level.upper(), level))
    elif mark := found.get("mark"):
        parsed.severity = _REDIS_LEVELS[mark]
    for name, key in (("method", "http.request.method"), ("path", "url.path")):
        if found.get(name):
            parsed.attributes[key] = found[name]
    if found.get("status"):
        status = parsed.attributes["http.response.status_code"] = int(found["status"])
        if not parsed.severity:
            parsed.severity = "ERROR" if status >= _SERVER_ERROR else "INFO"
    with suppress(ValueError):  # points and digits that are no number
        if found.get("duration_ms"):
            parsed.attributes[DURATION_MS] = float(found["duration_ms"])
        elif found.get("duration_s"):
            parsed.attributes[DURATION_MS] = round(float(found["duration_s"]) * 1000, 3)
    return parsed
