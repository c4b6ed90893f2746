"""`python -m logship_tui.picture FOLDER`: the README's pictures, made of a small seeded store in memory."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from logship.record import Record, record_id
from logship.testing import MemoryStore
from logship.timerange import TimeRange
from logship_tui.app import LogshipApp

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_US = 1_795_442_400_000_000  # 2026-11-23T14:00:00Z
_MINUTE_US = 60_000_000
_SLOW_FROM_US = _START_US + 17 * _MINUTE_US
_END_US = _START_US + 22 * _MINUTE_US
_SIZE = (120, 32)


def sample_store() -> MemoryStore:
    """22 minutes of a shop in which inventory becomes slow after 17."""
    store, drawn = MemoryStore(), random.Random(7)  # noqa: S311 - a picture
    for number in range(900):
        at_us = _START_US + int(number / 900 * (_END_US - _START_US))
        store.add(list(_trace(number, at_us, drawn)))
    store.commit()
    store.refresh()
    return store


def _trace(number: int, at_us: int, drawn: random.Random) -> Iterator[Record]:
    slow = at_us >= _SLOW_FROM_US
    own = {"edge": 2.0, "orders": 18.0, "inventory": drawn.uniform(1200, 2100) if slow else 11.0}
    trace, duration, end_us = f"{drawn.getrandbits(128):032x}", 0.0, at_us
    spans = {name: f"{drawn.getrandbits(64):016x}" for name in own}
    routes = {"edge": f"/orders/{number % 97}", "orders": "/orders/{id}", "inventory": "/stock/{sku}"}
    parents = {"edge": "", "orders": spans["edge"], "inventory": spans["orders"]}
    for name in ("inventory", "orders", "edge"):
        duration += own[name] * drawn.uniform(0.8, 1.2)
        end_us += 1000
        failed = slow and duration > 2000 and name != "inventory"  # noqa: PLR2004 - the callers' time-out
        status = 502 if failed else 200
        yield _record(
            name,
            f"{name}-{number}",
            end_us,
            f"GET {routes[name]} {status}",
            "ERROR" if failed else "INFO",
            (trace, spans[name], parents[name]),
            {
                "logship.kind": "request",
                "duration_ms": round(duration, 1),
                "http.request.method": "GET",
                "http.route": routes[name],
                "http.response.status_code": status,
            },
        )
    if slow and number % 2:
        text = f"waiting for lock on stock row {number % 90}"
        yield _record("inventory", f"lock-{number}", at_us - 900, text, "WARN", (trace, spans["inventory"], ""), {})


def _record(  # noqa: PLR0917 - one record, part by part
    service: str,
    key: str,
    time_us: int,
    body: str,
    level: str,
    ids: tuple[str, str, str],
    attributes: dict[str, object],
) -> Record:
    identity = record_id(time_us // 1000, f"/shop/{service}", "web-1", key)
    return Record(identity, time_us, body, level, 0, *ids, {"service.name": service}, attributes)


async def draw(folder: Path) -> None:
    """Writes `search.svg` and `incident.svg`."""
    store = sample_store()
    window = TimeRange(_SLOW_FROM_US, _END_US)
    baseline = [TimeRange(_START_US, _SLOW_FROM_US)]
    for name, query in (("search", "duration>1s -service:edge"), ("incident", "")):
        app = LogshipApp(
            store,
            location="./data",
            query=query,
            screen=name,
            window=window,
            baseline=baseline,
            now_us=_END_US + 3_000_000,
        )
        async with app.run_test(size=_SIZE) as pilot:
            await app.workers.wait_for_complete()
            await pilot.pause(0.5)
            (folder / f"{name}.svg").write_text(app.export_screenshot(title="logship"))


def main() -> None:
    """Writes the pictures into the folder that is named, or here."""
    asyncio.run(draw(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))


if __name__ == "__main__":
    main()
