"""The forwarder: events a second from the first page to the acknowledged store, parsing included."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from logship.cli.diagnostics import expect_many_objects
from logship.cloudwatch.client import logs_client
from logship.cloudwatch.paging import Retry, filter_pages
from logship.forward.run import ForwardOptions, forward_groups
from logship.parse import Parser
from logship.store.tantivy.writer import open_writer

_TOTAL = 200_000


def line(number: int, drawn: random.Random) -> str:
    """A request record as our handler writes it."""
    return json.dumps(
        {
            "timestamp": "2026-11-23T14:21:05.871234Z", "severity_text": "INFO", "service.name": "orders",
            "body": "request finished", "trace_id": f"{drawn.getrandbits(128):032x}",
            "span_id": f"{drawn.getrandbits(64):016x}",
            "logship.kind": "request", "duration_ms": round(drawn.random() * 100, 2), "http.route": "/orders/{id}",
            "http.response.status_code": 200, "logger": "orders.api", "logship.id": f"7f3c9a1e5b204d68-{number}",
        }
    )  # fmt: skip


def main() -> None:
    """Fills an endpoint in a process of its own, then forwards all of it."""
    expect_many_objects()
    command = [sys.executable, "-m", "logship.testing.local_cloudwatch", "--until-eof"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as endpoint,
        tempfile.TemporaryDirectory() as folder,
    ):
        assert endpoint.stdout is not None
        os.environ |= {"AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t", "AWS_DEFAULT_REGION": "us-east-1"}
        client = logs_client(endpoint_url=endpoint.stdout.readline().strip())
        now_ms = fill(client)
        alone = read_alone(client)
        writer = open_writer(Path(folder) / "store", "bench", long_running=True)
        options = ForwardOptions(start_ms=now_ms - 3_600_000, state=folder, once=True)
        began = time.perf_counter()
        counts = forward_groups(client, writer, Parser(), options).counts
        seconds = time.perf_counter() - began
        writer.close()
        endpoint.terminate()
    rate = counts.stored / seconds
    print(f"page → acknowledged: {rate:,.0f} events/s (budget 20,000), {counts.stored:,} of {_TOTAL:,}")
    print(f"reading pages alone: {alone:,.0f} events/s, {alone / rate:.1f} times as fast as the whole line")


def read_alone(client: Any) -> float:
    """Events a second of the first half of the line: pages in, nothing done with them."""
    began = time.perf_counter()
    read = sum(len(events) for events in filter_pages(client, "/shop/orders", 0, None, Retry()))
    return read / (time.perf_counter() - began)


def fill(client: Any) -> int:
    """Puts all events, one a millisecond up to now, which is returned in ms."""
    drawn = random.Random(1)
    client.create_log_group(logGroupName="/shop/orders")
    client.create_log_stream(logGroupName="/shop/orders", logStreamName="s")
    now_ms = int(time.time() * 1000)
    for start in range(0, _TOTAL, 2_000):
        events = [{"timestamp": now_ms - _TOTAL + n, "message": line(n, drawn)} for n in range(start, start + 2_000)]
        client.put_log_events(logGroupName="/shop/orders", logStreamName="s", logEvents=events)
    return now_ms


if __name__ == "__main__":
    main()
