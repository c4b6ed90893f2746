"""Which time range of a group to read next, so that events which become visible late are not missed.

CloudWatch gives events out by their own time, but takes them in, and makes them visible, later. So every
round reads again from somewhat before the end of the last one and skips what is known. How far before is
measured: twice the largest lateness seen. What is later still is found by deep sweeps, which raise it.
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
"""(how far back in ms, how often in ms). PutLogEvents takes in events that are 14 days old."""
REMEMBERED_MS: Final = 300_000 + LARGEST_OVERLAP_MS
"""Ids are known that far back; older events that a sweep reads again are found in the store."""
_WORTH_FORGETTING: Final = 100_000
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
    swept_ms: list[int] = field(default_factory=lambda: [0] * len(SWEEPS))
    """When each sweep ran last."""

    @property
    def overlap_ms(self) -> int:
        """How far before the position the next round begins."""
        return min(max(2 * self.lateness_ms, SMALLEST_OVERLAP_MS), LARGEST_OVERLAP_MS)

    def next_start_ms(self, now_ms: int) -> int:
        """Where the next round begins; it ends at the newest visible event."""
        start = self.position_ms - self.overlap_ms
        for number, (back_ms, every_ms) in enumerate(SWEEPS):
            if self.swept_ms[number] == 0 and number:
                self.swept_ms[number] = now_ms  # the first round reads back far enough by itself
            elif now_ms - self.swept_ms[number] >= every_ms:
                self.swept_ms[number] = now_ms
                start = min(start, now_ms - back_ms)
        return start

    def fresh(self, events: Iterable[LogEvent], now_ms: int) -> list[tuple[LogEvent, bytes]]:
        """The events that were not known, which are known from now on."""
        found = []
        for event in events:
            key = digest(event.event_id)
            if key not in self.known:
                self.known[key] = event.timestamp_ms
                found.append((event, key))
        self._measure(found, now_ms)
        return found

    def _measure(self, found: list[tuple[LogEvent, bytes]], now_ms: int) -> None:
        """Lateness shows in events older than what has been read already."""
        late = [now_ms - event.timestamp_ms for event, _ in found if event.timestamp_ms < self.position_ms]
        late = [item for item in late if item <= LARGEST_OVERLAP_MS]
        self.lateness_ms = max([int(self.lateness_ms * _LATENESS_DECAY), *late])

    def forget(self) -> None:
        """Drops ids that no round will read again, once there are many."""
        if len(self.known) > _WORTH_FORGETTING:
            horizon = self.position_ms - REMEMBERED_MS
            self.known = {key: at for key, at in self.known.items() if at >= horizon}
