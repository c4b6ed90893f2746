"""What of one group is stored: its batches on their way, and the marks that move as they are acknowledged."""

from __future__ import annotations

from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING

from logship.forward.port import Batch

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from logship.forward.sources.poll.marks import Marks, Settle
    from logship.forward.sources.poll.reading import Figures
    from logship.record import LogEvent


class Stored:
    """The marks that are saved: what they say is read, the store has acknowledged.

    A batch that waits for room may be overtaken by another, whose marks tell of what the first one holds, too: so
    they move in the order of reading.

    Args:
        marks: where the checkpoint stands.
        figures: of the group; what is stored is counted there.
        lock: of the group; every method but `to_save` is called with it held.
        is_new: whether there is no checkpoint yet.
    """

    def __init__(self, marks: Marks, figures: Figures, lock: threading.Lock, *, is_new: bool) -> None:
        self.marks = marks
        self.dirty = True
        """Whether the marks have moved since they were saved."""
        self._figures, self._lock = figures, lock
        self._saved_events = -1 if is_new else 0
        self._settles: dict[int, Settle] = {}
        self._oldest_ms: dict[int, int | None] = {}
        self._last = 0

    @property
    def is_waited_for(self) -> bool:
        """Whether batches are on their way, or wait for an older one's acknowledgement."""
        return bool(self._settles)

    @property
    def oldest_ms(self) -> int | None:
        """Event time of the oldest event on its way that makes a lag; None if there is none."""
        return min((at_ms for at_ms in self._oldest_ms.values() if at_ms is not None), default=None)

    @property
    def has_news(self) -> bool:
        """Whether events were stored since the marks were saved, or they never were."""
        return self._figures.stored != self._saved_events

    def batch(self, fresh: Sequence[LogEvent], settle: Settle, *, lags: bool) -> Batch | None:
        """What is new in a page, on its way to the store; None when nothing is, and nothing has to be waited for.

        Args:
            fresh: the events.
            settle: moves the marks once they are stored.
            lags: whether what is not stored of them is a lag.
        """
        self._figures.fresh += len(fresh)
        if not fresh and not self._settles:
            settle(self.marks)
            self.dirty = True
            return None
        oldest_ms, newest_ms = (fresh[0].timestamp_ms, fresh[-1].timestamp_ms) if fresh else (None, 0)
        self._last += 1
        self._settles[self._last], self._oldest_ms[self._last] = settle, oldest_ms if lags else None
        return Batch(fresh, partial(self._acknowledged, self._last, len(fresh), newest_ms))

    def _acknowledged(self, number: int, events: int, newest_ms: int) -> None:
        with self._lock:
            del self._oldest_ms[number]
            for one in list(takewhile(lambda one: one not in self._oldest_ms, self._settles)):
                self._settles.pop(one)(self.marks)
            self.dirty = True
            self._figures.stored += events
            self._figures.newest_stored_ms = max(self._figures.newest_stored_ms, newest_ms)

    def to_save(self) -> str | None:
        """The text to keep, once; None when nothing has moved."""
        with self._lock:
            if not self.dirty:
                return None
            self.dirty = False
            self._saved_events = self._figures.stored
            return self.marks.dumps()
