"""One group's reader: which time range to ask for next, and what each page that arrives settles.

CloudWatch gives events out by their own time, but makes them visible later, some of them much later. So each
event's time is read several times, and what is known is skipped:

* The *live* reading follows the newest events, and each time begins somewhat before where it stood: the near
  window, as wide as late events need and re-reading allows.
* *Sweeps* read everything once more when it is old enough: after 5 minutes and after 26 hours, and at other ages
  where events were that late of late, or are so few that it costs hardly anything. Elsewhere those look at a part, to
  see whether any are. Each has a mark that moves over every millisecond once.
* *Ranges* are what lies behind: the first backfill, an outage, the rest of a burst. Each is read once, in pages,
  several at a time, from where they were created on; a range is split where there is room for more readings.

Nothing here talks to anybody: pages come in, batches go out, and what is acknowledged moves the marks that are
saved. Two sets of marks are kept: of what was read, and of what is stored.
"""

from __future__ import annotations

import math
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from logship.events import chosen, columns_of
from logship.forward.sources.poll.lateness import (
    FEW_EVENTS,
    LARGEST_WINDOW_MS,
    LATEST_FLOOR_MS,
    WINDOW_OF_INTERVAL,
    Lateness,
)
from logship.forward.sources.poll.marks import (
    DEEP,
    GAP_MS,
    NEAR,
    SWEEPS,
    Marks,
    Settle,
    settle_jumbled,
    settle_live,
    settle_nothing,
    settle_range,
    settle_sweep,
)
from logship.forward.sources.poll.ranges import MOST_RANGES, Ranges
from logship.forward.sources.poll.reading import Behind, Figures, Reading
from logship.forward.sources.poll.stored import Stored
from logship.forward.sources.poll.sweeps import Sweeps
from logship.forward.sources.poll.waking import SOONEST_MS, Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.forward.port import Batch
    from logship.forward.sources.poll.known import KnownIds
    from logship.record import LogEvent

LIVE_PAGES: Final = 10
"""A live reading of more pages leaves the rest to a range and goes on at the newest events."""
AHEAD_MS: Final = 60_000
"""Events stamped further ahead than that are read apart, so that they are not read each time."""
REMEMBERED_MS: Final = SWEEPS[NEAR].age_ms + 2 * SWEEPS[NEAR].every_ms
"""So long an event is known, and longer where all come late."""


class GroupReader:
    """Reads one group.

    Args:
        name: the log group.
        marks: where its checkpoint stands.
        known: the ids read of late.
        interval_ms: the pause between two live readings.
        now_ms: the service's time.
        version: of the checkpoint; 0 for a new group.
        after_gap: the sweep at whose mark reading begins after a gap.
    """

    def __init__(
        self,
        name: str,
        marks: Marks,
        known: KnownIds,
        *,
        interval_ms: int,
        now_ms: int,
        version: int = 0,
        after_gap: int = NEAR,
    ) -> None:
        self.name = name
        if version:
            marks.resume(now_ms, LARGEST_WINDOW_MS, after_gap=after_gap)
        self.marks, self.version, self._is_new = marks, version, not version
        self.figures = Figures(newest_ms=marks.position_ms, newest_stored_ms=marks.position_ms)
        self.lateness = Lateness(interval_ms=interval_ms, now_ms=now_ms)
        self.watch = Watch()
        self.refused = ""
        """Why it is not read: the role may not."""
        self._known, self._interval_ms = known, interval_ms
        self._lock = threading.Lock()
        self.stored = Stored(marks.copy(), self.figures, self._lock, is_new=self._is_new)
        self._began_ms = now_ms
        self._newest_ms = marks.position_ms
        """Time of the newest event; until the ranges of the start are read, what they end with."""
        self._found_ms = 0
        """Time of the newest event that was read; 0 for none."""
        self._ahead_ms = 0
        self._polled_ms = 0
        self._polls = 0
        self.live = Reading(self, "live")
        self._ahead = Reading(self, "ahead")
        self._sweeps = Sweeps(self, (self.marks, self.stored.marks), self.lateness, now_ms)
        self.ranges = Ranges(self, marks)
        if version:
            # What was known went with the process before: who restarts learns lateness anew, so it looks everywhere.
            self._sweeps.begin(self.lateness.start(range(NEAR + 2), now_ms), now_ms)

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
        return self._newest_ms > self.marks.swept_ms[reading.number] and self._sweeps.is_due(reading.number, now_ms)

    def weight(self, reading: Reading, now_ms: int) -> float:
        """The share of calls that a reading should have against others: by how far it lags behind."""
        if reading.kind == "range":
            return 1.0
        if reading.kind != "live":
            return 0.5
        lag_ms = now_ms - self.lateness.floor_ms - (reading.cursor_ms if reading.began_ms else self.marks.position_ms)
        return 1.0 + math.sqrt(max(0.0, lag_ms / self._interval_ms))

    def pause_ms(self, now_ms: int) -> int:
        """How long to wait after a live reading: longer where the window needs it, and for groups that are idle."""
        period_ms = max(self._interval_ms, self._shortest_ms)
        quiet_ms = now_ms - self.lateness.floor_ms - max(self._newest_ms, self._began_ms)
        wanted_ms = max(period_ms, min(quiet_ms // 10, 10_000))
        return self.watch.pause_ms(
            wanted_ms, self.soonest_ms, read_ms=self._newest_ms, began_ms=self._polled_ms, now_ms=now_ms
        )

    @property
    def soonest_ms(self) -> int:
        """How long to wait after a live reading at least, whatever Live Tail tells."""
        return max(SOONEST_MS, self._shortest_ms)

    @property
    def _shortest_ms(self) -> int:
        """The shortest interval that does not read too much again."""
        return int(self.lateness.window_ms / WINDOW_OF_INTERVAL) if self.live.events > FEW_EVENTS else 0

    def is_idle(self, now_ms: int) -> bool:
        """Whether nothing has happened for a while, or ever since it is read."""
        newest_ms = max(self._newest_ms if self.figures.events else 0, self.watch.told_ms)
        return not self.ranges and self._polls > 0 and now_ms - self.lateness.floor_ms - newest_ms > GAP_MS

    def is_caught_up(self, now_ms: int) -> bool:
        """Whether everything that was visible when the first live reading began has been read."""
        with self._lock:
            return bool(self.refused) or (
                self._polls > 0
                and not self.ranges
                and not any(reading.began_ms or self._sweeps.is_due(reading.number, now_ms) for reading in self._sweeps)
            )

    def behind(self, now_ms: int) -> Behind:
        """How far what is stored is behind what is visible."""
        with self._lock:
            unstored_ms = self.stored.oldest_ms
            unread_ms = self.marks.position_ms if self.live.began_ms and self.live.token else None
            since_ms = min((at_ms for at_ms in (unstored_ms, unread_ms) if at_ms is not None), default=now_ms)
            backlog_ms = sum(end_ms - start_ms for start_ms, end_ms in self.stored.marks.ranges.values())
            read_age_ms = max(0, now_ms - self._polled_ms) if self._polled_ms else None
            return Behind(max(0, now_ms - since_ms), backlog_ms, read_age_ms)

    @property
    def is_drained(self) -> bool:
        """Whether no page is on its way, neither from the service nor to the store."""
        with self._lock:
            return not self.stored.is_waited_for and not any(reading.busy for reading in self.readings())

    def request(self, reading: Reading, now_ms: int) -> dict[str, Any]:
        """The arguments of FilterLogEvents for a reading's next page."""
        with self._lock:
            if not reading.began_ms:
                self._begin(reading, now_ms)
            if not reading.token:
                reading.asked_ms = (reading.cursor_ms, reading.end_ms)
            start_ms, end_ms = reading.asked_ms
            # What AWS always does now: events in order of time whatever their stream. Others still want to be told.
            request: dict[str, Any] = {"startTime": start_ms, "interleaved": True}
            if end_ms is not None:
                request["endTime"] = end_ms
            if reading.token:
                request["nextToken"] = reading.token
            return request

    def restart(self, reading: Reading) -> None:
        """The reading's token is no longer taken: it goes on from the last event's time."""
        with self._lock:
            reading.token = None
            if reading.is_jumbled:
                reading.cursor_ms = reading.start_ms

    def _begin(self, reading: Reading, now_ms: int) -> None:
        reading.began_ms, reading.pages, reading.events, reading.token, reading.end_ms = now_ms, 0, 0, None, None
        reading.is_jumbled = False
        if reading.kind == "live":
            start_ms = self._live_start(now_ms)
            if self._ahead_ms > now_ms + AHEAD_MS:
                reading.end_ms = now_ms + AHEAD_MS
        elif reading.kind == "ahead":
            start_ms = self._ahead_ms + 1
        else:
            start_ms, reading.end_ms = self._sweeps.span(reading.number, now_ms)
        reading.start_ms = reading.cursor_ms = max(start_ms, self.marks.first_ms)

    def _live_start(self, now_ms: int) -> int:
        """From the near window on; where nothing is known to lie between, or after a gap, from the sweeps' marks on.

        Where nothing has come for a while it begins behind the newest event, so that what comes now is seen however
        late it is: reading where nothing lies costs nothing.
        """
        marks = self.marks
        start_ms = marks.position_ms - self.lateness.window_ms
        if not self.ranges:  # else what lies behind the newest event is theirs
            start_ms = min(start_ms, max(self._newest_ms + 1, now_ms - LATEST_FLOOR_MS))
        gap = now_ms - (self._polled_ms or marks.position_ms) > GAP_MS
        for number, swept_ms in enumerate(marks.swept_ms):
            empty = self._newest_ms <= swept_ms and self._sweeps.is_due(number, now_ms)
            if empty or (gap and number == NEAR):
                start_ms = min(start_ms, swept_ms)
        return start_ms

    def _known_from_ms(self, now_ms: int) -> int:
        return now_ms - self.lateness.floor_ms - REMEMBERED_MS

    @property
    def _surely_known_ms(self) -> int:
        """An event from then on that is new has never been read."""
        return max(self._began_ms, self._known.forgotten_ms)

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
                times_ms = enumerate(columns_of(events).timestamps_ms)
                events, token = chosen(events, [place for place, at_ms in times_ms if at_ms <= reading.end_ms]), None
            self.figures.count(events)
            fresh = self._known.fresh(events, self._known_from_ms(now_ms))
            if events:
                self._see(reading, events, now_ms)
                self._sweeps.go_back(self.lateness.taken_in(events, now_ms), now_ms)
            if events and reading.kind != "range":
                sweeps, surely_ms = reading.kind == "sweep", self._surely_known_ms
                late = sum(at_ms >= surely_ms for at_ms in columns_of(fresh).timestamps_ms) if sweeps else 0
                self.lateness.observe(events, fresh, now_ms, live=reading.kind == "live", late=late)
            if reading.kind == "live":
                settle, done = self._take_live(reading, fresh, token, now_ms)
            elif reading.kind == "sweep":
                settle, done = self._take_sweep(reading, fresh, token, now_ms)
            elif reading.kind == "range":
                settle, done = self._take_range(reading, token, spare)
            else:
                settle, done = settle_nothing, not token
            reading.token = None if done else token
            if done:
                reading.began_ms = 0
            settle(self.marks)
            return self.stored.batch(fresh, settle, lags=reading.kind != "range")

    def _see(self, reading: Reading, events: Sequence[LogEvent], now_ms: int) -> None:
        if reading.first_ms is None:
            reading.first_ms = events[0].timestamp_ms
        times_ms = columns_of(events).timestamps_ms
        newest_ms = max(times_ms)
        reading.is_jumbled |= min(times_ms) < reading.cursor_ms or times_ms[-1] < newest_ms
        reading.cursor_ms = max(reading.cursor_ms, newest_ms)
        if reading.cursor_ms > now_ms + AHEAD_MS:
            self._ahead_ms = max(self._ahead_ms, reading.cursor_ms)
        self._found_ms = max(self._found_ms, min(reading.cursor_ms, now_ms))
        self._newest_ms = max(self._newest_ms, self._found_ms)
        self.figures.newest_ms = self._newest_ms

    def _take_live(
        self, reading: Reading, fresh: Sequence[LogEvent], token: str | None, now_ms: int
    ) -> tuple[Settle, bool]:
        self._sweeps.came(len(fresh))
        self._fit_window(fresh, now_ms)
        began_ms, start_ms = reading.began_ms, reading.start_ms
        if not token:
            self._polls += 1
            self._polled_ms = began_ms
            self._known.forget_before(self._known_from_ms(now_ms))
            # What is late by less than that is seen by the next window, so a quiet group's mark may follow the clock.
            quiet_ms = began_ms - self.lateness.floor_ms - self.lateness.largest_window_ms
            return partial(
                settle_live,
                position_ms=max(min(reading.cursor_ms, began_ms), quiet_ms),
                start_ms=start_ms,
                swept_ms=[began_ms - sweep.age_ms for sweep in SWEEPS],
            ), True
        overrun = reading.pages >= LIVE_PAGES and now_ms - reading.cursor_ms > GAP_MS
        if overrun and len(self.ranges) < MOST_RANGES:
            self._polls += 1
            self._polled_ms = began_ms
            return self._leave_rest(reading, now_ms), True
        return partial(settle_live, position_ms=min(reading.cursor_ms, began_ms), start_ms=None, swept_ms=()), False

    def _leave_rest(self, reading: Reading, now_ms: int) -> Settle:
        """Makes a range of what the live reading has not reached; it goes on at the newest events."""
        span = (reading.cursor_ms, now_ms)
        number = self.ranges.add(*span)
        # Its first page saw what was there when it began; the range, which is read from now on, sees more.
        return partial(
            settle_live,
            position_ms=now_ms,
            start_ms=reading.start_ms,
            swept_ms=[reading.began_ms - sweep.age_ms for sweep in SWEEPS],
            rest=(number, span),
        )

    def _take_sweep(
        self, reading: Reading, fresh: Sequence[LogEvent], token: str | None, now_ms: int
    ) -> tuple[Settle, bool]:
        number = reading.number
        surely_ms = self._surely_known_ms
        if number < DEEP and any(event.timestamp_ms >= surely_ms for event in fresh):
            self._sweeps.begin(self.lateness.found_by_sweep(number, now_ms), now_ms)
        assert reading.end_ms is not None
        swept_ms = reading.cursor_ms if token else reading.end_ms
        return partial(settle_sweep, number=number, start_ms=reading.start_ms, swept_ms=swept_ms), not token

    def _take_range(self, reading: Reading, token: str | None, spare: int) -> tuple[Settle, bool]:
        number = reading.number
        if not token:
            del self.ranges[number]
            if not self.ranges and (self._found_ms or self._is_new):
                self._newest_ms = max(self._found_ms, self.marks.first_ms)
            return partial(settle_range, number=number, start_ms=None), True
        if reading.is_jumbled:
            return partial(settle_jumbled, number=number, start_ms=reading.start_ms), False
        if (
            spare > 0 and number in self.stored.marks.ranges
        ):  # what a live reading left is there once its pages are stored
            both = self.marks, self.stored.marks
            self.stored.dirty = self.ranges.split(reading, *both) or self.stored.dirty
        return partial(settle_range, number=number, start_ms=reading.cursor_ms), False

    def _fit_window(self, fresh: Sequence[LogEvent], now_ms: int) -> None:
        position_ms, surely_ms = self.marks.position_ms, self._surely_known_ms
        behind_ms = max(
            (position_ms - at_ms for at_ms in columns_of(fresh).timestamps_ms if surely_ms <= at_ms < position_ms),
            default=0,
        )
        self._sweeps.begin(self.lateness.fit_window(behind_ms, now_ms), now_ms)

    def close(self) -> None:
        """Forgets the ids; pages that still come are remembered no more."""
        self._known.clear()
