"""Every format reads its own sample lines, and nothing that arrives is lost."""

from __future__ import annotations

import json
import re
import time
from heapq import nlargest
from itertools import product
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logship.parse import Parser, access_log, json_lines, logfmt, parse_line, plain, postgres, servers
from logship.parse.json_plans import Plans
from logship.record import CONTINUES, PARSE_ERROR, LogEvent, format_time
from logship.store.opensearch.layout import LAYOUTS
from logship.store.opensearch.writing.document import Builder
from logship.store.tantivy.documents import document

if TYPE_CHECKING:
    from types import ModuleType

    from logship.parse.parsed import Parsed

FORMATS: tuple[ModuleType, ...] = (json_lines, logfmt, access_log, postgres, servers, plain)
MORE_LINES = [
    "[pid: 7|app: 0|req: 1/1] 10.0.0.1 () {1 vars} [Mon] GET /a => 5 bytes in 12 msecs (HTTP/1.1 200) 2 headers",
    "# Time: 2026-11-23T14:21:05.871234Z\n# User@Host: a\n# Query_time: 1.5  Lock_time: 0",
    "2026-11-23T14:21:05.871Z stdout F it says ERROR x",
    "2026-11-23 14:21:05.871 +00:00 [INF] HTTP GET /a responded 200 in 12.5 ms",
    'Nov 23 14:21:05 h haproxy[811]: 10.0.0.1:5 [x] fe be/s1 0/0/1/2/30 200 157 - - ---- 1/1 0/0 "GET /a HTTP/1.1"',
    "<34>Nov 23 14:21:05 h app[7]: ERROR x",
    "x\nTraceback (most recent call last):\n  x\na.b.ValueError: y",
    "x\na.b.CException: y\n\tat b.c(D.java:12)\n",
]
RUNS = (
    "a", "A", "1", " ", "\n", "-", ".", "=", "@", '"', "\\", "[", "]", "/", ":", "|", "a.", "A.a-", "- ", "a ", "a=b ",
    'a="', "a@", "] GET a", "Completed 200 ", " in 1", " responded 200 in 1", "#\n", "\n\tat ", "a.A\n", "A: x\n",
)  # fmt: skip
SAMPLES = [
    pytest.param(module, line, expected, id=f"{module.NAME}-{number}")
    for module in FORMATS
    for number, (line, expected) in enumerate(module.SAMPLES)
]


def value(parsed: Parsed, name: str) -> Any:
    if name == "time":
        return None if parsed.time_us is None else format_time(parsed.time_us)
    if name in ("body", "severity", "trace_id", "span_id"):
        return getattr(parsed, name)
    return parsed.resource.get(name, parsed.attributes.get(name))


@pytest.mark.parametrize(("module", "line", "expected"), SAMPLES)
def test_a_format_reads_its_samples(module: ModuleType, line: str, expected: dict[str, Any]) -> None:
    """Each module reads its own sample lines, and the choice among modules finds the same."""
    assert module.parse(line) is not None
    parsed = parse_line(line)

    assert {name: value(parsed, name) for name in expected} == expected


def event(message: str, *, event_id: str = "1") -> LogEvent:
    return LogEvent("/shop/orders", "s", 1_795_443_665_871, message, event_id)


def heads_of(lines: list[str]) -> list[str]:
    """Each line up to each of its words and signs."""
    return sorted({line[: found.start()] for line in lines for found in re.finditer(r"\b|[^\w\s]|\Z", line)})


def seconds(head: str, run: str, size: int) -> float:
    """Of processor time, to read a line that goes on with so many characters of one pattern."""
    line = head + run * (size // len(run))
    began = time.process_time()
    parse_line(line)
    return time.process_time() - began


@pytest.mark.parametrize(
    "lines",
    [[line for line, _ in module.SAMPLES[:3]] for module in FORMATS] + [MORE_LINES[:4], MORE_LINES[4:]],
    ids=[*(module.NAME for module in FORMATS), "more", "others"],
)
def test_a_line_is_read_in_time_that_grows_with_its_length(lines: list[str]) -> None:
    """No line keeps the forwarder busy: the slowest of hostile ones takes eight times as long if so much longer."""
    took: dict[tuple[str, str], float] = {}
    for place in product(heads_of(lines), RUNS):
        took[place] = seconds(*place, 2**14)
        assert took[place] < 0.5, place

    for head, run in nlargest(3, took, key=took.__getitem__):
        small, large = (min(seconds(head, run, size) for _ in range(2)) for size in (2**14, 2**17))
        assert large < 20 * max(small, 0.005), (head, run)


ACCESSED = '::1 - - [23/Nov/2026:14:21:05 +0000] "GET / HTTP/1.1" 404'
NO_NUMBERS: list[tuple[str, dict[str, Any]]] = [
    (
        "I, [2026-11-23T14:21:05.871234 #811]  INFO -- : Completed 404 Not Found in .ms",
        {"severity": "INFO", "http.response.status_code": 404, "duration_ms": None},
    ),
    (
        "2026-11-23 14:21:05.871 +00:00 [INF] HTTP GET /a responded 200 in 1.2.3 ms",
        {"severity": "INFO", "url.path": "/a", "duration_ms": None},
    ),
    ("# Time: 2026-11-23T14:21:05.871234Z\n# Query_time: ..  Lock_time: 0", {"duration_ms": None}),
    (f"{ACCESSED} {'9' * 5000}", {"severity": "WARN", "url.path": "/", "http.response.body.size": None}),
    (f'{ACCESSED} 5 "-" "x" {"9" * 400}', {"http.response.body.size": 5, "duration_ms": None}),
    (
        f"2026-11-23 12:19:21.141 UTC [{'9' * 5000}] LOG:  duration: 254.981 ms",
        {"process.pid": None, "duration_ms": 254.981},
    ),
]


@pytest.mark.parametrize(("line", "expected"), NO_NUMBERS)
def test_what_is_no_number_is_left_out(line: str, expected: dict[str, Any]) -> None:
    """A line with points, or more digits than a number has, where a number stands is read as what it is without it."""
    parsed = parse_line(line)

    assert {name: value(parsed, name) for name in (*expected, PARSE_ERROR)} == expected | {PARSE_ERROR: None}


@pytest.mark.parametrize("put", [".", "..", "1.2.3", "-1", "", "²", "٣", "1e999", "9" * 19, "9" * 400, "9" * 5000])
def test_formats_read_any_number(put: str) -> None:
    """Whatever stands in place of a number, no format fails."""
    lines = [line for module in FORMATS[1:] for line, _ in module.SAMPLES] + MORE_LINES
    changed = [
        line[: number.start()] + put + line[number.end() :] for line in lines for number in re.finditer(r"\d+", line)
    ]

    assert [line for line in changed if PARSE_ERROR in parse_line(line).attributes] == []


DEEP = '{"a":' * 300 + "1" + "}" * 300
"""JSON that is deeper than what writes JSON again goes."""


def test_a_line_that_a_format_fails_on_is_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a record with a mark, in whichever way it is read, and so are the lines around it."""
    parser, lines = Parser(), [*['{"msg":"x"}'] * 20, DEEP, '{"msg":"y"}']
    events = [event(line, event_id=str(number)) for number, line in enumerate(lines)]
    expected = [parser.record(one) for one in events]
    many = parser.records(events)
    tables, others = parser.tables(events)
    monkeypatch.setattr(Plans, "tables", lambda *_: 1 / 0)
    none, one_by_one = parser.tables(events)

    assert (expected[20].body, PARSE_ERROR in expected[20].attributes, expected[21].body) == (DEEP, True, "y")
    assert (many, none, one_by_one) == (expected, [], expected)
    assert sorted(
        [*(record for table in tables for record in table.records()), *others], key=attrgetter("id")
    ) == sorted(expected, key=attrgetter("id"))


@pytest.mark.parametrize("depth", [3, 9, 250, 255, 300, 900])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"b":', "}"), ('{"b":[', "]}")])
@pytest.mark.parametrize("name", ["a", "message"])
def test_what_is_nested_however_deep_can_be_stored(name: str, begin: str, end: str, depth: int) -> None:
    """In every store: one such line keeps no other from it."""
    line = f'{{"{name}":{begin * depth}1{end * depth}}}'
    record = Parser().record(event(line))

    assert json.loads(Builder(LAYOUTS["otel"], {}).lines([record], b"{}")[0].splitlines()[-1])
    assert document(record) is not None


@given(st.text())
def test_any_text_becomes_a_record(message: str) -> None:
    """Whatever the text, there is a record, and the line can be had back from it."""
    record = Parser().record(event(message))

    assert record.original == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text()
            | st.sampled_from(
                ["level", "timestamp", "duration", "service", "trace_id", "status", "event", "attributes", "intValue"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.text() | st.sampled_from(["level", "message", "ts", "msec", "elapsed", "http", "kind", "status"]),
        JSON,
        max_size=6,
    )
)
@example({"intValue": None})
@example({"status": "²"})
@example({"stringValue": {"a": 1}})
def test_any_json_becomes_a_record(found: dict[str, Any]) -> None:
    """Whatever a JSON line holds, there is a record whose values a store can keep."""
    record = Parser().record(event(json.dumps(found)))

    assert all(not isinstance(item, dict) and item is not None for item in record.attributes.values())


def test_continuation_lines_name_their_first_event() -> None:
    """A trace that arrives line by line is linked to the event it belongs to."""
    parser = Parser()
    lines = [
        "2026-11-23T14:21:05Z ERROR failed",
        "Traceback (most recent call last):",
        '  File "a.py", line 1',
        "ValueError: x",
    ]
    records = [parser.record(event(line, event_id=str(n))) for n, line in enumerate(lines)]

    assert [record.attributes.get(CONTINUES) for record in records] == [None, *[records[0].id] * 3]


def test_a_trace_inside_an_event_is_lifted() -> None:
    """The type and message of an exception become fields, and the body keeps the line whole."""
    text = (
        "2026-11-23T14:21:05Z ERROR failed\n"
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 'x'"
    )
    parsed = parse_line(text)

    assert (parsed.body, parsed.attributes["exception.type"], parsed.attributes["exception.message"]) == (
        text,
        "KeyError",
        "'x'",
    )


def test_identity_follows_the_handlers_id() -> None:
    """A line that was sent twice is one record, a line without the handler's id is one record an event."""
    parser = Parser()
    ours = '{"body":"x","logship.id":"7f3c-1"}'
    ids = [parser.record(event(line, event_id=number)).id for line in (ours, "plain") for number in ("1", "2")]

    assert (ids[0] == ids[1], ids[2] == ids[3]) == (True, False)


def test_times_far_from_the_event_are_not_believed() -> None:
    """A line's own time counts within a day of CloudWatch's, else the event's time does."""
    parser = Parser()
    near = parser.record(event("2026-11-23T10:00:00Z x")).time_us
    far = parser.record(event("2020-11-23T10:00:00Z x")).time_us

    assert (format_time(near), far) == ("2026-11-23T10:00:00.000000Z", 1_795_443_665_871_000)


def test_broken_json_says_so() -> None:
    """A line that begins like JSON but is none is kept whole and marked."""
    parsed = parse_line('{"a": ')

    assert (parsed.body, "logship.parse_error" in parsed.attributes) == ('{"a": ', True)
