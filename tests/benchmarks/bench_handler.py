"""The handler against watchtower, in one run: cost of `emit`, delivered records, and an endpoint that is down.

Figures are ratios inside this run; absolute ones depend on the machine. Run: python tests/benchmarks/bench_handler.py
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

from logship.handler import CloudWatchHandler, Span, bind, use_span
from tests.benchmarks.endpoint import client_of, endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = 20_000
ROUNDS = 9
DELIVERED = 60_000
DOWN_RECORDS = 100_000


LOOPS = ("event loop", "event loop, warm", "event loop, a handler that formats alone")
"""Each in a process of its own: the first send is one, and no other measurement's objects are collected."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=LOOPS, help="this alone")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        if options.loop:
            loop_alone(options.loop)
        else:
            measure()


def measure() -> None:
    ours, theirs = emit_costs()
    print(f"emit: {ours:.2f} us, watchtower {theirs:.2f} us, ratio {ours / theirs:.2f} (at most 0.80)")
    ours, theirs, like_ours = delivered_rates()
    print(
        f"delivered: {ours:,.0f} records/s, watchtower with plain text {theirs:,.0f}, ratio {ours / theirs:.2f} (at least "
        f"1.5); with lines like ours {like_ours:,.0f}, ratio {ours / like_ours:.2f}"
    )
    for name in LOOPS:
        subprocess.run([sys.executable, "-m", "tests.benchmarks.bench_handler", "--loop", name], check=True)
    p50, p99, worst, held = endpoint_down()
    print(
        f"endpoint down: p50 {p50:.1f} us, p99 {p99:.1f} us (at most 50), worst {worst / 1000:.1f} ms, held {held:,} B"
    )


class Formats(logging.Handler):
    """What an application pays that sends nothing."""

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


def warm(handler: logging.Handler) -> logging.Handler:
    """One that has sent its first batch."""
    logger_with(handler, "warm").info("warm up")
    handler.flush()
    return handler


def loop_alone(name: str) -> None:
    with endpoint() as url:
        handler: logging.Handler = Formats()
        if name != LOOPS[2]:
            handler = CloudWatchHandler("/bench/loop", endpoint_url=url)
        tell_loop(name, *event_loop(warm(handler) if name == LOOPS[1] else handler))


def event_loop(handler: logging.Handler) -> tuple[list[float], list[float]]:
    """A thousand tasks that log by 50 loggers, 10,000 records a second: each call, and each lag of the loop, in ms."""
    calls: list[float] = []
    lags: list[float] = []
    loggers = [logger_with(handler, f"loop{number}") for number in range(50)]

    async def task(number: int) -> None:
        for round_ in range(60):
            started = time.perf_counter()
            loggers[number % 50].info("order %s created in %d ms", number, round_)
            calls.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(0.1)

    async def watch() -> None:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            lags.append((time.perf_counter() - started) * 1000 - 1)

    async def run() -> None:
        watching = asyncio.create_task(watch())
        await asyncio.gather(*(task(number) for number in range(1_000)))
        watching.cancel()

    asyncio.run(run())
    handler.close()
    return sorted(calls), sorted(lags)


def tell_loop(name: str, calls: list[float], lags: list[float]) -> None:
    slow = sum(call > 1 for call in calls)
    print(
        f"{name}: a call p99 {calls[len(calls) * 99 // 100]:.2f} ms, p99.9 {calls[len(calls) * 999 // 1000]:.2f}, worst "
        f"{calls[-1]:.1f} (at most 1; over it {slow} of {len(calls):,}); lag p99 {lags[len(lags) * 99 // 100]:.1f} ms (at "
        f"most 10), worst {lags[-1]:.0f} (at most 50 at the first send)"
    )


def logger_with(handler: logging.Handler, name: str) -> logging.Logger:
    logger = logging.getLogger(f"bench.{name}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [handler]
    return logger


def watchtower_handler(**options: Any) -> logging.Handler:
    from watchtower import CloudWatchLogHandler

    handler: logging.Handler = CloudWatchLogHandler(log_group_name="/bench/theirs", **options)
    return handler


def stub_client() -> Any:
    client = Mock()
    client.put_log_events = lambda **_: {}
    return client


def loop(logger: logging.Logger, count: int) -> float:
    """Microseconds a call."""
    started = time.perf_counter()
    for number in range(count):
        logger.info("order %s created in %d ms", number, 3)
    return (time.perf_counter() - started) / count * 1e6


def emit_costs() -> tuple[float, float]:
    """Median of alternating rounds; ours structured, with bound fields and trace ids, theirs plain text.

    No batch is sent within a round (a long interval, fewer bytes than a batch), so that emit alone is measured.
    """
    our_costs, their_costs = [], []
    for number in range(ROUNDS):
        ours = CloudWatchHandler("/bench/ours", boto3_client=stub_client(), send_interval=60)
        theirs = watchtower_handler(boto3_client=stub_client(), create_log_group=False)
        our_logger, their_logger = logger_with(ours, f"ours{number}"), logger_with(theirs, f"theirs{number}")
        with use_span(Span("5b27baf9c1d24a0e8f3b6d7e9a012345", "d1e0649ed0a041f7", "00f067aa0ba902b7")), bind(user=42):
            loop(our_logger, 100)
            loop(their_logger, 100)
            our_costs.append(loop(our_logger, RECORDS // 10))
            their_costs.append(loop(their_logger, RECORDS // 10))
        ours.close()
        theirs.close()
    return statistics.median(our_costs), statistics.median(their_costs)


class Structured(logging.Formatter):
    """What people do to have the fields of our lines with another handler."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat()
        return json.dumps(
            {"timestamp": at, "severity_text": record.levelname, "service.name": "bench", "body": record.getMessage(),
             "logger": record.name, "logship.id": f"4a1bc6584a4e98b0-{record.created}"}
        )  # fmt: skip


def delivered_rates() -> tuple[float, float, float]:
    """Records a second from the first call to the last answer, the endpoint in another process; best of three.

    Ours, watchtower with plain text, and watchtower with lines like ours.
    """
    with endpoint() as url:

        def rate(make: Callable[[], logging.Handler], name: str) -> float:
            handler = make()
            logger = logger_with(handler, name)
            logger.info("warm up")
            handler.flush()
            started = time.perf_counter()
            loop(logger, DELIVERED)
            handler.flush()
            seconds = time.perf_counter() - started
            handler.close()
            return DELIVERED / seconds

        def structured() -> logging.Handler:
            handler = watchtower_handler(boto3_client=client_of(url))
            handler.setFormatter(Structured())
            return handler

        ours, theirs, like_ours = [], [], []
        for number in range(3):
            ours.append(rate(lambda: CloudWatchHandler("/bench/ours", endpoint_url=url), f"ours{number}"))
            theirs.append(rate(lambda: watchtower_handler(boto3_client=client_of(url)), f"theirs{number}"))
            like_ours.append(rate(structured, f"like{number}"))
        return max(ours), max(theirs), max(like_ours)


def endpoint_down() -> tuple[float, float, float, int]:
    """Microseconds of each call while nothing listens, the queue filling up and overflowing at 8 MiB."""
    handler = CloudWatchHandler(
        "/bench/down", endpoint_url="http://127.0.0.1:9", queue_bytes=8 * 2**20, flush_timeout=0.1
    )
    logger = logger_with(handler, "down")
    costs = []
    for number in range(DOWN_RECORDS):
        started = time.perf_counter_ns()
        logger.info("order %s created in %d ms", number, 3)
        costs.append((time.perf_counter_ns() - started) / 1000)
    held = handler._delivery.backlog.size_bytes
    stats = handler.stats
    assert stats.queued + stats.dropped == DOWN_RECORDS, stats
    handler.close()
    costs.sort()
    return costs[len(costs) // 2], costs[len(costs) * 99 // 100], costs[-1], held


if __name__ == "__main__":
    main()
