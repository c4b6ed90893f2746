"""PostgreSQL's text log with a prefix of time and pid: `2026-11-23 12:19:21.141 UTC [18104] LOG:  duration: …`."""

from __future__ import annotations

import re
from typing import Final

from logship.parse import times
from logship.parse.parsed import Parsed
from logship.record import DURATION_MS, severity

NAME: Final = "postgres"
_LINE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (\w+|[+-]\d\d)(?: \[(\d+)(?:-\d+)?\])?(?: ([^\s@]*@\S*))?:?\s+"
    r"(DEBUG[1-5]?|INFO|NOTICE|WARNING|ERROR|LOG|FATAL|PANIC|STATEMENT|DETAIL|HINT|CONTEXT|QUERY):\s+(.*)\Z",
    re.DOTALL,
)
_DURATION: Final = re.compile(r"duration: (\d{1,18}(?:\.\d+)?) ms")
_MOST_DIGITS: Final = 18
"""Of whole numbers that 64 bits surely hold."""

SAMPLES: Final = (
    ("2026-11-23 12:19:21.141 UTC [18104] LOG:  duration: 254.981 ms  statement: /* rid=5b */ select pg_sleep(0.25)",
     {"severity": "INFO", "duration_ms": 254.981, "process.pid": 18104, "time": "2026-11-23T12:19:21.141000Z", "body": "duration: 254.981 ms  statement: /* rid=5b */ select pg_sleep(0.25)"}),
    ("2026-11-23 12:19:21.141 UTC [18104] app@shop ERROR:  division by zero", {"severity": "ERROR", "body": "division by zero", "db.user_and_name": "app@shop"}),
)  # fmt: skip


def parse(line: str) -> Parsed | None:
    """The parts of a server log line."""
    found = _LINE.match(line)
    if not found:
        return None
    at, zone, pid, who, level, message = found.groups()
    parsed = Parsed(message)
    parsed.time_us, parsed.zoned = times.iso(f"{at} {zone}") or times.iso(at) or (None, False)
    parsed.severity = severity(level) or "INFO"
    if pid and len(pid) <= _MOST_DIGITS:
        parsed.attributes["process.pid"] = int(pid)
    if who:
        parsed.attributes["db.user_and_name"] = who
    if took := _DURATION.match(message):
        parsed.attributes[DURATION_MS] = float(took[1])
    return parsed
