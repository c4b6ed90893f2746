"""Counts and figures computed by the server, and its answers in the port's shapes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from logship.query import names
from logship.store import plain
from logship.store.opensearch.connection import RefusedError
from logship.store.port import MOST_GROUPS, Bar, Group, Measure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.store.opensearch.reading.dialect import Dialect

    Search = Callable[[dict[str, Any]], dict[str, Any]]

_PAGE: Final = 5_000
_SURE_TERMS: Final = 10_000
"""Values that each shard sends; with more different ones, all are counted."""
_EXACT_DISTINCT: Final = 40_000
"""The greatest `precision_threshold` of the server: counts below it are close to exact."""
_DIGITS: Final = 3
"""Significant digits of percentiles: 0.1 %."""
_COMPRESSION: Final = 400
_NO_LEVEL: Final = ""


def histogram(search: Search, query: dict[str, Any], dialect: Dialect, interval_us: int, *, levels: bool) -> list[Bar]:
    """Counts per interval, oldest first."""
    level = dialect.text_column(names.SEVERITY)
    wanted: dict[str, Any] = {"bars": dialect.bins(interval_us) | {"aggs": {}}}
    if levels and level:
        wanted["bars"]["aggs"] = {"level": {"terms": {"field": level, "size": 100}}}
    buckets = search({"query": query, "size": 0, "track_total_hits": False, "aggs": wanted})
    return [_bar(bucket, dialect, levels=levels) for bucket in buckets["aggregations"]["bars"]["buckets"]]


def _bar(bucket: dict[str, Any], dialect: Dialect, *, levels: bool) -> Bar:
    by: dict[str, int] = {}
    if levels:
        for level in bucket.get("level", {}).get("buckets", ()):
            name = dialect.key_text(names.SEVERITY, level["key"])
            by[name] = by.get(name, 0) + level["doc_count"]
        if unknown := bucket["doc_count"] - sum(by.values()):
            by[_NO_LEVEL] = by.get(_NO_LEVEL, 0) + unknown
    return Bar(round(bucket["key"] * dialect.time_unit_us), bucket["doc_count"], by)


def terms(search: Search, query: dict[str, Any], dialect: Dialect, name: str, size: int) -> list[tuple[str, int]]:
    """The most frequent values, exactly counted; ties by value."""
    column = dialect.text_column(name)
    wanted = {
        "field": column,
        # Numbers of equal count come in their own order, not in that of their text, so all are asked for.
        "size": size if dialect.number_column(name) is None else _SURE_TERMS,
        "shard_size": max(_SURE_TERMS, size),
        "order": [{"_count": "desc"}, {"_key": "asc"}],
    }
    found = search({"query": query, "size": 0, "track_total_hits": False, "aggs": {"values": {"terms": wanted}}})
    values = found["aggregations"]["values"]
    if values["doc_count_error_upper_bound"] == 0:
        found_counts = [(dialect.key_text(name, bucket["key"]), bucket["doc_count"]) for bucket in values["buckets"]]
    else:
        groups = aggregate(search, query, dialect, Asked([Measure("count")], [name]))
        found_counts = [(group.keys[0], int(group.values[0] or 0)) for group in groups]
    counts: Counter[str] = Counter()
    for value, number in found_counts:
        counts[value] += number  # others may spell one level in several ways
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:size]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question about groups; `robust` percentiles take any numbers, and are less exact."""

    measures: Sequence[Measure]
    by: Sequence[str] = ()
    bin_us: int = 0
    robust: bool = False


def aggregate(search: Search, query: dict[str, Any], dialect: Dialect, asked: Asked) -> list[Group]:
    """Figures per group, sorted; all groups, page by page."""
    try:
        return _aggregate(search, query, dialect, asked)
    except RefusedError:
        if not any(measure.function == "percentile" for measure in asked.measures):
            raise
        # The fast kind of percentiles takes neither negative numbers nor any span of them.
        return _aggregate(search, query, dialect, replace(asked, robust=True))


def _aggregate(search: Search, query: dict[str, Any], dialect: Dialect, asked: Asked) -> list[Group]:
    figures = {}
    for number, measure in enumerate(asked.measures):
        if (figure := _figure(measure, dialect, robust=asked.robust)) is not None:
            figures[f"m{number}"] = figure
    body: dict[str, Any] = {"query": query, "size": 0}
    if not asked.by and not asked.bin_us:
        answer = search({**body, "aggs": figures, "track_total_hits": True})
        bucket = {**answer.get("aggregations", {}), "doc_count": answer["hits"]["total"]["value"]}
        return [Group(None, (), _values(bucket, asked.measures, dialect))]
    groups: list[Group] = []
    composite: dict[str, Any] = {"size": _PAGE, "sources": _sources(dialect, asked.by, asked.bin_us)}
    body |= {"track_total_hits": False, "aggs": {"groups": {"composite": composite, "aggs": figures}}}
    while True:
        found = search(body)["aggregations"]["groups"]
        groups += [_group(bucket, dialect, asked) for bucket in found["buckets"]]
        if len(groups) > MOST_GROUPS:
            raise plain.too_many_groups()
        if len(found["buckets"]) < _PAGE:
            return sorted(groups, key=lambda group: (group.start_us or 0, group.keys))
        composite["after"] = found["after_key"]


def _group(bucket: dict[str, Any], dialect: Dialect, asked: Asked) -> Group:
    start = round(bucket["key"]["bin"] * dialect.time_unit_us) if asked.bin_us else None
    keys = tuple(dialect.key_text(name, bucket["key"][f"b{place}"]) for place, name in enumerate(asked.by))
    return Group(start, keys, _values(bucket, asked.measures, dialect))


def _sources(dialect: Dialect, by: Sequence[str], bin_us: int) -> list[dict[str, Any]]:
    sources = [{"bin": dialect.bins(bin_us, composite=True)}] if bin_us else []
    return sources + [{f"b{place}": {"terms": {"field": dialect.text_column(name)}}} for place, name in enumerate(by)]


def _figure(measure: Measure, dialect: Dialect, *, robust: bool) -> dict[str, Any] | None:
    """The server's aggregation for a measure; None where the count of the group is the answer, or nothing is."""
    if not measure.field:
        return None
    if measure.function == "count":
        return {"filter": dialect.exists(measure.field)}
    number = dialect.number_column(measure.field)
    if measure.function == "distinct":
        column = dialect.text_column(measure.field) or next(iter(number or ()), None)
        return {"cardinality": {"field": column, "precision_threshold": _EXACT_DISTINCT}} if column else None
    if number is None:
        return None
    if measure.function != "percentile":
        return {"stats": {"field": number[0]}}
    kind = (
        {"tdigest": {"compression": _COMPRESSION}}
        if robust
        else {"hdr": {"number_of_significant_value_digits": _DIGITS}}
    )
    return {"percentiles": {"field": number[0], "percents": [measure.percent], "keyed": False, **kind}}


def _values(bucket: dict[str, Any], measures: Sequence[Measure], dialect: Dialect) -> tuple[float | None, ...]:
    return tuple(_value(bucket, f"m{number}", measure, dialect) for number, measure in enumerate(measures))


def _value(bucket: dict[str, Any], place: str, measure: Measure, dialect: Dialect) -> float | None:
    found = bucket.get(place)
    match measure.function:
        case "count":
            return int(found["doc_count"]) if found else int(bucket["doc_count"])
        case "distinct":
            return int(found["value"]) if found else 0
    if found is None:
        return None
    value = found["values"][0]["value"] if measure.function == "percentile" else found[measure.function]
    if value is None or value == "NaN" or (measure.function != "percentile" and not found["count"]):
        return None
    column = dialect.number_column(measure.field)
    scale = column[1] if column else 1.0
    return float(value) if scale == 1.0 else float(value) * scale
