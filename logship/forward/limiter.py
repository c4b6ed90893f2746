"""How many requests to the store may be under way: more while it keeps up, fewer when it slows down or refuses."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_SMOOTHING: Final = 0.4
"""Weight of a new round-trip time in the moving average."""
_DEVIATIONS: Final = 2.5
"""A round trip that many deviations over the average is a sign that the store is at its limit."""
_DECREASE: Final = 0.9
_SLACK: Final = 0.05
"""Part of the average below which a deviation says nothing."""


class Limiter:
    """Additive increase, multiplicative decrease, by round-trip times and refusals; one decision a round trip.

    The limit grows by one when it was reached and the store answered no slower than on average; it falls by a
    tenth when the store refused something, or was much slower than on average. After Vector's adaptive request
    concurrency (forwarder.md B8).

    Args:
        most: the limit never exceeds that.
        clock: monotonic seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self.limit = 1.0
        self.under_way = 0
        self._clock = clock
        self._changed = threading.Condition()
        self._average_s = self._variance = 0.0
        self._reached = False
        self._decided_s = float("-inf")

    def acquire(self, timeout_s: float) -> bool:
        """Waits for leave to send, which is given back by `release`; false when there was none in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.under_way < int(self.limit), timeout_s):
                return False
            self.under_way += 1
            self._reached = self._reached or self.under_way >= int(self.limit)
            return True

    def release(self) -> None:
        """What was to be sent is safe."""
        with self._changed:
            self.under_way -= 1
            self._changed.notify_all()

    def observe(self, round_trip_s: float | None, *, refused: bool) -> None:
        """The store has answered, or has not.

        Args:
            round_trip_s: how long it took; None if it did not answer.
            refused: whether it refused something for now.
        """
        with self._changed:
            now_s = self._clock()
            slow = round_trip_s is not None and self._is_slow(round_trip_s)
            if now_s - self._decided_s >= self._average_s:
                self._decide(worse=refused or slow or round_trip_s is None)
                self._decided_s = now_s
            if round_trip_s is not None:
                self._learn(round_trip_s)
            self._changed.notify_all()

    def _decide(self, *, worse: bool) -> None:
        if worse:
            self.limit = max(1.0, self.limit * _DECREASE)
        elif self._reached:
            self.limit = min(float(self.most), self.limit + 1.0)
        self._reached = self.under_way >= int(self.limit)

    def _is_slow(self, round_trip_s: float) -> bool:
        if not self._average_s:
            return False
        return round_trip_s > self._average_s * (1 + _SLACK) + _DEVIATIONS * math.sqrt(self._variance)

    def _learn(self, round_trip_s: float) -> None:
        if not self._average_s:
            self._average_s = round_trip_s
            return
        off_s = round_trip_s - self._average_s
        self._average_s += _SMOOTHING * off_s
        self._variance = (1 - _SMOOTHING) * (self._variance + _SMOOTHING * off_s * off_s)
