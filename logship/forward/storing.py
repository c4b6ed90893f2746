"""The two ways into a store: rounds that end with a commit, or several requests at once that are safe one by one."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from logship.errors import BusyError, ConnectError, DiskFullError, LogshipError
from logship.forward.limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from logship.record import LogEvent, Record
    from logship.store.port import AddResult, Rejected, RequestWriter, StoreWriter
    from logship.table import Table

_Answer = TypeVar("_Answer")
COMMIT_INTERVAL_S: Final = 1.0
_COMMIT_EVENTS: Final = 50_000
_STORE_WAIT_S: Final = 1.0
_LONGEST_STORE_WAIT_S: Final = 15.0
_SAID_EVERY_S: Final = 60.0
_LOOK_S: Final = 0.5
"""So often whoever waits for answers looks up, and is seen to move."""
GRACE_S: Final = 6.0
"""So long after it was told to stop, a forwarder still tries to store what it has read."""
LETTERS: Final = "room for dead letters"
"""What else is waited for than the store."""
ONCE_S: Final = 300.0
"""So long a run that ends by itself waits for a store that takes nothing: what starts such runs starts the next one."""
_LAST_WAIT_S: Final = 0.5
_SLICE: Final = 200
"""Events that are prepared and written together: their records are still in the processor's cache then."""
_LATER: Final = (DiskFullError, ConnectError)
"""What a store says that may take the same records later: no room, no answer."""


@dataclass(slots=True, eq=False)
class Chunk:
    """Events that are stored together, and what became of them once they are safe."""

    parts: Sequence[Sequence[LogEvent]]
    """The events, as they came."""
    accepted: int = 0
    existing: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(map(len, self.parts))


def _slices(chunk: Chunk) -> Iterator[Sequence[LogEvent]]:
    return (part[start : start + _SLICE] for part in chunk.parts for start in range(0, len(part), _SLICE))


class Prepare(Protocol):
    """Makes records of events, in the order of each stream; what rules drop is left out."""

    def __call__(self, events: Sequence[LogEvent], /) -> list[Record]:
        """The records, in the order of their events."""

    def tables(self, events: Sequence[LogEvent], /) -> tuple[list[Table], list[Record]]:
        """The same records in any order: tables of those that are alike, and the others."""

    def clean(self, event: LogEvent, /) -> LogEvent:
        """The event as it may be kept: redacted."""

    def mark(self) -> object:
        """Where it stands: what it remembers of streams, and what it has counted."""

    def rewind(self, mark: object, /) -> None:
        """Goes back to where it stood, so that the same events may be prepared again."""


class Storing(Protocol):
    """Takes chunks, and gives them back in any order once they are safe. One thread calls."""

    limiter: Limiter | None
    """What bounds the requests under way, where there may be several."""

    def put(self, chunk: Chunk) -> None:
        """Takes a chunk; waits while the store cannot take more.

        Raises:
            Stopped: the patience has ended while the store was waited for.
            LogshipError: the store fails for good.
        """

    def done(self) -> list[Chunk]:
        """Chunks that are safe since the last call.

        Raises:
            LogshipError: the store fails for good.
        """

    def hurry(self) -> None:
        """Makes what it has safe as soon as it can, since nothing more comes before that; raises as `put` does."""

    def flush(self) -> None:
        """Makes everything safe and visible; raises as `put` does."""

    def close(self) -> None:
        """Lets go of threads; what is not safe is given up."""


class Patience:
    """Waits for what may take the same records later, as long as the forwarder runs, and some seconds more.

    Args:
        stop: set when the forwarder is to end.
        say: told what people should know.
        longest_s: so long it may take nothing at all before it is given up.
        of: what is waited for, in words.
    """

    def __init__(
        self,
        stop: threading.Event,
        say: Callable[[str], None],
        *,
        longest_s: float = float("inf"),
        of: str = "the store",
    ) -> None:
        self.waits = 0
        self.reason = ""
        """Why it is waited for at the moment; "" while it takes records."""
        self._stop, self._say, self._longest_s, self._of = stop, say, longest_s, of
        self._since_s: float | None = None
        """Since when it has taken nothing; None while it takes records."""
        self._said_s = float("-inf")
        self._until_s = float("inf")

    def wait(self, error: LogshipError, before_s: float) -> float:
        """Waits a little longer than before; how long.

        Raises:
            LogshipError: the error itself, if waiting has to end; one of its kind, if it is given up.
        """
        self.waits += 1
        self.reason = str(error)
        since_s = self._since_s = self._since_s or time.monotonic()  # another thread may set it back meanwhile
        if time.monotonic() - since_s > self._longest_s:
            kind = DiskFullError if isinstance(error, DiskFullError) else ConnectError
            raise kind(f"{error}; given up after {self._longest_s / 60:.0f} min, the next run reads again") from error
        if time.monotonic() - self._said_s > _SAID_EVERY_S:
            self._said_s = time.monotonic()
            self._say(f"{error}; nothing is lost, the forwarder waits for {self._of}")
        wait_s = min(max(_STORE_WAIT_S, before_s * 1.5), _LONGEST_STORE_WAIT_S)
        if self._stop.wait(wait_s):
            self._until_s = min(self._until_s, time.monotonic() + GRACE_S)
            if time.monotonic() + _LAST_WAIT_S > self._until_s:
                raise error
            time.sleep(_LAST_WAIT_S)
        return wait_s

    def insist(self, call: Callable[[], _Answer]) -> _Answer:
        """What a call gives, however often it has to be made; raises as `wait` does."""
        waited_s = 0.0
        while True:
            try:
                return call()
            except _LATER as error:
                waited_s = self.wait(error, waited_s)

    def over(self) -> None:
        """Something was taken."""
        self.reason, self._since_s = "", None


class Rounds:
    """A store that has one writer, and whose records are safe after a commit.

    Args:
        writer: the store.
        prepare: makes records of events; a round is prepared again when the store failed to commit it.
        patience: how failures are waited out.
    """

    limiter: Limiter | None = None

    def __init__(self, writer: StoreWriter, prepare: Prepare, patience: Patience) -> None:
        self._writer, self._prepare, self._patience = writer, prepare, patience
        self._round: list[Chunk] = []
        self._mark = prepare.mark()
        self._events = 0
        self._began_s = 0.0
        self._safe: list[Chunk] = []

    def put(self, chunk: Chunk) -> None:
        """Adds a chunk to the round; commits when that is due."""
        if not self._round:
            self._began_s = time.monotonic()
        self._round.append(chunk)
        self._events += len(chunk)
        try:
            self._add(chunk)
        except _LATER as error:
            self._again(error)
        else:
            if self._events >= _COMMIT_EVENTS:
                self.flush()

    def done(self) -> list[Chunk]:
        """The chunks of rounds that were committed; commits the round that is due."""
        if self._round and time.monotonic() - self._began_s >= COMMIT_INTERVAL_S:
            self.flush()
        safe, self._safe = self._safe, []
        return safe

    def hurry(self) -> None:
        """Commits."""
        self.flush()

    def flush(self) -> None:
        """Commits."""
        if not self._round:
            return
        try:
            self._commit()
        except _LATER as error:
            self._again(error)

    def close(self) -> None:
        """Nothing to let go of."""

    def _add(self, chunk: Chunk) -> None:
        chunk.accepted, chunk.existing, chunk.rejected = 0, 0, []
        for events in _slices(chunk):
            result = self._writer.add(self._prepare(events))
            chunk.accepted += result.accepted
            chunk.existing += result.existing
            chunk.rejected += result.rejected

    def _again(self, error: LogshipError) -> None:
        """Waits, then adds the whole round once more: nothing since the last commit is promised."""
        waited_s = 0.0
        while True:
            waited_s = self._patience.wait(error, waited_s)
            self._prepare.rewind(self._mark)
            try:
                for chunk in self._round:
                    self._add(chunk)
                self._commit()
            except _LATER as again:
                error = again
            else:
                return

    def _commit(self) -> None:
        self._writer.commit()
        self._patience.over()
        self._safe += self._round
        self._round, self._events = [], 0
        self._mark = self._prepare.mark()


class Requests:
    """A store that takes several requests at once, each of which is safe when it is answered.

    Args:
        writer: the store; up to `writer.parallel` requests are under way.
        prepare: makes records of events, called in the order of chunks.
        patience: how failures are waited out.
        wake: called, in another thread, whenever `done` has something to give.
        moved: called now and then while answers are waited for: however long they take, nothing is stuck.
    """

    def __init__(
        self,
        writer: RequestWriter[Any],
        prepare: Prepare,
        patience: Patience,
        wake: Callable[[], None],
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        self._writer, self._prepare, self._patience, self._wake = writer, prepare, patience, wake
        self._moved = moved
        self._limiter = Limiter(writer.parallel)
        self.limiter: Limiter | None = self._limiter
        self._pool = ThreadPoolExecutor(writer.parallel, "logship-add")
        self._lock = threading.Lock()
        self._safe: deque[Chunk] = deque()
        self._open = 0
        self._failure: BaseException | None = None
        self._idle = threading.Condition(self._lock)

    def put(self, chunk: Chunk) -> None:
        """Sends a chunk in another thread, as soon as the limiter allows; its records are not kept."""
        encoded = [self._encoded(*self._prepare.tables(events)) for events in _slices(chunk)]
        while not self._limiter.acquire(_LOOK_S):
            self._moved()
            self._check()
        self._check()
        with self._lock:
            self._open += 1
        self._pool.submit(self._send, chunk, encoded)

    def done(self) -> list[Chunk]:
        """The chunks that the store has answered for."""
        self._check()
        with self._lock:
            safe = list(self._safe)
            self._safe.clear()
        return safe

    def hurry(self) -> None:
        """All of it is under way."""

    def flush(self) -> None:
        """Waits for every answer, then makes records visible; that this fails is no loss."""
        with self._idle:
            while self._open and not self._failure:
                self._moved()
                self._idle.wait(_LOOK_S)
        self._check()
        self._patience.insist(self._writer.commit)

    def close(self) -> None:
        """Waits for requests under way, which end by themselves once the patience has."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _encoded(self, tables: Sequence[Table], records: Sequence[Record]) -> Any:
        return self._patience.insist(lambda: self._writer.encode(records, tables))

    def _send(self, chunk: Chunk, encoded: Sequence[Any]) -> None:
        try:
            self._store(chunk, encoded)
        except BaseException as error:  # handed to the thread that stores
            self._failure = self._failure or error
        self._limiter.release()
        with self._idle:
            self._open -= 1
            if self._failure is None:
                self._safe.append(chunk)
            self._idle.notify_all()
        self._wake()

    def _store(self, chunk: Chunk, encoded: Sequence[Any]) -> None:
        """Sends until each record is taken or refused for good; only what was not is sent again."""
        waited_s = 0.0
        while True:
            failure: LogshipError | None = None
            try:
                result: AddResult | None = self._writer.send(encoded)
            except BusyError as error:
                result, encoded, failure = error.so_far, error.rest, error
            except _LATER as error:
                result, failure = None, error
            round_trip_s = result.round_trip_s if result else None
            self._limiter.observe(round_trip_s, refused=failure is not None or bool(result and result.refused))
            if result is not None:
                chunk.accepted += result.accepted
                chunk.existing += result.existing
                chunk.rejected += result.rejected
                if failure is None or result.accepted:
                    self._patience.over()
            if failure is None:
                return
            waited_s = self._patience.wait(failure, waited_s)
