"""LocalCloudWatch: events served a second of its own processor time, and bytes held an event."""

from __future__ import annotations

import resource
import time

import orjson

from logship.testing.local_cloudwatch.faults import Faults, Mischief
from logship.testing.local_cloudwatch.operations import Operations

_TOTAL = 1_000_000
_MESSAGE = "x" * 214


def main() -> None:
    """Puts a million events of 214 bytes and reads them page by page, without the network."""
    service = Operations(time.time, Mischief(Faults(), 0), (0.0, 0.0))
    service.call("CreateLogGroup", {"logGroupName": "/g"})
    service.call("CreateLogStream", {"logGroupName": "/g", "logStreamName": "s"})
    now_ms = int(time.time() * 1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    for start in range(0, _TOTAL, 4_000):
        events = [{"timestamp": now_ms + n // 1000, "message": _MESSAGE} for n in range(start, start + 4_000)]
        service.call("PutLogEvents", {"logGroupName": "/g", "logStreamName": "s", "logEvents": events})
    put = _TOTAL / (time.process_time() - began)
    held = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / _TOTAL
    served, request = 0, {"logGroupName": "/g"}
    began = time.process_time()
    while True:
        page = service.call("FilterLogEvents", request)
        served += page.count(b'"eventId"')
        end = page.rfind(b'"nextToken":"')
        if end < 0:
            break
        request = {"logGroupName": "/g", "nextToken": orjson.loads(page[end + 12 : -1])}
    rate = served / (time.process_time() - began)
    print(
        f"served {rate:,.0f} events/s a core (budget 300,000), taken in {put:,.0f}, held {held:.0f} B an event (budget 700)"
    )


if __name__ == "__main__":
    main()
