"""Reads an embedded store, also while another process writes it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from logship.query import names
from logship.query.match import matches
from logship.query.tree import All, Exists
from logship.record import Record
from logship.store import plain
from logship.store.lines import line
from logship.store.port import Bar, Cancelled, Cursor, Group, Measure, never
from logship.store.tantivy import aggregate, folder, health, schema
from logship.store.tantivy.columns import InexactError
from logship.store.tantivy.compile import Compiled, Compiler
from logship.store.tantivy.documents import Stored, decode, stored, tie_of
from logship.store.tantivy.ordering import Ordering
from logship.store.tantivy.shown import readable
from logship.store.tantivy.statistics import Statistics
from logship.store.tantivy.writer import open_index
from logship.timerange import EARLIEST_US, LATEST_US, TimeRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import tantivy

    from logship.query.tree import Node

_FEW_MATCHES: Final = 20_000
"""Ordering that many costs less than guessing a smaller window first."""
_SCAN_PAGE: Final = 5_000
_LINES_PAGE: Final = 20_000
"""Some 20 MB, since these are not taken apart."""
_Item = TypeVar("_Item", Record, Stored)
_GUESS: Final = 4
"""A window is guessed to hold that many times the records wanted; each miss widens it eightfold."""


class Reader:
    """A snapshot of the store; moves only by `refresh`. Every method may be called from any thread."""

    def __init__(self, path: str | Path) -> None:
        self._folder = Path(path)
        folder.check(self._folder)
        with folder.explained(self._folder):
            self._index = open_index(self._folder)
            self._take_snapshot()

    def _take_snapshot(self) -> None:
        # Taken first: a commit in between then only costs one refresh more.
        self._stamp = self._commit_stamp()
        self._index.reload()
        self._searcher = self._index.searcher()
        self._extent: TimeRange | None = None

    def _commit_stamp(self) -> int:
        return (self._folder / "index" / "meta.json").stat().st_mtime_ns

    def refresh(self) -> bool:
        """Moves the snapshot to the last commit."""
        with folder.explained(self._folder):
            if self._commit_stamp() == self._stamp:
                return False
            self._take_snapshot()
            return True

    def close(self) -> None:
        """Nothing is held but memory maps, which go with the object."""

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
        del fields  # a record is stored in one piece
        with folder.explained(self._folder):
            compiled = Compiler(self._index, self._searcher).compile(query)
            walk = _Walk(self._searcher, self._index, compiled.query, decode, newest_first=newest_first, stop=stop)
            bounds = within or TimeRange(EARLIEST_US, LATEST_US)
            if compiled.exact:
                return walk.page(bounds, self._clipped(bounds), limit, after)
            found: list[Record] = []
            page_size = max(limit, 500)
            while len(found) < limit:
                page = walk.page(bounds, self._clipped(bounds), page_size, after)
                found += [record for record in page if matches(query, record)]
                if len(page) < page_size:
                    break
                after, page_size = page[-1].order, _SCAN_PAGE
            return found[:limit]

    def scan(self, query: Node, within: TimeRange | None = None, *, newest_first: bool = False) -> Iterator[Record]:
        """All matching records in order, in constant memory."""
        after: Cursor | None = None
        while True:
            page = self.search(query, within, limit=_SCAN_PAGE, after=after, newest_first=newest_first)
            yield from page
            if len(page) < _SCAN_PAGE:
                return
            after = page[-1].order

    def lines(self, query: Node, within: TimeRange | None = None, *, newest_first: bool = False) -> Iterator[bytes]:
        """All matching records in order, a line of JSON each, in constant memory."""
        compiled = self._compile(query, None)
        if not compiled.exact:
            yield from map(line, self.scan(query, within, newest_first=newest_first))
            return
        walk = _Walk(self._searcher, self._index, compiled.query, stored, newest_first=newest_first, stop=never)
        bounds = within or TimeRange(EARLIEST_US, LATEST_US)
        after: Cursor | None = None
        while True:
            with folder.explained(self._folder):
                page = walk.page(bounds, self._clipped(bounds), _LINES_PAGE, after)
            yield from (item.line() for item in page)
            if len(page) < _LINES_PAGE:
                return
            after = page[-1].order

    def count(self, query: Node, within: TimeRange | None = None, *, stop: Callable[[], bool] = never) -> int:
        """How many records match, exactly."""
        with folder.explained(self._folder):
            compiled = self._compile(query, within)
            if compiled.exact:
                return _count(self._searcher, compiled.query)
        return sum(1 for _ in self._checked(query, within, stop))

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
        with folder.explained(self._folder):
            compiled = self._compile(query, within)
            if compiled.exact:
                return aggregate.histogram(self._searcher, compiled.query, interval_us, by_severity=by_severity)
        return plain.histogram(self._checked(query, within, stop), interval_us, by_severity=by_severity)

    def terms(
        self, query: Node, field_name: str, within: TimeRange | None = None, *, size: int = 10
    ) -> list[tuple[str, int]]:
        """The most frequent values of a field, exactly counted."""
        with folder.explained(self._folder):
            compiled = self._compile(query, within)
            if compiled.exact:
                with suppress(InexactError):
                    return aggregate.terms(self._searcher, compiled.query, field_name, size)
        return plain.terms(self._checked(query, within, never), field_name, size)

    def percentiles(
        self, query: Node, field_name: str, within: TimeRange | None = None, *, percents: Sequence[float], by: str = ""
    ) -> dict[str, dict[float, float]]:
        """Percentiles of a numeric field within 1 %."""
        measures = [Measure("percentile", field_name, float(percent)) for percent in percents]
        groups = self.aggregate(query, within, measures=measures, by=(by,) if by else ())
        return plain.named_percentiles(groups, percents)

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
        with folder.explained(self._folder), suppress(InexactError):
            engine = self._searcher, Compiler(self._index, self._searcher)
            ordering = Ordering(self, engine, query, field_name, within, descending=descending, stop=stop)
            return ordering.first(limit)
        return plain.ordered(self._checked(query, within, stop), field_name, limit=limit, descending=descending)

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
        with folder.explained(self._folder), suppress(InexactError):
            compiler = Compiler(self._index, self._searcher)
            return Statistics(self._searcher, compiler, query, within).groups(measures, by, bin_us)
        return plain.aggregate(self._checked(query, within, stop), measures, by, bin_us)

    def extent(self) -> TimeRange | None:
        """From the oldest to just behind the newest record."""
        if self._extent is None and self._searcher.num_docs:
            with folder.explained(self._folder):
                self._extent = aggregate.extent(
                    self._searcher, Compiler(self._index, self._searcher).compile(All()).query
                )
        return self._extent

    def field_names(self) -> list[str]:
        """Canonical names of the fields that records have."""
        with folder.explained(self._folder):
            known = {name for name, _ in self._searcher.terms_with_prefix("names", "")}
            compiler = Compiler(self._index, self._searcher)
            columns = {*schema.TEXT_COLUMNS, *schema.TEXT_TERMS, *schema.NUMBER_COLUMNS} - names.TOP_LEVEL
            for name in columns - known:
                if _count(self._searcher, compiler.compile(Exists(name)).query):
                    known.add(name)
        marks = (schema.LIST_MARK, schema.REPEAT_MARK, schema.CLIPPED_MARK, schema.LONG_RUN)
        return sorted({name for name in known if not name.startswith(marks)} | set(names.TOP_LEVEL))

    def status(self) -> dict[str, Any]:
        """Facts for people."""
        with folder.explained(self._folder):
            return {
                "location": str(self._folder),
                "engine": f"{folder.ENGINE} format {schema.FORMAT}",
                "records": self._searcher.num_docs,
                "size_bytes": folder.size_bytes(self._folder / "index"),
                "committed_us": self._stamp // 1000,
            } | health.facts(self._folder)

    def explain(self, query: Node, within: TimeRange | None = None) -> list[str]:
        """The engine's query, and what of the store it touches."""
        with folder.explained(self._folder):
            compiled = self._compile(query, within)
            found = _count(self._searcher, compiled.query)
        checked = "exact" if compiled.exact else "narrowed by the index, then checked record by record"
        held = self._clipped(within or TimeRange(EARLIEST_US, LATEST_US))
        return [
            checked,
            f"the index narrows to {found:,} of {self._searcher.num_docs:,} records",
            f"touches {held}" if held else "touches no time that the store holds",
            readable(compiled.query),
        ]

    def _compile(self, query: Node, within: TimeRange | None) -> Compiled:
        return Compiler(self._index, self._searcher).compile(query, within)

    def _checked(self, query: Node, within: TimeRange | None, stop: Callable[[], bool]) -> Iterator[Record]:
        for number, record in enumerate(self.scan(query, within)):
            if number % 1000 == 0 and stop():
                raise Cancelled
            yield record

    def _clipped(self, bounds: TimeRange) -> TimeRange | None:
        """The part of a range that holds records at all."""
        extent = self.extent()
        if extent is None:
            return None
        start, end = max(bounds.start_us, extent.start_us), min(bounds.end_us, extent.end_us)
        return TimeRange(start, end) if start < end else None


class _Walk(Generic[_Item]):
    """Pages through the matches of an engine query in order of (time, id), from either end.

    The engine orders by one column. Records of one time are therefore read again in order of the `tie`
    column, which holds the leading bits of the id, whenever a page begins or ends among them.
    """

    def __init__(
        self,
        searcher: tantivy.Searcher,
        index: tantivy.Index,
        query: tantivy.Query,
        decode: Callable[[Any], _Item],
        *,
        newest_first: bool,
        stop: Callable[[], bool],
    ) -> None:
        import tantivy

        self._searcher, self._compiler, self._query, self._stop = searcher, Compiler(index, searcher), query, stop
        self._newest_first = newest_first
        self._decode: Callable[[Any], _Item] = decode
        self._order = tantivy.Order.Desc if newest_first else tantivy.Order.Asc

    def page(self, bounds: TimeRange, held: TimeRange | None, limit: int, after: Cursor | None) -> list[_Item]:
        """Up to `limit` records behind `after`; `held` is the part of the bounds that has records."""
        if held is None or limit <= 0:
            return []
        found: list[_Item] = []
        if after is not None:
            found = self._ties(after[0], limit, after) if after[0] in bounds else []
            held = self._behind(held, after[0])
        if len(found) < limit and held is not None:
            found += self._newest(held, limit - len(found))
        return found

    def _behind(self, held: TimeRange, time_us: int) -> TimeRange | None:
        start, end = held.start_us, held.end_us
        if self._newest_first:
            end = min(end, time_us)
        else:
            start = max(start, time_us + 1)
        return TimeRange(start, end) if start < end else None

    def _newest(self, held: TimeRange, limit: int) -> list[_Item]:
        """The first `limit` records of a range, trying the near end of it first when matches are many."""
        total = _count(self._searcher, self._within(held))
        if total <= max(_FEW_MATCHES, limit * _GUESS):
            return self._ordered(held, limit)
        span = held.span_us * limit * _GUESS // total + 1
        while span < held.span_us:
            self._check_stop()
            near = (
                TimeRange(held.end_us - span, held.end_us)
                if self._newest_first
                else TimeRange(held.start_us, held.start_us + span)
            )
            if _count(self._searcher, self._within(near)) >= limit:
                return self._ordered(near, limit)
            span *= 8
        return self._ordered(held, limit)

    def _ordered(self, held: TimeRange, limit: int) -> list[_Item]:
        self._check_stop()
        hits = self._searcher.search(
            self._within(held), limit, count=False, order_by_field="time", order=self._order
        ).hits
        records = sorted(self._read(hits), key=lambda record: record.order, reverse=self._newest_first)
        if len(records) < limit:
            return records
        # The page may end among records of one time, of which the engine gave any.
        last = records[-1].time_us
        whole = [record for record in records if record.time_us != last]
        return whole + self._ties(last, limit - len(whole), None)

    def _ties(self, time_us: int, limit: int, after: Cursor | None) -> list[_Item]:
        """Records of one time, in order of their ids, behind `after`."""
        same_time = self._within(TimeRange(time_us, time_us + 1))
        bound = None if after is None else tie_of(after[1])
        low, high = (None, bound) if self._newest_first else (bound, None)
        query = same_time if bound is None else self._compiler.narrowed(same_time, "tie", low, high)
        # Ids that agree in all bits of the column are few; doubling finds their end.
        size = limit + 16
        while True:
            self._check_stop()
            hits = self._searcher.search(query, size, count=False, order_by_field="tie", order=self._order).hits
            records = sorted(self._read(hits), key=lambda record: record.id, reverse=self._newest_first)
            behind = [record for record in records if after is None or self._is_behind(record.id, after[1])]
            if len(hits) < size or (len(behind) > limit and tie_of(behind[limit - 1].id) != tie_of(records[-1].id)):
                return behind[:limit]
            size *= 2

    def _is_behind(self, record_id: str, last_id: str) -> bool:
        return record_id < last_id if self._newest_first else record_id > last_id

    def _within(self, held: TimeRange) -> tantivy.Query:
        return self._compiler.narrowed(self._query, "time", held.start_us, held.end_us - 1)

    def _read(self, hits: Sequence[tuple[Any, tantivy.DocAddress]]) -> list[_Item]:
        read = self._searcher.doc
        decode = self._decode
        return [decode(read(address).get_first("source")) for _, address in hits]

    def _check_stop(self) -> None:
        if self._stop():
            raise Cancelled


def _count(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    found: int = searcher.search(query, 1, count=True).count  # type: ignore[attr-defined]
    return found
