"""The terminal over 1 M records: first rows, keys, the far end, cancelling."""

from __future__ import annotations

import asyncio
import statistics
import time

from logship.query.tree import All
from logship.store.tantivy.reader import Reader
from logship_tui.app import LogshipApp
from logship_tui.widgets.result_list import ResultList
from tests.benchmarks.corpus import store_of


async def until(app: LogshipApp, row: int) -> None:
    """Waits until a row has been read."""
    results = app.screen.query_one(ResultList)
    while results._rows is None or results._rows.held(row) is None:
        await asyncio.sleep(0.001)


async def session(reader: Reader) -> None:
    """One person's session."""
    app = LogshipApp(reader, location="bench")
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.pause()
        began = time.perf_counter()
        app.screen.search()  # type: ignore[attr-defined]
        await until(app, 0)
        page = time.perf_counter()
        await pilot.pause(0)
        painted = time.perf_counter()
        print(
            f"first page read in {(page - began) * 1000:.0f} ms, painted {(painted - page) * 1000:.0f} ms later (budget 100)"
        )
        keys = []
        floor = []
        for _ in range(30):
            began = time.perf_counter()
            await pilot.press("f12")
            floor.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
            await pilot.press("down")
            keys.append((time.perf_counter() - began) * 1000)
        print(
            f"key to paint: median {statistics.median(keys):.0f} ms, worst {max(keys):.0f} ms "
            f"(budget 50; a key that does nothing takes the pilot {statistics.median(floor):.0f})"
        )
        while app.screen.query_one(ResultList)._total < 1_000_000:
            await asyncio.sleep(0.01)
        began = time.perf_counter()
        await pilot.press("G")
        await until(app, 999_999)
        print(f"jump to the oldest of 1,000,000: {(time.perf_counter() - began) * 1000:.0f} ms")
        await pilot.press("slash", *'=~"finished [0-9]{9}"')
        await asyncio.sleep(0.5)
        began = time.perf_counter()
        app.workers.cancel_group(app.screen, "search")
        while any(worker.group == "search" and not worker.is_finished for worker in app.workers):
            await asyncio.sleep(0.001)
        print(f"cancelled a search that reads everything: {(time.perf_counter() - began) * 1000:.0f} ms (budget 200)")


def main() -> None:
    """Prints the figures of one session."""
    location, _ = store_of(1_000_000)
    reader = Reader(location)
    assert reader.count(All()) == 1_000_000
    asyncio.run(session(reader))


if __name__ == "__main__":
    main()
