"""The ranges of one group: what lies behind the live edge, each read once, and split where there is room for more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from logship.forward.sources.poll.reading import Reading

if TYPE_CHECKING:
    from logship.forward.sources.poll.group import GroupReader
    from logship.forward.sources.poll.marks import Marks

MOST_RANGES: Final = 500
"""A checkpoint names no more ranges than that: it stays below 20 KB. Live readings that overrun then wait."""
CONTEXT_MS: Final = 500
"""A range that is gone on with is read from that much earlier: its first line may continue an event that was stored."""
SMALLEST_SPLIT_PAGES: Final = 8
"""A range is split when each half has some such number of pages before it."""


class Ranges(dict[int, Reading]):
    """Readings by the number that the marks know them by.

    Args:
        group: whose they are.
        marks: what a checkpoint says is still to be read.
    """

    def __init__(self, group: GroupReader, marks: Marks) -> None:
        super().__init__()
        self._group, self._last = group, max(marks.ranges, default=0)
        # Where processes are killed again and again, reading somewhat before must not be all that they do.
        context_ms = CONTEXT_MS >> (2 * min(max(marks.lives - 1, 0), 16))
        for number, (start_ms, end_ms) in marks.ranges.items():
            self._put(number, max(start_ms - context_ms, min(start_ms, marks.first_ms)), end_ms)

    def add(self, start_ms: int, end_ms: int) -> int:
        """A new range; its number."""
        self._last += 1
        self._put(self._last, start_ms, end_ms)
        return self._last

    def split(self, reading: Reading, *both: Marks) -> bool:
        """Gives the later half of what is left to a reading of its own, if there are pages enough for two.

        Args:
            reading: one of these.
            both: the marks that name it; together the halves are what the one range was.
        """
        assert reading.end_ms is not None
        # Where nothing lies before the first event, that says nothing of the pages to come.
        began_ms = reading.start_ms if reading.first_ms is None else reading.first_ms
        done_ms, left_ms = reading.cursor_ms - began_ms, reading.end_ms - reading.cursor_ms
        if reading.pages < 2 or left_ms * reading.pages < 2 * SMALLEST_SPLIT_PAGES * max(done_ms, 1):  # noqa: PLR2004
            return False
        middle_ms, end_ms = reading.cursor_ms + left_ms // 2, reading.end_ms
        number, reading.end_ms = self.add(middle_ms + 1, end_ms), middle_ms
        for marks in both:
            marks.ranges[number] = (middle_ms + 1, end_ms)
            marks.ranges[reading.number] = (marks.ranges[reading.number][0], middle_ms)
        return True

    def _put(self, number: int, start_ms: int, end_ms: int) -> None:
        self[number] = Reading(self._group, "range", number, start_ms, end_ms, start_ms, began_ms=1)
