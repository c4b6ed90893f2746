"""How the agent cuts a file into events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from logship.agent.patterns import compiled
from logship.agent.timestamps import pattern_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DEFAULT_START: Final = r"^[\S]"
"""Without a pattern an event begins with each line that does not begin with space."""
MOST_BYTES: Final = 1_048_576
"""Further lines of a larger event are discarded."""


def start_of(pattern: str | None, timestamp_format: str | None) -> str | None:
    """The expression that begins an event; None where nothing ever does.

    Args:
        pattern: `multi_line_start_pattern`.
        timestamp_format: what ``{timestamp_format}`` stands for.
    """
    if not pattern:
        return DEFAULT_START
    if pattern == "{timestamp_format}":
        return pattern_of(timestamp_format) if timestamp_format else None
    return pattern


def cut(lines: Iterable[str], start: str | None) -> Iterator[str]:
    """The events of some lines, each joined by newlines.

    Args:
        lines: without their ends.
        start: as `start_of` gives it.
    """
    begins = compiled(start) if start is not None else None
    held: list[str] = []
    size = 0
    for line in lines:
        if held and begins is not None and begins.search(line):
            yield "\n".join(held)
            held, size = [], 0
        size += len(line.encode("utf-8", "replace")) + 1
        if not held or size <= MOST_BYTES:
            held.append(line)
    if held:
        yield "\n".join(held)
