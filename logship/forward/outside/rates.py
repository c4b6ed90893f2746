"""How fast a forwarder is, from two of its snapshots."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from logship.forward.outside.status import ForwardStatus

WINDOW_S: Final = 30.0
_SHORTEST_S: Final = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Per second, over the last half minute or since the snapshot before."""

    events: float = 0.0
    """Acknowledged to their sources."""
    read_bytes: float = 0.0
    """Read by calls; what is sent to us is not counted."""
    calls: Mapping[str, float] = field(default_factory=dict)
    """By source."""
    groups: Mapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    """(events stored, bytes read) by source and group."""


@dataclass(frozen=True, slots=True)
class _Totals:
    """What a snapshot had counted, and when."""

    at_s: float
    events: int = 0
    calls: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


class Rates:
    """Remembers the counts of snapshots for half a minute. Made when the forwarder is, whose counts are 0 then.

    Args:
        window_s: how far back it looks, if it has anything to look at.
        clock: monotonic seconds.
    """

    def __init__(self, window_s: float = WINDOW_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s, self._clock = window_s, clock
        self._lock = threading.Lock()
        self._seen = deque([_Totals(clock())])

    def see(self, status: ForwardStatus) -> Rate:
        """The rate up to this snapshot, which is taken for one of now. Any thread may call."""
        now = _totals(status, self._clock())
        with self._lock:
            self._seen.append(now)
            while len(self._seen) > 2 and self._seen[1].at_s <= now.at_s - self._window_s:  # noqa: PLR2004
                self._seen.popleft()
            return _between(self._seen[0], now)


def _totals(status: ForwardStatus, at_s: float) -> _Totals:
    return _Totals(
        at_s,
        status.read,
        {source.name: source.calls for source in status.sources if source.calls is not None},
        {
            (source.name, group.name): (group.stored, group.bytes)
            for source in status.sources
            for group in source.groups
        },
    )


def _between(before: _Totals, after: _Totals) -> Rate:
    """Counts that fell began anew: a group that another process had meanwhile."""
    spent_s = max(after.at_s - before.at_s, _SHORTEST_S)
    groups = {}
    for key, (stored, size) in after.groups.items():
        old_stored, old_size = before.groups.get(key, (0, 0))
        groups[key] = (max(0, stored - old_stored) / spent_s, max(0, size - old_size) / spent_s)
    return Rate(
        events=max(0, after.events - before.events) / spent_s,
        read_bytes=sum(size for _, size in groups.values()),
        calls={name: max(0, calls - before.calls.get(name, 0)) / spent_s for name, calls in after.calls.items()},
        groups=groups,
    )
