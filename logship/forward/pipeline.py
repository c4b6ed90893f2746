"""Batches → records → store → acknowledgement: what is stored is acknowledged, in order, and nothing else is."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from logship.errors import Stopped
from logship.forward.letters.dead_letters import DeadLetter
from logship.forward.storing import GRACE_S, LETTERS, Chunk, Patience, Requests, Rounds
from logship.parse import parse_line
from logship.record import CONTINUES, GROUP, HANDLER_ID, ORIGINAL, STREAM, LogEvent, record_id
from logship.store.port import RequestWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.forward.port import Batch
    from logship.forward.storing import Prepare, Storing
    from logship.record import Record
    from logship.store.port import Rejected, StoreWriter

QUEUE_BYTES: Final = 20 * 2**20
"""Events between the sources and the store's acknowledgement, with the cost of an event in memory."""
_CHUNK_EVENTS: Final = 2_000
"""Events that are stored together: some 2 MB of documents, and as much again while they are sent."""
_LINGER_S: Final = 0.2
"""So long a chunk that is not full waits for more events."""
_TICK_S: Final = 1.0
_TIME_DIGITS: Final = 12
"""Of a record's id: the event time."""


@dataclass(slots=True)
class Counts:
    """What became of the events."""

    stored: int = 0
    existing: int = 0
    """Were in the store already."""
    rejected: int = 0
    """Cannot be stored: dead letters."""
    read: int = 0
    """Events delivered and acknowledged, those that rules dropped included."""


@dataclass(slots=True, eq=False)
class _Delivered:
    """A batch on its way, and how many chunks with events of it are not safe yet."""

    batch: Batch
    size: int
    open: int = 0
    whole: bool = False
    """Whether all its events are in chunks."""


class Pipeline:
    """Takes batches from any thread, and stores and acknowledges them in the thread that calls `run`.

    Args:
        writer: the store.
        prepare: makes records of events, in the order of delivery.
        keep: keeps dead letters; where there is no room for them now it is waited for, all else ends the forwarder.
        stop: set when the forwarder is to end: what is read is still stored, for some seconds.
        after_round: called after acknowledgements, in the same thread: checkpoints are saved there.
        say: told what people should know.
        patience_s: so long the store, or the keeper of dead letters, may take nothing at all before it is given up.
    """

    def __init__(
        self,
        writer: StoreWriter,
        prepare: Prepare,
        *,
        keep: Callable[[Sequence[DeadLetter]], object],
        stop: threading.Event,
        after_round: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = lambda _: None,
        patience_s: float = float("inf"),
    ) -> None:
        self.counts = Counts()
        self.patience = Patience(stop, say, longest_s=patience_s)
        self.letters_patience = Patience(stop, say, longest_s=patience_s, of=LETTERS)
        self.moved_s = time.monotonic()
        """When the storing thread last went round, or looked whether the store has answered; monotonic."""
        self._clean = prepare.clean
        self._stop, self._keep, self._after_round, self._say = stop, keep, after_round, say
        lock = threading.Lock()
        self._changed, self._room = threading.Condition(lock), threading.Condition(lock)
        """Something to do for the thread that stores; room for those that deliver."""
        self._nudged = False
        self._crowded = False
        """Somebody waits for room."""
        self._storing: Storing = (
            Requests(writer, prepare, self.patience, self._wake, self._move)
            if isinstance(writer, RequestWriter)
            else Rounds(writer, prepare, self.patience)
        )
        self.limiter = self._storing.limiter
        self._queue: deque[_Delivered] = deque()
        self._held = 0
        self._closed = self._ended = False
        self._unsafe: deque[_Delivered] = deque()
        self._chunks: dict[Chunk, list[_Delivered]] = {}
        self._pending: list[Sequence[LogEvent]] = []
        self._pending_events = 0
        self._pending_of: list[_Delivered] = []
        self._pending_s = 0.0
        self._end_s = float("inf")

    @property
    def queued_bytes(self) -> int:
        """What is delivered and not acknowledged."""
        return self._held

    def deliver(self, batch: Batch) -> None:
        """Hands a batch over; waits while the store is behind.

        Raises:
            Stopped: the pipeline has ended.
        """
        size = batch.size
        with self._changed:
            while self._held + size > QUEUE_BYTES and self._held and not self._ended:
                self._crowded = True
                self._changed.notify_all()
                self._room.wait(1.0)
            if self._ended:
                raise Stopped
            self._held += size
            self._queue.append(_Delivered(batch, size))
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more is delivered: `run` ends when all is stored."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def run(self) -> None:
        """Stores until closed. When the store fails for good, or cannot be waited for any longer, raises.

        Raises:
            StoreError, DiskFullError, ConnectError: the store fails; what was not acknowledged is not lost.
        """
        try:
            while self._turn():
                pass
        except BaseException:
            self._stop.set()  # or requests under way might wait for the store as long as it is away
            raise
        finally:
            with self._room:
                self._ended = True
                self._room.notify_all()
            self._storing.close()

    def _turn(self) -> bool:
        """One round of the loop; false when all is done."""
        self._move()
        delivered = self._next()
        if delivered is not None:
            self._take(delivered)
        elif self._crowded:  # nothing comes before something is safe
            self._crowded = False
            if self._pending:
                self._put()
            self._storing.hurry()
        if self._pending and time.monotonic() - self._pending_s >= _LINGER_S:
            self._put()
        self._acknowledge(self._storing.done())
        if delivered is not None or not self._closed or self._queue:  # in this order: once closed, nothing is added
            return not self._is_late()
        if self._pending:
            self._put()
        self._storing.flush()
        self._acknowledge(self._storing.done())
        return False

    def _next(self) -> _Delivered | None:
        """The next batch, or None when there is none for a moment, or something else to do."""
        with self._changed:
            if not self._queue and not self._closed:
                wait_s = _LINGER_S if self._unsafe and (self._pending or self.limiter is None) else _TICK_S
                self._changed.wait_for(lambda: self._queue or self._closed or self._nudged or self._crowded, wait_s)
            self._nudged = False
            return self._queue.popleft() if self._queue else None

    def _move(self) -> None:
        self.moved_s = time.monotonic()

    def _wake(self) -> None:
        """Something may be acknowledged."""
        with self._changed:
            self._nudged = True
            self._changed.notify_all()

    def _is_late(self) -> bool:
        """Whether the forwarder has to end although there is more: it is read again by the next."""
        if not self._stop.is_set() or not self._queue:
            return False
        self._end_s = min(self._end_s, time.monotonic() + GRACE_S)
        if time.monotonic() < self._end_s:
            return False
        self._say(f"stopped with {self._held:,} bytes read and not stored; the next forwarder reads them again")
        self._storing.flush()
        self._acknowledge(self._storing.done())
        return True

    def _take(self, delivered: _Delivered) -> None:
        self._unsafe.append(delivered)
        events: Sequence[LogEvent] = delivered.batch.events
        if not self._pending:
            self._pending_s = time.monotonic()
        while events:
            room = _CHUNK_EVENTS - self._pending_events
            self._pending.append(events[:room])
            self._pending_events += len(self._pending[-1])
            self._pending_of.append(delivered)
            delivered.open += 1
            events = events[room:]
            if self._pending_events >= _CHUNK_EVENTS:
                self._put()
        delivered.whole = True

    def _put(self) -> None:
        chunk = Chunk(self._pending)
        self._chunks[chunk] = self._pending_of
        self._pending, self._pending_of, self._pending_events = [], [], 0
        self._pending_s = time.monotonic()
        self._storing.put(chunk)

    def _acknowledge(self, chunks: Sequence[Chunk]) -> None:
        """Counts what became of the events, keeps dead letters, and acknowledges batches from the oldest on."""
        for chunk in chunks:
            self.counts.stored += chunk.accepted
            self.counts.existing += chunk.existing
            if chunk.rejected:
                self.counts.rejected += len(chunk.rejected)
                self._keep_all(letters_of(chunk, self._clean))
            for delivered in self._chunks.pop(chunk):
                delivered.open -= 1
        size = 0
        while self._unsafe and self._unsafe[0].whole and not self._unsafe[0].open:
            delivered = self._unsafe.popleft()
            delivered.batch.stored()
            self.counts.read += len(delivered.batch.events)
            size += delivered.size
        if size:  # before checkpoints are saved, which may take a while: sources need not wait for that
            with self._room:
                self._held -= size
                self._room.notify_all()
        if size or not self._unsafe:
            self._after_round()

    def _keep_all(self, letters: Sequence[DeadLetter]) -> None:
        """Keeps dead letters, however often that has to be tried: what they are of is not acknowledged before."""

        def keep() -> None:
            self._move()
            self._keep(letters)

        self.letters_patience.insist(keep)
        self.letters_patience.over()


def letters_of(chunk: Chunk, clean: Callable[[LogEvent], LogEvent]) -> list[DeadLetter]:
    """A letter for each rejected record: its event with the message as it may be kept.

    Where no event has that record's id, the record itself tells what it was made of: nothing is left out.
    """
    wanted: dict[tuple[str, str, object], dict[str, Rejected]] = {}
    for rejected in chunk.rejected:
        attributes = rejected.record.attributes
        key = (attributes[GROUP], attributes[STREAM], rejected.record.id[:_TIME_DIGITS])
        wanted.setdefault(key, {})[rejected.record.id] = rejected
    letters = []
    for event in chain.from_iterable(chunk.parts):
        near = wanted.get((event.group, event.stream, f"{max(event.timestamp_ms, 0):012x}"))
        if near and (refused := near.pop(_id_of(event), None)):
            letters.append(_letter(refused, clean(event)))
    left = chain.from_iterable(near.values() for near in wanted.values())
    return letters + [_letter(refused, clean(_event_of(refused.record))) for refused in left]


def _letter(refused: Rejected, event: LogEvent) -> DeadLetter:
    continues = str(refused.record.attributes.get(CONTINUES, ""))
    return DeadLetter(refused.record.id, event, refused.reason, continues=continues)


def _id_of(event: LogEvent) -> str:
    """The id of an event's record: with that of our handler as the line had it, which redaction may touch."""
    own = parse_line(event.message).attributes.get(HANDLER_ID, "")
    handler_id = own if isinstance(own, str) else ""
    return record_id(event.timestamp_ms, event.group, event.stream, event.event_id, handler_id)


def _event_of(record: Record) -> LogEvent:
    """What a record tells of the event that it was made of."""
    told = record.attributes
    at_ms, message = int(record.id[:_TIME_DIGITS], 16), str(told.get(ORIGINAL) or record.body)
    return LogEvent(str(told[GROUP]), str(told[STREAM]), at_ms, message, ingestion_ms=record.observed_ms)
