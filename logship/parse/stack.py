"""Stack traces: lifted out of an event's text, and lines that continue the event before them."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from logship.parse.parsed import Parsed

_PYTHON: Final = "Traceback (most recent call last):"
_PYTHON_LAST: Final = re.compile(r"^((?:[A-Za-z_]\w*\.)*[A-Z]\w*)(?::[ \t]?(.*))?$", re.MULTILINE)
_JAVA: Final = re.compile(
    r"^((?:[a-z_]\w*\.)+[A-Z][\w$]*(?:Exception|Error|Throwable)?)(?::[ \t]?(.*))?\n\s+at ", re.MULTILINE
)
_CONTINUES: Final = re.compile(
    r"\s|Caused by: |\tat |Traceback \(most recent call last\):|\.\.\. \d+ more|"
    r"During handling of the above|The above exception was"
)
_EXCEPTION_LINE: Final = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning|Exit|Interrupt)(?::|\Z)")


def lift(parsed: Parsed, text: str) -> None:
    """Sets `exception.type`, `.message` and `.stacktrace` from a trace that stands in the text of one event."""
    if "\n" not in text:
        return
    attributes = parsed.attributes
    start = text.find(_PYTHON)
    if start >= 0:
        found = next(iter(deque(_PYTHON_LAST.finditer(text, start + len(_PYTHON)), maxlen=1)), None)
    else:
        found = _JAVA.search(text)
        start = found.start() if found else -1
    if found is None:
        return
    attributes.setdefault("exception.type", found[1])
    if found[2]:
        attributes.setdefault("exception.message", found[2])
    attributes.setdefault("exception.stacktrace", text[start:])


def continues(line: str) -> bool:
    """Whether a line without a time of its own belongs to the event before it."""
    return bool(_CONTINUES.match(line) or _EXCEPTION_LINE.match(line))
