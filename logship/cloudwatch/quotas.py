"""How many calls a second an account and region allows, and a governor that spends them evenly.

Source: "CloudWatch Logs quotas" in the user guide. All hold for an account and region; but for one none can be raised.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_FILTER_TPS: Final = {"us-east-1": 25.0} | dict.fromkeys(
    ("ap-northeast-3", "ap-southeast-3", "ca-west-1", "eu-central-1", "il-central-1"), 5.0
)
_OTHER_TPS: Final = 10.0
DESCRIBE_TPS: Final = 10.0
"""Calls of DescribeLogGroups each second, for an account and region; may be raised."""
TAGS_TPS: Final = 5.0
"""Calls of ListTagsForResource each second."""
_USED: Final = 0.98
"""The part of a quota that is spent: evenly spaced calls arrive a little unevenly."""
_LOOK_BACK_S: Final = 4.0
_PROBE_AFTER_S: Final = 60.0
"""A limit that throttling has shown is tried again after that long; others who used the quota may be gone."""
_PROBE_STEP: Final = 1.05
_SLOWEST: Final = 0.2
"""The part of a quota that is spent however often calls are throttled: they are tried again anyway."""


def filter_tps(region: str) -> float:
    """Calls of FilterLogEvents that an account may make in a region each second."""
    return _FILTER_TPS.get(region, _OTHER_TPS)


class Governor:
    """Spaces the calls of one API, account and region. Any thread may call.

    It starts at the documented quota. Where calls are throttled below it, because others use the quota too or it
    is another, the rate falls to what got through of late, and is probed again after some minutes.

    Args:
        tps: the documented quota, calls a second.
        clock: monotonic seconds.
    """

    def __init__(self, tps: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.quota = tps
        self.rate = tps * _USED
        """Calls a second that are made at most, now."""
        self._clock = clock
        self._lock = threading.Lock()
        self._next_s = 0.0
        self._accepted: deque[float] = deque()
        self._lowered_s = float("-inf")

    def allow(self, tps: float) -> None:
        """Goes by another quota from now on."""
        with self._lock:
            self.quota, self.rate = tps, tps * _USED

    def reserve(self) -> float:
        """When the next call may begin, in seconds of the clock: now, or later. The slot is the caller's."""
        with self._lock:
            now = self._clock()
            self._probe(now)
            at = max(now, self._next_s)
            self._next_s = at + 1 / self.rate
            return at

    def accepted(self) -> None:
        """A call got through."""
        with self._lock:
            now = self._clock()
            self._accepted.append(now)
            self._trim(now)

    def throttle(self) -> None:
        """A call was throttled."""
        with self._lock:
            now = self._clock()
            self._trim(now)
            self._next_s = max(self._next_s, now + 1 / self.rate)
            if now - self._lowered_s < _LOOK_BACK_S / 2:
                return  # calls that were under way when the rate fell
            seen = len(self._accepted) / _LOOK_BACK_S
            self.rate = max(_SLOWEST * self.quota, min(self.rate * 0.95, max(seen, self.rate * 0.5)))
            self._lowered_s = now

    def _probe(self, now: float) -> None:
        if self.rate < self.quota * _USED and now - self._lowered_s > _PROBE_AFTER_S:
            self.rate = min(self.quota * _USED, self.rate * _PROBE_STEP)
            self._lowered_s = now - _PROBE_AFTER_S + 10.0

    def _trim(self, now: float) -> None:
        while self._accepted and self._accepted[0] < now - _LOOK_BACK_S:
            self._accepted.popleft()


class Governors:
    """The governors of FilterLogEvents: one for an account and region, whoever reads there. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._governors: dict[tuple[str, str], Governor] = {}
        self._given: dict[tuple[str, str], float] = {}

    def of(self, account: str, region: str, tps: float | None = None) -> Governor:
        """The governor of an account and region.

        Args:
            account: its number; "" while it is not known.
            region: the region.
            tps: what the caller is to spend at most, calls a second: the least that any caller says holds for all.
        """
        place = account, region
        with self._lock:
            governor = self._governors.setdefault(place, Governor(filter_tps(region)))
            if tps is not None and tps < self._given.get(place, float("inf")):  # else what throttling has shown stays
                self._given[place] = tps
                governor.allow(tps)
            return governor
