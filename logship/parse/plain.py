"""Plain lines that begin with a time and, often, a level: syslog, Python, Java, Go and their kin."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from logship.parse import times
from logship.parse.parsed import Parsed
from logship.record import HOST, severity

NAME: Final = "plain"
_ISO: Final = re.compile(
    r"\[?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\s?(?:Z|UTC|[+-]\d\d:?\d\d)?)\]?(?=\s|\Z)"
)
_SLASHED: Final = re.compile(r"\[?(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)\]?(?=\s|\Z)")
_SYSLOG: Final = re.compile(r"(?:<\d{1,3}>)?([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (\S+) ([\w./\-]+)(?:\[(\d+)\])?: ")
_SYSLOG_5424: Final = re.compile(r"<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) \S+ (?:-|\[.*?\]) ?")
_APACHE_ERROR: Final = re.compile(r"\[(\w{3} \w{3} \d\d \d\d:\d\d:\d\d(?:\.\d+)? \d{4})\] \[(?:\w+:)?(\w+)\] ")
_LEVEL: Final = re.compile(
    r"[\s\-|:,]*[\[(<]?(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|FATAL|CRITICAL|PANIC)[\])>]?(?=[\s:|\-]|\Z)",
    re.IGNORECASE,
)
_LATER_LEVEL: Final = re.compile(
    r"[\s\-|\[]{1,99}[\w.$@/\-:]{1,60}[\]\s\-|:]{1,99}+\[?(TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)\]?(?=[\s:|\-]|\Z)"
)
_SYSLOG_LEVELS: Final = ("FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG")
_SECOND_US: Final = 1_000_000

SAMPLES: Final = (
    ("2026-11-23T14:21:05.871Z ERROR orders timed out", {"severity": "ERROR", "body": "2026-11-23T14:21:05.871Z ERROR orders timed out", "time": "2026-11-23T14:21:05.871000Z"}),
    ("2026-11-23 14:21:05,871 - app.db - WARNING - slow query", {"severity": "WARN", "time": "2026-11-23T14:21:05.871000Z"}),
    ("2026-11-23 14:21:05.871  INFO 7 --- [main] c.e.App : Started", {"severity": "INFO"}),
    ("2026/11/23 14:21:05 [error] 7#7: *1 connect() failed", {"severity": "ERROR", "time": "2026-11-23T14:21:05.000000Z"}),
    ("<34>1 2026-11-23T14:21:05.003Z host1 su - ID47 - failed", {"severity": "FATAL", "host.name": "host1", "process.name": "su"}),
    ("[Mon Nov 23 14:21:05.871 2026] [core:error] [pid 7] x", {"severity": "ERROR", "time": "2026-11-23T14:21:05.871000Z"}),
    ("ERROR no time here", {"severity": "ERROR"}),
)  # fmt: skip


def parse(line: str) -> Parsed | None:
    """Time and level of a line; the body stays the whole line. None when it has neither."""
    first = line.lstrip(" \t")
    if first != line:
        return None
    return _iso(line) or _syslog_5424(line) or _apache_error(line) or _syslog(line) or _level_alone(line)


def _iso(line: str) -> Parsed | None:
    found = _ISO.match(line)
    at = times.iso(found[1].strip()) if found else None
    if not found:
        found = _SLASHED.match(line)
        at = times.iso(found[1].replace("/", "-")) if found else None
    if not found or at is None:
        return None
    level = _LEVEL.match(line, found.end()) or _LATER_LEVEL.match(line, found.end())
    return Parsed(line, *at, severity=severity(level[1]) if level else "", whole=True)


def _syslog_5424(line: str) -> Parsed | None:
    found = _SYSLOG_5424.match(line)
    at = times.iso(found[2]) if found else None
    if not found or at is None:
        return None
    parsed = Parsed(line, *at, severity=_SYSLOG_LEVELS[int(found[1]) % 8], whole=True)
    if found[3] != "-":
        parsed.resource[HOST] = found[3]
    for name, value in (("process.name", found[4]), ("process.pid", found[5])):
        if value != "-":
            parsed.attributes[name] = value
    return parsed


def _apache_error(line: str) -> Parsed | None:
    found = _APACHE_ERROR.match(line)
    if not found:
        return None
    shape = "%a %b %d %H:%M:%S.%f %Y" if "." in found[1] else "%a %b %d %H:%M:%S %Y"
    at = times.strptime(found[1], shape)
    return Parsed(line, *at, severity=severity(found[2]), whole=True) if at else None


def _syslog(line: str) -> Parsed | None:
    """RFC 3164 names no year: the last year in which that day is not in the future."""
    found = _SYSLOG.match(line)
    if not found:
        return None
    now = datetime.now(UTC)
    at = times.strptime(f"{now.year} {found[1]}", "%Y %b %d %H:%M:%S")
    if at and at[0] > (now.timestamp() + 86_400) * _SECOND_US:
        at = times.strptime(f"{now.year - 1} {found[1]}", "%Y %b %d %H:%M:%S")
    if at is None:
        return None
    level = _LEVEL.match(line, found.end())
    parsed = Parsed(line, *at, severity=severity(level[1]) if level else "", whole=True)
    parsed.resource[HOST] = found[2]
    parsed.attributes["process.name"] = found[3]
    return parsed


def _level_alone(line: str) -> Parsed | None:
    found = _LEVEL.match(line)
    if not found or found[1] != found[1].upper():
        return None
    return Parsed(line, severity=severity(found[1]), whole=True)
