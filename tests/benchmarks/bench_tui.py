"""The terminal over 1 M records: first rows, keys, the far end, cancelling."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from threading import Thread
from threading import enumerate as enumerate_
from typing import TYPE_CHECKING

from textual import events

from logship.query.tree import All
from logship.record import format_time
from logship.store.tantivy.reader import Reader
from logship_tui.app import LogshipApp
from logship_tui.screens.search import SearchScreen
from logship_tui.widgets.result_list import ResultList
from tests.benchmarks.corpus import store_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.screen import Screen


class Paints:
    """Notes when the terminal is painted."""

    def __init__(self, app: LogshipApp) -> None:
        self._painted = asyncio.Event()
        display = app._display

        def noted(screen: Screen[object], renderable: RenderableType | None) -> None:
            display(screen, renderable)
            self._painted.set()

        app._display = noted  # type: ignore[method-assign]

    async def after(self, app: LogshipApp, wanted: str) -> None:
        """Waits until a painted screen shows a text."""
        while wanted not in "".join(strip.text for strip in app.screen._compositor.render_strips(app.size)):
            self._painted.clear()
            await self._painted.wait()

    async def key(self, app: LogshipApp, key: str) -> float:
        """Milliseconds from a key to the next paint."""
        self._painted.clear()
        began = time.perf_counter()
        app.post_message(events.Key(key, None))
        await self._painted.wait()
        return (time.perf_counter() - began) * 1000


async def session(reader: Reader) -> None:
    """One person's session."""
    arrived: list[float] = []
    taken = SearchScreen._arrived

    def noting(screen: SearchScreen, *args: object) -> None:
        arrived.append(time.perf_counter())
        taken(screen, *args)  # type: ignore[arg-type]

    SearchScreen._arrived = noting  # type: ignore[assignment,method-assign]
    newest = reader.search(All(), limit=1)[0]
    app = LogshipApp(reader, location="bench")
    paints = Paints(app)
    async with app.run_test(size=(160, 50)) as pilot:
        await paints.after(app, format_time(newest.time_us)[11:23])
        print(f"first rows: {(time.perf_counter() - arrived[0]) * 1000:.0f} ms after the first page (budget 100)")
        results = app.screen.query_one(ResultList)
        while results._total < 1_000_000:
            await asyncio.sleep(0.01)
        await pilot.pause()
        for name, pressed in (("down", 40), ("pagedown", 40)):
            keys = sorted([await paints.key(app, name) for _ in range(pressed)])
            print(f"{name} to paint: median {statistics.median(keys):.0f} ms, worst {keys[-1]:.0f} ms (budget 50)")
        began = time.perf_counter()
        await pilot.press("G")
        while results.record is None or results.cursor != 999_999:
            await asyncio.sleep(0.001)
        print(f"jump to the oldest of 1,000,000: {(time.perf_counter() - began) * 1000:.0f} ms")
        await pilot.press("slash", *'=~"finished [0-9]{9}"')
        await asyncio.sleep(0.5)
        busy = [worker for worker in app.workers if worker.group == "search" and not worker.is_finished]
        began = time.perf_counter()
        app.workers.cancel_group(app.screen, "search")
        while any(
            thread.name.startswith("asyncio_") and thread.is_alive() and _reads(thread) for thread in enumerate_()
        ):
            await asyncio.sleep(0.001)
        print(f"cancelled {len(busy)} search of everything: {(time.perf_counter() - began) * 1000:.0f} ms (budget 200)")


def _reads(thread: Thread) -> bool:
    """Whether a thread is inside the store."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if "/store/" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


def main() -> None:
    """Prints the figures of one session."""
    location, _ = store_of(1_000_000)
    reader = Reader(location)
    assert reader.count(All()) == 1_000_000
    asyncio.run(session(reader))


if __name__ == "__main__":
    main()
