"""Records that are left out on purpose: repeated ones, sampled ones, and DEBUG of requests that went well."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from logship.errors import SettingsError
from logship.handler import CloudWatchHandler, Span, use_span
from logship.handler.completion import Completion
from logship.handler.gate import MOST_BURSTS, MOST_HELD_BYTES, Gate
from logship.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator


SPAN = Span("5b27baf9c1d24a0e8f3b6d7e9a012345", "d1e0649ed0a041f7")


class CaptureHandler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class Client:
    """Takes everything in."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def put_log_events(self, *, logEvents: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's
        self.lines += [json.loads(event["message"]) for event in logEvents]
        return {}


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    made = logging.getLogger("gate")
    made.setLevel(logging.DEBUG)
    yield made
    for handler in list(made.handlers):
        made.removeHandler(handler)
        handler.close()


def handler(log: logging.Logger, client: Client, **options: Any) -> CloudWatchHandler:
    made = CloudWatchHandler("/g", boto3_client=client, spool=None, **options)
    log.addHandler(made)
    return made


def record(number: int, name: str = "a", message: str = "took %d") -> logging.LogRecord:
    return logging.LogRecord(name, logging.INFO, "", 0, message, (number,), None)


def is_first(gate: Gate, made: logging.LogRecord, *, padding: int = 0) -> bool:
    line = {"body": made.getMessage() + "." * padding, "logship.id": "1"}
    return gate.is_first(made, 1, json.dumps(line).encode())


def ended(gate: Gate, **options: Any) -> list[tuple[str, int]]:
    documents = [json.loads(line) for _at, line in gate.ended(**options)]
    return [(document["body"], document["logship.repeated"]) for document in documents]


def test_a_burst_is_the_first_and_a_count() -> None:
    """Within the time, records alike are one and the last, which says how many there were; others pass."""
    clock = FakeClock()
    gate = Gate(dedupe_s=10, sample=None, clock=clock)
    passed = [is_first(gate, record(number)) for number in range(5)] + [is_first(gate, record(0, "b"))]
    early = ended(gate)
    clock.advance(11)

    assert passed == [True, False, False, False, False, True]
    assert (early, ended(gate), ended(gate), gate.left_out) == ([], [("took 4", 4)], [], 3)


def test_the_next_burst_begins_where_one_has_ended() -> None:
    """Also when nobody has asked for the one that is over."""
    clock = FakeClock()
    gate = Gate(dedupe_s=10, sample=None, clock=clock)
    passed = []
    for number in range(6):
        passed.append(is_first(gate, record(number)))
        clock.advance(4)

    assert passed == [True, False, False, True, False, False]
    assert ended(gate, all_of_them=True) == [("took 2", 2), ("took 5", 2)]


def test_what_is_held_back_is_bounded() -> None:
    """Beyond so many bursts the oldest ends; beyond so many bytes an earlier line stands for it, or none is held."""
    gate = Gate(dedupe_s=10, sample=None, clock=FakeClock())
    for number in range(MOST_BURSTS + 1):
        is_first(gate, record(1, f"logger-{number}"))
    again = [is_first(gate, record(2, "logger-1")), is_first(gate, record(2, "logger-0"))]
    is_first(gate, record(3, "logger-5"))
    big = [is_first(gate, record(4, f"logger-{number}"), padding=MOST_HELD_BYTES) for number in (5, 6)]

    assert (again, big) == ([False, True], [False, True])
    assert ended(gate, all_of_them=True) == [("took 2", 1), ("took 3", 2)]


def test_a_forked_child_leaves_the_counts_to_its_parent() -> None:
    """Nothing of a burst is told twice."""
    gate = Gate(dedupe_s=10, sample=None, clock=FakeClock())
    for number in range(3):
        is_first(gate, record(number))
    gate.after_fork()

    assert (ended(gate, all_of_them=True), gate.left_out) == ([], 0)


def test_what_was_repeated_arrives_with_its_count(client: Client, log: logging.Logger) -> None:
    """The handler sends the count at the latest when it is flushed, with the context of the record that it is in."""
    made = handler(log, client, dedupe=60)
    for number in range(100):
        with use_span(SPAN._replace(span_id=f"{number + 1:016x}")):
            log.info("order %d", number)
    made.flush()
    first, last = client.lines

    assert (first["body"], first.get("logship.repeated")) == ("order 0", None)
    assert (last["body"], last["logship.repeated"], last["span_id"]) == ("order 99", 99, f"{100:016x}")
    assert (list(last)[-1], made.stats.sent, made.stats.left_out) == ("logship.id", 2, 98)


@pytest.mark.timeout(20)
def test_the_count_comes_by_itself(client: Client, log: logging.Logger) -> None:
    """An application that falls silent is not waited for."""
    made, clock = handler(log, client, dedupe=60, send_interval=0.02), FakeClock()
    assert made._gate is not None
    made._gate._clock = clock
    for number in range(3):
        log.info("order %d", number)
    clock.advance(61)
    while len(client.lines) < 2:
        time.sleep(0.01)
    made.close()

    assert [line.get("logship.repeated") for line in client.lines] == [None, 2]


def test_the_record_is_left_as_it_was(client: Client, log: logging.Logger) -> None:
    """Other handlers see nothing of what this one adds."""
    made, seen = handler(log, client, dedupe=60, sample={"INFO": 1.0}), CaptureHandler()
    log.addHandler(seen)
    for number in range(2):
        log.info("order %d", number)
    made.flush()

    assert [line["logship.sample_rate"] for line in client.lines] == [1.0, 1.0]
    assert [[name for name in vars(one) if name.startswith("logship")] for one in seen.records] == [[], []]


def test_a_failed_request_is_told_in_full(client: Client, log: logging.Logger) -> None:
    """What its DEBUG records say is neither sampled nor counted instead."""
    made = handler(log, client, buffer_debug=True, dedupe=60, sample={"DEBUG": 0.0})
    with use_span(SPAN) as span:
        completion = Completion(log, "request", span, "GET", "/")
        for number in range(3):
            log.debug("detail %d", number)
        completion.write(ValueError("x"))
    made.flush()

    assert [line["body"] for line in client.lines] == ["detail 0", "detail 1", "detail 2", "GET / no answer"]


async def test_requests_of_one_loop_keep_their_own(client: Client, log: logging.Logger) -> None:
    """Of requests that are served side by side only the failed one's DEBUG is sent, its threads' included."""
    made = handler(log, client, buffer_debug=True)

    async def serve(number: int) -> None:
        with use_span(SPAN._replace(span_id=f"{number + 1:016x}")) as span:
            completion = Completion(log, "request", span, "GET", "/")
            log.debug("begin %d", number)
            await asyncio.sleep(0)
            await asyncio.to_thread(log.debug, "thread %d", number)
            completion.status = 500 if number == 7 else 200
            completion.write()

    await asyncio.gather(*(asyncio.create_task(serve(number)) for number in range(20)))
    made.flush()

    assert [line["body"] for line in client.lines if line["severity_text"] == "DEBUG"] == ["begin 7", "thread 7"]


def test_opentelemetrys_traces_are_sampled_whole(client: Client, log: logging.Logger) -> None:
    """The trace counts wherever its id comes from."""
    made, tracer = handler(log, client, sample={"INFO": 0.5}), TracerProvider().get_tracer("t")
    for _ in range(40):
        with trace.use_span(tracer.start_span("s")):
            log.info("one")
            log.info("two")
    made.flush()
    ids = [line["trace_id"] for line in client.lines]

    assert {ids.count(one) for one in ids} == {2}
    assert 2 <= len(set(ids)) <= 38


def test_a_level_is_sampled_by_trace(client: Client, log: logging.Logger) -> None:
    """About a tenth of the traces, each whole, and with the rate; other levels are not touched."""
    made = handler(log, client, sample={"DEBUG": 0.1})
    for number in range(500):
        with use_span(Span(f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}", "d1e0649ed0a041f7")):
            for part in range(3):
                log.debug("part %d", part)
    log.info("whole")
    made.flush()
    debug = [line for line in client.lines if line["severity_text"] == "DEBUG"]
    traces = [line["trace_id"] for line in debug]

    assert 25 <= len(set(traces)) <= 80
    assert {traces.count(trace) for trace in traces} == {3}
    assert {line["logship.sample_rate"] for line in debug} == {0.1}
    assert [line["body"] for line in client.lines if line["severity_text"] == "INFO"] == ["whole"]


@pytest.mark.parametrize(
    ("status", "slow_ms", "bodies"),
    [(200, 60_000, ["request"]), (500, 60_000, ["detail", "request"]), (200, 0, ["detail", "request"])],
)
def test_debug_of_a_request_is_sent_if_it_matters(
    client: Client, log: logging.Logger, status: int, slow_ms: float, bodies: list[str]
) -> None:
    """Where a request fails or is slow its DEBUG records are sent, else they are forgotten."""
    made = handler(log, client, buffer_debug={"slow_ms": slow_ms})
    with use_span(SPAN) as span:
        completion = Completion(log, "request", span, "GET", "/")
        log.debug("detail")
        completion.status = status
        completion.write()
    log.debug("outside")
    made.flush()

    assert [line["body"].split()[0].replace("GET", "request") for line in client.lines] == [*bodies, "outside"]


def test_a_request_keeps_no_more_than_told(client: Client, log: logging.Logger) -> None:
    """Beyond the limit the oldest records of a request go."""
    made = handler(log, client, buffer_debug={"max_records": 2})
    with use_span(SPAN) as span:
        completion = Completion(log, "request", span, "GET", "/")
        for number in range(5):
            log.debug("detail %d", number)
        completion.write(ValueError("x"))
    made.flush()

    assert [line["body"] for line in client.lines][:2] == ["detail 3", "detail 4"]


@pytest.mark.parametrize(
    "options",
    [{"sample": {"LOUD": 0.1}}, {"sample": {"DEBUG": 2}}, {"buffer_debug": {"slow": 1}}, {"profile": "gelf"},
     {"metrics": "statsd"}, {"log_group_class": "CHEAP"}, {"dedupe": 0}, {"dedupe": -1.0}],
)  # fmt: skip
def test_options_that_cannot_be_used_are_refused(client: Client, options: dict[str, Any]) -> None:
    """In the constructor, naming the value."""
    with pytest.raises(SettingsError):
        CloudWatchHandler("/g", boto3_client=client, spool=None, **options)
