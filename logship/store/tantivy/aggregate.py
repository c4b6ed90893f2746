"""Counts, extents and percentiles computed inside the engine, and its answers put into the port's shapes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from logship.query import names
from logship.query.match import value_text
from logship.record import SEVERITY_NUMBERS
from logship.store import storable
from logship.store.port import Bar
from logship.store.tantivy import schema
from logship.timerange import TimeRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    import tantivy

_MOST_BUCKETS: Final = 60_000
"""The engine refuses more than 65,000."""
_LEVEL_OF: Final = {number: name for name, number in SEVERITY_NUMBERS.items()}
_NO_LEVEL: Final = ""


def has_column(field: str) -> bool:
    """Whether the engine can list the values of a field."""
    return field == names.SEVERITY or not (
        field in names.TOP_LEVEL or field in schema.UNINDEXED or field in schema.TEXT_TERMS or field == "logship.id"
    )


def histogram(searcher: tantivy.Searcher, query: tantivy.Query, interval_us: int, *, by_severity: bool) -> list[Bar]:
    """Counts per interval, oldest first."""
    wanted: dict[str, Any] = {"histogram": {"field": "time", "interval": interval_us, "min_doc_count": 1}}
    if by_severity:
        wanted["aggs"] = {"level": {"terms": {"field": "level", "size": len(_LEVEL_OF)}}}
    buckets = searcher.aggregate(query, {"bars": wanted})["bars"]["buckets"]
    return [_bar(bucket, by_severity=by_severity) for bucket in buckets]


def _bar(bucket: dict[str, Any], *, by_severity: bool) -> Bar:
    by: dict[str, int] = {}
    if by_severity:
        by = {_LEVEL_OF[int(level["key"])]: level["doc_count"] for level in bucket["level"]["buckets"]}
        if unknown := bucket["doc_count"] - sum(by.values()):
            by[_NO_LEVEL] = unknown
    return Bar(int(bucket["key"]), bucket["doc_count"], by)


def terms(searcher: tantivy.Searcher, query: tantivy.Query, field: str, size: int) -> list[tuple[str, int]]:
    """The most frequent values; ties by value."""
    columns = [f"attrs.{storable.column_name(field)}"]
    own = schema.TEXT_COLUMNS.get(field) or schema.NUMBER_COLUMNS.get(field)
    if field == names.SEVERITY:
        columns = ["level"]
    elif own:
        columns.append(own)
    counts: Counter[str] = Counter()
    for column in columns:
        wanted = {"terms": {"field": column, "size": _MOST_BUCKETS, "segment_size": _MOST_BUCKETS}}
        for bucket in searcher.aggregate(query, {"values": wanted})["values"]["buckets"]:
            counts[_value(column, bucket["key"])] += bucket["doc_count"]
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:size]


def _value(column: str, key: Any) -> str:
    if column == "level":
        return _LEVEL_OF[int(key)]
    if isinstance(key, str) and column.startswith("attrs."):
        return key.removeprefix(schema.COLUMN_TEXT)
    return value_text(key)


def percentiles(
    searcher: tantivy.Searcher, query: tantivy.Query, field: str, percents: Sequence[float], by: str
) -> dict[str, dict[float, float]]:
    """Percentiles of a numeric column, per value of a text column if asked."""
    wanted: dict[str, Any] = {
        "numbers": {"percentiles": {"field": schema.NUMBER_COLUMNS[field], "percents": list(percents)}},
        "count": {"value_count": {"field": schema.NUMBER_COLUMNS[field]}},
    }
    if not by:
        answer = searcher.aggregate(query, wanted)
        return {"": _percentiles(answer)} if answer["count"]["value"] else {}
    grouped = {"groups": {"terms": {"field": schema.TEXT_COLUMNS[by], "size": _MOST_BUCKETS}, "aggs": wanted}}
    buckets = searcher.aggregate(query, grouped)["groups"]["buckets"]
    return {bucket["key"]: _percentiles(bucket) for bucket in buckets if bucket["count"]["value"]}


def _percentiles(answer: dict[str, Any]) -> dict[float, float]:
    return {
        float(percent): value
        for percent, value in sorted(answer["numbers"]["values"].items(), key=lambda i: float(i[0]))
    }


def extent(searcher: tantivy.Searcher, everything: tantivy.Query) -> TimeRange:
    """From the oldest to just behind the newest record."""
    answer = searcher.aggregate(everything, {"first": {"min": {"field": "time"}}, "last": {"max": {"field": "time"}}})
    return TimeRange(int(answer["first"]["value"]), int(answer["last"]["value"]) + 1)
