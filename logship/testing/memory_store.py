"""A store in memory, in plain Python: the definition of what every store answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logship.query.explain import write
from logship.query.match import matches, values
from logship.query.names import BODY, ID, OBSERVED, SEVERITY, TIME
from logship.store import plain
from logship.store.port import AddResult, Bar, Cancelled, Cursor, Group, Measure, never
from logship.timerange import TimeRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from logship.query.tree import Node
    from logship.record import Record


class MemoryStore:
    """Writer and reader at once. Records are visible after `commit`, readers see them after `refresh`.

    >>> store = MemoryStore()
    >>> store.add([]).accepted
    0
    """

    def __init__(self) -> None:
        self._pending: dict[str, Record] = {}
        self._committed: dict[str, Record] = {}
        self._snapshot: list[Record] = []

    def add(self, records: Sequence[Record]) -> AddResult:
        """Takes a batch with create semantics."""
        accepted = 0
        for record in records:
            if record.id not in self._committed and record.id not in self._pending:
                self._pending[record.id] = record
                accepted += 1
        return AddResult(accepted, len(records) - accepted)

    def commit(self) -> None:
        """Makes everything added before visible to the next `refresh`."""
        self._committed |= self._pending
        self._pending.clear()

    def refresh(self) -> bool:
        """Moves the snapshot to the last commit."""
        if len(self._snapshot) == len(self._committed):
            return False
        self._snapshot = sorted(self._committed.values(), key=lambda record: record.order)
        return True

    def close(self) -> None:
        """Commits."""
        self.commit()

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
        """The next `limit` records in order, behind `after`."""
        del fields
        found: list[Record] = []
        for record in self.scan(query, within, newest_first=newest_first):
            if stop():
                raise Cancelled
            if len(found) == limit:
                break
            if after is None or (record.order < after if newest_first else record.order > after):
                found.append(record)
        return found

    def scan(self, query: Node, within: TimeRange | None = None, *, newest_first: bool = False) -> Iterator[Record]:
        """All matching records in order."""
        for record in reversed(self._snapshot) if newest_first else self._snapshot:
            if (within is None or record.time_us in within) and matches(query, record):
                yield record

    def count(self, query: Node, within: TimeRange | None = None, *, stop: Callable[[], bool] = never) -> int:
        """How many records match."""
        del stop
        return sum(1 for _ in self.scan(query, within))

    def histogram(
        self,
        query: Node,
        within: TimeRange,
        interval_us: int,
        *,
        by_severity: bool = False,
        stop: Callable[[], bool] = never,
    ) -> list[Bar]:
        """Counts per interval, oldest first."""
        del stop
        return plain.histogram(self.scan(query, within), interval_us, by_severity=by_severity)

    def terms(
        self, query: Node, field_name: str, within: TimeRange | None = None, *, size: int = 10
    ) -> list[tuple[str, int]]:
        """The most frequent values of a field."""
        return plain.terms(self.scan(query, within), field_name, size)

    def percentiles(
        self, query: Node, field_name: str, within: TimeRange | None = None, *, percents: Sequence[float], by: str = ""
    ) -> dict[str, dict[float, float]]:
        """Percentiles of a numeric field."""
        return plain.percentiles(self.scan(query, within), field_name, percents, by)

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
        del stop
        return plain.ordered(self.scan(query, within), field_name, limit=limit, descending=descending)

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
        del stop
        return plain.aggregate(self.scan(query, within), measures, by, bin_us)

    def extent(self) -> TimeRange | None:
        """From the oldest to just behind the newest record."""
        if not self._snapshot:
            return None
        return TimeRange(self._snapshot[0].time_us, self._snapshot[-1].time_us + 1)

    def field_names(self) -> list[str]:
        """Canonical names of the fields that records have."""
        found = ((record, name) for record in self._snapshot for name in (*record.resource, *record.attributes))
        names = {name for record, name in found if values(record, name)}
        return sorted(names | {BODY, TIME, OBSERVED, SEVERITY, ID, "traceId", "spanId", "parentSpanId"})

    def explain(self, query: Node, within: TimeRange | None = None) -> list[str]:
        """Every record is looked at."""
        asked = sum(within is None or record.time_us in within for record in self._snapshot)
        return ["exact", f"each of {asked:,} records is checked", write(query)]

    def status(self) -> dict[str, Any]:
        """Facts for people."""
        return {"location": "memory", "records": len(self._snapshot), "size_bytes": 0}
