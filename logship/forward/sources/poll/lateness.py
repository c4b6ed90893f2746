"""How late a group's events become visible, learnt from what each reading finds, and which readings that calls for."""

from __future__ import annotations

import math
from collections import deque
from operator import sub
from typing import TYPE_CHECKING, Final

from logship.events import columns_of
from logship.forward.sources.poll.marks import DEEP, NEAR, OLDEST, SWEEPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from logship.record import LogEvent

WINDOW_OF_INTERVAL: Final = 1.6
"""The near window is at most that many intervals: a live event is read 2.6 times at most."""
LARGEST_WINDOW_MS: Final = 8_000
"""A short interval is stretched rather than have the window smaller than events need, up to that."""
SMALLEST_WINDOW_MS: Final = 2_000
SETTLED_MS: Final = 60_000
"""The window is not narrowed before that: until then too little is known of late events."""
WANTED_FOR_MS: Final = 600_000
"""So long after an event that was as late as a sweep may find, that sweep goes on."""
TRIED_AGAIN_MS: Final = 3_600_000
"""A sweep that found nothing is tried again that long after, as long as younger ones find events."""
READ_AT_MOST: Final = 3.0
"""Sweeps that merely find late events sooner are left out where events are read more often than that already ..."""
MANY_LATE: Final = 0.01
"""... unless that part of the events or more is found by sweeps alone."""
FEW_EVENTS: Final = 200
"""Reading so few again and again costs no more than the call."""
LATEST_FLOOR_MS: Final = SWEEPS[NEAR + 2].age_ms
"""Groups whose events are all later than that are found by sweeps alone."""
SLACK_MS: Final = 30_000
"""An event that was taken in may become visible that much later."""
A_PAGE: Final = 1_000
"""A sweep over so few events costs a call or two, and is worth it wherever it may find some that nobody knows of."""
MANY_PAGES: Final = 100_000
"""The oldest sweep is not worth its calls over more."""
OFTEN: Final = 4
"""So many times more seldom a sweep that is merely cheap sweeps than one that is known to find events."""
TRIAL_OF: Final = 20
"""Elsewhere a sweep looks at that part of the events: enough to see whether any are that late."""
RECENT_EVENTS: Final = 20_000
FLOOR_OF: Final = 8
"""So many readings with new events tell how late the earliest are."""
ALWAYS: Final = frozenset({NEAR, DEEP})
"""Sweeps that completeness stands on; the others find sooner what these would find."""


class Lateness:
    """What one group's readings have shown of late.

    Args:
        interval_ms: the pause between two live readings.
        now_ms: the service's time.
    """

    def __init__(self, *, interval_ms: int, now_ms: int) -> None:
        self.largest_window_ms = max(int(WINDOW_OF_INTERVAL * interval_ms), LARGEST_WINDOW_MS)
        self.window_ms = LARGEST_WINDOW_MS
        """How far before its position a live reading begins."""
        self._began_ms = now_ms
        self._floors_ms: deque[int] = deque(maxlen=FLOOR_OF)
        self._recent = [0.0, 0.0, 0.0]
        """Of late: events read, new ones, and those of them that sweeps found."""
        self._wanted_until_ms = [0] * len(SWEEPS)
        self._try_again_ms = [0] * len(SWEEPS)

    @property
    def floor_ms(self) -> int:
        """How late the earliest events are: where agents ship every minute, nothing is younger than that."""
        return min(self._floors_ms, default=0)

    def is_on(self, sweep: int, now_ms: int) -> bool:
        """Whether a sweep reads everything, in its turn."""
        if sweep in ALWAYS:
            return True
        return now_ms <= self._wanted_until_ms[sweep] and (sweep > NEAR or not self._is_read_enough())

    def is_whole(self, sweep: int, events: float, now_ms: int) -> bool:
        """Whether a sweep that would read so many events reads them all, and not merely a part to see what is in it."""
        return self.is_on(sweep, now_ms) or events <= (MANY_PAGES if sweep == OLDEST else A_PAGE)

    def pause_ms(self, sweep: int, events: float, now_ms: int) -> float:
        """How much time should have come of age until a sweep is worth its calls.

        Args:
            sweep: which.
            events: how many it would read.
            now_ms: the service's time.
        """
        every_ms = SWEEPS[sweep].every_ms
        if self.is_on(sweep, now_ms):
            return every_ms
        if sweep < NEAR:
            return math.inf
        if self.is_whole(sweep, events, now_ms):
            return every_ms * (1 if sweep == OLDEST else OFTEN)
        return math.inf if sweep == OLDEST else every_ms * TRIAL_OF

    def taken_in(self, events: Sequence[LogEvent], now_ms: int) -> list[int]:
        """Learns of events that were taken in too late for the sweep that always sweeps, whoever finds them.

        Args:
            events: of a page, in any order.
            now_ms: the service's time.

        Returns:
            The sweeps that were off and are on by that: the first one that reads events so late.
        """
        columns = columns_of(events)
        ingestions_ms, times_ms = columns.ingestions_ms, columns.timestamps_ms
        if max(map(sub, ingestions_ms, times_ms), default=0) + SLACK_MS <= SWEEPS[NEAR].age_ms:
            return []
        late_ms, taken_ms = max(zip(map(sub, ingestions_ms, times_ms), ingestions_ms, strict=True))
        found = next((number for number, sweep in enumerate(SWEEPS) if late_ms + SLACK_MS <= sweep.age_ms), OLDEST)
        if now_ms - taken_ms > OFTEN * SWEEPS[found].age_ms:
            return []  # long ago, and perhaps over
        return self.start([found], now_ms)

    def _is_read_enough(self) -> bool:
        """Whether of late events were read so often that another reading is too dear, and few come late."""
        events, fresh, late = self._recent
        return events > FEW_EVENTS and events > READ_AT_MOST * max(fresh, 1.0) and late < MANY_LATE * fresh

    def start(self, sweeps: Iterable[int], now_ms: int) -> list[int]:
        """Turns sweeps on for a while; those of them that were off."""
        started = []
        for number in sweeps:
            if number in ALWAYS:
                continue
            if now_ms > self._wanted_until_ms[number]:
                started.append(number)
            self._wanted_until_ms[number] = now_ms + max(WANTED_FOR_MS, 2 * SWEEPS[number].age_ms)
        return started

    def observe(
        self, events: Sequence[LogEvent], fresh: Sequence[LogEvent], now_ms: int, *, live: bool, late: int
    ) -> None:
        """Learns from a page how late events are at least, and how often they are read.

        Args:
            events: all of the page.
            fresh: those that are new, in order of time.
            now_ms: the service's time.
            live: whether a live reading found them.
            late: how many of them a sweep found although they had not been read before.
        """
        recent = [kept + more for kept, more in zip(self._recent, (len(events), len(fresh), late), strict=True)]
        self._recent = [kept / 2 for kept in recent] if recent[0] > RECENT_EVENTS else recent
        if not fresh:
            return
        columns = columns_of(fresh)
        taken_in = zip(columns.timestamps_ms, columns.ingestions_ms, strict=True)
        late_ms = min((in_ms - at_ms for at_ms, in_ms in taken_in if in_ms), default=None)
        if live:
            seen_ms = now_ms - fresh[-1].timestamp_ms
            late_ms = seen_ms if late_ms is None else min(late_ms, seen_ms)
        if late_ms is not None:
            self._floors_ms.append(min(max(0, late_ms), LATEST_FLOOR_MS))

    def found_by_sweep(self, number: int, now_ms: int) -> list[int]:
        """A sweep has found events that came late: it goes on, instead of younger ones; the next is tried.

        Returns:
            The sweeps that were off and are on by that.
        """
        started = self.start([number], now_ms)
        if number < NEAR:
            self._wanted_until_ms[:number] = [0] * number
        following = number + 1
        if following < DEEP and now_ms >= self._try_again_ms[following]:
            self._try_again_ms[following] = now_ms + TRIED_AGAIN_MS
            started += self.start([following], now_ms)
        return started

    def fit_window(self, behind_ms: int, now_ms: int) -> list[int]:
        """Widens the window where events come in at its far end; narrows it slowly where none come.

        Args:
            behind_ms: how far before the position the furthest new event lay; 0 for none.
            now_ms: the service's time.

        Returns:
            The sweeps that are on by that.
        """
        if behind_ms > self.window_ms // 2:
            self.window_ms = min(self.largest_window_ms, self.window_ms + self.window_ms // 2)
            return [] if max(self._wanted_until_ms) > now_ms else self.start([0], now_ms)
        if behind_ms < self.window_ms // 4 and now_ms - self._began_ms >= SETTLED_MS:
            self.window_ms = max(SMALLEST_WINDOW_MS, self.window_ms - self.window_ms // 20)
        return []
