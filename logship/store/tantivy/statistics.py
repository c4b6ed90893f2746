"""Figures per group, computed over columns: one nested request for each combination of columns that hold the keys.

What columns cannot tell exactly raises `InexactError`, and the reader counts record by record instead: values
without a column, percentiles of a field whose numbers are spread over two columns or over more orders of
magnitude than the engine's sketch holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from logship.query.tree import Exists, both
from logship.store import plain
from logship.store.port import MOST_GROUPS, Group, Measure
from logship.store.tantivy.aggregate import MOST_BUCKETS, by_time, by_value
from logship.store.tantivy.columns import Columns, InexactError, cell_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import tantivy

    from logship.query.tree import Node
    from logship.store.tantivy.compile import Compiler
    from logship.timerange import TimeRange

_Place: TypeAlias = tuple[int | None, tuple[str, ...]]
"""Where a bin starts, and the values of the group."""
_COUNTED_EXACTLY: Final = 10_500
"""Different values that are counted one by one; a little over what the port promises, as estimates err."""
_SKETCH_TOP: Final = 1e12
_SKETCH_RATIO: Final = 1e17
"""The engine's sketch of percentiles holds numbers from 1e-9, over 17 orders of magnitude, within 1 %."""


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What is known of the numbers of a group."""

    count: int = 0
    total: float = 0.0
    low: float = 0.0
    high: float = 0.0
    percentiles: dict[float, float] = field(default_factory=dict)

    def merged(self, other: _Numbers) -> _Numbers:
        """Both together; percentiles of two sets of numbers do not merge."""
        if not self.count or not other.count:
            return self if self.count else other
        if self.percentiles:
            raise InexactError
        return _Numbers(
            self.count + other.count,
            self.total + other.total,
            min(self.low, other.low),
            max(self.high, other.high),
        )

    def value(self, measure: Measure) -> float | None:
        if not self.count:
            return None
        match measure.function:
            case "sum":
                return self.total
            case "avg":
                return self.total / self.count
            case "min":
                return self.low
            case "max":
                return self.high
            case _:
                return self._percentile(measure.percent)

    def _percentile(self, percent: float) -> float:
        top = max(abs(self.low), abs(self.high))
        if top > _SKETCH_TOP and not 0 < top / _SKETCH_RATIO < self.low:
            raise InexactError
        return self.percentiles[percent]


@dataclass(slots=True)
class _Tally:
    """What is known of a group."""

    count: int = 0
    numbers: dict[str, _Numbers] = field(default_factory=dict)
    distinct: dict[str, int] = field(default_factory=dict)
    having: dict[str, int] = field(default_factory=dict)
    """Records that have a field."""

    def take(self, other: _Tally) -> None:
        """The records of another bucket that has the same values."""
        if self.count and other.distinct:
            raise InexactError
        self.count += other.count
        self.distinct |= other.distinct
        for name, found in other.numbers.items():
            self.numbers[name] = self.numbers.get(name, _Numbers()).merged(found)

    def value(self, measure: Measure) -> float | None:
        if not measure.field:
            return self.count
        if measure.function == "count":
            return self.having.get(measure.field, 0)
        if measure.function == "distinct":
            return self.distinct.get(measure.field, 0)
        return self.numbers.get(measure.field, _Numbers()).value(measure)


class Statistics:
    """Answers `aggregate` from the columns of one snapshot."""

    def __init__(self, searcher: tantivy.Searcher, compiler: Compiler, query: Node, within: TimeRange | None) -> None:
        self._searcher, self._compiler, self._query, self._within = searcher, compiler, query, within
        self._columns = Columns(searcher)
        self._counts = True

    def groups(self, measures: Sequence[Measure], by: Sequence[str], bin_us: int) -> list[Group]:
        """The figures of each group, in order.

        Raises:
            InexactError: records have to be read.
            TooManyGroupsError: over `MOST_GROUPS`.
        """
        leaf = _Leaf(self._columns, measures)
        self._counts = any(measure.function == "count" for measure in measures)
        tallies: dict[_Place, _Tally] = {} if by or bin_us else {(None, ()): _Tally()}
        for place, tally in self._tallies(self._query, leaf, by, bin_us):
            tallies.setdefault(place, _Tally()).take(tally)
            if len(tallies) > MOST_GROUPS:
                raise plain.too_many_groups()
        for name in sorted({m.field for m in measures if m.function == "count" and m.field}):
            for place, tally in self._tallies(both(self._query, Exists(name)), _Leaf(self._columns, ()), by, bin_us):
                having = tallies[place].having
                having[name] = having.get(name, 0) + tally.count
        for name in leaf.distinct:
            self._count_exactly(tallies, name, by, bin_us)
        return [
            Group(start, keys, tuple(tally.value(measure) for measure in measures))
            for (start, keys), tally in sorted(tallies.items(), key=lambda item: (item[0][0] or 0, item[0][1]))
        ]

    def bars(self, name: str, step: float) -> dict[float, int]:
        """How many numbers of a field lie in each interval of a length, by where it begins.

        Raises:
            InexactError: columns do not tell.
        """
        compiled = self._compiler.compile(self._query, self._within)
        if not compiled.exact:
            raise InexactError
        found: dict[float, int] = {}
        for column in self._columns.numbers(name):
            request = {"groups": {"histogram": {"field": column, "interval": step, "min_doc_count": 1}}}
            for bucket in self._ask(compiled.query, request)["groups"]["buckets"]:
                found[bucket["key"]] = found.get(bucket["key"], 0) + bucket["doc_count"]
        return found

    def _tallies(self, query: Node, leaf: _Leaf, by: Sequence[str], bin_us: int) -> Iterator[tuple[_Place, _Tally]]:
        compiled = self._compiler.compile(query, self._within)
        if not compiled.exact:
            raise InexactError
        for columns in product(*(self._columns.keys(name) for name in by)):
            for place, bucket in self._buckets(compiled.query, columns, bin_us, leaf.request):
                yield place, leaf.tally(bucket)

    def _buckets(
        self, query: tantivy.Query, columns: Sequence[str], bin_us: int, inner: dict[str, Any]
    ) -> Iterator[tuple[_Place, dict[str, Any]]]:
        """Every group of one combination of columns, with what was asked of it."""
        if not columns and not bin_us:
            # Nested buckets come with a count; here it costs a pass, which figures alone do not need.
            count = {} if inner and not self._counts else {"all": {"value_count": {"field": "time"}}}
            answer = self._ask(query, {**inner, **count})
            yield (None, ()), {**answer, "doc_count": int(answer["all"]["value"]) if count else 0}
            return
        # Bins stand inside values: the engine is faster that way round.
        levels = [by_value(column) for column in columns] + ([by_time(bin_us)] if bin_us else [])
        request = inner
        for level in reversed(levels):
            request = {"groups": {**level, "aggs": request} if request else level}
        yield from _walk(self._ask(query, request), columns, bool(bin_us), ())

    def _ask(self, query: tantivy.Query, request: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._searcher.aggregate(query, request)
        except ValueError as error:
            if "bucket limit" in str(error):
                raise InexactError from None
            raise
        return answer

    def _count_exactly(self, tallies: dict[_Place, _Tally], name: str, by: Sequence[str], bin_us: int) -> None:
        """Replaces estimates of different values by their counts where these are promised to be exact."""
        estimates = [tally.distinct.get(name, 0) for tally in tallies.values()]
        if all(not estimate or estimate > _COUNTED_EXACTLY for estimate in estimates):
            return
        if sum(estimates) > MOST_BUCKETS * 0.8:
            raise InexactError
        found: dict[_Place, int] = {}
        seen: set[tuple[_Place, str]] = set()
        query = both(self._query, Exists(name))
        for (start, keys), _ in self._tallies(query, _Leaf(self._columns, ()), (*by, name), bin_us):
            place, value = (start, keys[:-1]), keys[-1]
            if (place, value) not in seen:
                seen.add((place, value))
                found[place] = found.get(place, 0) + 1
        for place, count in found.items():
            tallies[place].distinct[name] = count


class _Leaf:
    """What is asked of each group, and how the answer reads."""

    def __init__(self, columns: Columns, measures: Sequence[Measure]) -> None:
        numeric = sorted({m.field for m in measures if m.function not in ("count", "distinct")})
        self._numbers = {name: columns.numbers(name) for name in numeric}
        self._percents = {
            name: sorted({m.percent for m in measures if m.function == "percentile" and m.field == name})
            for name in numeric
        }
        self.distinct = {m.field: columns.keys(m.field) for m in measures if m.function == "distinct"}
        self.request = self._request()

    def _request(self) -> dict[str, Any]:
        wanted: dict[str, Any] = {}
        for name, held in self._numbers.items():
            for column in held:
                wanted[f"stats {column}"] = {"stats": {"field": column}}
                if percents := self._percents[name]:
                    wanted[f"percentiles {column}"] = {"percentiles": {"field": column, "percents": percents}}
        for held in self.distinct.values():
            wanted |= {f"distinct {column}": {"cardinality": {"field": column}} for column in held}
        return wanted

    def tally(self, bucket: dict[str, Any]) -> _Tally:
        made = _Tally(bucket["doc_count"])
        for name, held in self._numbers.items():
            found = _Numbers()
            for column in held:
                found = found.merged(_numbers(bucket, column))
            made.numbers[name] = found
        for name, held in self.distinct.items():
            made.distinct[name] = sum(round(bucket[f"distinct {column}"]["value"]) for column in held)
        return made


def _numbers(bucket: dict[str, Any], column: str) -> _Numbers:
    stats = bucket[f"stats {column}"]
    if not stats["count"]:
        return _Numbers()
    made = _Numbers(int(stats["count"]), stats["sum"], stats["min"], stats["max"])
    answer = bucket.get(f"percentiles {column}")
    if answer is None:
        return made
    return replace(made, percentiles={float(percent): value for percent, value in answer["values"].items()})


def _walk(
    answer: dict[str, Any], columns: Sequence[str], has_bins: bool, keys: tuple[str, ...]
) -> Iterator[tuple[_Place, dict[str, Any]]]:
    """The innermost buckets of an answer."""
    level = answer["groups"]
    if level.get("sum_other_doc_count"):
        raise plain.too_many_groups()
    at_bins = len(keys) == len(columns)
    last = at_bins or (not has_bins and len(keys) == len(columns) - 1)
    for bucket in level["buckets"]:
        here = keys if at_bins else (*keys, cell_text(columns[len(keys)], bucket["key"]))
        if last:
            yield (int(bucket["key"]) if at_bins else None, here), bucket
        else:
            yield from _walk(bucket, columns, has_bins, here)
