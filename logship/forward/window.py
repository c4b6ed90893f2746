"""Which time range of a group to read next, so that events which become visible late are not missed.

CloudWatch gives events out by their own time, but takes them in, and makes them visible, later. So every
round reads again from somewhat before the end of the last one and skips what is known. How far before is
measured: twice the largest lateness seen. What is later still is found by sweeps. Each of them guarantees a
lateness: it goes on where reading has settled, that is, up to where everything was read so long after its
own time. These marks are part of the checkpoint, so that an outage or a restart moves none of them too far.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logship.record import LogEvent

SMALLEST_OVERLAP_MS: Final = 10_000
LARGEST_OVERLAP_MS: Final = 900_000
SWEEPS: Final = ((300_000, 60_000), (7_200_000, 2_400_000), (93_600_000, 43_200_000))
"""(how late an event may be in ms, how often to look in ms), shortest first. PutLogEvents takes events 14 days old."""
REMEMBERED_MS: Final = 300_000 + LARGEST_OVERLAP_MS
"""Ids are known that far back; older events that a sweep reads again are found in the store."""
CLOCK_TOLERANCE_MS: Final = 300_000
"""AWS refuses requests signed by a clock that is further off than 5 minutes (Signature Version 4)."""
_LATENESS_DECAY: Final = 0.98
"""A round without late events shrinks the measured lateness by that factor."""


def digest(event_id: str) -> bytes:
    """Eight bytes of an event id: equal ids in a group collide by chance once in 10^13 for a million ids."""
    return blake2b(event_id.encode(), digest_size=8).digest()


@dataclass(slots=True)
class Window:
    """What one group's reader knows."""

    position_ms: int
    """Everything visible up to here has been read in some round."""
    lateness_ms: int = 0
    known: dict[bytes, int] = field(default_factory=dict)
    settled_ms: tuple[int, ...] = ()
    """Per sweep: every event before that time has been read, unless it was later than the sweep allows."""
    first_ms: int | None = None
    """Where the group was told to begin; nothing older is read. None takes the position."""
    most_known: int = 400_000
    """Ids beyond that number are forgotten, oldest first; some 170 B each."""
    _forgotten_ms: int = 0
    """Events up to that time may have been known once."""
    _tidy_at: int = 0

    def __post_init__(self) -> None:
        if self.first_ms is None:
            self.first_ms = self.position_ms
        if len(self.settled_ms) != len(SWEEPS):
            self.settled_ms = tuple(self.first_ms - late_ms for late_ms, _ in SWEEPS)
        if len(self.known) >= self.most_known:
            self._forgotten_ms = min(self.known.values())

    @property
    def overlap_ms(self) -> int:
        """How far before the position the next round begins."""
        return min(max(2 * self.lateness_ms, SMALLEST_OVERLAP_MS), LARGEST_OVERLAP_MS)

    @property
    def horizon_ms(self) -> int:
        """Ids of older events are not kept."""
        return self.position_ms - REMEMBERED_MS

    def next_start_ms(self, now_ms: int) -> int:
        """Where the next round begins; it ends at the newest visible event, and never before the first start."""
        at_ms = self._service_now_ms(now_ms)
        due = [
            settled_ms
            for settled_ms, (late_ms, every_ms) in zip(self.settled_ms, SWEEPS, strict=True)
            if at_ms - settled_ms >= late_ms + every_ms
        ]
        return max(self.first_ms or 0, min([self.position_ms - self.overlap_ms, *due]))

    def read_up_to(self, reached_ms: int, *, start_ms: int, now_ms: int) -> None:
        """A round that began at `start_ms` when it was `now_ms` has read all that is visible up to `reached_ms`."""
        self.position_ms = max(self.position_ms, min(reached_ms, now_ms))
        at_ms = self._service_now_ms(now_ms)
        self.settled_ms = tuple(
            max(settled_ms, min(reached_ms, at_ms - late_ms))
            if start_ms <= max(settled_ms, self.first_ms or 0)
            else settled_ms
            for settled_ms, (late_ms, _) in zip(self.settled_ms, SWEEPS, strict=True)
        )

    def read_all(self, *, start_ms: int, now_ms: int) -> None:
        """A round has read everything visible: the position may follow the clock, less what may still be late."""
        at_ms = self._service_now_ms(now_ms)
        self.read_up_to(max(self.position_ms, at_ms - self.overlap_ms), start_ms=start_ms, now_ms=now_ms)

    def _service_now_ms(self, now_ms: int) -> int:
        """The service's time at least: our clock may be ahead, the newest event is not."""
        return min(now_ms, max(self.position_ms, now_ms - CLOCK_TOLERANCE_MS))

    def fresh(self, events: Iterable[LogEvent], now_ms: int) -> list[tuple[LogEvent, bytes]]:
        """The events that were not known; those near the position are known from now on."""
        found = []
        known, horizon_ms = self.known, self.horizon_ms
        for event in events:
            key = digest(event.event_id)
            if key not in known:
                if event.timestamp_ms >= horizon_ms:
                    known[key] = event.timestamp_ms
                found.append((event, key))
        self._measure(found, now_ms)
        if len(known) > self._tidy_at:
            self._tidy()
        return found

    def _measure(self, found: list[tuple[LogEvent, bytes]], now_ms: int) -> None:
        """Lateness shows in events older than what has been read already."""
        late = [now_ms - event.timestamp_ms for event, _ in found if event.timestamp_ms < self.position_ms]
        longest_ms = min(LARGEST_OVERLAP_MS, now_ms - self._forgotten_ms - 1)
        self.lateness_ms = max([int(self.lateness_ms * _LATENESS_DECAY), *(ms for ms in late if ms <= longest_ms)])

    def _tidy(self) -> None:
        """Forgets ids behind the horizon, and the older half where there are too many."""
        self.known = {key: at for key, at in self.known.items() if at >= self.horizon_ms}
        if len(self.known) > self.most_known:
            times = sorted(self.known.values())
            self._forgotten_ms = times[-self.most_known // 2]
            self.known = {key: at for key, at in self.known.items() if at > self._forgotten_ms}
        self._tidy_at = min(self.most_known, max(2 * len(self.known), self.most_known // 4))
