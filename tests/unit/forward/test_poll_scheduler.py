"""Who has the calls of a small quota: what is busy, with the others looked at now and then."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from logship.cloudwatch.quotas import Governor, Governors
from logship.forward.sources.poll.group import GroupReader
from logship.forward.sources.poll.known import KnownIds, Memory
from logship.forward.sources.poll.marks import Marks
from logship.forward.sources.poll.scheduler import Scheduler
from logship.record import LogEvent
from logship.testing import FakeClock

if TYPE_CHECKING:
    from logship.forward.sources.poll.reading import Reading

NOW_MS = 1_795_443_665_000
TPS = 5.0


class Quota:
    """Two hundred groups of which ten are busy, and so many calls a second among them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.began_s = self.clock()
        self.scheduler = Scheduler(Governor(TPS, self.clock), self.now_ms, threading.Event(), self.clock)
        for number in range(200):
            marks = Marks.begin(NOW_MS, NOW_MS)
            name = f"{'busy' if number < 10 else 'idle'}/{number}"
            self.scheduler.add(GroupReader(name, marks, KnownIds(Memory()), interval_ms=5_000, now_ms=NOW_MS))
        self.calls: Counter[str] = Counter()
        self.waits_s: dict[str, float] = {}
        """The longest time between two live readings of a group."""
        self._last_s: dict[str, float] = {}
        self.number = 0
        self.busy = "busy"
        """How the names of groups begin in which something happens."""

    def now_ms(self) -> int:
        return NOW_MS + int((self.clock() - self.began_s) * 1000)

    def run(self, seconds: float) -> Counter[str]:
        """The calls of each group in that time."""
        self.calls.clear()
        for _ in range(int(seconds * TPS)):
            self.clock.advance(1 / TPS)
            reading, _wait_s = self.scheduler._choose()
            if reading is not None:
                self.calls[reading.group.name] += 1
                if reading.kind == "live":
                    self._wait_ends(reading.group.name)
                self.read(reading)
                self.scheduler.give_back(reading)
        return self.calls

    def _wait_ends(self, name: str) -> None:
        waited_s = self.clock() - self._last_s.get(name, self.clock())
        self.waits_s[name] = max(self.waits_s.get(name, 0.0), waited_s)
        self._last_s[name] = self.clock()

    def read(self, reading: Reading) -> None:
        group, now_ms = reading.group, self.now_ms()
        group.request(reading, now_ms)
        self.number += 1
        event = LogEvent(group.name, "s", now_ms - 300, "x", f"id-{self.number}", now_ms)
        batch = group.take(reading, [event] if group.name.startswith(self.busy) else [], None, now_ms)
        if batch is not None:
            batch.stored()


def test_idle_groups_cost_a_fifth_of_the_calls_at_most() -> None:
    """From the first look at each on: 190 idle groups of 200 are all looked at, and have 20 % of 5 calls a second."""
    quota = Quota()
    first = quota.run(60)
    assert len(first) == 200

    calls = quota.run(300)
    idle = {name: count for name, count in calls.items() if name.startswith("idle")}
    assert (len(idle), sum(idle.values()) / (300 * TPS) <= 0.2) == (190, True)
    assert min(count for name, count in calls.items() if name.startswith("busy")) >= 50


def test_each_idle_group_is_looked_at_in_its_turn() -> None:
    """None waits much longer than all of them take, however short it had waited the time before."""
    quota = Quota()
    quota.busy = "none"
    quota.run(2_500)

    in_turn_s = 200 / (0.15 * TPS)
    assert max(quota.waits_s.values()) < 1.2 * in_turn_s


def test_groups_beyond_the_quota_are_read_in_turn() -> None:
    """A reading that came soon after the one before does not wait for it to be paid back."""
    quota = Quota()
    quota.busy = ""
    quota.run(600)

    with_sweeps_s = 2.5 * 200 / TPS
    assert max(quota.waits_s.values()) < with_sweeps_s


def test_what_throttling_has_shown_outlasts_sources_that_may_spend_more() -> None:
    """Of two sources in one account and region the smaller figure holds, and what was learnt stays."""
    governors = Governors()
    governor = governors.of("1", "eu-west-1", 5.0)
    governor.throttle()
    learnt = governor.rate

    of_the_other = [governors.of("1", "eu-west-1", tps) for tps in (20.0, 5.0, 20.0)]

    assert (governor.rate, governor.quota, {*of_the_other}) == (learnt, 5.0, {governor})
