"""Records that are left out on purpose: repeated ones, sampled ones, and DEBUG of requests that went well."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from logship.errors import SettingsError
from logship.handler import CloudWatchHandler, Span, use_span
from logship.handler.completion import Completion
from logship.handler.gate import Gate
from logship.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def record(number: int, name: str = "a", level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord(name, level, "", 0, "took %d", (number,), None)


def test_a_burst_is_the_first_and_a_count() -> None:
    """Within the time, records alike are one and the last, which says how many there were; others pass."""
    clock = FakeClock()
    gate = Gate(dedupe_s=10, sample=None, clock=clock)
    passed = [gate.passes(record(number)) for number in range(5)] + [gate.passes(record(0, "b"))]
    clock.advance(11)
    [summary] = gate.ended()

    assert passed == [True, False, False, False, False, True]
    assert (summary.getMessage(), summary.__dict__["logship.repeated"], gate.left_out) == ("took 4", 4, 3)
    assert gate.ended() == []
    assert gate.passes(record(6))


def test_what_was_repeated_arrives_with_its_count(client: Client, log: logging.Logger) -> None:
    """The handler sends the count at the latest when it is flushed."""
    made = handler(log, client, dedupe=60)
    for number in range(100):
        log.info("order %d", number)
    made.flush()

    assert [(line["body"], line.get("logship.repeated")) for line in client.lines] == [
        ("order 0", None), ("order 99", 99),
    ]  # fmt: skip


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
    with use_span(Span("5b27baf9c1d24a0e8f3b6d7e9a012345", "d1e0649ed0a041f7")) as span:
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
    with use_span(Span("5b27baf9c1d24a0e8f3b6d7e9a012345", "d1e0649ed0a041f7")) as span:
        completion = Completion(log, "request", span, "GET", "/")
        for number in range(5):
            log.debug("detail %d", number)
        completion.write(ValueError("x"))
    made.flush()

    assert [line["body"] for line in client.lines][:2] == ["detail 3", "detail 4"]


@pytest.mark.parametrize(
    "options",
    [{"sample": {"LOUD": 0.1}}, {"sample": {"DEBUG": 2}}, {"buffer_debug": {"slow": 1}}, {"profile": "gelf"},
     {"metrics": "statsd"}, {"log_group_class": "CHEAP"}],
)  # fmt: skip
def test_options_that_cannot_be_used_are_refused(client: Client, options: dict[str, Any]) -> None:
    """In the constructor, naming the value."""
    with pytest.raises(SettingsError):
        CloudWatchHandler("/g", boto3_client=client, spool=None, **options)
