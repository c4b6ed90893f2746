"""Which events were read of late, so that reading them again costs no more than the reading."""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from logship.events import chosen, columns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.record import LogEvent

BUCKET_MS: Final = 2_000
"""Ids are kept by event time in buckets of that length."""
_OPEN_BYTES: Final = 72
"""An id in a set: a slot of 16 bytes at 50 % use, and an int of 32 to 40."""
_PACKED_BYTES: Final = 8
_BUCKET_BYTES: Final = 250
"""A bucket beside its ids."""


class Memory:
    """The room that the ids of all groups share; beyond it the oldest of the largest group are forgotten.

    Args:
        limit_bytes: of everything.
        open_bytes: of the buckets in use, which are sets; the others are packed arrays.
    """

    def __init__(self, limit_bytes: int = 32 * 2**20, open_bytes: int = 10 * 2**20) -> None:
        self.lock = threading.Lock()
        self.used_bytes = 0
        self._limit_bytes, self._open_limit = limit_bytes, open_bytes
        self._open_bytes = 0
        self._open: OrderedDict[tuple[KnownIds, int], set[int]] = OrderedDict()
        self._groups: set[KnownIds] = set()

    def bucket(self, group: KnownIds, number: int) -> set[int]:
        """The ids of a bucket, to be looked at and added to."""
        key = (group, number)
        found = self._open.get(key)
        if found is None:
            packed = group.packed.pop(number, ())
            self.used_bytes -= _PACKED_BYTES * len(packed) + (_BUCKET_BYTES if packed else 0)
            found = self._open[key] = set(packed)
            self._grow(_OPEN_BYTES * len(found) + _BUCKET_BYTES)
            self._groups.add(group)
        self._open.move_to_end(key)
        return found

    def added(self, ids: int) -> None:
        """Counts ids that were added to the bucket in use, and makes room."""
        self._grow(_OPEN_BYTES * ids)
        while self._open_bytes > self._open_limit and len(self._open) > 1:
            self._pack(*next(iter(self._open)))
        while self.used_bytes > self._limit_bytes and len(self._open) > 1:
            self._forget_oldest()

    def forget(self, group: KnownIds, before: int | None) -> None:
        """Forgets the buckets of a group before a number; None forgets all of them."""
        for number in [number for number in group.packed if before is None or number < before]:
            self.used_bytes -= _PACKED_BYTES * len(group.packed.pop(number)) + _BUCKET_BYTES
        for key in [key for key in self._open if key[0] is group and (before is None or key[1] < before)]:
            self._grow(-_OPEN_BYTES * len(self._open.pop(key)) - _BUCKET_BYTES)
        if before is None:
            self._groups.discard(group)

    def _grow(self, size: int) -> None:
        self._open_bytes += size
        self.used_bytes += size

    def _pack(self, group: KnownIds, number: int) -> None:
        ids = self._open.pop((group, number))
        self._grow(-_OPEN_BYTES * len(ids) - _BUCKET_BYTES)
        if ids:
            group.packed[number] = array("q", ids)
            self.used_bytes += _PACKED_BYTES * len(ids) + _BUCKET_BYTES

    def _forget_oldest(self) -> None:
        largest = max(
            (group for group in self._groups if group.packed), key=lambda group: len(group.packed), default=None
        )
        if largest is None:
            group, number = next(iter(self._open))
            self._pack(group, number)
            largest = group
        oldest = min(largest.packed, default=None)
        if oldest is not None:
            self.used_bytes -= _PACKED_BYTES * len(largest.packed.pop(oldest)) + _BUCKET_BYTES
            largest.forgotten_ms = max(largest.forgotten_ms, (oldest + 1) * BUCKET_MS)


class KnownIds:
    """The ids of one group's events, which count within their streams.

    An id is known by Python's 64-bit hash of it, which differs from process to process: two ids of one bucket
    are taken for one with a chance of one in 10^13 for a million of them.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.packed: dict[int, array[int]] = {}
        self.forgotten_ms = 0
        """Events before that time may have been known once."""
        self._cleared = False

    def fresh(self, events: Sequence[LogEvent], from_ms: int) -> Sequence[LogEvent]:
        """The events that were not known. Those before `from_ms` are never known."""
        if not events or (events[-1].timestamp_ms < from_ms and events[0].timestamp_ms < from_ms):
            return events
        columns = columns_of(events)
        found: list[int] = []
        take = found.append
        current, ids, size = None, set[int](), 0
        with self._memory.lock:
            if self._cleared:
                return events
            keys = map(hash, zip(columns.streams, columns.event_ids, strict=True))
            for place, (at_ms, key) in enumerate(zip(columns.timestamps_ms, keys, strict=True)):
                if at_ms >= from_ms:
                    number = at_ms // BUCKET_MS
                    if number != current:
                        self._memory.added(len(ids) - size)
                        current, ids = number, self._memory.bucket(self, number)
                        size = len(ids)
                    if key in ids:
                        continue
                    ids.add(key)
                take(place)
            self._memory.added(len(ids) - size)
        return events if len(found) == len(events) else chosen(events, found)

    def forget_before(self, at_ms: int) -> None:
        """Forgets events before that time."""
        with self._memory.lock:
            self._memory.forget(self, at_ms // BUCKET_MS)
            self.forgotten_ms = max(self.forgotten_ms, at_ms)

    def clear(self) -> None:
        """Forgets everything, for good: a group that nobody reads any more must not fill the memory."""
        with self._memory.lock:
            self._cleared = True
            self._memory.forget(self, None)
