"""Queries with stages: every store gives the rows, the records and the words of the plain definition."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from logship.errors import QuerySyntaxError
from logship.query.stages import parse_pipeline
from logship.query.tree import All
from logship.store.pipeline import Rows, found, run
from logship.store.port import Cancelled
from logship.timerange import TimeRange
from tests.contract.store_cases import BASE_US, record
from tests.contract.stores import ENGINES, EVERY_STORE, Place, empty_place, fill
from tests.contract.test_statistics import memory_of, requests_of
from tests.contract.test_store import some_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from logship.store.pipeline.results import Cell
    from logship.store.port import StoreReader
    from logship.testing import MemoryStore

engines = pytest.mark.parametrize("place", ENGINES, indirect=True)
every_store = pytest.mark.parametrize("place", EVERY_STORE, indirect=True)

SEARCHES = ["*", "level:error", "-level:error duration>300ms", "service:(orders OR edge)", "nobody:1"]
ON_RECORDS = [
    "where status>=500", "limit 40", "sort -duration", "sort duration, -time | limit 30", "sort tenant | limit 25",
    "sort time | limit 10", "dedup service", "dedup service, level", "dedup user.id", "sort -bytes | dedup service",
    "related trace", "sort level | limit 50", "where bytes<500 service:*", "fields - message, bytes",
]  # fmt: skip
TO_ROWS = [
    "stats count() by service", "stats count(), avg(bytes), max(duration) as value by level, bin(1s)",
    "stats sum(bytes)", "stats distinct(user.id) as value, min(time) as first by status", "top 3 user.id",
    "top service", "timechart span=1s count() by service", "timechart max(duration), count()",
    "stats count() by tenant, status",
]  # fmt: skip
ON_ROWS = ["limit 3", "sort -count", "where count>2", "stats max(count) as value", "dedup count", "fields count"]


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return empty_place(request.param, request, tmp_path)


def outcome(
    store: StoreReader, text: str, within: TimeRange | None, *, newest_first: bool
) -> tuple[list[tuple[Cell, ...]], list[str]]:
    """Rows or ids, and what is said."""
    said: list[str] = []
    result = run(store, parse_pipeline(text), within, newest_first=newest_first, say=said.append)
    if isinstance(result, Rows):
        return result.rows, said
    return [(one.id, one.body) for one in result.records], said


def is_same(left: Sequence[tuple[Cell, ...]], right: Sequence[tuple[Cell, ...]]) -> bool:
    """Equal, but for rounding in sums."""
    return [len(row) for row in left] == [len(row) for row in right] and all(
        math.isclose(one, other, rel_tol=1e-9) if isinstance(one, float) and isinstance(other, float) else one == other
        for row, also in zip(left, right, strict=True)
        for one, other in zip(row, also, strict=True)
    )


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[StoreReader, MemoryStore]:
    made = [requests_of(number) for number in range(900)]
    return fill(empty_place("embedded", request, tmp_path_factory.mktemp("p")), made), memory_of(made)


some_pipelines = st.builds(
    lambda search, before, rows, after: " | ".join([search, *before, *rows, *(after if rows else [])]),
    st.sampled_from(SEARCHES),
    st.lists(st.sampled_from(ON_RECORDS), max_size=2),
    st.lists(st.sampled_from(TO_ROWS), max_size=1),
    st.lists(st.sampled_from(ON_ROWS[:3]), max_size=2) | st.lists(st.sampled_from(ON_ROWS), max_size=1),
)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(some_pipelines, some_ranges, st.booleans())
def test_the_embedded_store_runs_stages_as_defined(
    both: tuple[StoreReader, MemoryStore], text: str, within: TimeRange | None, newest_first: bool
) -> None:
    """Any stages in any order, over either direction."""
    try:
        parse_pipeline(text)
    except QuerySyntaxError:  # a column that the stages before do not give
        reject()
    expected = outcome(both[1], text, within, newest_first=newest_first)
    result = outcome(both[0], text, within, newest_first=newest_first)

    assert (is_same(result[0], expected[0]), result[1]) == (True, expected[1]), text


@engines
@pytest.mark.parametrize("text", [f"* | {stage}" for stage in [*ON_RECORDS, *TO_ROWS]])
def test_each_stage_gives_what_is_defined(place: Place, text: str) -> None:
    """One by one, on every engine."""
    made = [requests_of(number) for number in range(300)]
    expected = outcome(memory_of(made), text, None, newest_first=True)
    result = outcome(fill(place, made), text, None, newest_first=True)

    assert (is_same(result[0], expected[0]), result[1]) == (True, expected[1])


@every_store
def test_of_equal_values_the_newest_record_stays_in_either_direction(place: Place) -> None:
    """Listed oldest first, it is still the newest of each that stays."""
    reader = fill(place, [record(number, attributes={"n": number % 3}) for number in range(9)])
    newest, oldest, sorted_ = (
        [row[1] for row in outcome(reader, text, None, newest_first=first)[0]]
        for text, first in [("* | dedup n", True), ("* | dedup n", False), ("* | sort time | dedup n", True)]
    )

    assert (newest, oldest, sorted_) == (
        ["event 8", "event 7", "event 6"],
        ["event 6", "event 7", "event 8"],
        ["event 0", "event 1", "event 2"],
    )


def test_of_sorted_records_the_first_of_each_value_stays() -> None:
    """Also where values are too many to be looked for one by one."""
    made = [record(number, attributes={"n": number // 2, "weight": number * 7 % 300}) for number in range(300)]
    rows, _ = outcome(memory_of(made), "* | sort -weight | dedup n | limit 2", None, newest_first=True)

    assert [row[1] for row in rows] == ["event 257", "event 214"]


@every_store
def test_a_number_and_a_text_spelled_alike_are_different_values(place: Place) -> None:
    """`5.0` as text equals the number 5 in a query, but is another value to `dedup`."""
    reader = fill(place, [record(number, attributes={"n": value}) for number, value in enumerate(["5.0", 5, "5", 5])])

    assert [row[1] for row in outcome(reader, "* | dedup n", None, newest_first=True)[0]] == ["event 3", "event 0"]


def test_what_is_cut_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of memory never pass in silence."""
    memory = memory_of([record(number, trace_id=f"t{number}", attributes={"n": number}) for number in range(20)])
    monkeypatch.setattr(found, "MOST_TRACES", 3)
    monkeypatch.setattr(found, "MOST_SORTED", 4)
    monkeypatch.setattr(found, "MOST_SEEN", 5)
    monkeypatch.setattr(found, "_FEW_VALUES", 2)
    texts = ["* | related trace", "* | sort -n", "* | dedup n", "* | timechart span=1ms count() by n"]
    results = [outcome(memory, text, None, newest_first=True) for text in texts]

    assert [(len(rows), said) for rows, said in results] == [
        (3, ["over 3 traces match; only the first 3 are followed"]),
        (4, ["sort ends after its first 4 records; narrow the search, or add | limit N"]),
        (5, ["dedup ends after 5 values; narrow the search, or choose another field"]),
        (20, ["the chart shows the 10 most frequent of 20 values; narrow the search to see others"]),
    ]


def test_a_limit_on_rows_is_said() -> None:
    """`limit` of a run is what is shown, not what is."""
    said: list[str] = []
    memory = memory_of([record(number, attributes={"n": number}) for number in range(20)])
    result = run(memory, parse_pipeline("* | stats count() by n"), limit=5, say=said.append)

    assert isinstance(result, Rows)
    assert (len(result.rows), said) == (5, ["5 of 20 rows; --limit shows more"])


@pytest.mark.parametrize("stages", ["limit 6", "dedup n", "dedup n | fields - n", "limit 6 | sort n"])
def test_a_limit_on_records_that_no_query_counts_is_said(stages: str) -> None:
    """Five of six are never called all there are; six are."""
    memory = memory_of([record(number, attributes={"n": number}) for number in range(6)])
    said: list[str] = []
    shown = []
    for limit in (5, 6):
        result = run(memory, parse_pipeline(f"* | {stages}"), limit=limit, say=said.append)
        shown.append(len(list(result.records)))  # type: ignore[union-attr]

    assert (shown, said) == ([5, 6], ["only the first 5 records are shown; --limit shows more"])


def test_a_chart_covers_the_range_that_was_asked_for() -> None:
    """Also where it holds no records; an open range ends where the records do."""
    memory = memory_of([record(0), record(3_500)])
    hour = TimeRange(BASE_US - 1_800_000_000, BASE_US + 1_800_000_000)
    charts = [run(memory, parse_pipeline("* | timechart"), within) for within in (hour, None)]
    sizes = [(len(c.rows), sum(int(row[1] or 0) for row in c.rows)) for c in charts if isinstance(c, Rows)]

    assert sizes == [(61, 2), (36, 2)]


CONDITIONS = [
    ("stats count() by user.id | where user.id>9", ["10", "11"]),
    ("stats count() by user.id | where user.id:[2 TO 3]", ["2", "3"]),
    ("stats count() by level | where level>=WARN", ["ERROR", "WARN"]),
    ("stats count() by status | where status>=500 OR status:404", [404, 502]),
    ("stats max(duration) as worst by user.id | where worst>10s", ["10", "11"]),
    ("stats max(duration) by user.id | where max(duration):[500ms TO 2s}", ["0", "1"]),
    ("stats max(nothing) by level | where max(nothing):*", []),
    ("stats max(nothing) by level | where -max(nothing):* | sort -level | limit 1", ["ERROR"]),
    ('top service | where service=~"^ed"', ["edge"]),
    ("timechart span=1h count() by level | where ERROR>0 | fields ERROR", [3]),
]


@pytest.mark.parametrize(("text", "expected"), CONDITIONS, ids=[text for text, _ in CONDITIONS])
def test_a_condition_reads_columns_as_it_reads_fields(text: str, expected: list[Cell]) -> None:
    """Numbers spelled in text compare as numbers, durations take units, levels are ordered, nothing is no value."""
    made = [
        record(
            number,
            severity=["INFO", "WARN", "ERROR", "DEBUG"][number % 4],
            resource={"service.name": ["edge", "orders"][number % 2]},
            attributes={
                "user.id": number,
                "http.response.status_code": [200, 404, 502][number % 3],
                "duration_ms": 1000.0 * number + 500,
            },
        )
        for number in range(12)
    ]
    rows, _ = outcome(memory_of(made), f"* | {text}", None, newest_first=True)

    assert sorted((row[0] for row in rows), key=str) == expected


@every_store
def test_long_work_of_stages_can_be_stopped(place: Place) -> None:
    """A pipeline ends when its caller gives up."""
    reader = fill(place, [requests_of(number) for number in range(1500)])
    with pytest.raises(Cancelled):
        list(run(reader, parse_pipeline("* | sort bytes, time"), stop=lambda: True).records)  # type: ignore[union-attr]


def test_records_say_which_query_they_are_all_of() -> None:
    """So that a list can say "100 of 48,211"; stages that choose among records end that."""
    memory = memory_of([record(1)])
    queries = [
        run(memory, parse_pipeline(text)).query  # type: ignore[union-attr]
        for text in ("*", "* | sort -n", "* | limit 3")
    ]

    assert queries == [All(), All(), None]
