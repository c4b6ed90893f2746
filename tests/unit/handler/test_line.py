from __future__ import annotations

import json
import logging
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import TracerProvider

from logship.handler.context import Span, bind, use_span
from logship.handler.line import EMIT_ERROR, LineBuilder


def record(msg: Any = "hello", *args: Any, level: Any = logging.INFO, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("orders.api", level, "/app/orders.py", 7, msg, args, None)
    made.created = 1795443665.871234
    made.__dict__.update(extra)
    return made


def line(made: logging.LogRecord, service: str = "orders") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(LineBuilder(service).build(made))
    return document


def test_the_package_loads_nothing_heavy() -> None:
    """Importing the handler and making one loads neither an SDK nor an HTTP client."""
    code = (
        "import sys, logging, logship.handler\n"
        "handler = logship.handler.CloudWatchHandler('/shop/orders')\n"
        "handler._lines.build(logging.LogRecord('x', 20, '', 1, 'x', (), None))\n"
        "heavy = {'boto3', 'botocore', 'watchtower', 'httpx', 'msgspec', 'tantivy', 'textual', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n", done.stderr


def test_the_line_is_the_documented_one() -> None:
    """Keys, their order and their form are those of the record reference."""
    span = Span("5b27baf9c1d24a0e8f3b6d7e9a012345", "d1e0649ed0a041f7", "00f067aa0ba902b7")
    with use_span(span):
        document = line(
            record(
                "upstream %s timed out",
                "inventory",
                level=logging.ERROR,
                **{"logship.kind": "request", "duration_ms": 2104.2, "http.response.status_code": 502},
            )
        )
    identity = document.pop("logship.id")

    assert list(document.items()) == [
        ("timestamp", "2026-11-23T14:21:05.871234Z"),
        ("severity_text", "ERROR"),
        ("service.name", "orders"),
        ("body", "upstream inventory timed out"),
        ("trace_id", span.trace_id),
        ("span_id", span.span_id),
        ("parent_span_id", span.parent_span_id),
        ("logship.kind", "request"),
        ("duration_ms", 2104.2),
        ("http.response.status_code", 502),
        ("logger", "orders.api"),
    ]
    prefix, _, number = identity.partition("-")
    assert (len(prefix), number.isdigit()) == (16, True)


def test_fields_named_like_the_lines_own_are_kept_aside() -> None:
    """An extra or bound field never replaces what the line says itself."""
    with bind(body="mine", user=1):
        document = line(record("hello", **{"logger": "mine too", "service.name": "other"}))

    assert (document["body"], document["extra.body"], document["extra.logger"]) == ("hello", "mine", "mine too")
    assert (document["service.name"], document["extra.service.name"], document["user"]) == ("orders", "other", 1)


def test_levels_have_opentelemetrys_names() -> None:
    """Python's level names become those of the log data model, also between them."""
    names = {level: line(record(level=level))["severity_text"] for level in (5, 10, 20, 25, 30, 40, 50, 99)}

    assert names == {
        5: "TRACE", 10: "DEBUG", 20: "INFO", 25: "INFO", 30: "WARN", 40: "ERROR", 50: "FATAL", 99: "FATAL"
    }  # fmt: skip


def test_an_exception_keeps_its_type_message_and_stack() -> None:
    """The error is in fields of its own, beside the message."""
    made = record("failed")
    try:
        raise json.JSONDecodeError("no json", "{", 0)
    except ValueError:
        made.exc_info = sys.exc_info()
    document = line(made)

    assert document["exception.type"] == "json.decoder.JSONDecodeError"
    assert document["exception.message"] == "no json: line 1 column 1 (char 0)"
    assert document["exception.stacktrace"].startswith("Traceback (most recent call last):")


def test_a_mapping_as_message_becomes_fields() -> None:
    """What watchtower sent as JSON arrives as fields, the message among them as body; the mapping is unchanged."""
    message = {"event": "order created", "order": 7}
    document = line(record(message))

    assert (document["body"], document["order"], "event" in document) == ("order created", 7, False)
    assert message == {"event": "order created", "order": 7}
    assert line(record({"order": 7}))["body"] == '{"order":7}'


def test_wrong_arguments_are_sent_with_a_marker() -> None:
    """A message whose arguments do not fit is sent as it was written."""
    document = line(record("took %d ms", "x"))

    assert document["body"] == "took %d ms ('x',)"
    assert document[EMIT_ERROR].startswith("message: ")


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_hostile_values_never_raise() -> None:
    """Objects without text, lone surrogates, huge integers, cycles: each becomes something, marked where lossy."""
    cycle: list[Any] = []
    cycle.append(cycle)
    document = line(record(Hostile(), a=Hostile(), b="\udcff", c=2**80, d=cycle, e={1: b"x", Hostile: None}, f={3, 4}))

    assert document["a"] == "<Hostile whose text cannot be read>"
    assert (document["b"], document["c"], document["f"]) == ("\\udcff", str(2**80), [3, 4])
    assert document["e"]["1"] == "b'x'"
    assert EMIT_ERROR in document
    assert list(document)[-1] == "logship.id"


class Rude(BaseException):
    """No Exception, as the timeouts of gevent are none."""

    def __str__(self) -> str:
        raise self

    __repr__ = __str__


class RudeValue:
    def __str__(self) -> str:
        raise Rude

    __repr__ = __str__


class RudeText(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise Rude

    def __mod__(self, arguments: object) -> str:
        raise Rude


def numbers() -> Any:
    """A generator, which must not be consumed by being logged."""
    yield from range(3)


def circle() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["self"] = [made]
    return made


any_text = st.text(st.characters(codec=None), max_size=8)
odd = st.builds(Hostile) | st.builds(RudeValue) | st.builds(Rude) | st.builds(numbers) | st.builds(circle)
wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=5) | any_text | odd
    | st.builds(RudeText, any_text) | st.integers(2**64, 2**300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text | st.integers(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(
    message=wild,
    args=st.lists(wild, max_size=2),
    extra=st.dictionaries(st.text(st.characters(codec=None)), wild),
    level=st.integers(-(10**6), 10**6),
    profile=st.sampled_from(["otel", "ecs"]),
)
def test_any_record_becomes_a_line(
    message: Any, args: list[Any], extra: dict[str, Any], level: int, profile: str
) -> None:
    """Whatever is logged at whatever level, the line is valid JSON with a time, a body and an id."""
    made = record(message, *args, level=level, **{f"x{name}": value for name, value in extra.items()})
    document = json.loads(LineBuilder("orders", profile=profile).build(made))
    names = {"otel": {"timestamp", "severity_text", "body", "logger"},
             "ecs": {"@timestamp", "log.level", "message", "log.logger"}}  # fmt: skip

    assert names[profile] | {"logship.id"} <= document.keys()


def test_what_ends_the_program_is_not_held_up() -> None:
    """Ctrl-C while a value is asked for its text goes on to the application."""

    class Interrupted:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LineBuilder("orders").build(record("%s", Interrupted()))


def test_a_generator_is_not_consumed() -> None:
    """What the application still needs is described, not read."""
    values = numbers()
    document = line(record("hello", values=values))

    assert document["values"].startswith("<generator object numbers")
    assert list(values) == [0, 1, 2]


@pytest.mark.timeout(20)
def test_a_message_of_five_megabytes_is_whole() -> None:
    """Its size is the queue's business, which cuts it into pieces; lone surrogates in it are spelled out."""
    text = "é" * 2_500_000
    clean, odd_one = line(record(text)), line(record(text + "\ud800"))

    assert (clean["body"], odd_one["body"]) == (text, text + "\\ud800")


def test_the_errors_behind_an_error_are_in_its_stack() -> None:
    """Causes, contexts and the members of groups with their own stacks."""
    made = record("failed")
    try:
        try:
            raise KeyError("first")  # noqa: TRY301
        except KeyError as error:
            raise ExceptionGroup("several", [ValueError("one"), OSError("two")]) from error
    except ExceptionGroup:
        made.exc_info = sys.exc_info()
    document = line(made)

    assert (document["exception.type"], document["exception.message"]) == (
        "ExceptionGroup", "several (2 sub-exceptions)",
    )  # fmt: skip
    for part in ("KeyError: 'first'", "direct cause", "ValueError: one", "OSError: two"):
        assert part in document["exception.stacktrace"]


def test_fields_without_a_trace_leave_opentelemetrys_span() -> None:
    """What is bound beside it does not hide the current span."""
    tracer = TracerProvider().get_tracer("t")
    with otel_trace.use_span(tracer.start_span("s")) as span, bind(user=42):
        document = line(record())
    context = span.get_span_context()

    assert (document["user"], document["trace_id"]) == (42, f"{context.trace_id:032x}")


def test_a_broken_opentelemetry_loses_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its module may be half loaded by another thread."""
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", ModuleType("opentelemetry.trace"))

    assert line(record())["body"] == "hello"


def test_ids_are_unique() -> None:
    """No two lines of a process have the same id, whichever handler builds them."""
    ids = {line(record(), service)["logship.id"] for service in ("a", "b") for _ in range(100)}

    assert len(ids) == 200


def test_opentelemetrys_ids_are_taken_over() -> None:
    """Ids that its logging instrumentation leaves on records are the line's ids."""
    document = line(record(otelTraceID="a" * 32, otelSpanID="b" * 16, otelServiceName="x", otelTraceSampled=True))

    assert (document["trace_id"], document["span_id"]) == ("a" * 32, "b" * 16)
    assert not [name for name in document if name.startswith("otel")]


def test_a_formatter_writes_the_body() -> None:
    """Where the application sets a formatter, its text is the body."""
    builder = LineBuilder("orders")
    builder.formatter = logging.Formatter("[%(name)s] %(message)s")
    document = json.loads(builder.build(record("hi")))

    assert document["body"] == "[orders.api] hi"
