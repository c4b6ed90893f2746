"""The records that stages have found so far: matches of a query while the engine can do the work, else a stream."""

from __future__ import annotations

import heapq
from itertools import islice
from typing import TYPE_CHECKING, Final

from logship.errors import TooManyGroupsError
from logship.query import names
from logship.query.match import matches, values
from logship.query.tree import Exists, Node, Nothing, OneOf, Term, both
from logship.store import plain
from logship.store.port import Cancelled, Measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from logship.query.stages.tree import Key, SortKey
    from logship.record import Record
    from logship.store.port import Group, StoreReader
    from logship.timerange import TimeRange

MOST_TRACES: Final = 10_000
"""Related records are looked for by that many trace ids."""
MOST_SORTED: Final = 10_000
"""Records that are put in order where no limit says how many are wanted; some 20 MB."""
MOST_SEEN: Final = 500_000
"""Values that `dedup` remembers; some 50 MB."""
_FEW_VALUES: Final = 100
"""So many values are looked for one by one."""
_CHECKED: Final = 1_000


class Found:
    """Records so far. Every method gives this object's next state in place."""

    def __init__(
        self,
        reader: StoreReader,
        query: Node,
        within: TimeRange | None,
        *,
        newest_first: bool,
        stop: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self.reader, self.within, self._stop, self._say = reader, within, stop, say
        self._query, self._newest_first = query, newest_first
        self._stream: Iterator[Record] | None = None
        self._order: tuple[SortKey, ...] = ()

    @property
    def query(self) -> Node | None:
        """The query all of whose matches these are; None where stages chose among them."""
        return self._query if self._stream is None else None

    def where(self, condition: Node) -> None:
        """Those that match a condition."""
        if self._stream is None:
            self._query = both(self._query, condition)
        else:
            self._stream = (record for record in self._stream if matches(condition, record))

    def sort(self, keys: tuple[SortKey, ...]) -> None:
        """The same in another order."""
        by_time = keys[0].key.field == names.TIME
        if by_time and self._stream is None:
            self._newest_first, self._order = keys[0].descending, keys
        else:
            self._order = keys

    def limit(self, count: int) -> None:
        """The first ones."""
        self._stream, self._order = self._first(count), ()

    def dedup(self, keys: Sequence[Key]) -> None:
        """The first of each value in the order so far."""
        fields = [key.field for key in keys]
        few = self._values(fields)
        self.say_left_out(fields)
        backwards = not self._order and self._stream is None and not self._newest_first
        if few is not None:
            found = self._newest_of(fields, few)
        else:
            if backwards:
                self._newest_first = True
            found = self._unseen(self._all(), fields)
        self._stream = reversed(list(found)) if backwards else found
        self._order = ()

    def related(self) -> None:
        """All records that share a trace id with these."""
        traces: dict[str, None] = {}
        for record in self._all():
            if record.trace_id and record.trace_id not in traces:
                if len(traces) == MOST_TRACES:
                    self._say(f"over {MOST_TRACES:,} traces match; only the first {MOST_TRACES:,} are followed")
                    break
                traces[record.trace_id] = None
        self._query = OneOf("traceId", tuple(sorted(traces))) if traces else Nothing()
        self._stream, self._order = None, ()

    def replace(self, records: Iterable[Record]) -> None:
        """Other records instead: rows that are counted again."""
        self._stream, self._order = iter(records), ()

    def take(self, limit: int | None) -> Iterator[Record]:
        """The records, at most that many if a limit is given."""
        return self._all() if limit is None else self._first(limit)

    def aggregate(self, measures: Sequence[Measure], by: Sequence[str], bin_us: int) -> list[Group]:
        """Figures per group, as the port says, and the count of its records behind them."""
        measures = [*measures, Measure("count")]
        if self._stream is not None:
            self.say_left_out(by)
            return plain.aggregate(self._stream, measures, by, bin_us)
        groups = self._groups(measures, by, bin_us)
        self.say_left_out(by, sum(int(group.values[-1] or 0) for group in groups))
        return groups

    def _groups(self, measures: Sequence[Measure], by: Sequence[str], bin_us: int) -> list[Group]:
        return self.reader.aggregate(self._query, self.within, measures=measures, by=by, bin_us=bin_us, stop=self._stop)

    def terms(self, field: str, size: int) -> list[tuple[str, int]]:
        """The most frequent values."""
        if self._stream is not None:
            self.say_left_out([field])
            return plain.terms(self._stream, field, size)
        found = self.reader.terms(self._query, field, self.within, size=size)
        self.say_left_out([field], sum(count for _, count in found) if len(found) < size else None)
        return found

    def say_left_out(self, fields: Sequence[str], counted: int | None = None) -> None:
        """Says how many records have no value of a field, and are in no group therefore.

        Of a stream this is said when it ends. `counted` is how many are in groups, where that is known.
        """
        if not fields:
            return
        if self._stream is not None:
            self._stream = self._counted(self._stream, fields)
            return
        total = self.reader.count(self._query, self.within, stop=self._stop)
        if total == counted:
            return
        having = both(self._query, *(Exists(field) for field in fields))
        self._say_missing(total - self.reader.count(having, self.within, stop=self._stop), fields)

    def _counted(self, records: Iterable[Record], fields: Sequence[str]) -> Iterator[Record]:
        missing = 0
        for record in records:
            missing += not all(values(record, field) for field in fields)
            yield record
        self._say_missing(missing, fields)

    def _say_missing(self, missing: int, fields: Sequence[str]) -> None:
        if missing:
            wanted = " and ".join(names.short(field) for field in fields)
            self._say(f"left out {missing:,} {'record' if missing == 1 else 'records'} without {wanted}")

    def _all(self) -> Iterator[Record]:
        """All of them in order."""
        if not self._order or self._by_time_alone():
            return self._watched(self._source())
        return self._sorted_all()

    def _sorted_all(self) -> Iterator[Record]:
        # Read at once: what comes next changes the order that is in force.
        found = list(self._first(MOST_SORTED + 1))
        if len(found) > MOST_SORTED:
            self._say(f"sort ends after its first {MOST_SORTED:,} records; narrow the search, or add | limit N")
        return iter(found[:MOST_SORTED])

    def _first(self, count: int) -> Iterator[Record]:
        """The first ones in order."""
        if not self._order or self._by_time_alone():
            if self._stream is not None:
                return islice(self._watched(self._stream), count)
            return iter(self._searched(self._query, count))
        if self._stream is None and len(self._order) == 1:
            return iter(self._searched(self._query, count))
        return iter(heapq.nsmallest(count, self._watched(self._source()), key=self._rank))

    def _searched(self, query: Node, count: int) -> list[Record]:
        """The first matches of a query in the order so far, which is by one field or by time."""
        if not self._order or self._by_time_alone():
            return self.reader.search(query, self.within, limit=count, newest_first=self._newest_first, stop=self._stop)
        key = self._order[0]
        return self.reader.ordered(
            query, key.key.field, self.within, limit=count, descending=key.descending, stop=self._stop
        )

    def _by_time_alone(self) -> bool:
        return self._stream is None and len(self._order) == 1 and self._order[0].key.field == names.TIME

    def _source(self) -> Iterator[Record]:
        if self._stream is not None:
            return self._stream
        return self.reader.scan(self._query, self.within, newest_first=self._newest_first)

    def _watched(self, records: Iterable[Record]) -> Iterator[Record]:
        for number, record in enumerate(records):
            if number % _CHECKED == 0 and self._stop():
                raise Cancelled
            yield record

    def _rank(self, record: Record) -> tuple[object, ...]:
        return plain.order_key(record, [(key.key.field, key.descending) for key in self._order])

    def _values(self, fields: Sequence[str]) -> list[tuple[str, ...]] | None:
        """The values of the fields, when the engine finds the first record of each faster than a scan does."""
        unfit = any(field in names.TOP_LEVEL and field != names.SEVERITY for field in fields)
        if unfit or len(self._order) > 1 or self._stream is not None:
            return None
        if len(fields) == 1:
            terms = self.reader.terms(self._query, fields[0], self.within, size=_FEW_VALUES + 1)
            found: list[tuple[str, ...]] = [(text,) for text, _ in terms]
        else:
            try:
                found = [group.keys for group in self._groups([Measure("count")], fields, 0)]
            except TooManyGroupsError:
                return None
        return found if len(found) <= _FEW_VALUES else None

    def _newest_of(self, fields: Sequence[str], few: Sequence[tuple[str, ...]]) -> Iterator[Record]:
        """The first record of each value, in order. Where a text and a number are spelled alike, by reading on."""
        newest_first = self._newest_first or not self._order
        held, self._newest_first = self._newest_first, newest_first
        found: dict[str, Record] = {}
        for keys in few:
            query = both(self._query, *map(Term, fields, keys))
            first = next((r for r in self._searched(query, 1) if keys in plain.keys_of(r, fields)), None)
            if first is None:
                first = next(r for r in self._alike(query) if keys in plain.keys_of(r, fields))
            found[first.id] = first
        self._newest_first = held
        order = [(key.key.field, key.descending) for key in self._order] or [(names.TIME, True)]
        return iter(sorted(found.values(), key=lambda record: plain.order_key(record, order)))

    def _alike(self, query: Node) -> Iterator[Record]:
        other = Found(self.reader, query, self.within, newest_first=self._newest_first, stop=self._stop, say=self._say)
        if self._order:
            other.sort(self._order)
        return other.take(None)

    def _unseen(self, records: Iterable[Record], fields: Sequence[str]) -> Iterator[Record]:
        seen: set[tuple[str, ...]] = set()
        for record in records:
            new = set(plain.keys_of(record, fields)) - seen
            if new and len(seen) >= MOST_SEEN:
                self._say(f"dedup ends after {MOST_SEEN:,} values; narrow the search, or choose another field")
                return
            seen |= new
            if new:
                yield record
