"""Which reading has the next call: due ones, the live edge and what lies behind in turn, each by its weight."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from logship.cloudwatch.quotas import Governor
    from logship.forward.sources.poll.group import GroupReader
    from logship.forward.sources.poll.reading import Reading

_LONGEST_WAIT_S: Final = 1.0
_IDLE_SHARE: Final = 0.15
"""Groups in which nothing happens have that part of the calls together: so often one of them is looked at."""
_CLASSES: Final = (0, 1)
"""The live edge, and what lies behind."""
_LOOK_S: Final = 1.0
_IDLE_LOOK_S: Final = 5.0
"""A group is looked at again after that long: sweeps become due, and weights grow, as time goes by."""


@dataclass(slots=True)
class _Look:
    """What is due of a group: of each class the reading that has had least of the calls."""

    until_s: float
    """When to look again."""
    best: list[Reading | None]
    share: list[float]


class Scheduler:
    """Hands out readings to the threads that carry them out.

    Two classes share the calls half and half where both want them: the live edge with the sweeps near it, and
    ranges with the deep sweep. Within a class readings have calls in proportion to their weights of now (stride
    scheduling), so that a busy group cannot starve the others. Live readings of groups in which nothing happens come
    first in their class, as often as their part of the calls allows: the one that has waited longest.

    Args:
        governor: gives each call its time.
        now_ms: the service's time.
        stop: ends the waiting.
        clock: monotonic seconds.
    """

    def __init__(
        self, governor: Governor, now_ms: Callable[[], int], stop: Event, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.groups: dict[str, GroupReader] = {}
        self.governor = governor
        """May be another one from one call to the next."""
        self.taken = 0
        """Readings handed out so far, a call each."""
        self._now_ms, self._stop, self._clock = now_ms, stop, clock
        self._lock = threading.Lock()
        self._picking = threading.Lock()
        self._wake = threading.Event()
        self._used = [0.0, 0.0]
        self._share = [0.0, 0.0]
        self._looks: dict[GroupReader, _Look] = {}
        """What was due of each group at the last look, unless something has happened since."""
        self._idle: dict[GroupReader, None] = {}
        """Groups in which nothing happens and whose live readings are due, the one that has waited longest first."""
        self._idle_due_s = 0.0

    def add(self, group: GroupReader) -> None:
        """A group is read from now on."""
        with self._lock:
            self.groups[group.name] = group
        self._wake.set()

    def remove(self, group: GroupReader) -> bool:
        """A group is no longer read; whether it was. Another reader of the same name is left alone."""
        with self._lock:
            if self.groups.get(group.name) is not group:
                return False
            del self.groups[group.name]
            self._looks.pop(group, None)
            self._idle.pop(group, None)
            return True

    def take(self) -> Reading | None:
        """The next reading, when its call may begin; None when all is stopped. One thread chooses at a time."""
        with self._picking:
            while True:
                self._wake.clear()
                if self._stop.is_set():
                    return None
                reading, wait_s = self._choose()
                if reading is not None:
                    at_s = self.governor.reserve()
                    self.taken += 1
                    break
                self._wake.wait(min(wait_s, _LONGEST_WAIT_S))
        if self._stop.wait(max(0.0, at_s - self._clock())):
            return None
        return reading

    def end(self) -> None:
        """Nobody waits for a reading any longer."""
        self._stop.set()
        self._wake.set()

    def give_back(self, reading: Reading, *, wait_s: float | None = None) -> None:
        """A reading's page is done.

        Args:
            reading: which.
            wait_s: seconds until its next page; None as its group wants it.
        """
        now_ms = self._now_ms()
        if wait_s is None:
            wait_s = self._pause_s(reading, now_ms)
        with self._lock:
            reading.done_s = self._clock()
            reading.due_s = reading.done_s + wait_s
            reading.busy = False
            self._looks.pop(reading.group, None)
        self._wake.set()

    def wake(self, group: GroupReader) -> None:
        """A group has events: it is read as soon as it may. A reading that is under way, or failing, goes its way."""
        live = group.live
        with self._lock:
            if live.busy or live.began_ms or live.failures or group.refused:
                return
            live.due_s = min(live.due_s, max(self._clock(), live.done_s + group.soonest_ms / 1000))
            self._looks.pop(group, None)
        self._wake.set()

    def spare(self, threads: int) -> int:
        """How many more ranges could be read at the same time."""
        with self._lock:
            return threads - sum(len(group.ranges) for group in self.groups.values())

    def _pause_s(self, reading: Reading, now_ms: int) -> float:
        if reading.kind == "range" or reading.token:
            return 0.0
        group = reading.group
        pause_s = group.pause_ms(now_ms) / 1000
        return max(pause_s, 10.0) if reading.kind == "ahead" else pause_s

    def _choose(self) -> tuple[Reading | None, float]:
        """The reading whose turn it is, and else how long until one may be due, in seconds."""
        now_s, now_ms = self._clock(), self._now_ms()
        best: list[Reading | None] = [None, None]
        lowest = [math.inf, math.inf]
        soonest_s = now_s + _LONGEST_WAIT_S
        with self._lock:
            for group in self.groups.values():
                look = self._looks.get(group)
                if look is None or look.until_s <= now_s:
                    look = self._looks[group] = self._look(group, now_s, now_ms)
                for behind in _CLASSES:
                    if look.share[behind] < lowest[behind]:
                        best[behind], lowest[behind] = look.best[behind], look.share[behind]
                soonest_s = min(soonest_s, look.until_s)
            idle = self._longest_idle(now_s, now_ms)
            if idle is not None:
                best[False] = idle
            chosen = self._between(best)
            if chosen is not None:
                chosen.busy = True
                self._looks.pop(chosen.group, None)
                self._used[_is_behind(chosen)] += 1.0
                if chosen is chosen.group.live:
                    self._idle.pop(chosen.group, None)
                if chosen is idle:
                    self._idle_due_s = now_s + 1.0 / (_IDLE_SHARE * self.governor.rate)
                else:
                    self._charge(chosen, now_ms)
        return chosen, max(0.0, min(soonest_s, self._idle_due_s if self._idle else math.inf) - now_s)

    def _look(self, group: GroupReader, now_s: float, now_ms: int) -> _Look:
        """What is due of a group, but for the live reading of one in which nothing happens: that one queues."""
        until_s = now_s + (_IDLE_LOOK_S if group.is_idle(now_ms) else _LOOK_S)
        look = _Look(until_s, [None, None], [math.inf, math.inf])
        for reading in group.readings():
            if reading.busy or not group.is_due(reading, now_ms):
                continue
            if reading.due_s > now_s:
                look.until_s = min(look.until_s, reading.due_s)
            elif _is_idle(reading, now_ms):
                self._idle.setdefault(group)
            else:
                behind, share = _is_behind(reading), _share(reading, now_ms)
                if share < look.share[behind]:
                    look.best[behind], look.share[behind] = reading, share
        return look

    def _longest_idle(self, now_s: float, now_ms: int) -> Reading | None:
        """The live reading that has waited longest of those in whose groups nothing happens, if it is their turn."""
        if now_s < self._idle_due_s:
            return None
        while self._idle:
            group = next(iter(self._idle))
            if not group.live.busy and group.live.due_s <= now_s and _is_idle(group.live, now_ms):
                return group.live
            del self._idle[group]
            self._looks.pop(group, None)
        return None

    def _between(self, best: list[Reading | None]) -> Reading | None:
        edge, behind = best
        if edge is None or behind is None:
            return edge or behind
        # A class that had nothing to read for a while has no claim on what it did not use.
        low = max(self._used) - 1.0
        self._used = [max(used, low) for used in self._used]
        return edge if self._used[0] <= self._used[1] else behind

    def _charge(self, reading: Reading, now_ms: int) -> None:
        behind = _is_behind(reading)
        self._share[behind] = reading.share = max(self._share[behind], _share(reading, now_ms))


def _share(reading: Reading, now_ms: int) -> float:
    """What it will have had of the calls with another one: as weights are now, so that lagging behind pays at once."""
    return reading.share + 1.0 / reading.group.weight(reading, now_ms)


def _is_idle(reading: Reading, now_ms: int) -> bool:
    """Whether its next page is a look at a group where nothing happens."""
    return reading.kind == "live" and not reading.began_ms and reading.group.is_idle(now_ms)


def _is_behind(reading: Reading) -> bool:
    return reading.kind == "range" or (reading.kind == "sweep" and reading.number > 0)
