"""Figures and orders: every store computes what the plain definition gives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logship.errors import TooManyGroupsError
from logship.query import parse
from logship.query.tree import All
from logship.store.port import MOST_GROUPS, Measure
from logship.testing import MemoryStore
from tests.contract import store_cases
from tests.contract.store_cases import BASE_US, record
from tests.contract.stores import ENGINES, Place, empty_place, fill
from tests.contract.test_store import some_ranges

if TYPE_CHECKING:
    from pathlib import Path

    from logship.record import Record
    from logship.store.port import Group, StoreReader
    from logship.timerange import TimeRange

engines = pytest.mark.parametrize("place", ENGINES, indirect=True)
SEARCHES = ["", "timeout", "-level:error", "tenant:*", "duration>1", 'tenant=~"^5"', "nobody:5"]

some_requests = st.lists(
    st.tuples(st.sampled_from(SEARCHES), store_cases.statistics(), store_cases.orders()), min_size=4, max_size=12
)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return empty_place(request.param, request, tmp_path)


def memory_of(made: list[Record]) -> MemoryStore:
    memory = MemoryStore()
    memory.add(made)
    memory.commit()
    memory.refresh()
    return memory


def is_same(measure: Measure, found: float | None, expected: float | None) -> bool:
    """Exactly, but for rounding in sums and the 1 % of percentiles."""
    if found is None or expected is None:
        return found is expected
    tolerance = {"percentile": 0.01, "sum": 1e-9, "avg": 1e-9}.get(measure.function, 0.0)
    return math.isclose(found, expected, rel_tol=tolerance, abs_tol=1e-9 if tolerance else 0.0)


def differences(wanted: dict[str, Any], found: list[Group], expected: list[Group]) -> list[object]:
    """What two answers do not agree on."""
    if [(g.start_us, g.keys) for g in found] != [(g.start_us, g.keys) for g in expected]:
        return [found, expected]
    return [
        (measure, left, right)
        for left, right in zip(found, expected, strict=True)
        for measure, one, other in zip(wanted["measures"], left.values, right.values, strict=True)
        if not is_same(measure, one, other)
    ]


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
        assert differences(wanted, found, expected) == [], (query, wanted)
        assert [r.id for r in reader.ordered(tree, within=within, **order)] == [
            r.id for r in memory.ordered(tree, within=within, **order)
        ], (query, order)


some_records = st.lists(store_cases.records(), min_size=1, max_size=60, unique_by=lambda made: made.id)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(some_records, some_ranges, some_requests)
def test_the_embedded_store_computes_what_is_defined(
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    made: list[Record],
    within: TimeRange | None,
    requests: list[tuple[str, dict[str, Any], dict[str, Any]]],
) -> None:
    """Groups, figures and orders are those of plain Python, for every kind of value."""
    check(made, fill(empty_place("embedded", request, tmp_path_factory.mktemp("s")), made), within, requests)


def requests_of(number: int) -> Record:
    """One of many ordinary requests."""
    return record(
        number,
        severity=["INFO", "ERROR", ""][number % 3],
        trace_id=f"t{number % 500}",
        resource={"service.name": ["orders", "edge", "cart"][number % 3]} if number % 10 else {},
        attributes={
            "duration_ms": number * 7919 % 5000 / 4,
            "bytes": number * 31 % 977,
            "user.id": f"u{number * 17 % 1200}",
            "http.response.status_code": 200 if number % 9 else 502,
            "tenant": [1, 2.5, "x"][number % 3],
        },
    )


@pytest.fixture
def filled(place: Place) -> tuple[StoreReader, MemoryStore]:
    made = [requests_of(number) for number in range(4000)]
    return fill(place, made), memory_of(made)


USUAL: list[dict[str, Any]] = [
    {"measures": [Measure("count"), Measure("percentile", "duration_ms", 95.0)], "by": ["service.name"]},
    {"measures": [Measure("avg", "bytes"), Measure("percentile", "bytes", 50.0)], "by": ["user.id"]},
    {"measures": [Measure("distinct", "user.id"), Measure("distinct", "bytes")], "by": ["severity"]},
    {"measures": [Measure("sum", "duration_ms"), Measure("max", "@timestamp")], "by": [], "bin_us": 60_000},
    {"measures": [Measure("count", "service.name"), Measure("count", "traceId")], "by": ["severity", "tenant"]},
    {"measures": [Measure("count")], "by": ["http.response.status_code", "service.name"], "bin_us": 500_000},
    {"measures": [Measure("distinct", "traceId"), Measure("min", "service.name")], "by": []},
]


@engines
def test_usual_statistics_are_those_of_the_definition(filled: tuple[StoreReader, MemoryStore]) -> None:
    """Over thousands of ordinary records, by text, numbers and time."""
    reader, memory = filled
    found = [differences(one, reader.aggregate(All(), **one), memory.aggregate(All(), **one)) for one in USUAL]

    assert found == [[]] * len(USUAL)


@engines
@pytest.mark.parametrize(
    "field", ["duration_ms", "bytes", "http.response.status_code", "severity", "tenant", "user.id"]
)
def test_the_first_of_many_records_in_any_order(filled: tuple[StoreReader, MemoryStore], field: str) -> None:
    """Both directions, few and many, with ties newest first and records without the value last."""
    reader, memory = filled
    wanted = [(limit, descending) for limit in (1, 20, 1500) for descending in (True, False)]
    found, expected = (
        [[r.id for r in store.ordered(All(), field, limit=n, descending=down)] for n, down in wanted]
        for store in (reader, memory)
    )

    assert found == expected


@engines
def test_more_groups_than_anyone_reads_are_refused(place: Place) -> None:
    """The error says what to do; no memory is spent on them."""
    made = [record(number, attributes={"n": number % 300, "m": number % 301}) for number in range(MOST_GROUPS + 2)]
    reader = fill(place, made)
    with pytest.raises(TooManyGroupsError, match="group by fewer"):
        reader.aggregate(All(), measures=[Measure("count")], by=["n", "m"])


@engines
def test_an_empty_store_has_one_group_of_nothing(place: Place) -> None:
    """Without `by` there is always one; with it none."""
    reader = fill(place, [record(1)])
    wanted = [Measure("count"), Measure("sum", "duration_ms"), Measure("distinct", "tenant")]
    found = reader.aggregate(parse("nothing"), measures=wanted)

    assert ([group.values for group in found], reader.aggregate(parse("nothing"), measures=wanted, by=["tenant"])) == (
        [(0, None, 0)],
        [],
    )


@engines
def test_a_value_that_stands_twice_in_a_list_counts_once(place: Place) -> None:
    """A record is in a group or is not."""
    made = [record(number, attributes={"tags": tags}) for number, tags in enumerate([[5, 5], ["a", "a", "b"], "b", 5])]
    reader = fill(place, made)
    groups = reader.aggregate(All(), measures=[Measure("count")], by=["tags"])

    assert [(group.keys, group.values) for group in groups] == [(("5",), (2,)), (("a",), (1,)), (("b",), (2,))]
    assert reader.terms(All(), "tags") == [("5", 2), ("b", 2), ("a", 1)]


def test_a_number_and_its_text_in_one_list_are_one_value(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """They read alike, so the record is in their group once."""
    made = [record(1, attributes={"tags": [5, "5"]}), record(2, attributes={"tags": 5})]
    reader = fill(empty_place("embedded", request, tmp_path), made)
    groups = reader.aggregate(All(), measures=[Measure("count")], by=["tags"])

    assert ([(g.keys, g.values) for g in groups], reader.terms(All(), "tags")) == ([(("5",), (2,))], [("5", 2)])


def test_percentiles_hold_over_any_range_of_numbers(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Also where the engine's sketch could not tell small numbers apart beside a huge one."""
    made = [record(number, attributes={"n": 10.0**number}) for number in range(-8, 200, 4)]
    wanted: dict[str, Any] = {"measures": [Measure("percentile", "n", float(p)) for p in (0, 10, 50, 90, 100)]}
    reader = fill(empty_place("embedded", request, tmp_path), made)

    assert differences(wanted, reader.aggregate(All(), **wanted), memory_of(made).aggregate(All(), **wanted)) == []


def test_many_different_values_are_counted_within_three_percent(place_of_many: StoreReader) -> None:
    """Beyond 10,000 of them; below, exactly."""
    found = place_of_many.aggregate(
        All(), measures=[Measure("distinct", "many"), Measure("distinct", "few")], by=["half"]
    )

    assert [abs(group.values[0] / 20_000 - 1) < 0.03 for group in found] == [True, True]  # type: ignore[operator]
    assert [group.values[1] for group in found] == [997.0, 997.0]


@pytest.fixture
def place_of_many(request: pytest.FixtureRequest, tmp_path: Path) -> StoreReader:
    made = [
        record(number, time_us=BASE_US + number, attributes={"many": number, "few": number % 997, "half": number % 2})
        for number in range(40_000)
    ]
    return fill(empty_place("embedded", request, tmp_path), made)
