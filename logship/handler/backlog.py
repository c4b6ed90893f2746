"""The one queue between the application's threads and the sender, bounded in bytes.

Safe to use from a signal handler that interrupts `put` in the same thread: the producers' lock is re-entrant and
the sender never takes it, so whoever waits for the sender cannot be what the sender waits for.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from logship.handler.batch import Event

Overflow = Literal["drop_new", "drop_oldest", "block"]
OVERFLOWS: Final = ("drop_new", "drop_oldest", "block")

RECORD_OVERHEAD_BYTES: Final = 170
"""Memory of one queued record beside its line: bytes header 33, tuple 72, integer 32, deque slot 8, malloc rounding."""

WAKE_BYTES: Final = 1_048_576  # about one full batch
_BLOCK_SLICE_SECONDS: Final = 0.01


class Signal:
    """A flag to sleep on, made of one raw lock: setting it is one C call, so that a signal handler may do it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Wake the sleeper, or let the next sleep return at once."""
        try:
            self._lock.release()
        except RuntimeError:
            return

    def wait(self, seconds: float) -> bool:
        """Sleep until `set` or for that long; True when it was set. Only one thread may wait."""
        return self._lock.acquire(timeout=max(0.0, min(seconds, threading.TIMEOUT_MAX)))


class Backlog:
    """Events in the order they were put. Many threads put, one takes.

    Args:
        max_bytes: bound of the memory held: lines plus `RECORD_OVERHEAD_BYTES` each.
        overflow: what gives way when the bound is reached: the new record, the oldest, or the caller,
            who waits up to `block_timeout` seconds (then the new record is dropped).
    """

    def __init__(self, max_bytes: int, overflow: Overflow, block_timeout: float) -> None:
        self.wake = Signal()
        self.put_count = 0
        """Records accepted."""
        self.dropped_new = 0
        self.dropped_oldest = 0
        self._max_bytes, self._overflow, self._block_timeout = max_bytes, overflow, block_timeout
        self._events: deque[Event] = deque()
        self._lock = threading.RLock()
        self._put_bytes = 0  # written by producers, under the lock
        self._taken_bytes = 0  # written by the sender alone
        self._woken = False

    def __len__(self) -> int:
        return len(self._events)

    @property
    def size_bytes(self) -> int:
        """Memory held now, lines and overhead."""
        return self._put_bytes - self._taken_bytes

    @property
    def dropped(self) -> int:
        """Records given up because the queue was full."""
        return self.dropped_new + self.dropped_oldest

    def put(self, timestamp_ms: int, line: bytes) -> bool:
        """Append a record; False when it was dropped instead."""
        size = len(line) + RECORD_OVERHEAD_BYTES
        if self._overflow == "block":
            self._wait_for_room(size)
        with self._lock:
            held = self._put_bytes - self._taken_bytes + size
            if held > self._max_bytes and not self._make_room(size):
                self.dropped_new += 1
                return False
            self._events.append((timestamp_ms, line))
            self._put_bytes += size
            self.put_count += 1
        if held > WAKE_BYTES and not self._woken:
            self._woken = True
            self.wake.set()
        return True

    def take(self) -> Event | None:
        """The oldest record, or None; for the sender's thread alone."""
        try:
            event = self._events.popleft()
        except IndexError:
            return None
        self._taken_bytes += len(event[1]) + RECORD_OVERHEAD_BYTES
        return event

    def rest(self) -> None:
        """The sender says that it is about to sleep, and wants to be woken when a batch has gathered."""
        self._woken = False

    def _make_room(self, size: int) -> bool:
        return self._overflow == "drop_oldest" and size <= self._max_bytes and self._drop_oldest(size)

    def _drop_oldest(self, size: int) -> bool:
        while self._put_bytes - self._taken_bytes + size > self._max_bytes:
            try:
                oldest = self._events.popleft()
            except IndexError:  # the sender has taken it meanwhile
                return True
            self._put_bytes -= len(oldest[1]) + RECORD_OVERHEAD_BYTES
            self.dropped_oldest += 1
        return True

    def _wait_for_room(self, size: int) -> None:
        """Wait without the lock, so that waiting callers wait side by side."""
        if self.size_bytes + size <= self._max_bytes or size > self._max_bytes:
            return
        deadline = time.monotonic() + self._block_timeout
        self.wake.set()
        while self.size_bytes + size > self._max_bytes:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _BLOCK_SLICE_SECONDS))
