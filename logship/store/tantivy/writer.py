"""The one writer of an embedded store, and the way round it for short writers."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from logship.errors import LogshipError, StoreError, StoreLockedError
from logship.store.port import AddResult
from logship.store.tantivy import folder as folders
from logship.store.tantivy import inbox, schema
from logship.store.tantivy.documents import document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import tantivy

    from logship.record import Record
    from logship.store.port import StoreWriter

_HEAP_BYTES: Final = 50_000_000
"""The engine's buffer. More, or more threads, cost processor time and gain nothing measurable."""
_INBOX_INTERVAL_S: Final = 0.2
_GC_INTERVAL_S: Final = 3600.0


def open_writer(path: str | Path, kind: str, *, long_running: bool, patience_s: float = 60.0) -> StoreWriter:
    """A writer for the store in a folder, which is made if it is not there.

    Args:
        path: the folder.
        kind: what the process is, such as ``"forward"``; shown to whoever finds the store locked.
        long_running: a long-running writer waits for a short one and is refused by another long-running
            one; a short writer hands its batches over to whoever holds the store.
        patience_s: how long to wait for a short writer, or for an answer from the inbox.

    Raises:
        StoreLockedError: another long-running writer holds the store.
        StoreError, NewerFormatError: the folder is no store that can be written.
    """
    folder = Path(path)
    folders.create(folder)
    lock = folders.WriterLock(folder, kind, long_running=long_running)
    deadline = time.monotonic() + patience_s
    with folders.explained(folder):
        while not lock.try_acquire():
            holder = folders.holder(folder)
            if not long_running:
                return HandOver(folder, kind, patience_s=patience_s)
            if holder.long_running or time.monotonic() > deadline:
                raise StoreLockedError(
                    f"the store {str(folder)!r} is being written by {holder.kind} (pid {holder.pid}); "
                    "stop that process, or name another --store"
                )
            time.sleep(0.05)
    return IndexWriter(folder, lock)


class IndexWriter:
    """Writes the index while holding the lock, and serves the inbox in a thread of its own."""

    def __init__(self, folder: Path, lock: folders.WriterLock) -> None:
        self._folder, self._lock = folder, lock
        self._mutex = threading.RLock()
        self._closing = threading.Event()
        self._writer: tantivy.IndexWriter | None = None
        self._uncommitted: set[str] = set()
        self._greatest_id = ""
        self._lost: StoreError | None = None
        try:
            with folders.explained(folder):
                self._index = open_index(folder)
                self._reopen()
        except BaseException:
            lock.release()
            raise
        self._thread = threading.Thread(target=self._serve_inbox, name="logship-inbox", daemon=True)
        self._thread.start()

    def add(self, records: Sequence[Record]) -> AddResult:
        """Takes a batch with create semantics; visible and durable after `commit`.

        Raises:
            DiskFullError, StoreError: what was added since the last commit has to be added again.
        """
        with self._mutex, folders.explained(self._folder), self._giving_up_on_failure():
            if self._writer is None:
                self._reopen()
            fresh = self._fresh(records)
            for record in fresh:
                self._writer.add_document(document(record))  # type: ignore[union-attr]  # opened above
            return AddResult(len(fresh), len(records) - len(fresh))

    @contextmanager
    def _giving_up_on_failure(self) -> Iterator[None]:
        """A failed writer of this engine is unusable, with all it had not committed; the next call opens another."""
        try:
            yield
        except BaseException:
            self._writer = None
            self._uncommitted.clear()
            raise

    def _fresh(self, records: Sequence[Record]) -> list[Record]:
        """The records whose id is neither committed nor waiting for the commit."""
        known, pending = self._searcher.doc_freq, self._uncommitted
        fresh = []
        for record in records:
            identity = record.id
            if identity > self._greatest_id:
                self._greatest_id = identity  # ids begin with the time, so most new ones are greater than all before
            elif identity in pending or (known("id", identity) and not self._was_deleted(identity)):
                continue
            pending.add(identity)
            fresh.append(record)
        return fresh

    def _was_deleted(self, record_id: str) -> bool:
        """Term statistics still count a deleted record until its segment is merged; a search does not."""
        import tantivy

        query = tantivy.Query.term_query(self._index.schema, "id", record_id, "basic")
        return self._searcher.search(query, 1, count=False).hits == []

    def commit(self) -> None:
        """Makes everything added before durable and visible.

        Raises:
            DiskFullError, StoreError: what was added since the last commit has to be added again.
        """
        with self._mutex, folders.explained(self._folder), self._giving_up_on_failure():
            lost, self._lost = self._lost, None
            if lost:
                raise lost
            if self._uncommitted and self._writer:
                self._writer.commit()
                self._uncommitted.clear()
                self._refresh()

    def prune(self, before_us: int) -> int:
        """Deletes every record older than that time; how many there were."""
        import tantivy

        with self._mutex, folders.explained(self._folder):
            self.commit()
            query = tantivy.Query.range_query(
                self._index.schema, "time", tantivy.FieldType.Integer, None, before_us, include_upper=False
            )
            found: int = self._searcher.search(query, 1, count=True).count  # type: ignore[attr-defined]
            writer = self._writer or self._reopen()
            writer.delete_documents_by_query(query)
            writer.commit()
            self._refresh()
            writer.garbage_collect_files()
            return found

    def close(self) -> None:
        """Commits, drains the inbox, waits for merges, and lets go of the store; safe to call twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join()
        with self._mutex:
            try:
                self.commit()
                with suppress(OSError, LogshipError):  # its senders still have what they handed over, and say so
                    self._drain()
                if self._writer is not None:
                    self._writer.wait_merging_threads()
            finally:
                self._writer = None
                self._lock.release()

    def _reopen(self) -> tantivy.IndexWriter:
        self._uncommitted.clear()
        self._writer = self._index.writer(_HEAP_BYTES, 1)
        self._writer.garbage_collect_files()  # a killed writer leaves orphans behind
        self._refresh()
        self._greatest_id = self._greatest_committed_id()
        return self._writer

    def _greatest_committed_id(self) -> str:
        """An id that none of the store's is greater than; "" for an empty store."""
        import tantivy

        everything = tantivy.Query.all_query()
        hits = self._searcher.search(everything, 1, count=False, order_by_field="tie", order=tantivy.Order.Desc).hits
        return f"{hits[0][0]:015x}" + "f" * 17 if hits else ""

    def _refresh(self) -> None:
        self._index.reload()
        self._searcher = self._index.searcher()

    def _serve_inbox(self) -> None:
        collected = time.monotonic()
        while not self._closing.wait(_INBOX_INTERVAL_S):
            with self._mutex:  # until it is known what was lost, nobody commits
                try:
                    self._drain()
                except StoreError as error:
                    self._lost = error  # whoever owns this writer hears of it at its next commit
                except OSError:  # of the inbox alone: what it holds is tried again, and its senders say that they wait
                    pass
            if time.monotonic() - collected > _GC_INTERVAL_S:
                collected = time.monotonic()
                with self._mutex, suppress(OSError, ValueError):  # what is left is collected the next time
                    if self._writer is not None:
                        self._writer.garbage_collect_files()

    def _drain(self) -> None:
        with self._mutex:
            answers: list[tuple[Path, dict[str, int]]] = []
            for path, work in inbox.waiting(self._folder / "inbox"):
                if isinstance(work, int):
                    answers.append((path, {"deleted": self.prune(work)}))
                else:
                    result = self.add(work)
                    answers.append((path, {"accepted": result.accepted, "existing": result.existing}))
            if answers and self._lost is None:
                self.commit()
                for path, counts in answers:
                    inbox.answer(path, **counts)


class HandOver:
    """A short writer while somebody else holds the store: its work goes through the inbox.

    Work is durable when its method returns. When the holder goes away, the waiter takes over the store.
    """

    def __init__(self, folder: Path, kind: str, *, patience_s: float) -> None:
        self._folder, self._kind, self._patience_s = folder, kind, patience_s
        self._own: IndexWriter | None = None

    def add(self, records: Sequence[Record]) -> AddResult:
        """Hands the batch over and waits for the answer.

        Raises:
            StoreLockedError: the holder of the store did not answer in time.
        """
        if self._own is None:
            counts = self._handed(inbox.Entry.batch(self._folder / "inbox", records))
            if counts is not None:
                return AddResult(counts["accepted"], counts["existing"])
        return self._taken_over().add(records)

    def prune(self, before_us: int) -> int:
        """Has every record older than that time deleted; how many there were.

        Raises:
            StoreLockedError: the holder of the store did not answer in time.
        """
        if self._own is None:
            counts = self._handed(inbox.Entry.prune(self._folder / "inbox", before_us))
            if counts is not None:
                return counts["deleted"]
        return self._taken_over().prune(before_us)

    def _handed(self, entry: inbox.Entry) -> dict[str, int] | None:
        """The answer of whoever holds the store; None when that went away and the store is ours."""
        lock = folders.WriterLock(self._folder, self._kind, long_running=False)
        deadline = time.monotonic() + self._patience_s
        while (counts := entry.result()) is None:
            if lock.try_acquire():
                entry.withdraw()
                self._own = IndexWriter(self._folder, lock)
                return None
            if time.monotonic() > deadline:
                entry.withdraw()
                holder = folders.holder(self._folder)
                raise StoreLockedError(
                    f"{holder.kind} (pid {holder.pid}) holds the store {str(self._folder)!r} and took nothing in for "
                    f"{self._patience_s:.0f} s; stop that process and try again"
                )
            time.sleep(0.02)
        return counts

    def _taken_over(self) -> IndexWriter:
        assert self._own is not None  # `_handed` gave no answer
        return self._own

    def commit(self) -> None:
        """What was handed over is durable already."""
        if self._own is not None:
            self._own.commit()

    def close(self) -> None:
        """Lets go of the store if this writer has taken it over."""
        if self._own is not None:
            self._own.close()


def open_index(folder: Path) -> tantivy.Index:
    """The index of a store, with its tokenizer registered."""
    import tantivy

    index = tantivy.Index.open(str(folder / "index"))
    schema.register_tokenizer(index)
    index.config_reader("manual")
    return index
