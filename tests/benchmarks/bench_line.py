"""One event's way from a page to its line of a bulk request: µs of processor time for each step, in one process.

Other work on the machine makes all figures larger, so each step is also given as a multiple of `orjson.loads` of the
same messages, measured in turns with it. Pages are as large as CloudWatch's, so that memory counts as it does there.
"""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any

import orjson
from isal import igzip

from logship.cli.diagnostics import expect_many_objects
from logship.cloudwatch.answers import read_page
from logship.cloudwatch.paging import events_of
from logship.forward.sources.poll.known import KnownIds, Memory
from logship.parse import Parser
from logship.store.opensearch.writing.writer import Writer
from tests.benchmarks.endpoint import line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_EVENTS = 2_800
_SLICE = 200
_ROUNDS = 40
_NOW_MS = 1_795_443_665_871


class _Meta:
    """Of a store without columns."""

    output, partition, has_room = "otel", "month", False
    columns: dict[str, bool] = {}  # noqa: RUF012 - never written


def page_of(messages: Sequence[str]) -> bytes:
    """A page of FilterLogEvents, in one stream."""
    events = [
        {"eventId": f"3{place:055d}", "ingestionTime": _NOW_MS + 900, "logStreamName": "web-1/811", "message": message,
         "timestamp": _NOW_MS + place}
        for place, message in enumerate(messages)
    ]  # fmt: skip
    return orjson.dumps({"events": events, "searchedLogStreams": []})


def compact(number: int, drawn: random.Random) -> str:
    """A request record without blanks, as the handler writes it."""
    return orjson.dumps(json.loads(line(number, drawn))).decode()


def in_pairs(number: int, drawn: random.Random) -> str:
    """A line of logfmt."""
    took = round(drawn.random() * 100, 2)
    return f'ts=2026-11-23T14:21:05.871234Z level=info msg="request finished" duration={took}ms service=orders order={number}'


def accessed(number: int, drawn: random.Random) -> str:
    """A line of nginx."""
    took = drawn.random()
    return f'10.0.0.3 - - [23/Nov/2026:14:21:05 +0000] "GET /orders/{number} HTTP/1.1" 200 157 "-" "curl/8.0" {took:.3f} {took:.3f}'


def queried(number: int, drawn: random.Random) -> str:
    """A line of PostgreSQL."""
    took = drawn.random() * 100
    return f"2026-11-23 14:21:05.871 UTC [{number}] LOG:  duration: {took:.3f} ms  statement: select * from orders where id = {number}"


def measured(steps: dict[str, Callable[[], object]]) -> dict[str, float]:
    """µs an event of each step, the least of many rounds in which all take turns."""
    best = dict.fromkeys(steps, float("inf"))
    for _ in range(_ROUNDS):
        for name, step in steps.items():
            began = time.process_time()
            step()
            best[name] = min(best[name], (time.process_time() - began) / _EVENTS * 1e6)
    return best


def steps_of(messages: Sequence[str]) -> dict[str, Callable[[], object]]:
    """What is done to a page."""
    page = page_of(messages)
    events = events_of("/shop/orders", read_page(page))
    parser, meta = Parser(), _Meta()
    parser.records(events)
    records = parser.records(events)
    nothing: Any = None
    writer = Writer(nothing, "logs", meta)  # type: ignore[arg-type]
    slices = [events[start : start + _SLICE] for start in range(0, len(events), _SLICE)]
    tables = [table for some in slices for table in parser.tables(some)[0]]
    assert sum(map(len, tables)) == len(events)
    bulk = b"".join(writer.encode(records).pieces)
    return {
        "orjson.loads of the message": lambda: [orjson.loads(message) for message in messages],
        "page → events": lambda: events_of("/shop/orders", read_page(page)),
        "known ids": lambda: KnownIds(Memory()).fresh(events, 0),
        "tables": lambda: [parser.tables(some) for some in slices],
        "records": lambda: parser.records(events),
        "records, one by one": lambda: [parser.record(event) for event in events],
        "lines of tables": lambda: [writer.encode([], [table]) for table in tables],
        "lines of records": lambda: writer.encode(records),
        "igzip (others may run)": lambda: igzip.compress(bulk, 1),
    }


def main() -> None:
    """Prints a table for JSON, and what records of other formats cost."""
    expect_many_objects()
    drawn = random.Random(1)
    figures = measured(steps_of([compact(number, drawn) for number in range(_EVENTS)]))
    unit = figures["orjson.loads of the message"]
    for name, micros in figures.items():
        print(f"{name:30}{micros:7.2f} µs{micros / unit:7.2f} x")
    total = sum(figures[name] for name in ("page → events", "known ids", "tables", "lines of tables"))
    print(f"{'sum without redaction':30}{total:7.2f} µs{total / unit:7.2f} x   (budget 8 µs on a quiet machine)")
    for write in (accessed, in_pairs, queried):
        steps = steps_of_text([write(number, drawn) for number in range(_EVENTS)])
        print(f"{'records of ' + write.__name__:30}{measured(steps)['records']:7.2f} µs")


def steps_of_text(messages: Sequence[str]) -> dict[str, Callable[[], object]]:
    """Records alone."""
    events = events_of("/shop/orders", read_page(page_of(messages)))
    parser = Parser()
    return {"records": lambda: parser.records(events)}


if __name__ == "__main__":
    main()
