"""The one queue between the application's threads and the sender, bounded in bytes; lines lie in files or memory.

Safe to use from a signal handler that interrupts `put` in the same thread: the producers' lock is re-entrant and
the sender never takes it, so whoever waits for the sender cannot be what the sender waits for.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, Protocol

from logship.handler.spool.segment import RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.handler.batch import Event
    from logship.handler.spool.segment import Segment

Overflow = Literal["drop_new", "drop_oldest", "block"]
OVERFLOWS: Final = ("drop_new", "drop_oldest", "block")

RECORD_OVERHEAD_BYTES: Final = 170
"""Memory of one queued record beside its line: bytes header 33, tuple 72, integer 32, deque slot 8, malloc rounding.

A record whose line lies in a file takes less, and counts as much."""

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


class SegmentMaker(Protocol):
    """Makes the files that lines lie in."""

    def make(self) -> Segment:
        """The next file.

        Raises:
            OSError: there can be none now.
        """
        ...


_STRIDE: Final = 2**32
"""A line in a file is named by one number: the file's number times this, plus where it begins."""
_TRY_AGAIN_S: Final = 10.0


class Backlog:
    """Events in the order they were put. Many threads put, one takes and acknowledges.

    Args:
        max_bytes: bound of what is held: lines plus `RECORD_OVERHEAD_BYTES` each.
        overflow: what gives way when the bound is reached: the new record, the oldest, or the caller,
            who waits up to `block_timeout` seconds (then the new record is dropped), but never on a running event
            loop.
        files: where lines lie until they are delivered; None keeps them in memory, as happens while no file can be
            made.
    """

    def __init__(
        self, max_bytes: int, overflow: Overflow, block_timeout: float, files: SegmentMaker | None = None
    ) -> None:
        self.wake = Signal()
        self.put_count = 0
        """Records accepted."""
        self.dropped_new = 0
        self.dropped_oldest = 0
        self.trouble = ""
        """Why lines are kept in memory although there is a folder for them; "" while they are not."""
        self._max_bytes, self._overflow, self._block_timeout = max_bytes, overflow, block_timeout
        self._events: deque[Event | int] = deque()
        self._lock = threading.RLock()
        self._put_bytes = 0  # written by producers, under the lock
        self._taken_bytes = 0  # written by the sender alone
        self._woken = False
        self._files = files
        self._segment: Segment | None = None
        self._spare: Segment | None = None
        self._ready: Segment | None = None
        """The sender's own, until it may become the spare one."""
        self._segments: dict[int, Segment] = {}
        self._last_segment = self._base = 0
        self._no_file_before_s = 0.0
        self._unsafe: deque[int] = deque()
        """Taken and not delivered: where each record ends, named as where lines begin; 0 for one from memory."""
        self._spooled_count = self._released_count = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def size_bytes(self) -> int:
        """What is held now, lines and overhead."""
        return self._put_bytes - self._taken_bytes

    @property
    def dropped(self) -> int:
        """Records given up because the queue was full."""
        return self.dropped_new + self.dropped_oldest

    @property
    def spooled(self) -> int:
        """Records in files that are not delivered."""
        return self._spooled_count - self._released_count

    def put(self, timestamp_ms: int, line: bytes) -> bool:
        """Append a record; False when it was dropped instead."""
        length = len(line)
        size = length + RECORD_OVERHEAD_BYTES
        if self._overflow == "block":
            self._wait_for_room(size)
        with self._lock:
            held = self._put_bytes - self._taken_bytes + size
            if held > self._max_bytes and not self._make_room(size):
                self.dropped_new += 1
                return False
            segment = self._segment
            # `has_room` and the bookkeeping of a file, written out: this runs for every record.
            if segment is not None and segment.end + RECORD_BYTES + length <= segment.size:
                self._events.append(self._base + segment.write(timestamp_ms, line))
                self._spooled_count += 1
            elif self._files is None:
                self._events.append((timestamp_ms, line))
            else:
                self._events.append(self._put_into_next(timestamp_ms, line))
            self._put_bytes += size
            self.put_count += 1
        if held > WAKE_BYTES and not self._woken:
            self._woken = True
            self.wake.set()
        return True

    def take(self, most: int) -> list[Event]:
        """The oldest records, at most so many; for the sender's thread alone. They are held until acknowledged."""
        taken: list[Event] = []
        try:
            while len(taken) < most:
                event = self._events.popleft()
                if type(event) is int:
                    at_ms, line = self._segments[event // _STRIDE].read(event % _STRIDE)
                    self._unsafe.append(event + RECORD_BYTES + len(line))
                    taken.append((at_ms, line))
                else:
                    self._unsafe.append(0)
                    taken.append(event)  # type: ignore[arg-type]  # a tuple
        except IndexError:  # there are no more; asking first would not help, since `put` may drop the oldest meanwhile
            pass
        self._taken_bytes += sum([len(line) + RECORD_OVERHEAD_BYTES for _at, line in taken])
        return taken

    def acknowledge(self, records: int) -> None:
        """So many of the taken records, oldest first, are delivered; for the sender's thread alone."""
        last = 0
        for _ in range(records):
            end = self._unsafe.popleft()
            if end:
                last = end
                self._released_count += 1
        if last:
            self._segments[last // _STRIDE].delivered(last % _STRIDE)

    def rest(self) -> None:
        """The sender says that it is about to sleep, and wants to be woken when a batch has gathered."""
        self._woken = False

    def prepare(self) -> None:
        """Makes the first file, so that no caller of `put` has to; what hinders that is `trouble`."""
        self._spare = self._made()

    def warm(self, pace: Callable[[], None]) -> None:
        """Has the file that is written into ready; for the sender's thread alone."""
        segment = self._segment
        if segment is not None:
            segment.touch(pace)

    def tend(self, pace: Callable[[], None] = lambda: None) -> None:
        """Makes the next file beforehand, so that no caller of `put` has to, and deletes those that are done with.

        For the sender's thread alone, which never waits for a caller: where one has the lock, it is done the next time.
        What takes time is done without the lock, with calls of `pace` in between.
        """
        if not self._segments:
            return
        segment = self._segment
        if segment is not None and self._spare is None and self._ready is None and segment.end > segment.size // 4:
            self._ready = self._made()
            if self._ready is not None:
                self._ready.touch(pace)
        lost = segment is not None and segment.is_lost
        if not self._lock.acquire(blocking=False):
            return
        try:
            unneeded = self._unneeded()
            if self._spare is None:
                self._spare, self._ready = self._ready, None
            if lost and segment is not None and segment is self._segment:
                self.trouble = f"{segment.path} was deleted"
                self._segment = None  # what is in it dies with this process, unless it is sent before
        finally:
            self._lock.release()
        for done in unneeded:
            done.close(remove=True)
            pace()

    def let_go(self, wait_s: float = 0.0) -> None:
        """Nothing is sent any more: files that hold nothing are deleted, others are left to the next process.

        Args:
            wait_s: for the lock, longest; the sender's thread does not wait. Without the lock nothing is done.
        """
        if not self._lock.acquire(timeout=wait_s):
            return
        try:
            self._segment = None
            unneeded = [*self._unneeded(), *(one for one in (self._spare, self._ready) if one is not None)]
            self._spare = self._ready = None
        finally:
            self._lock.release()
        for done in unneeded:
            done.close(remove=True)

    def disown(self) -> None:
        """A forked child lets go of the parent's files."""
        for segment in (*self._segments.values(), self._spare, self._ready):
            if segment is not None:
                segment.close(remove=False)
        self._segments = {}
        self._segment = self._spare = self._ready = None

    def _put_into_next(self, timestamp_ms: int, line: bytes) -> Event | int:
        """Into the next file; into memory where there can be none, or the line is larger than a file."""
        segment, self._spare = self._spare or self._made(), None
        if segment is None:
            return timestamp_ms, line
        self._last_segment += 1
        self._base = self._last_segment * _STRIDE
        self._segments[self._last_segment] = self._segment = segment
        if not segment.has_room(len(line)):
            return timestamp_ms, line
        self._spooled_count += 1
        return self._base + segment.write(timestamp_ms, line)

    def _made(self) -> Segment | None:
        if self._files is None or time.monotonic() < self._no_file_before_s:
            return None
        try:
            segment = self._files.make()
        except OSError as error:
            self._no_file_before_s = time.monotonic() + _TRY_AGAIN_S
            self.trouble = error.strerror or str(error)
            return None
        self.trouble = ""
        return segment

    def _unneeded(self) -> list[Segment]:
        """Files of which nothing waits; they are this queue's no more."""
        taken = next((end // _STRIDE for end in self._unsafe if end), None)
        waiting = next((event // _STRIDE for event in self._events if type(event) is int), None)
        oldest = min((number for number in (taken, waiting) if number is not None), default=self._last_segment + 1)
        done = [number for number, one in self._segments.items() if number < oldest and one is not self._segment]
        return [self._segments.pop(number) for number in done]

    def _make_room(self, size: int) -> bool:
        return self._overflow == "drop_oldest" and size <= self._max_bytes and self._drop_oldest(size)

    def _drop_oldest(self, size: int) -> bool:
        while self._put_bytes - self._taken_bytes + size > self._max_bytes:
            try:
                oldest = self._events.popleft()
            except IndexError:  # the sender has taken it meanwhile
                return True
            if type(oldest) is int:
                number, begin = divmod(oldest, _STRIDE)
                length = self._segments[number].length(begin)
                self._spooled_count -= 1
            else:
                length = len(oldest[1])  # type: ignore[index]  # a tuple
            self._put_bytes -= length + RECORD_OVERHEAD_BYTES
            self.dropped_oldest += 1
        return True

    def _wait_for_room(self, size: int) -> None:
        """Wait without the lock, so that waiting callers wait side by side."""
        if self.size_bytes + size <= self._max_bytes or size > self._max_bytes or _on_event_loop():
            return
        deadline = time.monotonic() + self._block_timeout
        self.wake.set()
        while self.size_bytes + size > self._max_bytes:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _BLOCK_SLICE_SECONDS))


def _on_event_loop() -> bool:
    """Whether the calling thread runs an event loop, which nobody may hold up."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001 - the one that does not raise
