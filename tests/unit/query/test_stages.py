"""The stages behind a query: what each means, and what is said about those that mean nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.errors import QuerySyntaxError
from logship.query import parse
from logship.query.stages import Column, Pipeline, Stage, parse_pipeline
from logship.query.stages.tree import (
    Dedup,
    Fields,
    Figure,
    Key,
    Limit,
    Related,
    Sort,
    SortKey,
    Stats,
    Timechart,
    Top,
    Where,
)
from logship.query.tree import And, Or, Range, Regex, Term, Words

NOW_US = 1_700_000_000_000_000
COUNT = Figure("count", "", 0.0, Column("count", "count"))
P95 = Figure("percentile", "duration_ms", 95.0, Column("p95_duration", "duration_ms"))
SERVICE = Key("service.name", "service")
DURATION = Key("duration_ms", "duration", "duration_ms")
TIME = Key("@timestamp", "time", "time")

MEANINGS: list[tuple[str, list[Stage]]] = [
    ("x", []),
    ("x | stats count()", [Stats((COUNT,), ())]),
    ("x|stats count", [Stats((COUNT,), ())]),
    ("x | STATS count() p95(duration) by service, bin(1m)", [Stats((COUNT, P95), (SERVICE,), 60_000_000)]),
    (
        "x | stats p99.9(took.ms) as slow, distinct(user.id) by bin(30s) as half service as who",
        [
            Stats(
                (
                    Figure("percentile", "took.ms", 99.9, Column("slow", "number")),
                    Figure("distinct", "user.id", 0.0, Column("distinct_user.id", "count")),
                ),
                (Key("service.name", "who"),),
                30_000_000,
                "half",
            )
        ],
    ),
    ("x | stats min(time) as first", [Stats((Figure("min", "@timestamp", 0.0, Column("first", "time")),), ())]),
    (
        'x | stats sum("odd (name)") by status',
        [
            Stats(
                (Figure("sum", "odd (name)", 0.0, Column("sum_odd (name)", "number")),),
                (Key("http.response.status_code", "status", "number"),),
            )
        ],
    ),
    ("x | top route", [Top(10, Key("http.route", "route"))]),
    ("x | top 3 service", [Top(3, SERVICE)]),
    ("x | timechart", [Timechart((COUNT,))]),
    ("x | timechart span=5m p95(duration) by service", [Timechart((P95,), SERVICE, 300_000_000)]),
    ("x | timechart count() by service span=1h", [Timechart((COUNT,), SERVICE, 3_600_000_000)]),
    ("x | sort -duration, time", [Sort((SortKey(DURATION, descending=True), SortKey(TIME)))]),
    ("x | sort by duration desc time asc", [Sort((SortKey(DURATION, descending=True), SortKey(TIME)))]),
    ("x | limit 5", [Limit(5)]),
    ("x | head 5", [Limit(5)]),
    ("x | fields time, service", [Fields((TIME, SERVICE))]),
    ("x | fields - service", [Fields((SERVICE,), leave_out=True)]),
    ("x | fields -service", [Fields((SERVICE,), leave_out=True)]),
    ("x | dedup service", [Dedup((SERVICE,))]),
    ("x | related trace", [Related()]),
    ("x | where duration>1s", [Where(Range("duration_ms", 1000.0, None, include_low=False))]),
    ("x | where a (b)", [Where(And((Words(("a",)), Words(("b",)))))]),
    (
        "x | stats count() by service | where count>3",
        [Stats((COUNT,), (SERVICE,)), Where(Range("count", 3, None, include_low=False))],
    ),
    (
        "x | stats p95(duration) | where p95(duration) > 1s",
        [Stats((P95,), ()), Where(Range("p95_duration", 1000.0, None, include_low=False))],
    ),
    (
        "x | stats p95(duration) as slow by service | where slow>=1m service:a | sort -slow",
        [
            Stats((Figure("percentile", "duration_ms", 95.0, Column("slow", "duration_ms")),), (SERVICE,)),
            Where(And((Range("slow", 60_000.0, None), Term("service.name", "a")))),
            Sort((SortKey(Key("slow", "slow", "duration_ms"), descending=True),)),
        ],
    ),
    (
        "x | stats p95(duration) | sort -p95(duration)",
        [Stats((P95,), ()), Sort((SortKey(Key("p95_duration", "p95_duration", "duration_ms"), descending=True),))],
    ),
]


@pytest.mark.parametrize(("text", "stages"), MEANINGS, ids=[text for text, _ in MEANINGS])
def test_a_stage_means_its_value(text: str, stages: list[Stage]) -> None:
    """Each form of each stage has the value that the reference gives it."""
    assert parse_pipeline(text, now_us=NOW_US) == Pipeline(Words(("x",)), tuple(stages))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('=~"a|b" | limit 1', Pipeline(Regex("body", "a|b"), (Limit(1),))),
        ("a || b", Pipeline(Or((Words(("a",)), Words(("b",)))))),
        ("(a|b)", Pipeline(Words(("a", "b")))),
        ("a\\|b", Pipeline(Words(("a", "b")))),
        ("path:/a\\|b | limit 1", Pipeline(Term("url.path", "/a|b"), (Limit(1),))),
    ],
)
def test_only_a_bare_bar_begins_a_stage(text: str, expected: Pipeline) -> None:
    """One in quotes, in parentheses or behind a backslash is a sign like others."""
    assert parse_pipeline(text) == expected


MISTAKES = [
    ('a "b | c', 2, "never closed"),
    ("service: | limit 1", 7, "needs a value"),
    ("a | ", 2, "no stage stands"),
    ("a | | limit 1", 2, "no stage stands"),
    ("a | stat count()", 4, "did you mean stats?"),
    ("a | filter x", 4, "did you mean where?"),
    ("a | nonsense", 4, "stages are stats, top"),
    ("a | patterns", 4, "top 10 message"),
    ("a | slow", 4, "logship incident"),
    ("a | stats", 9, "stats count() by service"),
    ("a | stats median(duration)", 10, "did you mean p50?"),
    ("a | stats p101(duration)", 10, "no function"),
    ("a | stats p95", 10, "write p95(duration)"),
    ("a | stats sum(duration", 22, "closing )"),
    ("a | stats count() by", 20, "a field is missing"),
    ("a | stats count() by bin(1x)", 25, "no time span"),
    ("a | stats count() by bin(0s)", 25, "no length"),
    ("a | stats count() by time", 21, "by bin(1m)"),
    ("a | stats count(), count()", 19, "two columns"),
    ("a | stats count() as service by service", 32, "two columns"),
    ("a | stats count() as level", 21, "already means"),
    ("a | stats sum(time)", 10, "no meaning for times"),
    ("a | top", 7, "a field is missing"),
    ("a | top 5 service x", 18, "not expected"),
    ("a | timechart spam=1m", 14, "no function"),
    ("a | timechart span 1m", 19, "span=1m"),
    ("a | timechart count() sum(x) by y", 33, "one figure"),
    ("a | sort", 8, "a column is missing"),
    ("a | limit many", 10, "no number"),
    ("a | limit 0", 10, "no number"),
    ("a | where", 9, "needs a condition"),
    ("a | where level:loud", 16, "no level"),
    ("a | related span", 12, "related trace"),
    ("a | fields a a", 13, "twice"),
    ("a | stats count() by service | sort duration", 36, "columns are service, count"),
    ("a | stats count() by service | sort servce", 36, "did you mean service?"),
    ("a | stats count() by service | where duration>1s", 37, "columns are service, count"),
    ("a | stats count() by service | where timeout", 37, "words are searched in messages"),
    ("a | stats count() by service | related trace", 31, "needs records"),
    ("a | stats count() by service | timechart", 31, "bins need a column"),
]


@pytest.mark.parametrize(("text", "position", "said"), MISTAKES, ids=[text for text, _, _ in MISTAKES])
def test_a_mistake_is_pointed_at(text: str, position: int, said: str) -> None:
    """The caret stands under the wrong character of the whole text, and the message says what to do."""
    with pytest.raises(QuerySyntaxError) as error:
        parse_pipeline(text, now_us=NOW_US)

    assert (error.value.query, error.value.position, said in error.value.pointed()) == (text, position, True)


PIECES = st.sampled_from(
    ["a", "|", "stats", "count()", "p95(", "duration", ")", "by",
    "bin(1m)", "top", "timechart", "span=", "1m", "sort", "-", "limit", "3", "fields", "where",
    "x>1", "dedup", '"', "\\", ",", "as", "service", "related", "trace"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map(" ".join) | st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=20))
def test_any_text_is_a_pipeline_or_a_pointed_mistake(text: str) -> None:
    """Nothing but `QuerySyntaxError` comes out, and its position lies in the text."""
    position = 0
    try:
        parse_pipeline(text, now_us=NOW_US)
    except QuerySyntaxError as error:
        position = error.position

    assert 0 <= position <= len(text)


@given(st.text(alphabet=st.sampled_from('ab:"()[]<>=~-*\\ TOANDR1s'), max_size=20))
def test_without_a_bar_it_is_the_query_language(text: str) -> None:
    """The same tree, or the same complaint."""

    def outcome(read: object) -> object:
        try:
            return read(text, now_us=NOW_US)  # type: ignore[operator]
        except QuerySyntaxError as error:
            return error.position

    found = outcome(parse_pipeline)

    assert (found.search if isinstance(found, Pipeline) else found) == outcome(parse)


def test_a_pipeline_knows_what_it_asks_of_records() -> None:
    """Fields of all stages up to the figures; what stands behind them are columns."""
    text = "a:1 | where b>1 | sort -c | dedup d | stats sum(e) as x, count() by f | where x>1 | sort f"

    assert parse_pipeline(text).fields == {"a", "b", "c", "d", "e", "f"}
    assert parse_pipeline("* | timechart p95(duration) by service").fields == {"duration_ms", "service.name"}
