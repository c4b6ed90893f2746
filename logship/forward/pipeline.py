"""Batches → records → store → acknowledgement: what is stored is acknowledged, in order, and nothing else is."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from logship.errors import ConnectError, DiskFullError, Stopped
from logship.forward.dead_letters import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.errors import LogshipError
    from logship.forward.port import Batch
    from logship.parse import Parser
    from logship.record import LogEvent, Record
    from logship.store.port import AddResult, StoreWriter

QUEUE_BYTES: Final = 40 * 2**20
"""Events between the sources and the store's acknowledgement, with the cost of an event in memory."""
_COMMIT_INTERVAL_S: Final = 1.0
_COMMIT_RECORDS: Final = 50_000
_ADD_RECORDS: Final = 5_000
"""Records of one `add`: a bulk request or two."""
_STORE_WAIT_S: Final = 1.0
_LONGEST_STORE_WAIT_S: Final = 15.0
_SAID_EVERY_S: Final = 60.0
_LATER: Final = (DiskFullError, ConnectError)
"""What a store says that may take the same records later: no room, no answer."""


@dataclass(slots=True)
class Counts:
    """What became of the events."""

    stored: int = 0
    existing: int = 0
    """Were in the store already."""
    rejected: int = 0
    """Cannot be stored: dead letters."""
    commits: int = 0
    waits: int = 0
    """Times the store was waited for."""


@dataclass(slots=True)
class _Round:
    """What lies between two commits. Events are kept, not records: these are made again if the store fails."""

    batches: list[Batch] = field(default_factory=list)
    size: int = 0
    events: int = 0
    began_s: float = 0.0
    adds: list[Future[_Added]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Added:
    result: AddResult
    events: Sequence[LogEvent]


class Pipeline:
    """Takes batches from any thread, and stores and acknowledges them in the thread that calls `run`.

    Args:
        writer: the store; `writer.parallel` adds are under way at once.
        parser: makes records of events, in the order of delivery.
        keep: keeps dead letters; what it raises ends the forwarder.
        after_round: called after each round of acknowledgements, in the same thread: checkpoints are saved there.
        say: told what people should know.
    """

    def __init__(
        self,
        writer: StoreWriter,
        parser: Parser,
        *,
        keep: Callable[[Sequence[DeadLetter]], object],
        after_round: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.counts = Counts()
        self._writer, self._parser, self._keep = writer, parser, keep
        self._after_round, self._say = after_round, say
        self._changed = threading.Condition()
        self._queue: deque[tuple[Batch, int]] = deque()
        self._held = 0
        self._closed = self._ended = False
        self._round = _Round()
        self._pending: list[LogEvent] = []
        parallel = getattr(writer, "parallel", 1)
        self._adders = ThreadPoolExecutor(parallel, "logship-add") if parallel > 1 else None
        self._adding = threading.BoundedSemaphore(parallel + 1)

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
                self._changed.wait(1.0)
            if self._ended:
                raise Stopped
            self._held += size
            self._queue.append((batch, size))
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more is delivered: `run` ends when all is stored."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def run(self, stop: threading.Event) -> None:
        """Stores until closed. When the store fails for good, or while it is waited for and `stop` is set, raises.

        Raises:
            StoreError, DiskFullError, ConnectError: the store fails; what was not acknowledged is not lost.
        """
        try:
            while True:
                batch = self._next()
                if batch is not None:
                    self._take(batch)
                elif self._closed:
                    break
                if self._due():
                    self._commit(stop)
            self._commit(stop)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            if self._adders:
                self._adders.shutdown(wait=True, cancel_futures=True)

    def _next(self) -> Batch | None:
        """The next batch, or None when there is none until a commit is due or all is closed."""
        with self._changed:
            if not self._queue and not self._closed:
                round_ = self._round
                wait_s = max(0.0, round_.began_s + _COMMIT_INTERVAL_S - time.monotonic()) if round_.batches else None
                self._changed.wait_for(lambda: self._queue or self._closed, wait_s)
            if not self._queue:
                return None
            batch, size = self._queue.popleft()
        self._round.size += size
        return batch

    def _due(self) -> bool:
        round_ = self._round
        if not round_.batches:
            return False
        # Where sources wait for room, room is made.
        crowded = round_.size >= QUEUE_BYTES // 2 and not self._queue
        return round_.events >= _COMMIT_RECORDS or crowded or time.monotonic() - round_.began_s >= _COMMIT_INTERVAL_S

    def _take(self, batch: Batch) -> None:
        round_ = self._round
        if not round_.batches:
            round_.began_s = time.monotonic()
        round_.batches.append(batch)
        round_.events += len(batch.events)
        self._pending += batch.events
        while len(self._pending) >= _ADD_RECORDS:
            events, self._pending = self._pending[:_ADD_RECORDS], self._pending[_ADD_RECORDS:]
            self._add(events)

    def _add(self, events: list[LogEvent]) -> None:
        parse = self._parser.record
        records = [parse(event) for event in events]
        if self._adders is None:
            done: Future[_Added] = Future()
            try:
                done.set_result(_Added(self._writer.add(records), events))
            except _LATER as error:
                done.set_exception(error)
            self._round.adds.append(done)
            return
        self._adding.acquire()
        self._round.adds.append(self._adders.submit(self._add_records, records, events))

    def _add_records(self, records: list[Record], events: list[LogEvent]) -> _Added:
        try:
            return _Added(self._writer.add(records), events)
        finally:
            self._adding.release()

    def _commit(self, stop: threading.Event) -> None:
        """Commits, and only then acknowledges. A store that is full or gone is waited for; all is kept."""
        if not self._round.batches:
            return
        failed = self._finish()
        waited_s = said_s = 0.0
        while failed is not None:
            self.counts.waits += 1
            if not waited_s or time.monotonic() - said_s > _SAID_EVERY_S:
                self._say(f"{failed}; nothing is lost, the forwarder waits for the store")
                said_s = time.monotonic()
            waited_s = min(max(_STORE_WAIT_S, waited_s * 1.5), _LONGEST_STORE_WAIT_S)
            if stop.wait(waited_s):
                raise failed
            self._pending = [event for batch in self._round.batches for event in batch.events]
            failed = self._finish()
        self._acknowledge()

    def _finish(self) -> LogshipError | None:
        """Adds what is pending, waits for every add, and commits; the failure after which all is added again."""
        failed: LogshipError | None = None
        while self._pending:
            events, self._pending = self._pending[:_ADD_RECORDS], self._pending[_ADD_RECORDS:]
            self._add(events)
        adds, self._round.adds = self._round.adds, []
        results = []
        for add in adds:
            try:
                results.append(add.result())
            except _LATER as error:
                failed = error
        if failed is None:
            try:
                self._writer.commit()
            except _LATER as error:
                failed = error
        if failed is None:
            for added in results:
                self._tell(added)
        return failed

    def _tell(self, added: _Added) -> None:
        result = added.result
        self.counts.stored += result.accepted
        self.counts.existing += result.existing
        if not result.rejected:
            return
        self.counts.rejected += len(result.rejected)
        parse, wanted = self._parser.record, {rejected.record.id: rejected for rejected in result.rejected}
        letters = []
        for event in added.events:
            rejected = wanted.get(parse(event).id)
            if rejected is not None:
                event = event._replace(message=rejected.record.original)  # noqa: PLW2901 - redacted, as it would be stored
                letters.append(DeadLetter(rejected.record.id, event, rejected.reason))
        self._keep(letters)

    def _acknowledge(self) -> None:
        round_, self._round = self._round, _Round()
        self.counts.commits += 1
        for batch in round_.batches:
            batch.stored()
        self._after_round()
        with self._changed:
            self._held -= round_.size
            self._changed.notify_all()
