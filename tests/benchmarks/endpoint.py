"""LocalCloudWatch in a process of its own, for figures that its processor time must not spoil."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from logship.cloudwatch.client import logs_client

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator


@contextmanager
def endpoint(*flags: str) -> Iterator[str]:
    """Its address."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t", "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-m", "logship.testing.local_cloudwatch", "--until-eof", *flags]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield running.stdout.readline().strip()
        running.terminate()


def client_of(url: str) -> Any:
    """A client that tries each request once."""
    return logs_client(endpoint_url=url)


def line(number: int, drawn: random.Random) -> str:
    """A request record of some 260 bytes, with an id of our handler's."""
    return json.dumps(
        {
            "timestamp": "2026-11-23T14:21:05.871234Z", "severity_text": "INFO", "service.name": "orders",
            "body": "request finished", "trace_id": f"{drawn.getrandbits(128):032x}", "logship.kind": "request",
            "duration_ms": round(drawn.random() * 100, 2), "http.route": "/orders/{id}",
            "logship.id": f"7f3c9a1e-{number}",
        },
        separators=(",", ":"),
    )  # fmt: skip


def make(client: Any, group: str) -> None:
    """A group with one stream, `s`."""
    client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName="s")


def put(client: Any, group: str, first_ms: int, step_ms: float, messages: list[str]) -> None:
    """Puts messages at even distances from a time on, in batches."""
    size = max(1, min(2_500, 900_000 // (len(messages[0]) + 26)))
    for start in range(0, len(messages), size):
        events = [
            {"timestamp": first_ms + int((start + place) * step_ms), "message": message}
            for place, message in enumerate(messages[start : start + size])
        ]
        client.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
