"""`logship.setup`, profiles, metrics and `capture_logs`: what an application touches."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import logship
from logship.handler import CloudWatchHandler, Span, use_span
from logship.handler.metrics import emf_line, prometheus
from logship.parse import Parser
from logship.record import LogEvent
from logship.testing import LocalCloudWatch, capture_logs

if TYPE_CHECKING:
    from collections.abc import Iterator

SPAN = Span("5b27baf9c1d24a0e8f3b6d7e9a012345", "d1e0649ed0a041f7", "00f067aa0ba902b7")


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloudWatch]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with LocalCloudWatch() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        yield running


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger, level = logging.getLogger(), logging.getLogger().level
    hooks = sys.excepthook, threading.excepthook
    yield logger
    sys.excepthook, threading.excepthook = hooks
    logger.setLevel(level)
    for handler in list(logger.handlers):
        if isinstance(handler, CloudWatchHandler):
            logger.removeHandler(handler)
            handler.close()


def lines(cloudwatch: LocalCloudWatch, group: str) -> list[dict[str, Any]]:
    return [json.loads(event.message) for event in cloudwatch.events(group)]


def test_one_call_is_enough(cloudwatch: LocalCloudWatch, root: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names come from the naming rule, context is bound; a second call replaces the first and loses nothing."""
    monkeypatch.setenv("LOGSHIP_APP", "shop")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=1.0,cloud.region=eu-west-1")
    logship.setup(service="orders")
    with logship.bind(order_id=7):
        logging.getLogger("app").info("one")
    handler = logship.setup(service="orders", version="1.4.2", environment="prod")
    logging.getLogger("app").info("two")
    handler.flush()
    one, two = lines(cloudwatch, "/shop/orders")

    assert (one["body"], one["order_id"], one["service.version"]) == ("one", 7, "1.0")
    assert (two["body"], two["service.version"], two["deployment.environment.name"], two["cloud.region"]) == (
        "two", "1.4.2", "prod", "eu-west-1",
    )  # fmt: skip
    assert [type(one) for one in root.handlers].count(CloudWatchHandler) == 1


def test_what_nobody_caught_is_logged(cloudwatch: LocalCloudWatch) -> None:
    """An exception that ends the program arrives with its stack, of the main thread and of others."""
    code = """
import threading, logship
logship.setup(service="orders")
thread = threading.Thread(target=lambda: {}["missing"], name="worker"); thread.start(); thread.join()
raise ValueError("at the end")
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60, capture_output=True)
    found = lines(cloudwatch, "/app/orders")

    assert (done.returncode, b"ValueError: at the end" in done.stderr) == (1, True)
    assert [(line["exception.type"], line["severity_text"]) for line in found] == [
        ("KeyError", "FATAL"), ("ValueError", "FATAL"),
    ]  # fmt: skip


@pytest.mark.parametrize("profile", ["otel", "ecs"])
def test_both_profiles_are_read_back(cloudwatch: LocalCloudWatch, profile: Any) -> None:
    """Whatever the names in the line, the forwarder's parser makes the same record of it."""
    handler = CloudWatchHandler("/shop/orders", service="orders", profile=profile, spool=None)
    logger = logging.getLogger("profiles")
    logger.handlers, logger.propagate = [handler], False
    with use_span(SPAN):
        try:
            raise OSError("no answer")  # noqa: TRY301
        except OSError:
            logger.exception("failed", extra={"duration_ms": 12.5, "http.request.method": "GET", "sku": "sku-7"})
    handler.close()
    [event] = cloudwatch.events("/shop/orders")
    [record] = Parser().records([LogEvent("/shop/orders", "s", event.timestamp_ms, event.message, "1")])
    text = json.loads(event.message)

    assert ("@timestamp" in text, "log.level" in text) == ((profile == "ecs"),) * 2
    assert (record.body, record.severity, record.service, record.trace_id, record.span_id, record.parent_span_id) == (
        "failed", "ERROR", "orders", *SPAN,
    )  # fmt: skip
    found = record.attributes
    assert (found["exception.type"], found["exception.message"], found["duration_ms"], found["sku"]) == (
        "OSError", "no answer", 12.5, "sku-7",
    )  # fmt: skip
    assert "Traceback" in found["exception.stacktrace"]
    assert found["logship.id"] == text["logship.id"]


def test_opentelemetrys_span_is_taken() -> None:
    """Where its SDK has a current span, records carry its ids; a span of ours comes first."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider().get_tracer("t")
    with capture_logs("otel") as found:
        logger = logging.getLogger("otel")
        with trace.use_span(tracer.start_span("s")) as span:
            logger.info("theirs")
            context = span.get_span_context()
            with use_span(SPAN):
                logger.info("ours")
        logger.info("none")

    assert [(line.get("trace_id"), line.get("span_id")) for line in found] == [
        (f"{context.trace_id:032x}", f"{context.span_id:016x}"), (SPAN.trace_id, SPAN.span_id), (None, None),
    ]  # fmt: skip


def test_counters_are_seen_from_outside(cloudwatch: LocalCloudWatch) -> None:
    """Prometheus and EMF show what `stats` says."""
    handler = CloudWatchHandler("/shop/orders", service="orders", spool=None)
    logger = logging.getLogger("counted")
    logger.handlers, logger.propagate = [handler], False
    for number in range(3):
        logger.warning("record %d", number)
    handler.flush()
    registry = CollectorRegistry()
    prometheus(handler, registry)
    shown = generate_latest(registry).decode()
    emf = json.loads(emf_line(handler.stats, None, "orders"))
    handler.close()

    assert 'logship_handler_sent_total{log_group="/shop/orders",service="orders"} 3.0' in shown
    names = [metric["Name"] for metric in emf["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    assert (emf["sent"], emf["service.name"]) == (3, "orders")
    assert [name for name in names if name not in emf] == []
    assert len(cloudwatch.events("/shop/orders")) == 3


def test_logs_are_captured_as_they_would_be_sent() -> None:
    """Users' tests see lines as dictionaries, DEBUG included, and the logger is as it was before."""
    logger = logging.getLogger("captured.below")
    with capture_logs("captured") as found:
        logger.debug("stock is %d", 0, extra={"sku": "sku-7"})
    logger.warning("not this one")

    assert [(line["body"], line["severity_text"], line["sku"]) for line in found] == [("stock is 0", "DEBUG", "sku-7")]
    assert logging.getLogger("captured").handlers == []
