"""LocalCloudWatch: events served a second of its own processor time, and bytes held an event."""

from __future__ import annotations

import http.client
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from logship.testing.local_cloudwatch.faults import Faults, Mischief
from logship.testing.local_cloudwatch.operations import Operations

if TYPE_CHECKING:
    from collections.abc import Callable

_TOTAL = 1_000_000
_BATCH = 4_000
_MESSAGE = "x" * 214


def main() -> None:
    """Puts a million events of 214 bytes and reads them page by page: inside this process, then over HTTP."""
    service = Operations(time.time, Mischief(Faults(), 0), None)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    measure(service.call, time.process_time)
    held = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / _TOTAL
    put, served = over_http()
    print(f"the server's own time over HTTP: served {served:,.0f} events/s a core (budget 300,000), ", end="")
    print(f"taken in {put:,.0f}: {served / put:.1f} reads cost one write")
    print(f"held {held:.0f} B an event (budget 700), {held / len(_MESSAGE):.1f} times its message")


def over_http() -> tuple[float, float]:
    """The same with the endpoint in a process of its own, whose processor time counts."""
    command = [sys.executable, "-m", "logship.testing.local_cloudwatch", "--until-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as endpoint:
        assert endpoint.stdout is not None
        connection = http.client.HTTPConnection(endpoint.stdout.readline().strip().removeprefix("http://"))

        def call(operation: str, request: dict[str, object]) -> bytes:
            headers = {"X-Amz-Target": f"Logs_20140328.{operation}", "Content-Type": "application/x-amz-json-1.1"}
            connection.request("POST", "/", orjson.dumps(request), headers)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == http.HTTPStatus.OK, body
            return body

        found = measure(call, lambda: processor_seconds(endpoint.pid))
        endpoint.terminate()
    return found


def processor_seconds(pid: int) -> float:
    """User and system time of a process, from /proc (Linux)."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def measure(call: Callable[[str, dict[str, object]], bytes], seconds: Callable[[], float]) -> tuple[float, float]:
    """Events put and events read, each by second of the given clock."""
    call("CreateLogGroup", {"logGroupName": "/g"})
    call("CreateLogStream", {"logGroupName": "/g", "logStreamName": "s"})
    now_ms = int(time.time() * 1000)
    began = seconds()
    for start in range(0, _TOTAL, _BATCH):
        events = [{"timestamp": now_ms + n // 1000, "message": _MESSAGE} for n in range(start, start + _BATCH)]
        call("PutLogEvents", {"logGroupName": "/g", "logStreamName": "s", "logEvents": events})
    put = _TOTAL / (seconds() - began)
    began, read, request = seconds(), 0, {"logGroupName": "/g"}
    while True:
        page = call("FilterLogEvents", dict(request))
        read += page.count(b'"eventId"')
        end = page.rfind(b'"nextToken":"')
        if end < 0:
            break
        request["nextToken"] = orjson.loads(page[end + 12 : -1])
    assert read == _TOTAL
    return put, read / (seconds() - began)


if __name__ == "__main__":
    main()
