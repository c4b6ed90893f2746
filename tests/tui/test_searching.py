"""What a search does while things go on around it: time ranges, brushing, live records, cancelling, failing stores."""

from __future__ import annotations

import asyncio
import time
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from logship.errors import StoreError, TimeRangeError
from logship.query import parse
from logship.record import Record, record_id
from logship.store.port import Cancelled
from logship.testing import MemoryStore
from logship.timerange import TimeRange
from logship_tui.app import LogshipApp
from logship_tui.look import detail, row
from logship_tui.rows import Rows
from logship_tui.screens.search_keys import quoted, read_range
from logship_tui.widgets.histogram import Histogram, interval_us
from logship_tui.widgets.result_list import ResultList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from textual.pilot import Pilot

BASE_US = 1_795_442_400_000_000
SIZE = (120, 36)


def record(number: int, body: str, level: str = "INFO", **more: Any) -> Record:
    time_us = BASE_US + number * 1_000_000
    resource = {"service.name": more.pop("service", "orders")}
    return Record(record_id(time_us // 1000, "/g", "s", str(number)), time_us, body, level, resource=resource, **more)


def add(store: MemoryStore, *records: Record) -> MemoryStore:
    store.add(list(records))
    store.commit()
    return store


def store_of(*records: Record) -> MemoryStore:
    store = add(MemoryStore(), *records)
    store.refresh()
    return store


def text_of(app: LogshipApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.size))


async def settled(app: LogshipApp, pilot: Pilot[None], wanted: Callable[[str], bool]) -> str:
    """The screen, once it is as wanted; or as it is after five seconds."""
    for _ in range(100):
        await pilot.pause(0.05)
        if wanted(text_of(app)):
            break
    return text_of(app)


class Stuck(MemoryStore):
    """A store whose counts never end, unless they are told to."""

    def __init__(self) -> None:
        super().__init__()
        self.counting, self.gave_up = Event(), Event()
        self.gave_up_at = 0.0

    def count(self, query: Any, within: Any = None, *, stop: Callable[[], bool] = lambda: False) -> int:
        del query, within
        self.counting.set()
        while not stop():
            time.sleep(0.005)
        self.gave_up_at = self.gave_up_at or time.perf_counter()
        self.gave_up.set()
        raise Cancelled

    def scan(self, query: Any, within: Any = None, *, newest_first: bool = False) -> Iterator[Record]:
        while True:
            yield from super().scan(query, within, newest_first=newest_first)
            if not newest_first:
                self.counting.set()


class Broken(MemoryStore):
    """A store that went away."""

    def search(self, *_: Any, **__: Any) -> list[Record]:
        raise StoreError("the folder [red]./data[/red] is gone; name another with --store")

    def refresh(self) -> bool:
        raise StoreError("the folder is gone")


async def test_a_new_query_ends_the_old_one_at_once() -> None:
    """A search that nobody waits for any more is told to stop within 200 ms."""
    store = Stuck()
    add(store, *(record(number, "x") for number in range(300)))
    MemoryStore.refresh(store)
    app = LogshipApp(store, now_us=BASE_US)
    async with app.run_test(size=SIZE) as pilot:
        while not store.counting.is_set():
            await pilot.pause(0.01)
        began = time.perf_counter()
        app.screen.search()  # type: ignore[attr-defined]
        gave_up = await asyncio.to_thread(store.gave_up.wait, 5)

    assert (gave_up, store.gave_up_at - began < 0.2) == (True, True)


async def test_an_analysis_can_be_stopped() -> None:
    """Escape ends an analysis, and the screen says so."""
    store = Stuck()
    add(store, *(record(number, "x") for number in range(300)))
    MemoryStore.refresh(store)
    app = LogshipApp(store, screen="incident", window=TimeRange(BASE_US, BASE_US + 10**9), now_us=BASE_US)
    async with app.run_test(size=SIZE) as pilot:
        while not store.counting.is_set():
            await pilot.pause(0.01)
        await pilot.press("escape")
        shown = await settled(app, pilot, lambda text: "stopped" in text)

    assert "stopped; r analyses again" in shown


async def test_a_store_that_fails_is_one_line() -> None:
    """Errors are told in one line, markup in them is text, and the terminal goes on."""
    app = LogshipApp(Broken(), now_us=BASE_US)
    async with app.run_test(size=SIZE) as pilot:
        shown = await settled(app, pilot, lambda text: "is gone" in text)
        await pilot.press("4")
        await pilot.pause(0.1)
        await pilot.press("1")

    assert "✗ the folder [red]./data[/red] is gone; name another with --store" in shown


async def test_a_time_range_can_be_typed() -> None:
    """`r` takes START..END; what cannot be read is said, and nothing is lost."""
    app = LogshipApp(store_of(*(record(number, f"event {number}") for number in range(120))), now_us=BASE_US)
    async with app.run_test(size=SIZE) as pilot:
        await settled(app, pilot, lambda text: "120 of 120" in text)
        await pilot.press("r", *"2026-11-23T14:00:10..2026-11-23T14:00:20", "enter")
        narrowed = await settled(app, pilot, lambda text: "10 of 120" in text)
        await pilot.press("r", *"never", "enter")
        wrong = await settled(app, pilot, lambda text: "'never' is no time" in text)

    assert ("10 of 120" in narrowed, "'never' is no time" in wrong, "event 19" in wrong) == (True, True, True)


async def test_a_brush_on_the_bars_is_a_time_range() -> None:
    """Arrows move the brush, shift extends it, Enter searches the time under it."""
    app = LogshipApp(store_of(*(record(number, f"event {number}") for number in range(100))), now_us=BASE_US)
    async with app.run_test(size=SIZE) as pilot:
        await settled(app, pilot, lambda text: "100 of 100" in text)
        await pilot.press("b", "left", "shift+left", "shift+left")
        brushed = app.screen.query_one(Histogram).brushed
        await pilot.press("enter")
        shown = await settled(app, pilot, lambda text: "3 of 100" in text)

    assert (brushed, "3 of 100" in shown) == (TimeRange(BASE_US + 96_000_000, BASE_US + 99_000_000), True)


async def test_live_records_appear_and_wait_for_a_reader() -> None:
    """New records come in on top, but not while someone reads further down."""
    store = store_of(record(1, "first"), record(2, "second"))
    app = LogshipApp(store, now_us=BASE_US)
    async with app.run_test(size=SIZE) as pilot:
        await settled(app, pilot, lambda text: "2 of 2" in text)
        await pilot.press("l")
        add(store, record(3, "third"))
        live = await settled(app, pilot, lambda text: "third" in text)
        await pilot.press("down")
        add(store, record(4, "fourth"))
        await pilot.pause(1.2)
        waiting = text_of(app)

    assert ("third" in live, "fourth" in waiting) == (True, False)


async def test_letters_belong_to_the_query_while_it_is_typed() -> None:
    """q, i, 1, 4, + and arrows are text there, not commands."""
    app = LogshipApp(store_of(record(1, "alpha")), now_us=BASE_US)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("slash", *"qi14", "plus", "left", "left", "minus")
        await pilot.pause(0.3)
        shown = text_of(app)

    assert "qi1-4+" in shown


async def test_a_record_leads_to_its_trace_and_its_service() -> None:
    """`t`, `f` and `x` make queries of the record under the cursor that can be read."""
    trace = "5b27baf9c1d24a0e8f3b6d7e9a012345"
    records = [record(1, "a", trace_id=trace), record(2, "b", service='odd "name" \\'), record(3, "c", trace_id=trace)]
    app = LogshipApp(store_of(*records), now_us=BASE_US)
    async with app.run_test(size=SIZE) as pilot:
        await settled(app, pilot, lambda text: "3 of 3" in text)
        await pilot.press("t")
        traced = await settled(app, pilot, lambda text: "2 of 3" in text)
        await pilot.press("x")
        excluded = await settled(app, pilot, lambda text: "0 of 3" in text)

    assert ("2 of 3" in traced, "0 of 3" in excluded) == (True, True)


@pytest.mark.parametrize("value", ["orders", "a b", 'odd "name" \\', "OR", "x:y", "*", "ünï", "-a"])
def test_a_quoted_value_is_found_again(value: str) -> None:
    """Any service name makes a condition that matches exactly its records."""
    store = store_of(record(1, "a", service=value), record(2, "b", service="other"))

    assert store.count(parse(f"service:{quoted(value)}", now_us=BASE_US)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("15m", TimeRange(BASE_US - 900_000_000, BASE_US)),
        ("2026-11-23T13:00 .. 2026-11-23T13:30", TimeRange(BASE_US - 3_600_000_000, BASE_US - 1_800_000_000)),
        ("15m..5m", TimeRange(BASE_US - 900_000_000, BASE_US - 300_000_000)),
    ],
)
def test_ranges_that_people_type(text: str, expected: TimeRange | None) -> None:
    """A span, two times, or nothing for the whole store."""
    assert read_range(text, now_us=BASE_US) == expected


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    """The remedy stands in the message."""
    with pytest.raises(TimeRangeError, match="not after its start"):
        read_range("5m..15m", now_us=BASE_US)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_rows_are_one_line_of_aligned_columns(width: int) -> None:
    """Whatever a record holds, its message starts in the same cell."""
    odd = [
        record(1, "MSG"),
        record(2, "MSG", "FATAL", service="長い名前のサービスがここにある"),
        record(3, "MSG", "", service="a\nb", attributes={"duration_ms": 123456.7}),
        record(4, "MSG", attributes={"duration_ms": 0.01}),
    ]
    starts = {row(each, width)[: row(each, width).plain.index("MSG")].cell_len for each in odd}

    assert len(starts) == 1


def test_the_detail_of_a_huge_record_is_bounded() -> None:
    """10 MB are cut in the pane, which says how much is left out."""
    shown = detail(record(1, "x" * 10_000_000, attributes={"trace": "line 1\nline \x1b[2J 2"})).plain

    assert (len(shown) < 50_000, "more characters" in shown, "\x1b" in shown, "line 1\n" in shown) == (
        True,
        True,
        False,
        True,
    )


@pytest.mark.parametrize("span_s", [1, 59, 3600, 86_400, 10_000_000_000])
def test_bars_fit_their_columns(span_s: int) -> None:
    """Any span gives at most one bar a column."""
    within = TimeRange(BASE_US + 1, BASE_US + 1 + span_s * 1_000_000)
    interval = interval_us(within, 80)
    bars = (within.end_us - 1) // interval - within.start_us // interval + 1

    assert bars <= 80


def test_rows_stay_right_when_two_threads_read() -> None:
    """Blocks read at the same time from both ends do not confuse the numbers."""
    from concurrent.futures import ThreadPoolExecutor

    made = [Record(f"{number:032x}", BASE_US + number // 7, f"{number}") for number in range(9_000)]
    store = store_of(*made)
    rows = Rows(store, parse("*", now_us=BASE_US), None)
    wanted = [8_999, 0, 4_500, 200, 6_001, 2_345, 7_777]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(rows.read, wanted))
    found = [rows.held(number) for number in wanted]

    assert [each.body for each in found if each] == [str(8_999 - number) for number in wanted]


async def test_the_cursor_stays_within_the_list() -> None:
    """Keys at both ends and clicks below the last row change nothing."""
    app = LogshipApp(store_of(record(1, "a"), record(2, "b")), now_us=BASE_US)
    async with app.run_test(size=SIZE) as pilot:
        await settled(app, pilot, lambda text: "2 of 2" in text)
        await pilot.press("up", "G", "down", "pagedown")
        await pilot.click(ResultList, offset=(5, 9))
        cursor = app.screen.query_one(ResultList).cursor

    assert cursor == 1
