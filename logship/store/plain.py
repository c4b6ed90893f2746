"""Answers over records in plain Python: what `MemoryStore` gives, and how engines finish what they can only narrow."""

from __future__ import annotations

import heapq
import math
from array import array
from collections import Counter, defaultdict
from itertools import product
from typing import TYPE_CHECKING, Any

from logship.errors import TooManyGroupsError
from logship.query.match import value_text, values
from logship.query.names import SEVERITY
from logship.query.text import clip
from logship.record import SEVERITY_NUMBERS
from logship.store.port import MOST_GROUPS, Bar, Group, Measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from logship.record import Record


def histogram(records: Iterable[Record], interval_us: int, *, by_severity: bool) -> list[Bar]:
    """Counts per interval, oldest first, empty ones left out."""
    bars: dict[int, Counter[str]] = defaultdict(Counter)
    for record in records:
        bars[record.time_us // interval_us * interval_us][record.severity] += 1
    return [Bar(start, counts.total(), dict(counts) if by_severity else {}) for start, counts in sorted(bars.items())]


def terms(records: Iterable[Record], field_name: str, size: int) -> list[tuple[str, int]]:
    """The most frequent values as text, over the bytes that take part in comparisons; ties by value."""
    counts = Counter(text for record in records for text in {clip(value_text(v)) for v in values(record, field_name)})
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:size]


def percentiles(
    records: Iterable[Record], field_name: str, percents: Sequence[float], by: str
) -> dict[str, dict[float, float]]:
    """Percentiles by lower rank per value of `by`; groups without a number are left out."""
    measures = [Measure("percentile", field_name, float(percent)) for percent in percents]
    return named_percentiles(aggregate(records, measures, (by,) if by else (), 0), percents)


def named_percentiles(groups: Iterable[Group], percents: Sequence[float]) -> dict[str, dict[float, float]]:
    """Groups of percentiles by the value that they share; those without a number are left out."""
    return {
        group.keys[0] if group.keys else "": {
            float(percent): value for percent, value in zip(percents, group.values, strict=True) if value is not None
        }
        for group in groups
        if any(value is not None for value in group.values)
    }


def ordered(records: Iterable[Record], field_name: str, *, limit: int, descending: bool) -> list[Record]:
    """The first records in order of a field's value, as the port says."""
    return heapq.nsmallest(limit, records, key=lambda record: order_key(record, [(field_name, descending)]))


def order_key(record: Record, by: Sequence[tuple[str, bool]]) -> tuple[Any, ...]:
    """What a record sorts by: fields and whether they descend; ties newest first."""
    ranks = [part for name, descending in by for part in _rank(record, name, descending)]
    return (*ranks, -record.time_us, Last(record.id))


def keys_of(record: Record, by: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The groups that a record is in: its values as text, each with each where a field has several."""
    return product(*({clip(value_text(value)) for value in values(record, name)} for name in by))


def _rank(record: Record, field_name: str, descending: bool) -> tuple[int, Any]:
    found = values(record, field_name)
    if field_name == SEVERITY:
        found = [SEVERITY_NUMBERS[name] for name in found]
    numbers = [value for value in found if _is_number(value)]
    if numbers:
        return (0, -max(numbers)) if descending else (0, min(numbers))
    texts = [clip(value_text(value)) for value in found]
    if texts:
        return (1, Last(max(texts))) if descending else (1, min(texts))
    return 2, 0


class Last(str):
    """Text that sorts from the end."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


def too_many_groups() -> TooManyGroupsError:
    """The error for a statistic over `MOST_GROUPS` groups."""
    return TooManyGroupsError(f"over {MOST_GROUPS:,} groups; group by fewer fields, a longer bin, or narrow the search")


def aggregate(records: Iterable[Record], measures: Sequence[Measure], by: Sequence[str], bin_us: int) -> list[Group]:
    """Figures per group, sorted, as the port says."""
    groups: dict[tuple[int | None, tuple[str, ...]], list[_Figure]] = {}
    if not by and not bin_us:
        groups[None, ()] = [_Figure() for _ in measures]
    for record in records:
        start = record.time_us // bin_us * bin_us if bin_us else None
        for keys in keys_of(record, by):
            figures = groups.get((start, keys))
            if figures is None:
                if len(groups) == MOST_GROUPS:
                    raise too_many_groups()
                figures = groups[start, keys] = [_Figure() for _ in measures]
            for figure, measure in zip(figures, measures, strict=True):
                figure.take(record, measure)
    return [
        Group(start, keys, tuple(f.value(m) for f, m in zip(figures, measures, strict=True)))
        for (start, keys), figures in sorted(groups.items(), key=lambda item: (item[0][0] or 0, item[0][1]))
    ]


class _Figure:
    """One figure of one group while records come by, in constant memory but for percentiles and `distinct`."""

    __slots__ = ("count", "high", "low", "numbers", "rest", "texts", "total")

    def __init__(self) -> None:
        self.count = 0
        """Records, or the numbers of those that have several."""
        self.low, self.high = math.inf, -math.inf
        self.total, self.rest = 0.0, 0.0
        self.numbers = array("d")
        self.texts: set[str] = set()

    def take(self, record: Record, measure: Measure) -> None:
        if not measure.field:
            self.count += 1
            return
        found = values(record, measure.field)
        match measure.function:
            case "count":
                self.count += bool(found)
            case "distinct":
                self.texts.update(clip(value_text(value)) for value in found)
            case "percentile":
                self.numbers.extend(value for value in found if _is_number(value))
            case _:
                for value in found:
                    if _is_number(value):
                        self._add(value)

    def _add(self, number: float) -> None:
        """Neumaier's sum: what rounding takes from the total is kept beside it."""
        self.count += 1
        self.low, self.high = min(self.low, number), max(self.high, number)
        total = self.total + number
        lost = (self.total - total) + number if abs(self.total) >= abs(number) else (number - total) + self.total
        self.total, self.rest = total, self.rest + lost

    def _sum(self) -> float:
        return self.total + self.rest if math.isfinite(self.total) else self.total

    def value(self, measure: Measure) -> float | None:
        match measure.function:
            case "count":
                return self.count
            case "distinct":
                return len(self.texts)
            case "percentile":
                return _percentile(sorted(self.numbers), measure.percent) if self.numbers else None
            case _ if not self.count:
                return None
            case "sum":
                return self._sum()
            case "avg":
                return self._sum() / self.count
            case "min":
                return self.low
            case "max":
                return self.high


def _percentile(ordered: Sequence[float], percent: float) -> float:
    """The value at rank floor(p · (n - 1)): a value that was measured, as DDSketch defines its quantiles."""
    return ordered[math.floor(percent / 100 * (len(ordered) - 1))]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
