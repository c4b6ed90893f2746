"""Pages → records → store → checkpoint: what is acknowledged moves the position, nothing else does."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from logship.errors import ConnectError, DiskFullError

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from logship.errors import LogshipError
    from logship.forward.checkpoint import Checkpoints, Position
    from logship.parse import Parser
    from logship.record import LogEvent, Record
    from logship.store.port import AddResult, StoreWriter

_COMMIT_INTERVAL_S: Final = 1.0
_COMMIT_RECORDS: Final = 50_000
QUEUE_PAGES: Final = 8
"""Pages between reader and writer: at most 8 MB of events, some 30 MB of memory."""
_STORE_WAIT_S: Final = 5.0
_LATER: Final = (DiskFullError, ConnectError)
"""What a store says that may take the same records later: no room, no answer."""


@dataclass(slots=True)
class Page:
    """New events of one group, possibly none, and where the group stands once they are stored."""

    group: Position
    events: list[tuple[LogEvent, bytes]]
    position_ms: int
    lateness_ms: int
    settled_ms: tuple[int, ...]
    forget_before_ms: int
    """Ids of events before that time are not needed any more."""


@dataclass(slots=True)
class Counts:
    """What has become of the events so far."""

    stored: int = 0
    existing: int = 0
    rejected: int = 0
    commits: int = 0


@dataclass(slots=True)
class _Batch:
    """What waits for the next commit."""

    records: list[Record] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    results: list[AddResult] = field(default_factory=list)
    began_s: float = 0.0


class Pipeline:
    """The writing half of the forwarder; one thread runs it."""

    def __init__(
        self,
        writer: StoreWriter,
        checkpoints: Checkpoints,
        parser: Parser,
        *,
        reject: Callable[[Record, str], None],
        say: Callable[[str], None],
    ) -> None:
        self.pages: queue.Queue[Page | None] = queue.Queue(QUEUE_PAGES)
        self.counts = Counts()
        self._writer, self._checkpoints, self._parser = writer, checkpoints, parser
        self._reject, self._say = reject, say
        self._batch = _Batch()

    def run(self, stop: Event) -> None:
        """Takes pages until a None arrives. When the store fails for good, sets `stop` and raises."""
        try:
            while True:
                page = self._next()
                if page is None:
                    break
                if page is not _TICK:
                    self._take(page, stop)
                if self._due():
                    self._commit(stop)
            self._commit(stop)
        finally:
            stop.set()

    def _next(self) -> Page | None:
        try:
            return self.pages.get(timeout=_COMMIT_INTERVAL_S if self._batch.pages else None)
        except queue.Empty:
            return _TICK

    def _due(self) -> bool:
        batch = self._batch
        waited = time.monotonic() - batch.began_s
        return bool(batch.pages) and (len(batch.records) >= _COMMIT_RECORDS or waited >= _COMMIT_INTERVAL_S)

    def _take(self, page: Page, stop: Event) -> None:
        batch = self._batch
        if not batch.pages:
            batch.began_s = time.monotonic()
        parse = self._parser.record
        records = [parse(event) for event, _ in page.events]
        batch.records += records
        batch.pages.append(page)
        try:
            batch.results.append(self._writer.add(records))
        except _LATER as error:
            self._wait_for_store(error, stop)

    def _commit(self, stop: Event) -> None:
        """Commits, and only then moves the positions. A store that is full or gone is waited for; all is kept."""
        batch = self._batch
        if not batch.pages:
            return
        while batch.records:
            try:
                self._writer.commit()
                break
            except _LATER as error:
                self._wait_for_store(error, stop)
        self.counts.commits += 1
        for result in batch.results:
            self._tell(result)
        latest: dict[str, list[Page]] = {}
        for page in batch.pages:
            latest.setdefault(page.group.group, []).append(page)
        for pages in latest.values():
            self._save(pages)
        self._batch = _Batch()

    def _tell(self, result: AddResult) -> None:
        self.counts.stored += result.accepted
        self.counts.existing += result.existing
        for rejected in result.rejected:
            self.counts.rejected += 1
            self._reject(rejected.record, rejected.reason)

    def _wait_for_store(self, error: LogshipError, stop: Event) -> None:
        """Adds everything since the last commit again, once the store takes it; the reader waits meanwhile."""
        while True:
            self._say(str(error))
            if stop.wait(_STORE_WAIT_S):
                raise error
            try:
                self._batch.results = [self._writer.add(self._batch.records)]
            except _LATER as again:
                error = again
            else:
                return

    def _save(self, pages: list[Page]) -> None:
        last = pages[-1]
        last.group.position_ms = max(last.group.position_ms, *(page.position_ms for page in pages))
        last.group.lateness_ms, last.group.settled_ms = last.lateness_ms, last.settled_ms
        seen = [(key, event.timestamp_ms) for page in pages for event, key in page.events]
        horizon = last.forget_before_ms
        self._checkpoints.save(last.group, [item for item in seen if item[1] >= horizon], forget_before_ms=horizon)


_TICK: Final = Page(None, [], 0, 0, (), 0)  # type: ignore[arg-type] # nothing arrived; time to look at the clock
