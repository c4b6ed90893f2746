"""Every format reads its own sample lines, and nothing that arrives is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logship.parse import Parser, access_log, json_lines, logfmt, parse_line, plain, postgres, servers
from logship.record import CONTINUES, LogEvent, format_time

if TYPE_CHECKING:
    from types import ModuleType

    from logship.parse.parsed import Parsed

FORMATS: tuple[ModuleType, ...] = (json_lines, logfmt, access_log, postgres, servers, plain)
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
