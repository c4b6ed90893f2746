"""Answers queries from a cluster: from our own indices, and from those that others write."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship.errors import AccessError, StoreError
from logship.query import names
from logship.query.match import matches
from logship.query.tree import All, Exists, both
from logship.settings import Store
from logship.store import plain
from logship.store.opensearch import template
from logship.store.opensearch.columns import Meta
from logship.store.opensearch.connection import Cluster, RefusedError
from logship.store.opensearch.keys import LONG_RUN, ODD
from logship.store.opensearch.reading import statistics
from logship.store.opensearch.reading.compile import conjunction
from logship.store.opensearch.reading.dialect import OwnDialect
from logship.store.opensearch.reading.foreign.dialect import ForeignDialect
from logship.store.opensearch.reading.snapshot import Snapshot
from logship.store.port import Bar, Cursor, Group, Measure, never
from logship.timerange import TimeRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from logship.query.tree import Node
    from logship.record import Record
    from logship.store.opensearch.reading.dialect import Dialect

_PAGE: Final = 5_000
"""Records of one request; the server refuses over 10,000."""
_NAMES_PAGE: Final = 10_000
_DEFAULT_INDEX: Final = Store(location="").index
_NO_INDEX: Final = "index_not_found_exception"


def open_reader(store: Store) -> Reader:
    """A reader of the store that the settings describe.

    Raises:
        ConnectError, AccessError: the server does not answer, or does not let us.
        StoreError: there is no such store.
    """
    cluster = Cluster(store)
    meta = Meta(cluster, store)
    if store.profile in ("auto", "logship") and _is_ours(meta, store):
        return Reader(cluster, OwnDialect(meta, store.index))
    if store.profile == "logship" or store.index == _DEFAULT_INDEX:
        raise StoreError(
            f"{store.location} has no store {store.index!r}; write to it first, run logship store setup --store "
            f"{store.location}, or name an index that others write with --index"
        )
    try:
        return Reader(cluster, ForeignDialect(cluster, store))
    except RefusedError as error:
        if error.kind != _NO_INDEX:
            raise
        raise StoreError(_no_index(cluster, store.index)) from None


def _is_ours(meta: Meta, store: Store) -> bool:
    try:
        return meta.read()
    except AccessError:
        if store.profile == "logship" or store.index == _DEFAULT_INDEX:
            raise
        return False  # whoever may read the indices of others alone need not see ours


def _no_index(cluster: Cluster, index: str) -> str:
    return (
        f"{cluster.url} has no index or alias {index!r}; name one with --index, or restore ours with: "
        f"logship store setup --store {cluster.url}"
    )


class Reader:
    """A snapshot of an index; moves only by `refresh`. Every method may be called from any thread."""

    def __init__(self, cluster: Cluster, dialect: Dialect) -> None:
        self._cluster, self._dialect = cluster, dialect
        try:
            self._snapshot = Snapshot(cluster, dialect.index)
        except RefusedError as error:
            if error.kind != _NO_INDEX:
                raise
            raise StoreError(_no_index(cluster, dialect.index)) from None
        self._state = self._state_now()
        self._odd: dict[str, bool] = {}

    @property
    def holds_snapshot(self) -> bool:
        """Whether answers stay as they are until `refresh`; false where the server offers no point in time."""
        return self._snapshot.holds

    def refresh(self) -> bool:
        """Moves the snapshot to now."""
        self._snapshot.renew()
        before, self._state = self._state, self._state_now()
        self._odd = {}
        return self._state != before

    def close(self) -> None:
        """Lets go of the snapshot and the connections."""
        self._snapshot.close()
        self._cluster.close()

    def search(
        self,
        query: Node,
        within: TimeRange | None = None,
        *,
        limit: int,
        after: Cursor | None = None,
        newest_first: bool = True,
        fields: Sequence[str] | None = None,
        stop: Callable[[], bool] = never,
    ) -> list[Record]:
        """The next `limit` records in order of (`@timestamp`, `_id`), behind `after`."""
        found = self._walk(query, within, after, limit, newest_first=newest_first, fields=fields, stop=stop)
        return list(islice(found, limit))

    def ordered(
        self,
        query: Node,
        field_name: str,
        within: TimeRange | None = None,
        *,
        limit: int,
        descending: bool = True,
        stop: Callable[[], bool] = never,
    ) -> list[Record]:
        """The first `limit` records in order of a field's value."""
        compiled = self._dialect.compile(query)
        if not compiled.exact or self._scans(field_name):
            return plain.ordered(self._checked(query, within, stop), field_name, limit=limit, descending=descending)
        found: list[Record] = []
        for condition, order in self._orders(field_name, descending=descending):
            if len(found) < limit:
                asked = conjunction([self._asked(compiled.query, within), condition])
                found += self._sorted(asked, order, limit - len(found), stop)
        return found

    def _orders(self, name: str, *, descending: bool) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Records with a number, with text alone, with neither: each part with its order."""
        order, mode = ("desc", "max") if descending else ("asc", "min")
        columns = [(column[0], "double")] if (column := self._dialect.number_column(name)) else []
        columns += [(text, "keyword")] if (text := self._dialect.text_column(name)) else []
        parts: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
        before: list[dict[str, Any]] = []
        for field, kind in columns:
            has = {"exists": {"field": field}}
            sort = {field: {"order": order, "mode": mode, "unmapped_type": kind}}
            parts.append(({"bool": {"filter": [has], "must_not": before}}, [sort]))
            before = [*before, has]
        newest = self._dialect.sort(newest_first=True)
        return [(condition, [*first, *newest]) for condition, first in [*parts, ({"bool": {"must_not": before}}, [])]]

    def _sorted(
        self, query: dict[str, Any], order: list[dict[str, Any]], limit: int, stop: Callable[[], bool]
    ) -> list[Record]:
        body: dict[str, Any] = {"query": query, "sort": order, "track_total_hits": False, **self._dialect.extras()}
        found: list[Record] = []
        while len(found) < limit:
            size = min(limit - len(found), _PAGE)
            hits = self._snapshot.search({**body, "size": size}, stop)["hits"]["hits"]
            found += [self._dialect.record(hit) for hit in hits]
            if len(hits) < size:
                break
            body["search_after"] = hits[-1]["sort"]
        return found

    def scan(self, query: Node, within: TimeRange | None = None, *, newest_first: bool = False) -> Iterator[Record]:
        """All matching records in order, in constant memory."""
        return self._walk(query, within, None, _PAGE, newest_first=newest_first, fields=None, stop=never)

    def count(self, query: Node, within: TimeRange | None = None, *, stop: Callable[[], bool] = never) -> int:
        """How many records match, exactly."""
        compiled = self._dialect.compile(query)
        if not compiled.exact:
            return sum(1 for _ in self._checked(query, within, stop))
        body = {"query": self._asked(compiled.query, within), "size": 0, "track_total_hits": True}
        return int(self._snapshot.search(body, stop)["hits"]["total"]["value"])

    def histogram(
        self,
        query: Node,
        within: TimeRange,
        interval_us: int,
        *,
        by_severity: bool = False,
        stop: Callable[[], bool] = never,
    ) -> list[Bar]:
        """Counts per interval, oldest first, empty ones left out."""
        compiled = self._dialect.compile(query)
        if not compiled.exact:
            return plain.histogram(self._checked(query, within, stop), interval_us, by_severity=by_severity)
        asked = self._asked(compiled.query, within)
        return statistics.histogram(
            lambda body: self._snapshot.search(body, stop), asked, self._dialect, interval_us, levels=by_severity
        )

    def terms(
        self, query: Node, field_name: str, within: TimeRange | None = None, *, size: int = 10
    ) -> list[tuple[str, int]]:
        """The most frequent values of a field, exactly counted."""
        compiled = self._dialect.compile(query)
        if not compiled.exact or self._scans(field_name):
            return plain.terms(self._checked(query, within, never), field_name, size)
        if self._dialect.text_column(field_name) is None:
            self._refuse_without_column(field_name, query, within)
            return []
        return statistics.terms(
            self._snapshot.search, self._asked(compiled.query, within), self._dialect, field_name, size
        )

    def percentiles(
        self, query: Node, field_name: str, within: TimeRange | None = None, *, percents: Sequence[float], by: str = ""
    ) -> dict[str, dict[float, float]]:
        """Percentiles of a numeric field, near a measured value of a neighbouring rank."""
        measures = [Measure("percentile", field_name, percent) for percent in percents]
        groups = self.aggregate(query, within, measures=measures, by=[by] if by else ())
        found = {group.keys[0] if by else "": group.values for group in groups}
        return {
            name: {float(percent): float(value or 0) for percent, value in zip(percents, values, strict=True)}
            for name, values in found.items()
            if None not in values
        }

    def aggregate(
        self,
        query: Node,
        within: TimeRange | None = None,
        *,
        measures: Sequence[Measure],
        by: Sequence[str] = (),
        bin_us: int = 0,
        stop: Callable[[], bool] = never,
    ) -> list[Group]:
        """Figures per group."""
        compiled = self._dialect.compile(query)
        asked_names = {*by, *({measure.field for measure in measures if measure.field} - names.TIMES)}
        if not compiled.exact or any(map(self._scans, asked_names)):
            return plain.aggregate(self._checked(query, within, stop), measures, by, bin_us)
        for name in asked_names:
            if self._dialect.text_column(name) is None and self._dialect.number_column(name) is None:
                self._refuse_without_column(name, query, within)
                if name in by:
                    return []
        return statistics.aggregate(
            lambda body: self._snapshot.search(body, stop),
            self._asked(compiled.query, within),
            self._dialect,
            statistics.Asked(measures, by, bin_us),
        )

    def extent(self) -> TimeRange | None:
        """From the oldest to just behind the newest record."""
        ends = [self.search(All(), limit=1, newest_first=newest) for newest in (False, True)]
        return TimeRange(ends[0][0].time_us, ends[1][0].time_us + 1) if ends[0] and ends[1] else None

    def field_names(self) -> list[str]:
        """Canonical names of the fields that records have."""
        known = self._dialect.field_names()
        if known is not None:
            return sorted(known | names.TOP_LEVEL)
        found: set[str] = set(names.TOP_LEVEL)
        composite: dict[str, Any] = {
            "size": _NAMES_PAGE,
            "sources": [{"name": {"terms": {"field": "logship.names"}}}],
        }
        while True:
            body = {"size": 0, "track_total_hits": False, "aggs": {"names": {"composite": composite}}}
            page = self._snapshot.search(body)["aggregations"]["names"]
            listed = {bucket["key"]["name"] for bucket in page["buckets"]}
            found |= {name for name in listed if not name.startswith((ODD, LONG_RUN))}
            if len(page["buckets"]) < _NAMES_PAGE:
                return sorted(found | self._own_fields())
            composite["after"] = page["after_key"]

    def _own_fields(self) -> set[str]:
        filters = {"own": {"filters": {"filters": self._dialect.own_fields()}}}
        buckets = self._snapshot.search({"size": 0, "track_total_hits": False, "aggs": filters})["aggregations"]
        return {name for name, bucket in buckets["own"]["buckets"].items() if bucket["doc_count"]}

    def status(self) -> dict[str, Any]:
        """Facts for people."""
        stats = self._cluster.request("GET", f"/{self._dialect.index}/_stats/docs,store")
        version = self._cluster.request("GET", "/")["version"]
        health = self._cluster.request("GET", f"/_cluster/health/{self._dialect.index}")
        return {
            "location": f"{self._cluster.url}/{self._dialect.index}",
            "engine": f"opensearch {version['number']} format {template.FORMAT}",
            "records": self._state[0],
            "size_bytes": stats["_all"]["total"]["store"]["size_in_bytes"],
            "health": health["status"],
            "indices": {
                name: {
                    "records": facts["primaries"]["docs"]["count"],
                    "size_bytes": facts["total"]["store"]["size_in_bytes"],
                }
                for name, facts in sorted(stats["indices"].items())
            },
        }

    def explain(self, query: Node, within: TimeRange | None = None) -> list[str]:
        """The request that answers a search, and what it touches."""
        compiled = self._dialect.compile(query)
        body = {"query": self._asked(compiled.query, within), "sort": self._dialect.sort(newest_first=True)}
        index = f"{self._cluster.url}/{self._dialect.index}"
        checked = "exact" if compiled.exact else "narrowed by the index, then checked record by record"
        return [*self._dialect.located(), f"POST {index}/_search", orjson.dumps(body).decode(), checked]

    def _state_now(self) -> tuple[int, int | None]:
        """The count of records and the newest time: what changes when records come."""
        newest = {"max": {"field": self._dialect.time_field}}
        everything = self._dialect.everything()
        body = {"query": everything, "size": 0, "track_total_hits": True, "aggs": {"newest": newest}}
        answer = self._snapshot.search(body)
        return int(answer["hits"]["total"]["value"]), answer["aggregations"]["newest"]["value"]

    def _asked(self, query: dict[str, Any], within: TimeRange | None) -> dict[str, Any]:
        return conjunction([query, self._dialect.within(within) if within else self._dialect.everything()])

    def _walk(
        self,
        query: Node,
        within: TimeRange | None,
        after: Cursor | None,
        first_page: int,
        *,
        newest_first: bool,
        fields: Sequence[str] | None,
        stop: Callable[[], bool],
    ) -> Iterator[Record]:
        """Pages in order, the first one of the size that is surely wanted."""
        compiled = self._dialect.compile(query)
        body: dict[str, Any] = {
            "query": self._asked(compiled.query, within),
            "sort": self._dialect.sort(newest_first=newest_first),
            "track_total_hits": False,
            "_source": self._dialect.source(fields if compiled.exact else None),
            **self._dialect.extras(),
        }
        if after is not None:
            body["search_after"] = self._dialect.search_after(after)
        size = min(max(first_page, 1), _PAGE)
        while True:
            hits = self._snapshot.search({**body, "size": size}, stop)["hits"]["hits"]
            for hit in hits:
                record = self._dialect.record(hit)
                if compiled.exact or matches(query, record):
                    yield record
            if len(hits) < size:
                return
            body["search_after"], size = hits[-1]["sort"], _PAGE

    def _checked(self, query: Node, within: TimeRange | None, stop: Callable[[], bool]) -> Iterator[Record]:
        return self._walk(query, within, None, _PAGE, newest_first=False, fields=None, stop=stop)

    def _scans(self, name: str) -> bool:
        """Whether records have to be read for a field: it has no column, or not one for all of its values."""
        if self._dialect.scans(name):
            return True
        if name not in self._odd:
            query = self._dialect.odd(name)
            body = {"query": query, "size": 0, "track_total_hits": True, "terminate_after": 1}
            self._odd[name] = bool(query) and self._snapshot.search(body)["hits"]["total"]["value"] > 0
        return self._odd[name]

    def _refuse_without_column(self, name: str, query: Node, within: TimeRange | None) -> None:
        if self.count(both(query, Exists(name)), within):
            raise self._dialect.no_column(name)
