"""Figures of a real OpenSearch: exact but for percentiles, whose bound is stated and held."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logship.query import parse
from logship.query.match import value_text, values
from logship.query.text import clip
from logship.store import storable
from tests.contract import store_cases
from tests.contract.stores import fill, remote
from tests.contract.test_statistics import SEARCHES, is_same, memory_of, some_records
from tests.contract.test_store import some_ranges

if TYPE_CHECKING:
    from logship.query.tree import Node
    from logship.record import Record
    from logship.store.port import Group, Measure, StoreReader
    from logship.testing import MemoryStore
    from logship.timerange import TimeRange

pytestmark = [pytest.mark.opensearch, pytest.mark.xdist_group("opensearch")]

some_requests = st.lists(
    st.tuples(st.sampled_from(SEARCHES), store_cases.statistics(), store_cases.orders()), min_size=4, max_size=12
)


def numbers_of(
    memory: MemoryStore, asked: tuple[Node, TimeRange | None, dict[str, Any]], group: Group, field: str
) -> list[float]:
    """The sorted numbers of a group."""
    tree, within, wanted = asked
    found = []
    for record in memory.scan(tree, within):
        bin_us, by = wanted.get("bin_us", 0), wanted.get("by", ())
        same_bin = not bin_us or record.time_us // bin_us * bin_us == group.start_us
        texts = [{clip(value_text(value)) for value in values(record, name)} for name in by]
        if same_bin and all(key in held for key, held in zip(group.keys, texts, strict=True)):
            found += [value for value in values(record, field) if storable.is_number(value)]
    return sorted(found)


def is_near(measure: Measure, value: float | None, numbers: list[float]) -> bool:
    """Between the measured values of the neighbouring ranks, and 1 % about them."""
    if not numbers or value is None:
        return not numbers and value is None
    rank = math.floor((len(numbers) - 1) * measure.percent / 100)
    low, high = numbers[max(rank - 1, 0)], numbers[min(rank + 1, len(numbers) - 1)]
    return low - abs(low) / 100 <= value <= high + abs(high) / 100


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=some_records, within=some_ranges, requests=some_requests)
def test_opensearch_computes_what_is_defined(
    opensearch_url: str,
    made: list[Record],
    within: TimeRange | None,
    requests: list[tuple[str, dict[str, Any], dict[str, Any]]],
) -> None:
    """Groups, figures and orders are those of plain Python; percentiles lie between neighbouring measured values."""
    with remote(opensearch_url) as place:
        check(made, fill(place, made), within, requests)


def check(
    made: list[Record],
    reader: StoreReader,
    within: TimeRange | None,
    requests: list[tuple[str, dict[str, Any], dict[str, Any]]],
) -> None:
    """Demands the plain answers to every request."""
    memory = memory_of(made)
    for query, wanted, order in requests:
        tree = parse(query)
        found, expected = reader.aggregate(tree, within, **wanted), memory.aggregate(tree, within, **wanted)
        assert [(g.start_us, g.keys) for g in found] == [(g.start_us, g.keys) for g in expected], (query, wanted)
        for left, right in zip(found, expected, strict=True):
            for measure, one, other in zip(wanted["measures"], left.values, right.values, strict=True):
                if measure.function == "percentile":
                    assert is_near(measure, one, numbers_of(memory, (tree, within, wanted), left, measure.field)), (
                        query, wanted, left, right,
                    )  # fmt: skip
                else:
                    assert is_same(measure, one, other), (query, wanted, left, right)
        assert [r.id for r in reader.ordered(tree, within=within, **order)] == [
            r.id for r in memory.ordered(tree, within=within, **order)
        ], (query, order)
