"""The sweeps of one group: when each is due, and which times it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logship.forward.sources.poll.lateness import OFTEN
from logship.forward.sources.poll.marks import GAP_MS, OLDEST, SWEEPS
from logship.forward.sources.poll.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logship.forward.sources.poll.group import GroupReader
    from logship.forward.sources.poll.lateness import Lateness
    from logship.forward.sources.poll.marks import Marks


class Sweeps(list[Reading]):
    """Readings by the number of their sweep.

    Args:
        group: whose they are.
        both: the marks of what was read, and of what is stored.
        lateness: which sweeps are worth their calls.
        now_ms: the service's time.
    """

    def __init__(self, group: GroupReader, both: tuple[Marks, Marks], lateness: Lateness, now_ms: int) -> None:
        super().__init__(Reading(group, "sweep", number) for number in range(len(SWEEPS)))
        self._both, self._lateness, self._began_ms = both, lateness, now_ms
        self._came = 0

    def came(self, events: int) -> None:
        """So many new events were found by a live reading: that tells how many a sweep would read."""
        self._came += events

    def is_due(self, number: int, now_ms: int) -> bool:
        """Whether so much time has come of age that a sweep is worth its calls."""
        waited_ms, events = self._of_age(number, now_ms)
        return waited_ms >= SWEEPS[number].every_ms and waited_ms >= self._lateness.pause_ms(number, events, now_ms)

    def span(self, number: int, now_ms: int) -> tuple[int, int]:
        """From when to when a sweep that begins now reads, both in ms: all that has come of age, or a part of it."""
        end_ms = now_ms - SWEEPS[number].age_ms
        if not self._lateness.is_whole(number, self._of_age(number, now_ms)[1], now_ms):
            self._forth(number, end_ms - SWEEPS[number].every_ms)
        return self._both[0].swept_ms[number], end_ms

    def begin(self, numbers: Iterable[int], now_ms: int) -> None:
        """Sweeps that were off begin not long ago: older ones see to what is older."""
        for number in numbers:
            self._forth(number, now_ms - 2 * SWEEPS[number].age_ms)

    def go_back(self, numbers: Iterable[int], now_ms: int) -> None:
        """Sweeps that were off and would have found events begin where they may have missed some.

        The oldest one misses nothing: it stands still while it is off.
        """
        for number in numbers:
            if number == OLDEST:
                continue
            for marks in self._both:
                since_ms = max(marks.first_ms, now_ms - OFTEN * SWEEPS[number].age_ms)
                marks.swept_ms[number] = min(marks.swept_ms[number], since_ms)

    def _forth(self, number: int, at_ms: int) -> None:
        for marks in self._both:
            marks.swept_ms[number] = max(marks.swept_ms[number], at_ms)

    def _of_age(self, number: int, now_ms: int) -> tuple[int, float]:
        """How much time has come of age for a sweep, in ms, and how many events it may hold, by how many come."""
        waited_ms = now_ms - SWEEPS[number].age_ms - self._both[0].swept_ms[number]
        return waited_ms, waited_ms * self._came / max(now_ms - self._began_ms, GAP_MS)
