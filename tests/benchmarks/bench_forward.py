"""The forwarder: events a second from the first page to the acknowledged bulk, against what one would write by hand."""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from typing import TYPE_CHECKING, Any

import boto3
from opensearchpy import OpenSearch, helpers

from logship.cli.diagnostics import expect_many_objects
from logship.forward.between.prepare import prepare_of
from logship.forward.run import ForwardOptions, forward_groups
from logship.settings import Settings
from logship.wiring import open_writer
from tests.benchmarks.endpoint import client_of, endpoint, line, make, put
from tests.bulk_server import bulk_server

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "/shop/orders"


def fill(client: Any, total: int) -> int:
    """Puts all events, ten a millisecond up to now, which is returned in ms."""
    drawn, now_ms = random.Random(1), int(time.time() * 1000)
    make(client, GROUP)
    put(client, GROUP, now_ms - 3_000_000, 0.1, [line(number, drawn) for number in range(total)])
    return now_ms


def by_hand(url: str, sink: str) -> tuple[int, float, float]:
    """boto3's paginator and `helpers.bulk`: (events, seconds, processor seconds)."""
    client = boto3.client("logs", endpoint_url=url)
    search = OpenSearch(sink)

    def actions() -> Iterator[dict[str, Any]]:
        for page in client.get_paginator("filter_log_events").paginate(logGroupName=GROUP, startTime=0):
            for event in page["events"]:
                document = json.loads(event["message"])
                document |= {"@timestamp": event["timestamp"], "stream": event["logStreamName"]}
                yield {"_op_type": "create", "_index": "logs", "_id": event["eventId"], "_source": document}

    began_s, used_s = time.perf_counter(), time.process_time()
    done, _ = helpers.bulk(search, actions(), chunk_size=2_500)
    return done, time.perf_counter() - began_s, time.process_time() - used_s


def by_logship(url: str, sink: str, now_ms: int, state: str) -> tuple[int, float, float]:
    """The forwarder, all of it."""
    client, writer = client_of(url), open_writer(sink, "bench", long_running=True)
    options = ForwardOptions(start_ms=now_ms - 3_600_000, state=state, once=True, tps=10_000)
    began_s, used_s = time.perf_counter(), time.process_time()
    counts = forward_groups(client, writer, prepare_of(Settings()), options).counts
    seconds = time.perf_counter() - began_s, time.process_time() - used_s
    writer.close()
    return counts.stored, *seconds


def embedded(url: str, now_ms: int, folder: str) -> tuple[int, float, float]:
    """The forwarder into an embedded store."""
    return by_logship(url, f"{folder}/store", now_ms, f"{folder}/state")


def main() -> None:
    """Fills an endpoint in a process of its own, then forwards all of it, three ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--total", type=int, default=300_000)
    options = parser.parse_args()
    expect_many_objects()
    with endpoint() as url, bulk_server(remember=False) as sink, tempfile.TemporaryDirectory() as folder:
        now_ms = fill(client_of(url), options.total)
        runs = {
            "boto3 + helpers.bulk": by_hand(url, sink.url),
            "logship forward, null sink": by_logship(url, sink.url, now_ms, f"{folder}/null"),
            "boto3 + helpers.bulk, again": by_hand(url, sink.url),
            "logship forward, null sink, again": by_logship(url, sink.url, now_ms, f"{folder}/again"),
            "logship forward, embedded store": embedded(url, now_ms, folder),
        }
    rates = {name: done / seconds for name, (done, seconds, _) in runs.items()}
    for name, (done, _, used_s) in runs.items():
        print(f"{name:36} {rates[name]:9,.0f} events/s, {1e6 * used_s / done:5.2f} µs of processor an event, {done:,}")
    hand, ours = (max(rate for name, rate in rates.items() if part in name) for part in ("helpers", "null"))
    print(f"null sink: {ours:,.0f} events/s (budget 100,000), {ours / hand:.2f} × by hand (budget 3)")
    print(f"embedded store: {rates['logship forward, embedded store']:,.0f} events/s (budget 20,000)")


if __name__ == "__main__":
    main()
