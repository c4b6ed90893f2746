"""Whose turn it is: shards in the order of when they may be read next."""

from __future__ import annotations

import heapq
import threading
import time
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logship.forward.sources.kinesis.shard import Shard


class Due:
    """A queue by time, for several threads. A shard that was taken is nobody else's until it is put back."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Shard]] = []
        self._numbers = count()
        self._ended = False

    def put(self, shard: Shard, at_s: float = 0.0) -> None:
        """A shard may be read from a time of the monotonic clock on."""
        with self._changed:
            heapq.heappush(self._waiting, (at_s, next(self._numbers), shard))
            self._changed.notify()

    def take(self) -> Shard | None:
        """The next shard, when it is due; None at the end."""
        with self._changed:
            while not self._ended:
                wait_s = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if wait_s is not None and wait_s <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(wait_s)
        return None

    def end(self) -> None:
        """Nobody waits any longer."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
