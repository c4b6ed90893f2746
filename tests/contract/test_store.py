"""The store port: every store answers as the plain-Python matcher does, and keeps what it acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logship.query import parse
from logship.query.tree import All
from logship.store.port import Cancelled
from logship.testing import MemoryStore
from logship.timerange import TimeRange
from tests.contract.store_cases import BASE_US, NAMES, QUERIES, queries, record, records
from tests.contract.stores import ENGINES, EVERY_STORE, Place, empty_place, fill, remote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from logship.record import Record
    from logship.store.port import StoreReader

WIDE = TimeRange(BASE_US - 10**6, BASE_US + 10**6)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return empty_place(request.param, request, tmp_path)


every_store = pytest.mark.parametrize("place", EVERY_STORE, indirect=True)
engines = pytest.mark.parametrize("place", ENGINES, indirect=True)


def check(made: list[Record], reader: StoreReader, within: TimeRange | None, generated: Sequence[str] = ()) -> None:
    """Demands the matcher's answers to every query."""
    memory = MemoryStore()
    memory.add(made)
    memory.commit()
    memory.refresh()
    for query in [*QUERIES, *generated]:
        tree = parse(query)
        expected = [found.id for found in memory.scan(tree, within)]
        assert [found.id for found in reader.scan(tree, within)] == expected, query
        assert reader.count(tree, within) == len(expected), query
        assert reader.histogram(tree, WIDE, 5000, by_severity=True) == memory.histogram(
            tree, WIDE, 5000, by_severity=True
        ), query
    for name in ["service.name", "severity", "aws.log.group.name", *NAMES]:
        assert reader.terms(All(), name, size=99) == memory.terms(All(), name, size=99), name
    assert (reader.extent(), reader.field_names()) == (memory.extent(), memory.field_names())


some_records = st.lists(records(), min_size=1, max_size=60, unique_by=lambda made: made.id)
some_queries = st.lists(queries(), max_size=30)
some_ranges = st.sampled_from([None, TimeRange(BASE_US + 2000, BASE_US + 7001)])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(some_records, some_ranges, some_queries)
def test_the_embedded_store_agrees_with_the_matcher(
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    made: list[Record],
    within: TimeRange | None,
    generated: list[str],
) -> None:
    """Ids, order, counts, histograms and terms are those of plain Python, for every kind of query and value."""
    check(made, fill(empty_place("embedded", request, tmp_path_factory.mktemp("s")), made), within, generated)


def check_opensearch(url: str, made: list[Record], within: TimeRange | None, generated: Sequence[str]) -> None:
    with remote(url) as place:
        check(made, fill(place, made), within, generated)


@pytest.mark.opensearch
@pytest.mark.xdist_group("opensearch")
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=some_records, within=some_ranges, generated=some_queries)
def test_opensearch_agrees_with_the_matcher(
    opensearch_url: str, made: list[Record], within: TimeRange | None, generated: list[str]
) -> None:
    """The same of a real OpenSearch."""
    check_opensearch(opensearch_url, made, within, generated)


@pytest.mark.soak
@pytest.mark.opensearch
@pytest.mark.xdist_group("opensearch")
@pytest.mark.timeout(3600)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=some_records, within=some_ranges, generated=some_queries)
def test_opensearch_agrees_many_times(
    opensearch_url: str, made: list[Record], within: TimeRange | None, generated: list[str]
) -> None:
    """The same for hundreds of sets of records."""
    check_opensearch(opensearch_url, made, within, generated)


@every_store
@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("limit", [1, 7, 50])
def test_pages_join_without_gap_or_repeat(place: Place, limit: int, *, newest_first: bool) -> None:
    """Following cursors gives every record once and in order, also through thousands of equal times."""
    made = [record(number, time_us=BASE_US + number // 90 * 1000) for number in range(200 if limit == 1 else 400)]
    reader = fill(place, made)
    seen: list[str] = []
    after = None
    while page := reader.search(All(), limit=limit, after=after, newest_first=newest_first):
        seen += [found.id for found in page]
        after = page[-1].order
    expected = [found.id for found in sorted(made, key=lambda r: r.order, reverse=newest_first)]

    assert seen == expected


@engines
def test_a_record_comes_back_as_it_went_in(place: Place) -> None:
    """Every part of a record survives, hostile text included."""
    made = record(
        1, body="a\x00b\ud800\x1b[31m", attributes={"x": ["\ud800", 1, None], "ключ": "é", "n": 2**70}, severity=""
    )
    found = fill(place, [made]).search(All(), limit=1)[0]

    assert (found.body, found.attributes) == ("a\x00b?\x1b[31m", {"x": ["?", 1, None], "ключ": "é", "n": str(2**70)})


@every_store
def test_writing_again_changes_nothing(place: Place) -> None:
    """An id that is there is success and stays one record, before and after the commit."""
    writer = place.writer()
    first = writer.add([record(1), record(1)])
    writer.commit()
    again = writer.add([record(1, body="other"), record(2)])
    writer.close()

    assert (first.accepted, first.existing, again.accepted, again.existing) == (1, 1, 1, 1)
    assert [found.body for found in place.reader().scan(All())] == ["event 1", "event 2"]


@every_store
def test_attributes_named_like_parts_of_a_record_are_not_those_parts(place: Place) -> None:
    """An attribute `_id`, as databases write it, neither hides another record nor is its id."""
    odd = {"_id": record(2).id, "traceId": "t9", "body": "needle", "severity": "ERROR", "@timestamp": 5, "spanId": "s9"}
    reader = fill(place, [record(1, attributes=odd), record(2)])
    queries = ["", "trace:t9", "span:s9", "needle", "level:error", f"id:{record(2).id}", "trace:*"]

    assert [reader.count(parse(query)) for query in queries] == [2, 0, 0, 0, 0, 1, 0]
    assert reader.search(parse("event"), limit=2)[1].attributes == odd


@engines
def test_old_records_are_deleted_by_age_and_may_come_again(place: Place) -> None:
    """Pruning deletes what is older, and a pruned record can be written again."""
    writer = place.writer()
    writer.add([record(number) for number in range(10)])
    deleted = writer.prune(BASE_US + 4000)  # type: ignore[attr-defined]
    again = writer.add([record(3), record(5)])
    writer.close()

    assert (deleted, again.accepted, place.reader().count(All())) == (4, 1, 7)


@engines
def test_a_snapshot_moves_by_refresh_alone(place: Place) -> None:
    """Records that come later are not seen before `refresh`, which says whether something changed."""
    reader = fill(place, [record(1)])
    fill(place, [record(2)])
    before = reader.count(All())
    moved = (reader.refresh(), reader.refresh())

    assert (before, moved, reader.count(All())) == (1, (True, False), 2)


@every_store
def test_long_work_can_be_stopped(place: Place) -> None:
    """A search that has to read many records ends when its caller gives up."""
    reader = fill(place, [record(number) for number in range(3000)])
    with pytest.raises(Cancelled):
        reader.search(parse('=~"event"'), limit=3000, stop=lambda: True)
