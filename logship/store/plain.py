"""Answers over records in plain Python: what `MemoryStore` gives, and how engines finish what they can only narrow."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from logship.query.match import value_text, values
from logship.query.text import clip
from logship.store.port import Bar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
    groups: dict[str, list[float]] = defaultdict(list)
    for record in records:
        numbers = [float(v) for v in values(record, field_name) if _is_number(v)]
        for name in {value_text(v) for v in values(record, by)} if by else {""}:
            groups[name].extend(numbers)
    return {
        name: {percent: _percentile(sorted(numbers), percent) for percent in percents}
        for name, numbers in groups.items()
        if numbers
    }


def _percentile(ordered: Sequence[float], percent: float) -> float:
    """The value at rank floor(p · (n - 1)): a value that was measured, as DDSketch defines its quantiles."""
    return ordered[math.floor((len(ordered) - 1) * percent / 100)]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
