"""One group's reader: which time range to ask for next, and what each page that arrives settles.

CloudWatch gives events out by their own time, but makes them visible later, some of them much later. So each
event's time is read several times, and what is known is skipped:

* The *live* reading follows the newest events, and each time begins somewhat before where it stood: the near
  window, as wide as late events need and re-reading allows.
* *Sweeps* read everything once more when it is old enough: after 5 minutes and after 26 hours, and at ages
  between where events were that late of late. Each has a mark that moves over every millisecond once.
* *Ranges* are what lies behind: the first backfill, an outage, the rest of a burst. Each is read once, in pages,
  several at a time, from where they were created on; a range is split where there is room for more readings.

Nothing here talks to anybody: pages come in, batches go out, and what is acknowledged moves the marks that are
saved. Two sets of marks are kept: `marks` is what was read, `safe` what is stored.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from logship.forward.port import Batch
from logship.forward.sources.poll.marks import DEEP, NEAR, SWEEPS, Marks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.forward.sources.poll.known import KnownIds
    from logship.record import LogEvent

WINDOW_OF_INTERVAL: Final = 1.6
"""The near window is at most that many intervals: a live event is read 2.6 times at most."""
LARGEST_WINDOW_MS: Final = 8_000
"""A short interval is stretched rather than have the window smaller than events need, up to that."""
SMALLEST_WINDOW_MS: Final = 2_000
FEW_EVENTS: Final = 200
"""Reading so few again and again costs no more than the call: their interval is not stretched."""
GAP_MS: Final = 60_000
"""A group that was not read for so long is read from its sweeps' marks on, in one go."""
LIVE_PAGES: Final = 10
"""A live reading of more pages leaves the rest to a range and goes on at the newest events."""
WANTED_FOR_MS: Final = 600_000
"""So long after an event that was as late as a sweep may find, that sweep goes on."""
TRIED_AGAIN_MS: Final = 3_600_000
"""A sweep that found nothing is tried again that long after, as long as younger ones find events."""
AHEAD_MS: Final = 60_000
"""Events stamped further ahead than that are read apart, so that they are not read each time."""
REMEMBERED_MS: Final = SWEEPS[NEAR].age_ms + 2 * SWEEPS[NEAR].every_ms
SMALLEST_SPLIT_PAGES: Final = 8
"""A range is split when each half has some such number of pages before it."""

Kind = Literal["live", "ahead", "sweep", "range"]


@dataclass(slots=True, eq=False)
class Reading:
    """One time range being read page by page, and when its next page is due."""

    group: GroupReader
    kind: Kind
    number: int = 0
    """Of a sweep or range."""
    start_ms: int = 0
    end_ms: int | None = None
    cursor_ms: int = 0
    """Everything before that time has been read."""
    asked_ms: tuple[int, int | None] = (0, None)
    """The times of the request whose pages are read: a token is good for these alone."""
    began_ms: int = 0
    """The service's time at the first page; 0 between two readings."""
    token: str | None = None
    pages: int = 0
    events: int = 0
    """In its pages so far, known ones included."""
    due_s: float = 0.0
    share: float = 0.0
    """What it has had of the calls, in units of its weight (stride scheduling)."""
    busy: bool = False
    failures: int = 0


@dataclass(slots=True)
class Figures:
    """What one group's reading came to."""

    pages: int = 0
    empty_pages: int = 0
    events: int = 0
    fresh: int = 0
    bytes: int = 0
    """Of the answers, as they came."""
    stored: int = 0
    newest_ms: int = 0
    """Newest event time read."""
    newest_stored_ms: int = 0
    delay_ms: int = 0
    """Ingestion time minus event time of the newest page's last event."""


class GroupReader:
    """Reads one group.

    Args:
        name: the log group.
        marks: where its checkpoint stands.
        known: the ids read of late.
        interval_ms: the pause between two live readings.
        now_ms: the service's time.
    """

    def __init__(
        self, name: str, marks: Marks, known: KnownIds, *, interval_ms: int, now_ms: int, version: int = 0
    ) -> None:
        self.name = name
        self.marks, self.safe = marks, marks.copy()
        self.version = version
        self.figures = Figures(newest_ms=marks.position_ms, newest_stored_ms=marks.position_ms)
        self.window_ms = LARGEST_WINDOW_MS
        self.dirty = version == 0
        self.refused = ""
        """Why it is not read: the role may not."""
        self._known, self._interval_ms = known, interval_ms
        self._largest_window_ms = max(int(WINDOW_OF_INTERVAL * interval_ms), LARGEST_WINDOW_MS)
        self._lock = threading.Lock()
        self._began_ms = now_ms
        self._newest_ms = marks.position_ms
        self._ahead_ms = 0
        self._wanted_until_ms = [0] * len(SWEEPS)
        self._try_again_ms = [0] * len(SWEEPS)
        self._in_flight = 0
        self._last_range = max(marks.ranges, default=0)
        self._polls = 0
        self.live = Reading(self, "live")
        self._ahead = Reading(self, "ahead")
        self._sweeps = [Reading(self, "sweep", number) for number in range(len(SWEEPS))]
        self.ranges = {number: self._range(number, *span) for number, span in marks.ranges.items()}
        if version and now_ms - marks.position_ms < GAP_MS:
            # What was known went with the process before: who restarts learns lateness anew, so it looks everywhere.
            for number in range(DEEP):
                self._want(number, now_ms)

    # What to read

    def readings(self) -> list[Reading]:
        """All readings, for the scheduler; ranges come and go."""
        return [self.live, self._ahead, *self._sweeps, *self.ranges.values()]

    def is_due(self, reading: Reading, now_ms: int) -> bool:
        """Whether there is anything to read: a sweep may not be, a live reading always is."""
        if reading.began_ms or reading.kind in {"live", "range"}:
            return True
        if self._polls == 0:
            return False  # the first live reading may do the sweeps' work
        if reading.kind == "ahead":
            return self._ahead_ms > now_ms + AHEAD_MS
        # Where nothing is known to lie, the live reading sweeps along.
        return self._newest_ms > self.marks.swept_ms[reading.number] and self._sweep_is_due(reading.number, now_ms)

    def weight(self, reading: Reading, now_ms: int) -> float:
        """The share of calls that a reading should have against others: by how far it lags behind."""
        if reading.kind == "range":
            return 1.0
        if reading.kind != "live":
            return 0.5
        lag_ms = now_ms - (reading.cursor_ms if reading.began_ms else self.marks.position_ms)
        return 1.0 + math.sqrt(max(0.0, lag_ms / self._interval_ms))

    def pause_ms(self, now_ms: int) -> int:
        """How long to wait after a live reading: longer where the window needs it, and for groups that are idle."""
        stretched = self.live.events > FEW_EVENTS
        period_ms = max(self._interval_ms, int(self.window_ms / WINDOW_OF_INTERVAL) if stretched else 0)
        return max(period_ms, min((now_ms - self._newest_ms) // 10, 10_000))

    def is_idle(self, now_ms: int) -> bool:
        """Whether nothing has happened for minutes."""
        return not self.ranges and self._polls > 0 and now_ms - max(self._newest_ms, self._began_ms) > GAP_MS

    def is_caught_up(self, now_ms: int) -> bool:
        """Whether everything that was visible when the first live reading began has been read."""
        with self._lock:
            return bool(self.refused) or (
                self._polls > 0
                and not self.ranges
                and not any(reading.began_ms or self._sweep_is_due(reading.number, now_ms) for reading in self._sweeps)
            )

    def request(self, reading: Reading, now_ms: int) -> dict[str, Any]:
        """The arguments of FilterLogEvents for a reading's next page."""
        with self._lock:
            if not reading.began_ms:
                self._begin(reading, now_ms)
            if not reading.token:
                reading.asked_ms = (reading.cursor_ms, reading.end_ms)
            start_ms, end_ms = reading.asked_ms
            request: dict[str, Any] = {"startTime": start_ms}
            if end_ms is not None:
                request["endTime"] = end_ms
            if reading.token:
                request["nextToken"] = reading.token
            return request

    def restart(self, reading: Reading) -> None:
        """The reading's token is no longer taken: it goes on from the last event's time."""
        with self._lock:
            reading.token = None

    def _begin(self, reading: Reading, now_ms: int) -> None:
        reading.began_ms, reading.pages, reading.events, reading.token, reading.end_ms = now_ms, 0, 0, None, None
        if reading.kind == "live":
            start_ms = self._live_start(now_ms)
            if self._ahead_ms > now_ms + AHEAD_MS:
                reading.end_ms = now_ms + AHEAD_MS
        elif reading.kind == "ahead":
            start_ms = self._ahead_ms + 1
        else:
            start_ms = self.marks.swept_ms[reading.number]
            reading.end_ms = now_ms - SWEEPS[reading.number].age_ms
        reading.start_ms = reading.cursor_ms = max(start_ms, self.marks.first_ms)

    def _live_start(self, now_ms: int) -> int:
        """From the near window on; where nothing is known to lie between, or after a gap, from the sweeps' marks on."""
        marks = self.marks
        start_ms = marks.position_ms - self.window_ms
        gap = now_ms - marks.position_ms > GAP_MS
        for number, swept_ms in enumerate(marks.swept_ms):
            empty = self._newest_ms <= swept_ms and self._sweep_is_due(number, now_ms)
            if empty or (gap and number == NEAR):
                start_ms = min(start_ms, swept_ms)
        return start_ms

    def _sweep_is_due(self, number: int, now_ms: int) -> bool:
        sweep = SWEEPS[number]
        if number not in {NEAR, DEEP} and now_ms > self._wanted_until_ms[number]:
            return False
        return now_ms - sweep.age_ms - self.marks.swept_ms[number] >= sweep.every_ms

    def _want(self, number: int, now_ms: int) -> None:
        """Turns a sweep on for a while."""
        if number in {NEAR, DEEP}:
            return
        if now_ms > self._wanted_until_ms[number]:
            # It begins not long ago: older sweeps see to what is older.
            begin_ms = now_ms - 2 * SWEEPS[number].age_ms
            for marks in (self.marks, self.safe):
                marks.swept_ms[number] = max(marks.swept_ms[number], begin_ms)
        self._wanted_until_ms[number] = now_ms + max(WANTED_FOR_MS, 2 * SWEEPS[number].age_ms)

    def _found_late(self, number: int, now_ms: int) -> None:
        """A sweep has found events that came late: it goes on, instead of younger ones, and the next is tried."""
        self._want(number, now_ms)
        if number < NEAR:
            for younger in range(number):
                self._wanted_until_ms[younger] = 0
        following = number + 1
        if following < DEEP and now_ms >= self._try_again_ms[following]:
            self._try_again_ms[following] = now_ms + TRIED_AGAIN_MS
            self._want(following, now_ms)

    def _range(self, number: int, start_ms: int, end_ms: int) -> Reading:
        return Reading(self, "range", number, start_ms, end_ms, start_ms, began_ms=1)

    # What a page settles

    def take(
        self, reading: Reading, events: Sequence[LogEvent], token: str | None, now_ms: int, *, spare: int = 0
    ) -> Batch | None:
        """What is new in a page, to be delivered before the reading goes on; None when there is nothing to say.

        Args:
            reading: whose page it is.
            events: in order of time.
            token: of the next page, if there is one.
            now_ms: the service's time.
            spare: how many more readings there is room for.
        """
        with self._lock:
            reading.pages += 1
            reading.events += len(events)
            reading.failures = 0
            if (
                reading.kind == "range"
                and events
                and reading.end_ms is not None
                and events[-1].timestamp_ms > reading.end_ms
            ):
                # The range was split after its token was made: what is beyond is another reading's.
                events, token = [event for event in events if event.timestamp_ms <= reading.end_ms], None
            self._count(events)
            fresh = self._known.fresh(events, now_ms - REMEMBERED_MS)
            if events:
                self._see(reading, events, now_ms)
            if reading.kind == "live":
                settle, done = self._take_live(reading, fresh, token, now_ms)
            elif reading.kind == "sweep":
                settle, done = self._take_sweep(reading, fresh, token, now_ms)
            elif reading.kind == "range":
                settle, done = self._take_range(reading, token, spare)
            else:
                settle, done = _nothing, not token
            reading.token = None if done else token
            if done:
                reading.began_ms = 0
            settle(self.marks)
            return self._batch(fresh, settle)

    def _count(self, events: Sequence[LogEvent]) -> None:
        figures = self.figures
        figures.pages += 1
        figures.events += len(events)
        if not events:
            figures.empty_pages += 1
            return
        last = events[-1]
        if last.ingestion_ms:
            figures.delay_ms = max(0, last.ingestion_ms - last.timestamp_ms)

    def _see(self, reading: Reading, events: Sequence[LogEvent], now_ms: int) -> None:
        reading.cursor_ms = max(reading.cursor_ms, events[-1].timestamp_ms)
        if reading.cursor_ms > now_ms + AHEAD_MS:
            self._ahead_ms = max(self._ahead_ms, reading.cursor_ms)
        self._newest_ms = max(self._newest_ms, min(reading.cursor_ms, now_ms))
        self.figures.newest_ms = self._newest_ms

    def _take_live(
        self, reading: Reading, fresh: Sequence[LogEvent], token: str | None, now_ms: int
    ) -> tuple[_Settle, bool]:
        self._fit_window(fresh, now_ms)
        began_ms, start_ms = reading.began_ms, reading.start_ms
        if not token:
            self._polls += 1
            self._known.forget_before(now_ms - REMEMBERED_MS)
            # What is late by less than that is seen by the next window, so a quiet group's mark may follow the clock.
            quiet_ms = began_ms - self._largest_window_ms
            return partial(
                _settle_live,
                position_ms=max(min(reading.cursor_ms, began_ms), quiet_ms),
                start_ms=start_ms,
                swept_ms=[began_ms - sweep.age_ms for sweep in SWEEPS],
            ), True
        if reading.pages >= LIVE_PAGES and now_ms - reading.cursor_ms > GAP_MS:
            self._polls += 1
            return self._leave_rest(reading, now_ms), True
        return partial(_settle_live, position_ms=min(reading.cursor_ms, began_ms), start_ms=None, swept_ms=()), False

    def _leave_rest(self, reading: Reading, now_ms: int) -> _Settle:
        """Makes a range of what the live reading has not reached; it goes on at the newest events."""
        number = self._next_range()
        span = (reading.cursor_ms, now_ms)
        self.ranges[number] = self._range(number, *span)
        # The range is read from now on, so it sees what is as late as a sweep allows up to now less its age.
        return partial(
            _settle_live,
            position_ms=now_ms,
            start_ms=reading.start_ms,
            swept_ms=[now_ms - sweep.age_ms for sweep in SWEEPS],
            rest=(number, span),
        )

    def _take_sweep(
        self, reading: Reading, fresh: Sequence[LogEvent], token: str | None, now_ms: int
    ) -> tuple[_Settle, bool]:
        number = reading.number
        surely_known_ms = max(self._began_ms, self._known.forgotten_ms)
        if number < DEEP and any(event.timestamp_ms >= surely_known_ms for event in fresh):
            self._found_late(number, now_ms)
        assert reading.end_ms is not None
        swept_ms = reading.cursor_ms if token else reading.end_ms
        return partial(_settle_sweep, number=number, swept_ms=swept_ms), not token

    def _take_range(self, reading: Reading, token: str | None, spare: int) -> tuple[_Settle, bool]:
        number = reading.number
        if not token:
            del self.ranges[number]
            return partial(_settle_range, number=number, start_ms=None), True
        if spare > 0:
            self._split(reading)
        return partial(_settle_range, number=number, start_ms=reading.cursor_ms), False

    def _split(self, reading: Reading) -> None:
        """Gives the later half of what is left to a reading of its own, if there are pages enough for two."""
        assert reading.end_ms is not None
        done_ms, left_ms = reading.cursor_ms - reading.start_ms, reading.end_ms - reading.cursor_ms
        if reading.pages < 2 or left_ms * reading.pages < 2 * SMALLEST_SPLIT_PAGES * max(done_ms, 1):  # noqa: PLR2004
            return
        middle_ms, end_ms, number = reading.cursor_ms + left_ms // 2, reading.end_ms, self._next_range()
        reading.end_ms = middle_ms
        self.ranges[number] = self._range(number, middle_ms + 1, end_ms)
        for marks in (self.marks, self.safe):  # together they are what the one range was
            marks.ranges[number] = (middle_ms + 1, end_ms)
            marks.ranges[reading.number] = (marks.ranges[reading.number][0], middle_ms)
        self.dirty = True

    def _next_range(self) -> int:
        self._last_range += 1
        return self._last_range

    def _fit_window(self, fresh: Sequence[LogEvent], now_ms: int) -> None:
        """Widens the window where events come in at its far end; narrows it slowly where none come."""
        position_ms, window_ms = self.marks.position_ms, self.window_ms
        surely_known_ms = max(self._began_ms, self._known.forgotten_ms)
        behind_ms = max(
            (
                position_ms - event.timestamp_ms
                for event in fresh
                if surely_known_ms <= event.timestamp_ms < position_ms
            ),
            default=0,
        )
        if behind_ms > window_ms // 2:
            if not any(until_ms > now_ms for until_ms in self._wanted_until_ms):
                self._want(0, now_ms)
            self.window_ms = min(self._largest_window_ms, window_ms + window_ms // 2)
        elif behind_ms < window_ms // 4 and not self._settling(now_ms):
            self.window_ms = max(SMALLEST_WINDOW_MS, window_ms - window_ms // 20)

    def _settling(self, now_ms: int) -> bool:
        return now_ms - self._began_ms < GAP_MS

    # What is stored

    def _batch(self, fresh: Sequence[LogEvent], settle: _Settle) -> Batch | None:
        self.figures.fresh += len(fresh)
        if not fresh and not self._in_flight:
            settle(self.safe)
            self.dirty = True
            return None
        self._in_flight += 1
        newest_ms = max((event.timestamp_ms for event in fresh), default=0)
        return Batch(fresh, partial(self._stored, settle, len(fresh), newest_ms))

    def _stored(self, settle: _Settle, events: int, newest_ms: int) -> None:
        with self._lock:
            settle(self.safe)
            self.dirty = True
            self._in_flight -= 1
            self.figures.stored += events
            self.figures.newest_stored_ms = max(self.figures.newest_stored_ms, newest_ms)

    def to_save(self) -> str | None:
        """The text to keep, once; None when nothing has moved."""
        with self._lock:
            if not self.dirty:
                return None
            self.dirty = False
            return self.safe.dumps()

    def close(self) -> None:
        """Forgets the ids."""
        self._known.clear()


_Settle = Callable[[Marks], None]


def _nothing(marks: Marks) -> None:
    """A page that moves no mark."""


def _settle_live(
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


def _settle_sweep(marks: Marks, *, number: int, swept_ms: int) -> None:
    marks.swept_ms[number] = max(marks.swept_ms[number], swept_ms)


def _settle_range(marks: Marks, *, number: int, start_ms: int | None) -> None:
    if start_ms is None:
        marks.ranges.pop(number, None)
    elif number in marks.ranges:
        marks.ranges[number] = (max(start_ms, marks.ranges[number][0]), marks.ranges[number][1])
