"""A million records of a shop over a day, seeded; built once and kept in the temporary folder."""

from __future__ import annotations

import random
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from logship.record import Record, record_id
from logship.store.tantivy import schema
from logship.store.tantivy.writer import open_writer

if TYPE_CHECKING:
    from collections.abc import Iterator

START_US = 1_795_443_665_000_000
DAY_US = 86_400_000_000
_SERVICES = ["edge", "orders", "inventory", "payment", "search", "auth", "cart", "mail"]
_TEXTS = [
    "upstream inventory timed out after {} ms", "request {} finished", "waiting for lock on stock row {}",
    "connection reset by peer 10.0.{}.7", "payment declined for order {}", "cache miss key user_{}",
]  # fmt: skip


def records(total: int) -> Iterator[Record]:
    """Records in order of time, as the parsers make them."""
    drawn = random.Random(1)
    for number in range(total):
        time_us = START_US + number * DAY_US // total
        event_ms, service = time_us // 1000, drawn.choice(_SERVICES)
        handler_id = f"7f3c9a1e5b204d68-{number}"
        body = drawn.choice(_TEXTS).format(drawn.randrange(1000))
        yield Record(
            record_id(event_ms, f"/shop/{service}", "web", str(number), handler_id),
            time_us,
            body,
            drawn.choice(["INFO"] * 8 + ["WARN", "ERROR"]),
            event_ms + 900,
            f"{drawn.getrandbits(128):032x}",
            f"{drawn.getrandbits(64):016x}",
            f"{drawn.getrandbits(64):016x}",
            {"service.name": service, "host.name": f"web-{drawn.randrange(5)}"},
            {
                "logship.kind": "request",
                "duration_ms": round(drawn.expovariate(1 / 80), 3),
                "http.request.method": "GET",
                "http.route": drawn.choice(["/orders/{id}", "/stock/{sku}", "/pay", "/"]),
                "http.response.status_code": drawn.choice([200] * 9 + [502]),
                "logger": f"{service}.api",
                "logship.id": handler_id,
                "user.id": drawn.randrange(20_000),
                "aws.log.group.name": f"/shop/{service}",
                "aws.log.stream.name": "web-1/811",
                "aws.log.timestamp": event_ms,
                "log.record.original": f'{{"timestamp":"2026-11-23T14:21:05Z","body":"{body}","logship.id":"{handler_id}"}}',
            },
        )


def store_of(total: int) -> tuple[str, float]:
    """The folder of a store of that many records, and how many a second it took in (0 when it was there)."""
    folder = Path(tempfile.gettempdir()) / f"logship-bench-{total}-{schema.FORMAT}"
    if (folder / "complete").exists():
        return str(folder / "store"), 0.0
    spent = 0.0
    made = records(total)
    writer = open_writer(folder / "store", "bench", long_running=True)
    while batch := list(islice(made, 50_000)):
        began = time.perf_counter()
        writer.add(batch)
        writer.commit()
        spent += time.perf_counter() - began
    writer.close()
    (folder / "complete").touch()
    return str(folder / "store"), total / spent
