"""Which format a line is read as, in words: for people who want to know what becomes of their logs."""

from __future__ import annotations

from typing import Final

from logship.parse import access_log, json_lines, logfmt, plain, postgres, servers, stack

CONTINUATION: Final = "continuation"
TEXT: Final = "text"
_IN_ORDER: Final = (access_log, postgres, servers, plain)


def format_of(line: str) -> str:
    """The format that `parse_line` reads a line as.

    One of the formats' own names, ``continuation`` for a line that belongs to the event before it, or ``text`` for
    one that nothing reads.
    """
    if line.startswith("{"):
        return json_lines.NAME if json_lines.parse(line) else TEXT
    if "=" in line and logfmt.parse(line):
        return logfmt.NAME
    for module in _IN_ORDER:
        if found := module.parse(line):
            return CONTINUATION if found.time_us is None and stack.continues(line) else module.NAME
    return CONTINUATION if stack.continues(line) else TEXT
