"""What is known to be read of one group: the text that a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import msgspec

from logship.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Sweep:
    """Reads once more what is so old that every event up to that lateness is visible."""

    age_ms: int
    every_ms: int


SWEEPS: Final = (
    Sweep(30_000, 10_000),
    Sweep(60_000, 15_000),
    Sweep(120_000, 30_000),
    Sweep(300_000, 60_000),
    Sweep(900_000, 180_000),
    Sweep(3_600_000, 720_000),
    Sweep(14_400_000, 2_880_000),
    Sweep(93_600_000, 10_800_000),
    Sweep(1_213_200_000, 86_400_000),
)
"""Youngest first. The last but one finds a day's batch of an agent that ships once a day, the last one all that
PutLogEvents takes, which is 14 days."""
NEAR: Final = 3
DEEP: Final = 7
"""These two always sweep; the others where events were that late of late, or where that costs hardly anything."""
OLDEST: Final = 8
GAP_MS: Final = 60_000
"""A group that was not read for so long is read from its sweeps' marks on."""
MERGED_MS: Final = 3_600_000
"""Ranges that began longer ago are a backfill of their own."""


@dataclass(slots=True)
class Marks:
    """How far a group has been read. Times are milliseconds since 1970, by the service's clock."""

    first_ms: int
    """Where the group was told to begin; nothing older is read."""
    position_ms: int
    """Everything visible up to here has been read, or stands in `ranges`."""
    swept_ms: list[int]
    """Per sweep: what is before that time was read when everything up to the sweep's age of lateness was visible."""
    ranges: dict[int, tuple[int, int]] = field(default_factory=dict)
    """[start, end] by number: still to be read, once."""
    lives: int = 0
    """How many processes began to read, less the pages by which ranges came further; not below 0."""

    @classmethod
    def begin(cls, first_ms: int, now_ms: int) -> Marks:
        """A new group: everything from `first_ms` to now is one range, read after now.

        Nobody may begin at what is to come: where `first_ms` does, our clock that it was counted back from is ahead.
        No event is older than 1970, and no request may name such a time.
        """
        first_ms = max(0, min(first_ms, now_ms))
        swept = [max(first_ms, now_ms - sweep.age_ms) for sweep in SWEEPS]
        ranges = {1: (first_ms, now_ms)} if first_ms < now_ms else {}
        return cls(first_ms, now_ms, swept, ranges)

    def resume(self, now_ms: int, window_ms: int, *, after_gap: int = NEAR) -> None:
        """Makes a range of what may lie between the last process and now: ranges are saved page by page.

        So a process that is killed after a page has come a page further, however soon it is killed. After a gap, and
        always where that is an older sweep than the near one, the range begins where the sweep `after_gap` stood, and
        does that sweep's work.
        """
        self.lives += 1
        gap = now_ms - self.position_ms > GAP_MS or after_gap > NEAR
        start_ms = self.position_ms - window_ms
        start_ms = max(self.first_ms, min(start_ms, self.swept_ms[after_gap]) if gap else start_ms)
        if start_ms >= now_ms:
            return
        end_ms, recent_ms = now_ms, now_ms - MERGED_MS
        for number, (first_ms, last_ms) in [*self.ranges.items()]:
            # An old backfill stays apart, or what is new would come after all of it.
            if last_ms >= start_ms and first_ms >= recent_ms:
                start_ms, end_ms = min(start_ms, first_ms), max(end_ms, last_ms)
                del self.ranges[number]
        for number, sweep in enumerate(SWEEPS):
            if self.swept_ms[number] >= start_ms:
                self.swept_ms[number] = max(self.swept_ms[number], now_ms - sweep.age_ms)
        self.ranges[max(self.ranges, default=0) + 1] = (start_ms, end_ms)
        self.position_ms = max(self.position_ms, now_ms)

    def copy(self) -> Marks:
        """The same marks, to be moved on by themselves."""
        return replace(self, swept_ms=list(self.swept_ms), ranges=dict(self.ranges))

    def dumps(self) -> str:
        """The text of a checkpoint."""
        return msgspec.json.encode(self).decode()


Settle = Callable[[Marks], None]
"""Moves marks by what one page settled."""


def settle_nothing(marks: Marks) -> None:
    """A page that moves no mark."""


def settle_live(
    marks: Marks,
    *,
    position_ms: int,
    start_ms: int | None,
    swept_ms: Sequence[int],
    rest: tuple[int, tuple[int, int]] | None = None,
) -> None:
    """Moves the position; a reading that ended also did the work of the sweeps whose marks it began before."""
    marks.position_ms = max(marks.position_ms, position_ms)
    if rest:
        marks.ranges[rest[0]] = rest[1]
    for number, at_ms in enumerate(swept_ms):
        if start_ms is not None and start_ms <= marks.swept_ms[number]:
            marks.swept_ms[number] = max(marks.swept_ms[number], at_ms)


def settle_sweep(marks: Marks, *, number: int, start_ms: int, swept_ms: int) -> None:
    """Moves a sweep's mark, unless it has gone back behind the begin of this reading."""
    if start_ms <= marks.swept_ms[number]:
        marks.swept_ms[number] = max(marks.swept_ms[number], swept_ms)


def settle_range(marks: Marks, *, number: int, start_ms: int | None) -> None:
    """Cuts off what of a range was read; None ends it."""
    if start_ms is None:
        marks.ranges.pop(number, None)
        marks.lives = max(0, marks.lives - 1)
    elif number in marks.ranges:
        if start_ms > marks.ranges[number][0]:
            marks.lives = max(0, marks.lives - 1)
        marks.ranges[number] = (max(start_ms, marks.ranges[number][0]), marks.ranges[number][1])


def settle_jumbled(marks: Marks, *, number: int, start_ms: int) -> None:
    """A range whose pages are not in order of time is settled by its end alone."""
    if number in marks.ranges:
        marks.ranges[number] = (min(start_ms, marks.ranges[number][0]), marks.ranges[number][1])


def loads(text: str, key: str, place: str = "the state folder") -> Marks:
    """The marks in a checkpoint's text.

    Args:
        text: what was kept.
        key: the checkpoint's, for the message.
        place: where they were kept.

    Raises:
        DataError: it holds something else.
    """
    try:
        marks = msgspec.json.decode(text, type=Marks)
        if len(marks.swept_ms) != len(SWEEPS):
            raise msgspec.ValidationError("swept_ms has another length")
    except msgspec.DecodeError as error:
        statement = f"DELETE FROM checkpoint WHERE key = '{key}'"  # noqa: S608 - for a person to type
        raise DataError(
            f"the checkpoint {key!r} in {place} cannot be read: {error}; run the logship that wrote it, or delete that "
            f'key to begin at start (in a state folder with: sqlite3 checkpoints.db "{statement}"): what the store has '
            "is not stored twice"
        ) from None
    return marks
