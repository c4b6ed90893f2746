"""Bars, frequent values and the extent, computed over columns and put into the port's shapes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from logship.store.port import Bar
from logship.store.tantivy.columns import LEVEL, LEVEL_OF, Columns, cell_text
from logship.timerange import TimeRange

if TYPE_CHECKING:
    import tantivy

MOST_BUCKETS: Final = 60_000
"""The engine refuses more than 65,000."""
_NO_LEVEL: Final = ""


def by_time(interval_us: int) -> dict[str, Any]:
    """The request for bins of time that hold records."""
    return {"histogram": {"field": "time", "interval": interval_us, "min_doc_count": 1}}


def by_value(column: str) -> dict[str, Any]:
    """The request for the values of a column."""
    return {"terms": {"field": column, "size": MOST_BUCKETS, "segment_size": MOST_BUCKETS}}


def histogram(searcher: tantivy.Searcher, query: tantivy.Query, interval_us: int, *, by_severity: bool) -> list[Bar]:
    """Counts per interval, oldest first."""
    wanted = by_time(interval_us)
    if by_severity:
        wanted["aggs"] = {"level": by_value(LEVEL)}
    buckets = searcher.aggregate(query, {"bars": wanted})["bars"]["buckets"]
    return [_bar(bucket, by_severity=by_severity) for bucket in buckets]


def _bar(bucket: dict[str, Any], *, by_severity: bool) -> Bar:
    by: dict[str, int] = {}
    if by_severity:
        by = {LEVEL_OF[int(level["key"])]: level["doc_count"] for level in bucket["level"]["buckets"]}
        if unknown := bucket["doc_count"] - sum(by.values()):
            by[_NO_LEVEL] = unknown
    return Bar(int(bucket["key"]), bucket["doc_count"], by)


def terms(searcher: tantivy.Searcher, query: tantivy.Query, field: str, size: int) -> list[tuple[str, int]]:
    """The most frequent values; ties by value.

    Raises:
        InexactError: columns cannot tell.
    """
    counts: Counter[str] = Counter()
    for column in Columns(searcher).keys(field):
        for bucket in searcher.aggregate(query, {"values": by_value(column)})["values"]["buckets"]:
            counts[cell_text(column, bucket["key"])] += bucket["doc_count"]
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:size]


def extent(searcher: tantivy.Searcher, everything: tantivy.Query) -> TimeRange:
    """From the oldest to just behind the newest record."""
    answer = searcher.aggregate(everything, {"first": {"min": {"field": "time"}}, "last": {"max": {"field": "time"}}})
    return TimeRange(int(answer["first"]["value"]), int(answer["last"]["value"]) + 1)
