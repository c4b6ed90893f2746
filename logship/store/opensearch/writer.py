"""Writes records with create semantics: NDJSON by orjson, gzip, one request per few megabytes.

What the server says of each record is one of four: taken, there already, try again, never.
"""

from __future__ import annotations

import gzip
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from logship.errors import AccessError, ConnectError, DiskFullError, StoreError, UsageError
from logship.store.opensearch import document, partition, setup, template
from logship.store.opensearch.columns import Meta
from logship.store.opensearch.connection import Cluster, RefusedError, reason_of
from logship.store.port import AddResult, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from logship.record import Record
    from logship.settings import Store

BULK_BYTES: Final = 5_000_000
"""Uncompressed size of one request; larger ones gain nothing (5-15 MB is what OpenSearch's guide advises)."""
_GZIP_LEVEL: Final = 1
_CREATED: Final = 201
_EXISTS: Final = 409
_TOO_LARGE: Final = 413
_TRY_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_NO_INDEX: Final = "index_not_found_exception"
_WAITS_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
_HEADERS: Final = {"content-type": "application/x-ndjson", "content-encoding": "gzip"}


def open_writer(store: Store, say: Callable[[str], None] = lambda _: None) -> Writer:
    """A writer of our indices; a store that is not set up is set up first.

    Raises:
        ConnectError, AccessError: the server does not answer, or does not let us.
        StoreError, NewerFormatError: it cannot be written.
    """
    if "*" in store.index or store.profile not in ("auto", "logship"):
        raise UsageError(f"index {store.index!r} with profile {store.profile!r} is read only; write to one of our own")
    cluster = Cluster(store)
    meta = Meta(cluster, store)
    if not meta.read():
        try:
            setup.apply(cluster, store, say)
        except AccessError as error:
            raise AccessError(
                f"the store is not set up, and {error}; somebody with more rights runs: "
                f"logship store setup --store {store.location}"
            ) from None
        meta.read()
    elif not setup.template_of(cluster, store.index):
        raise StoreError(_no_template(cluster, store.index))
    return Writer(cluster, store.index, meta)


@dataclass(slots=True)
class _Bulk:
    """Records on their way, with the lines that carry them."""

    records: list[Record] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    size: int = 0

    def take(self, record: Record, line: bytes) -> None:
        self.records.append(record)
        self.lines.append(line)
        self.size += len(line)


class Writer:
    """Several may write at once; nothing is locked. What `add` has taken survives a crash of the server."""

    def __init__(self, cluster: Cluster, index: str, meta: Meta) -> None:
        self._cluster, self._index, self._meta = cluster, index, meta
        self._touched: set[str] = set()

    def add(self, records: Sequence[Record]) -> AddResult:
        """Sends a batch; visible after `commit`.

        Raises:
            ConnectError, DiskFullError: try again later, with the whole batch; nothing of it is lost.
            AccessError: not permitted.
        """
        self._admit_columns(records)
        accepted = existing = 0
        rejected: list[Rejected] = []
        for bulk in self._bulks(records):
            result = self._deliver(bulk)
            accepted, existing = accepted + result.accepted, existing + result.existing
            rejected += result.rejected
        return AddResult(accepted, existing, tuple(rejected))

    def commit(self) -> None:
        """Makes what was added visible to searches."""
        if self._touched:
            self._cluster.request("POST", f"/{','.join(sorted(self._touched))}/_refresh")
            self._touched.clear()

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

    def _admit_columns(self, records: Sequence[Record]) -> None:
        known = self._meta.columns
        if len(known) >= template.MOST_COLUMNS:
            return
        wanted: set[str] = set()
        for record in records:
            wanted |= document.wanted_columns(record)
        if not wanted <= known.keys():
            self._meta.admit(wanted)

    def _bulks(self, records: Sequence[Record]) -> Iterator[_Bulk]:
        columns, output = self._meta.columns, self._meta.output
        bulk = _Bulk()
        for record in records:
            head = f'{{"create":{{"_index":"{self._index_of(record)}","_id":"{record.id}"}}}}\n'.encode()
            line = b"%b%b\n" % (head, document.dumps(document.build(record, columns, output)))
            if bulk.records and bulk.size + len(line) > BULK_BYTES:
                yield bulk
                bulk = _Bulk()
            bulk.take(record, line)
        if bulk.records:
            yield bulk

    def _index_of(self, record: Record) -> str:
        return f"{self._index}-{partition.suffix(int(record.id[:12], 16), self._meta.partition)}"

    def _deliver(self, bulk: _Bulk) -> AddResult:
        """Sends until every record is taken or refused for good."""
        accepted = existing = 0
        rejected: list[Rejected] = []
        for wait_s in (*_WAITS_S, None):
            outcome = self._send(bulk)
            accepted, existing = accepted + outcome.accepted, existing + outcome.existing
            rejected += outcome.rejected
            if not outcome.again.records:
                return AddResult(accepted, existing, tuple(rejected))
            bulk = outcome.again
            if outcome.missing:
                self._create_indices(outcome.missing)
            elif wait_s is not None:
                time.sleep(wait_s)
        raise ConnectError(
            f"{self._cluster.url} takes no records at the moment ({outcome.reason}); try again later, none is lost"
        )

    def _send(self, bulk: _Bulk) -> _Outcome:
        try:
            answer = self._cluster.request(
                "POST",
                "/_bulk",
                gzip.compress(b"".join(bulk.lines), _GZIP_LEVEL),
                params={"filter_path": "errors,items.*.status,items.*.error"},
                headers=_HEADERS,
            )
        except RefusedError as error:
            if error.status == _TOO_LARGE:
                return self._send_halves(bulk, error)
            raise
        outcome = _Outcome()
        for record, line, item in zip(bulk.records, bulk.lines, answer["items"], strict=True):
            self._judge(record, line, item["create"], outcome)
        return outcome

    def _send_halves(self, bulk: _Bulk, error: RefusedError) -> _Outcome:
        """The server takes smaller requests only; one record that is too large is refused for good."""
        if len(bulk.records) == 1:
            return _Outcome(rejected=[Rejected(bulk.records[0], str(error))])
        middle = len(bulk.records) // 2
        first = self._send(_part(bulk, 0, middle))
        first.join(self._send(_part(bulk, middle, len(bulk.records))))
        return first

    def _judge(self, record: Record, line: bytes, item: dict[str, Any], outcome: _Outcome) -> None:
        status = item["status"]
        if status == _CREATED:
            outcome.accepted += 1
            self._touched.add(self._index_of(record))
            return
        if status == _EXISTS:
            outcome.existing += 1
            return
        kind, reason = reason_of(item)
        if "flood-stage" in reason or "read-only-allow-delete" in reason:
            raise DiskFullError(
                f"{self._cluster.url} takes no more writes, its disk is full ({reason}); free some space there"
            )
        if kind == _NO_INDEX:
            outcome.missing.add(self._index_of(record))
        elif kind == "cluster_block_exception":
            raise StoreError(
                f"{self._cluster.url}: {reason}; lift the block: PUT {self._index_of(record)}/_settings "
                '{"index.blocks.write": null}'
            )
        elif kind == "security_exception":
            raise AccessError(f"{self._cluster.url} does not permit writing to {self._index_of(record)}: {reason}")
        elif status not in _TRY_AGAIN:
            outcome.rejected.append(Rejected(record, f"{status} {kind}: {reason}"))
            return
        outcome.again.take(record, line)
        outcome.reason = f"{status} {kind}: {reason[:200]}"

    def _create_indices(self, missing: set[str]) -> None:
        """Clusters may forbid creating an index by writing to it; the template gives it its shape."""
        if not setup.template_of(self._cluster, self._index):
            raise StoreError(_no_template(self._cluster, self._index))
        for name in missing:
            try:
                self._cluster.request("PUT", f"/{name}")
            except RefusedError as error:
                if error.kind != "resource_already_exists_exception":
                    raise


def _no_template(cluster: Cluster, index: str) -> str:
    return f"{cluster.url}: the index template {index!r} is missing; run: logship store setup --store {cluster.url}"


@dataclass(slots=True)
class _Outcome:
    """What became of one request."""

    accepted: int = 0
    existing: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    again: _Bulk = field(default_factory=_Bulk)
    missing: set[str] = field(default_factory=set)
    reason: str = ""

    def join(self, other: _Outcome) -> None:
        self.accepted += other.accepted
        self.existing += other.existing
        self.rejected += other.rejected
        self.missing |= other.missing
        self.reason = other.reason or self.reason
        for record, line in zip(other.again.records, other.again.lines, strict=True):
            self.again.take(record, line)


def _part(bulk: _Bulk, start: int, end: int) -> _Bulk:
    part = _Bulk()
    for record, line in zip(bulk.records[start:end], bulk.lines[start:end], strict=True):
        part.take(record, line)
    return part
