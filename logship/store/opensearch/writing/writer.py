"""Writes records with create semantics: NDJSON by orjson, gzip, one request per few megabytes.

What the server says of each record is one of four: taken, there already, try again, never.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
from isal import igzip

from logship.errors import AccessError, BusyError, ConnectError, DiskFullError, StoreError
from logship.store.opensearch import partition, setup
from logship.store.opensearch.connection import (
    TOO_LARGE,
    Cluster,
    RefusedError,
    StandInError,
    is_full_disk,
    may_pass,
    reason_of,
)
from logship.store.opensearch.layout import LAYOUTS
from logship.store.opensearch.shapes import READERS
from logship.store.opensearch.writing.document import Builder, Templates
from logship.store.opensearch.writing.documents import Documents
from logship.store.port import AddResult, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from logship.record import Record
    from logship.store.opensearch.columns import Meta
    from logship.table import Table

BULK_BYTES: Final = 5_000_000
"""Uncompressed size of one request; larger ones gain nothing (5-15 MB is what OpenSearch's guide advises)."""
PARALLEL: Final = 4
"""Requests that one writer may have under way; a cluster that wants more has more forwarders."""
_BUILT_AT_ONCE: Final = 5_000
_GZIP_LEVEL: Final = 1
_CREATED: Final = 201
_EXISTS: Final = 409
_NO_REFRESH: Final = frozenset({400, 404, 405})
_REFRESHED_BYTES: Final = 3_000
"""The names of indices that one request refreshes: OpenSearch reads no first line of more than 4,096 bytes
(`http.max_initial_line_length`)."""
_BLOCKED: Final = "cluster_block_exception"
_OF_INDEX: Final = "index ["
"""How the reason begins of a block that is one index's."""
_NO_INDEX: Final = "index_not_found_exception"
_WAITS_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
_HEADERS: Final = {"content-type": "application/x-ndjson", "content-encoding": "gzip"}


@dataclass(frozen=True, slots=True)
class _Known:
    """Ids of [first, end) are in this index."""

    first: str
    end: str
    index: str
    action: bytes
    """The line before a document, up to its id."""


class Writer:
    """Several may write at once; nothing is locked. What `add` has taken survives a crash of the server."""

    parallel: int = PARALLEL

    def __init__(self, cluster: Cluster, index: str, meta: Meta) -> None:
        self._cluster, self._index, self._meta = cluster, index, meta
        self._layout = LAYOUTS[meta.output]
        self._lock = threading.Lock()
        self._templates = Templates(self._layout)
        self._touched: set[str] = set()
        self._last = _Known("", "", "", b"")

    def add(self, records: Sequence[Record]) -> AddResult:
        """Sends a batch; visible after `commit`. Several threads may.

        Raises:
            BusyError: a part was taken, the rest should be added later.
            ConnectError, DiskFullError: try again later, with the whole batch; nothing of it is lost.
            AccessError: not permitted.
        """
        total = _Outcome()
        for start in range(0, len(records), _BUILT_AT_ONCE):
            documents = self.encode(records[start : start + _BUILT_AT_ONCE])
            try:
                self._send_all(documents, total)
            except _Busy as error:
                later = [*map(self._record, error.rest.lines()), *records[start + _BUILT_AT_ONCE :]]
                raise BusyError(str(error), total.result(), later) from None
        return total.result()

    def encode(self, records: Sequence[Record], tables: Sequence[Table] = ()) -> Documents:
        """Makes documents. Columns are admitted before the first value for them is sent.

        Raises:
            ConnectError: try again later.
            AccessError: not permitted.
        """
        builder = Builder(self._layout, self._meta.columns, self._templates)
        documents = self._documents(builder, records, tables)
        if builder.missing and self._meta.has_room and self._meta.admit(builder.missing):
            documents = self._documents(Builder(self._layout, self._meta.columns, self._templates), records, tables)
        return documents

    def send(self, encoded: Sequence[Documents]) -> AddResult:
        """Sends documents, in as few requests as they fit into; raises as `add` does."""
        whole, total = Documents(), _Outcome()
        for documents in encoded:
            whole.join(documents)
        try:
            self._send_all(whole, total)
        except _Busy as error:
            raise BusyError(str(error), total.result(), [error.rest]) from None
        return total.result()

    def commit(self) -> None:
        """Makes what was added visible to searches; where that cannot be asked for, the cluster does it in its time."""
        with self._lock:
            touched, self._touched = self._touched, set()
        if touched:
            try:
                self._refresh(sorted(touched))
            except BaseException:
                with self._lock:
                    self._touched |= touched
                raise

    def _refresh(self, indices: Sequence[str]) -> None:
        at_once = _REFRESHED_BYTES // (max(map(len, indices)) + 1)
        for start in range(0, len(indices), at_once):
            path = f"/{','.join(indices[start : start + at_once])}/_refresh"
            try:
                # Of an index all of whose records were refused nothing may have come to be.
                self._cluster.request("POST", path, params={"ignore_unavailable": "true"})
            except (RefusedError, StandInError) as error:
                if error.status not in _NO_REFRESH:
                    raise

    def prune(self, before_us: int) -> int:
        """Deletes every record older than that time; how many there were."""
        self.commit()
        query = {"query": {"range": {"logship.time_us": {"lt": before_us}}}}
        answer = self._cluster.request(
            "POST", f"/{self._index}/_delete_by_query", query, params={"conflicts": "proceed", "refresh": "true"}
        )
        return int(answer["deleted"])

    def close(self) -> None:
        """Commits and lets go of the connections."""
        try:
            self.commit()
        finally:
            self._cluster.close()

    def _documents(self, builder: Builder, records: Sequence[Record], tables: Sequence[Table]) -> Documents:
        made, others = Documents(), list(records)
        for table in tables:
            known = self._index_of(table.ids[0])
            whole = known.first <= min(table.ids) and max(table.ids) < known.end
            lines = builder.table_lines(table, known.index) if whole else None
            if lines is None:
                others += table.records()
            else:
                made.add(lines, len(table))
                made.indices.add(known.index)
        for known, some in self._by_index(others):
            made.add(b"".join(builder.lines(some, known.action)), len(some))
            made.indices.add(known.index)
        return made

    def _by_index(self, records: Sequence[Record]) -> Iterable[tuple[_Known, Sequence[Record]]]:
        """The records of each index; mostly there is one."""
        ids = [record.id for record in records]
        if not ids:
            return []
        known = self._index_of(ids[0])
        if known.first <= min(ids) and max(ids) < known.end:
            return [(known, records)]
        found: dict[str, tuple[_Known, list[Record]]] = {}
        for record in records:
            known = self._index_of(record.id)
            found.setdefault(known.index, (known, []))[1].append(record)
        return found.values()

    def _index_of(self, record_id: str) -> _Known:
        """The index of an id, which begins with its event time; the last one is asked first."""
        known = self._last
        if known.first <= record_id < known.end:
            return known
        span = partition.span(int(record_id[:12], 16), self._meta.partition)
        index = f"{self._index}-{span.suffix}"
        action = b'{"create":{"_index":"%b","_id":"' % index.encode()
        self._last = known = _Known(f"{span.start_ms:012x}", f"{span.end_ms:012x}", index, action)
        return known

    def _send_all(self, documents: Documents, total: _Outcome) -> None:
        """Sends in requests of at most `BULK_BYTES`, or of one document.

        Raises:
            _Busy: the server goes on refusing.
        """
        parts = documents.split(BULK_BYTES)
        for number, part in enumerate(parts):
            try:
                self._deliver(part, total)
            except _Busy as error:
                for after in parts[number + 1 :]:
                    error.rest.join(after)
                raise

    def _deliver(self, documents: Documents, total: _Outcome) -> None:
        """Sends until every record is taken or refused for good; what is refused for now is sent again alone.

        Raises:
            _Busy: the server goes on refusing.
        """
        for wait_s in (*_WAITS_S, None):
            try:
                outcome = self._send(documents)
            except DiskFullError as error:
                if not total.decided:
                    raise
                raise _Busy(str(error), documents) from None  # what was taken before is not to be counted again
            documents, outcome.again = outcome.again, Documents()
            total.join(outcome)
            if not documents.count:
                return
            if outcome.missing:
                self._create_indices(outcome.missing)
            else:
                total.refused += documents.count
                if wait_s is not None:
                    time.sleep(wait_s)
        message = (
            f"{self._cluster.url} takes no records at the moment ({outcome.reason}); try again later, none is lost"
        )
        raise _Busy(message, documents)

    def _send(self, documents: Documents) -> _Outcome:
        began_s = time.monotonic()
        try:
            answer = self._cluster.request(
                "POST",
                "/_bulk",
                igzip.compress(b"".join(documents.pieces), _GZIP_LEVEL),
                params={"filter_path": "errors,items.*.status,items.*.error"},
                headers=_HEADERS,
            )
        except RefusedError as error:
            if error.status == TOO_LARGE:
                return self._send_halves(documents, error)
            raise
        with self._lock:
            self._touched |= documents.indices
        outcome = _Outcome(round_trip_s=time.monotonic() - began_s)
        if answer.get("errors") is False:
            outcome.accepted = documents.count
            return outcome
        for line, (status, item) in zip(documents.lines(), self._items(answer, documents.count), strict=True):
            self._judge(line, status, item, outcome)
        if outcome.full and not outcome.decided:
            raise DiskFullError(outcome.full)
        return outcome

    def _items(self, answer: dict[str, Any], count: int) -> list[tuple[int, dict[str, Any]]]:
        """What became of each document: its status, and more about it.

        Raises:
            ConnectError: that is not what was answered, so nobody knows; what is sent again has its id already.
        """
        try:
            items = [(int(item["create"]["status"]), item["create"]) for item in answer["items"]]
        except (KeyError, TypeError, ValueError):
            items = []
        if len(items) != count:
            raise ConnectError(f"{self._cluster.url} answered a bulk request with something else; is the URL right?")
        return items

    def _send_halves(self, documents: Documents, error: RefusedError) -> _Outcome:
        """The server takes smaller requests only; one record that is too large is refused for good."""
        if documents.count == 1:
            return _Outcome(rejected=[Rejected(self._record(documents.lines()[0]), str(error))])
        outcome = _Outcome()
        for half in documents.split(documents.size // 2):
            outcome.join(self._send(half))
        return outcome

    def _record(self, line: bytes) -> Record:
        """The record that a line carries: few are wanted back, so that none is held while it is on its way."""
        source = orjson.loads(line.split(b"\n", 1)[1])
        return READERS[self._layout.output](source["logship"]["id"], source)

    def _judge(self, line: bytes, status: int, item: dict[str, Any], outcome: _Outcome) -> None:
        if status == _CREATED:
            outcome.accepted += 1
            return
        if status == _EXISTS:
            outcome.existing += 1
            return
        index = orjson.loads(line.split(b"\n", 1)[0])["create"]["_index"]
        kind, reason = reason_of(item)
        if is_full_disk(reason):
            outcome.full = (
                f"{self._cluster.url} takes no more writes, its disk is full ({reason}); free some space there"
            )
        elif kind == _NO_INDEX:
            outcome.missing.add(index)
        elif kind == "security_exception":
            raise AccessError(f"{self._cluster.url} does not permit writing to {index}: {reason}")
        elif kind == _BLOCKED and not reason.startswith(_OF_INDEX) and not may_pass(status):
            raise StoreError(f"{self._cluster.url} takes no writes: {reason}; lift that block of the cluster")
        elif not may_pass(status):
            remedy = _lift(index) if kind == _BLOCKED else ""
            outcome.rejected.append(Rejected(self._record(line), f"{status} {kind}: {reason}{remedy}"))
            return
        outcome.again.join(Documents([line], 1, {index}, len(line)))
        outcome.reason = f"{status} {kind}: {reason[:200]}"

    def _create_indices(self, missing: set[str]) -> None:
        """Clusters may forbid creating an index by writing to it; the template gives it its shape."""
        setup.check_template(self._cluster, self._index)
        for name in missing:
            try:
                self._cluster.request("PUT", f"/{name}")
            except RefusedError as error:
                if error.kind != "resource_already_exists_exception":
                    raise


def _lift(index: str) -> str:
    """What helps records of an index that somebody has made read-only; those of other indices go on."""
    blocks = '{"index.blocks.write": null, "index.blocks.read_only": null}'
    return f" lift the block with PUT {index}/_settings {blocks}, then store them again"


class _Busy(Exception):  # noqa: N818 - becomes a `BusyError` with what was decided
    """The server goes on refusing what is left."""

    def __init__(self, message: str, rest: Documents) -> None:
        super().__init__(message)
        self.rest = rest


@dataclass(slots=True)
class _Outcome:
    """What became of one request."""

    accepted: int = 0
    existing: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    again: Documents = field(default_factory=Documents)
    missing: set[str] = field(default_factory=set)
    reason: str = ""
    full: str = ""
    """Why there is no room for some of them; "" where there is."""
    refused: int = 0
    round_trip_s: float | None = None

    @property
    def decided(self) -> int:
        """How many need not be sent again."""
        return self.accepted + self.existing + len(self.rejected)

    def result(self) -> AddResult:
        return AddResult(self.accepted, self.existing, tuple(self.rejected), self.refused, self.round_trip_s)

    def join(self, other: _Outcome) -> None:
        self.accepted += other.accepted
        self.existing += other.existing
        self.rejected += other.rejected
        self.missing |= other.missing
        self.reason = other.reason or self.reason
        self.round_trip_s = other.round_trip_s or self.round_trip_s
        self.again.join(other.again)
