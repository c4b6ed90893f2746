"""Lines of usual shapes are read by plans: faster, and never otherwise than one by one."""

from __future__ import annotations

import json
from math import isfinite
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from logship.parse import Parser, dialects, json_lines, times
from logship.parse.json_plans import Plans
from logship.parse.streams import Stream
from logship.record import (
    DURATION_MS,
    EVENT_TIME,
    GROUP,
    HANDLER_ID,
    NO_CLOUD,
    ORIGINAL,
    STREAM,
    Cloud,
    LogEvent,
    Record,
)
from logship.table import PLAIN_CHARS

if TYPE_CHECKING:
    import pytest

    from logship.table import Table

PLACE = Cloud("123456789012", "eu-west-1")
CLOUDS = [NO_CLOUD, PLACE, Cloud(region="eu-west-1")]
EVENT_MS = 1_795_443_665_871
ORIGIN = Stream("/shop/orders", "web-1", "orders")
NAMES = sorted(
    {*dialects.TIME, *dialects.BODY, *dialects.LEVEL, *dialects.TRACE, *dialects.SPAN, *dialects.PARENT,
     *dialects.RESOURCE, *dialects.ATTRIBUTE, *dialects.DURATIONS, *dialects.KIND_NAMES, *dialects.HANDLED,
     *dialects.ATTRIBUTE.values(), HANDLER_ID, "order_id", "user.id", "attributes", "stringValue", ""}
)  # fmt: skip
RARE_NAMES = st.one_of(st.sampled_from([GROUP, STREAM, EVENT_TIME, ORIGINAL, DURATION_MS]), st.text(max_size=4))
TEXTS = st.one_of(
    st.sampled_from(
        ["2026-11-23T14:21:05.871234Z", "2026-11-23T14:21:05.87Z", "2026-11-23 14:21:05,871",
         "2026-11-23T25:21:05.871234Z",
         "2024-01-01T00:00:00.000000Z", "1795443665.871", "1795443665871234000", "INFO", "warning", "30", "request",
         "SPAN_KIND_CLIENT", "Log", "2", "order created", "1.5s", "12", "12ms", "-3", "nan", "1_0", "200", "404", "20x",
         "duration: 254.981 ms  statement: x", "duration: none", "", "ü\u2028", '"quoted"', "a\\b", "a\nb",
         "ValueError: x\nTraceback (most recent call last):\nKeyError: y", "7f3c-42", "x" * 300]
    ),
    st.text(max_size=8),
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(-5, 1000),
    st.sampled_from(
        [10, 30, 60, EVENT_MS, EVENT_MS // 1000, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1]
    ),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1795443665.871, 30.0, 200.0, -0.0, 1e-7, 0.1 + 0.2, 2104.2]),
)
SIMPLE = {"text": TEXTS, "number": NUMBERS, "truth": st.booleans(), "null": st.none()}
NESTED = {
    "list": st.lists(
        st.one_of(TEXTS, NUMBERS, st.sampled_from([[[["a"]], {"b": []}], json.loads(12 * "[" + 12 * "]")])), max_size=3
    ),
    "object": st.dictionaries(
        st.one_of(st.sampled_from(NAMES), st.text(max_size=3)), st.one_of(TEXTS, NUMBERS, st.none()), max_size=3
    ),
}


@st.composite
def alike(draw: st.DrawFn) -> list[str]:
    """Lines with the same names and, mostly, the same types."""
    name = st.one_of(st.sampled_from(NAMES), st.sampled_from(NAMES), RARE_NAMES)
    kind = st.sampled_from(["text", "text", "text", "number", "number", "truth", "null", "list", "object"])
    shape = draw(st.dictionaries(name, kind, max_size=8))
    kinds = {**SIMPLE, **NESTED}
    objects: list[dict[str, Any]] = [{name: draw(kinds[kind]) for name, kind in shape.items()} for _ in range(3)]
    written = json.JSONEncoder(
        ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    )
    return [written.encode(found) for found in objects]


def both_ways(
    lines: list[str], *, keep_original: bool = True, cloud: Cloud = NO_CLOUD
) -> tuple[list[Record], list[Record]]:
    """The records of the lines, each made alone, and made by plans from the first line on."""
    events = [
        LogEvent("/shop/orders", "web-1", EVENT_MS + place, line, f"e{place}", EVENT_MS + 900, cloud)
        for place, line in enumerate(lines)
    ]
    alone, planned = (Parser(keep_original=keep_original) for _ in range(2))
    planned._plans = {cloud.names: Plans(keep_original=keep_original, cloud=cloud.names, usual=1)}
    return [alone.record(event) for event in events], planned.records(events)


def written(records: list[Record]) -> list[str]:
    """Everything about the records, also the order of their fields, and 1 apart from 1.0."""
    return [repr(record) for record in records]


@given(lines=alike(), keep_original=st.booleans(), cloud=st.sampled_from(CLOUDS))
@example(lines=[sample for sample, _ in json_lines.SAMPLES for _ in range(3)], keep_original=True, cloud=PLACE)
@example(
    lines=['{"logship.kind":"x","status":200,"duration_ms":3,"operation":"/a"}'] * 3,
    keep_original=True,
    cloud=CLOUDS[1],
)
@example(lines=['{"event":"request","kind":3,"operation":"/a","msg":""}'] * 3, keep_original=True, cloud=PLACE)
@example(lines=['{"a":1}', '{"a":1.0}', '{"a":18446744073709551616}', '{"a":1}'], keep_original=True, cloud=PLACE)
def test_plans_make_what_is_made_without_them(lines: list[str], *, keep_original: bool, cloud: Cloud) -> None:
    """A line becomes the same record by a plan as without one, field by field and in the same order."""
    alone, planned = both_ways(lines, keep_original=keep_original, cloud=cloud)

    assert written(alone) == written(planned)


PAIRS = st.sampled_from(["level", "msg", "duration", "status", "kind", "service", "n", "ts", "FooError", "operation"])
BARE = st.sampled_from(
    [
        "info",
        "12",
        "1.5s",
        "1e999",
        "200",
        "true",
        "-3",
        '"a b"',
        '"a \\" b"',
        "2026-11-23T14:21:05.871234Z",
        "ü",
        '""',
        "x:",
    ]
)


@given(shape=st.lists(PAIRS, max_size=6), values=st.lists(st.lists(BARE, min_size=6, max_size=6), max_size=3))
@example(shape=["ts", "msg"], values=[["x:"] * 6, ["FooError:"] * 6])
def test_pairs_mean_the_same_to_plans(shape: list[str], values: list[list[str]]) -> None:
    """A line of pairs, too, becomes the same record by a plan as without one, and so does what continues it."""
    lines = [" ".join(f"{name}={value}" for name, value in zip(shape, row, strict=False)) for row in values]
    alone, planned = both_ways([*lines, "\tat a.b.C", *lines, "ValueError: x"])

    assert written(alone) == written(planned)


IDS = st.sampled_from(
    ['""', '" "', '"\t"', '"7f-2"', "42", "18446744073709551615", "0.5", "true", "null", "[]", '["7f-1"]']
)


@st.composite
def events_alike(draw: st.DrawFn) -> list[LogEvent]:
    """Events of a few streams, with lines of two shapes and of none, whose times may run back, and ids of any kind."""
    lines = st.sampled_from(
        [*draw(alike()), *draw(alike()), LINE, LINE.replace('"7f-1"', draw(IDS)), "\tat a.b.C", "plain"]
    )
    streams, steps_ms = st.sampled_from(["web-1", "web-1", "web-2", "wéb"]), st.integers(-20_000, 20_000)
    return [
        LogEvent("/shop/orders", draw(streams), EVENT_MS + draw(steps_ms), draw(lines), f"e{place}", EVENT_MS, PLACE)
        for place in range(draw(st.integers(1, 8)))
    ]


def of_tables(events: list[LogEvent], *, keep_original: bool = True) -> tuple[list[Record], list[Table], list[Record]]:
    """The records of events, each made alone, and those of their tables and the others after they were seen once.

    Before them comes a batch of the first one alone, whose plan is then tried with all of them.
    """
    alone, planned = (Parser(keep_original=keep_original) for _ in range(2))
    planned._plans = {PLACE.names: Plans(keep_original=keep_original, cloud=PLACE.names, usual=1)}
    expected = [alone.record(event) for event in [*events, events[0], *events]]
    planned.records(events)
    planned.tables(events[:1])
    tables, others = planned.tables(events)
    assert planned.mark() == alone.mark()
    return expected[-len(events) :], tables, others


@given(events=events_alike(), keep_original=st.booleans())
@example(events=[LogEvent("/g", "s", EVENT_MS, '{"msg":"duration: 1.5 ms"}', "e", cloud=PLACE)], keep_original=True)
@example(events=[LogEvent("/g", "s", EVENT_MS, ' {"msg":"a","n":1}', "e", cloud=PLACE)], keep_original=True)
@example(events=[LogEvent("/g", "s", EVENT_MS, '{"msg":"","n":1}', "e", cloud=PLACE)], keep_original=True)
@example(
    events=[LogEvent("/g", "s", EVENT_MS, '{"msg":"a","logship.id":""}', f"e{n}", cloud=PLACE) for n in range(2)],
    keep_original=True,
)
def test_tables_hold_the_same_records(events: list[LogEvent], *, keep_original: bool) -> None:
    """Whatever is made by the column is what is made line by line, and so is what the lines after it continue."""
    expected, tables, others = of_tables(events, keep_original=keep_original)

    made = [*(record for table in tables for record in table.records()), *others]
    assert sorted(written(expected)) == sorted(written(made))


@given(events=events_alike())
def test_what_a_shape_promises_is_so(events: list[LogEvent]) -> None:
    """A table's records have its names in that order, values of its types, short ASCII text and exact numbers."""
    for table in of_tables(events)[1]:
        shape = table.shape
        types = {
            name: (int, float) if kind is float else (kind,)
            for name, kind in (shape.resource | shape.attributes).items()
        }
        for record in table.records():
            assert [*record.resource, *record.attributes] == list(types)
            fields = record.resource | record.attributes
            assert all(type(value) in types[name] for name, value in fields.items())
            texts = [record.trace_id, record.span_id, record.parent_span_id]
            texts += [value for name, value in fields.items() if type(value) is str and name != ORIGINAL]
            assert all(text.isascii() and len(text) <= PLAIN_CHARS for text in texts)
            assert all(-(2**53) < value < 2**53 for value in fields.values() if type(value) is int)
            assert all(map(isfinite, (value for value in fields.values() if type(value) is float)))


def test_usual_lines_come_in_a_table() -> None:
    """Of lines of two shapes and one that is not plain, in turns, those of each shape are a table."""
    other = '{"timestamp":"2026-11-23T14:21:05.8Z","msg":"y","order_id":%s}'
    lines = [LINE, other % 1, other % 2.5, LINE.replace('"x"', '"ü"'), "\tat a.b.C"] * 20
    events = [
        LogEvent("/shop/orders", "web-1", EVENT_MS + place, line, f"e{place}", EVENT_MS, PLACE)
        for place, line in enumerate(lines)
    ]
    parser = Parser()
    parser.records(events)

    tables, others = parser.tables(events)

    assert sorted([*map(len, tables), len(others)]) == [20, 40, 40]


def test_long_lines_come_in_a_table_unless_one_of_their_values_is_long() -> None:
    """A long body is like any other; of lines among which one has another value that is long, the short ones are."""
    line = '{"msg":"%s","user":"%s"}'
    for long_line, in_table in ((line % ("x" * 2000, "y"), 20), (line % ("x", "y" * 2000), 10)):
        lines = [long_line, line % ("x", "y")] * 10
        events = [LogEvent("/shop/orders", "web-1", EVENT_MS + n, text, f"e{n}") for n, text in enumerate(lines)]
        expected, parser = [Parser().record(event) for event in events], Parser()
        parser.records(events)
        tables, others = parser.tables(events)
        made = [record for table in tables for record in table.records()]

        assert len(made) == in_table
        assert sorted([*made, *others], key=attrgetter("id")) == sorted(expected, key=attrgetter("id"))


LINE = '{"timestamp":"2026-11-23T14:21:05.8Z","level":"INFO","msg":"x","f":0.5,"ok":true,"a":null,"logship.id":"7f-1"}'


@given(
    place=st.integers(0, len(LINE) - 1),
    cut=st.integers(0, 3),
    put=st.text(alphabet='{}[]",:\\u0d8e+-. 1\x00\x7fü\ud800tn', max_size=6),
)
@example(place=len(LINE) - 1, cut=0, put="x")
@example(place=len(LINE), cut=0, put=" ")
@example(place=len(LINE), cut=0, put="\x00")
def test_damaged_lines_are_the_same_lines_to_plans(place: int, cut: int, put: str) -> None:
    """What one of the two readers of JSON refuses, the other does not slip in: a damaged line, too, has one meaning."""
    damaged = LINE[:place] + put + LINE[place + cut :]

    alone, planned = both_ways([LINE, LINE, damaged, LINE])

    assert written(alone) == written(planned)


def test_a_usual_line_is_made_by_a_plan() -> None:
    """After some lines of one shape a plan makes the rest, straight from the text."""
    plans = Plans(keep_original=True)
    event = LogEvent("/shop/orders", "web-1", EVENT_MS, LINE, "e")

    made = [type(plans.read(LINE, event, ORIGIN)).__name__ for _ in range(10)]

    assert made == ["Parsed"] * 7 + ["Record"] * 3
    assert plans._expected.keys() == {LINE.count('"')}


def test_plans_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many shapes come, no more plans and shapes than a fixed number are kept."""
    monkeypatch.setattr("logship.parse.json_plans._MOST_PLANS", 8)
    monkeypatch.setattr("logship.parse.json_plans._MOST_SEEN", 16)
    plans = Plans(keep_original=True, usual=2)
    event = LogEvent("/shop/orders", "web-1", EVENT_MS, "", "e")
    for number in range(100):
        for _ in range(1 + number % 2):
            plans.read(f'{{"name{number}":1}}', event, ORIGIN)

    assert 0 < len(plans._plans) <= 8
    assert 0 < len(plans._seen) <= 17


def test_lines_in_turns_are_not_guessed_for_long() -> None:
    """Where two shapes with the same number of quotes take turns, a batch soon stops to guess which one comes."""
    plans = Plans(keep_original=True, usual=1)
    lines = ['{"name":"x","a":"y"}', '{"name":"x","b":"y"}']
    for line in lines * 100:
        plans.read(line, LogEvent("/shop/orders", "web-1", EVENT_MS, line, "e"), ORIGIN)

    assert plans._misses == {8: 64}


@given(text=st.one_of(TEXTS, st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d{1,9}(Z|UTC|\+01:00)?\n?")))
def test_times_with_a_zone_are_the_same_in_either_way(text: str) -> None:
    """The fast way to read a time finds what the general one finds."""
    at = times.of_value(text)

    assert (at[0] if at and at[1] else None) == times.zoned_text_us(text)


@st.composite
def written_times(draw: st.DrawFn) -> list[str]:
    """Times as our handler writes them, mostly of one second, some of them damaged."""
    seconds = st.sampled_from(["2026-11-23T14:21:05", "2026-11-23T14:21:05", "2026-11-23T14:21:06", "2026-11-23 99"])
    fractions = st.sampled_from([".871234Z", ".000000Z", ".999999Z", ".12Z456Z", ".871234Z1", ".23456Z", "Z"])
    texts = st.builds("{}{}".format, seconds, fractions)
    return draw(st.lists(texts, min_size=1, max_size=6))


@given(texts=written_times())
@example(texts=["2026-11-23T14:21:05.871234Z1", "2026-11-23T14:21:05.23456Z"])
@example(texts=["2026-11-23T14:21:05.12Z456Z", "2026-11-23T14:21:05.871234Z"])
@example(texts=["2026-11-23T14:21:05.871234Z", "2026-11-23T14:21:05.000001Z"])
def test_many_times_are_what_each_of_them_is(texts: list[str]) -> None:
    """Whether they are of one second or not, and whatever one of them is."""
    assert list(times.zoned_texts_us(texts)) == [times.zoned_text_us(text) for text in texts]


@given(number=st.one_of(st.floats(), st.floats(-10, 2e9), st.integers(0, 10**15).map(lambda whole: whole / 1e6)))
def test_numbers_are_rounded_as_python_rounds_them(number: float) -> None:
    """Six digits are kept of a duration, exactly as `round` keeps them."""
    assert repr(round(number, 6)) == repr(json_lines.rounded(number))


@given(numbers=st.lists(st.one_of(st.floats(), st.floats(-10, 2e9), st.decimals(-9e9, 9e15, places=6).map(float))))
def test_many_numbers_are_rounded_as_python_rounds_each(numbers: list[float]) -> None:
    """Whether one of them has more than six digits or none has."""
    assert list(map(repr, json_lines.all_rounded(numbers))) == [repr(round(number, 6)) for number in numbers]


def test_a_line_around_another_one_is_unwrapped_among_lines_that_look_alike() -> None:
    """As many quotes as a usual shape has, or the same names in another order, do not make Docker's line one of it."""
    docker = '{"log":"ERROR it failed\\n","stream":"stderr","time":"2026-11-23T14:21:05.871234567Z"}'
    alike = ['{"a":"x","b":"y","c":"z"}', '{"stream":"x","log":"y","time":"z"}']
    assert {line.count('"') for line in (docker, *alike)} == {12}

    for usual in alike:
        alone, planned = both_ways([usual] * 20 + [docker, usual])
        assert written(alone) == written(planned)
        assert (planned[20].body, planned[20].attributes["log.iostream"]) == ("ERROR it failed", "stderr")
