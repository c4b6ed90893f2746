"""The terminal, driven as a person would, over a store in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from logship.record import Record, record_id
from logship.testing import MemoryStore
from logship.timerange import TimeRange
from logship_tui.actions import EVERYWHERE, INCIDENT, SEARCH
from logship_tui.app import LogshipApp
from logship_tui.facts import Facts
from logship_tui.picture import sample_store
from logship_tui.rows import BLOCK, Rows
from logship_tui.widgets.header import Header
from logship_tui.widgets.result_list import ResultList

if TYPE_CHECKING:
    from textual.pilot import Pilot

BASE_US = 1_795_442_400_000_000


def store_of(*records: Record) -> MemoryStore:
    store = MemoryStore()
    store.add(list(records))
    store.commit()
    store.refresh()
    return store


def record(number: int, body: str, level: str = "INFO", service: str = "orders") -> Record:
    time_us = BASE_US + number * 1_000_000
    return Record(
        record_id(time_us // 1000, "/g", "s", str(number)), time_us, body, level, resource={"service.name": service}
    )


def text_of(app: LogshipApp) -> str:
    """What stands on the screen."""
    width, height = app.size
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.size)[:height] if width)


async def settled(app: LogshipApp, pilot: Pilot[None], wanted: str) -> str:
    """The screen, once it shows a text; or as it is after a few seconds."""
    for _ in range(100):
        await pilot.pause(0.05)
        if wanted in text_of(app):
            break
    return text_of(app)


async def test_typing_a_query_shows_its_results() -> None:
    """Results follow the query while it is typed, and say how many there are."""
    app = LogshipApp(store_of(record(1, "alpha"), record(2, "beta timeout", "ERROR")), now_us=BASE_US)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(app, pilot, "2 of 2 records")
        await pilot.press("slash", *"timeout")
        shown = await settled(app, pilot, "1 of 2 records")

    assert ("beta timeout" in shown, "alpha" in shown) == (True, False)


async def test_a_broken_query_keeps_the_last_results() -> None:
    """The caret line names the mistake; the last good results stay, marked as such."""
    app = LogshipApp(store_of(record(1, "alpha")), now_us=BASE_US)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(app, pilot, "alpha")
        await pilot.press("slash", *"duration>1parsec")
        shown = await settled(app, pilot, "no such unit")
        stale = app.screen.query_one(ResultList).has_class("stale")

    assert ("^^^^^^^" in shown, "did you mean 1s?" in shown, "alpha" in shown, stale) == (True, True, True, True)


async def test_enter_opens_the_whole_record() -> None:
    """The detail pane shows every attribute."""
    app = LogshipApp(store_of(record(1, "alpha")), now_us=BASE_US)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(app, pilot, "alpha")
        await pilot.press("enter")
        shown = await settled(app, pilot, "service.name  orders")

    assert "service.name  orders" in shown


async def test_the_end_of_a_long_list_is_near() -> None:
    """The oldest of many thousand records is one key away."""
    store = store_of(*(record(number, f"event {number}") for number in range(12_000)))
    app = LogshipApp(store, now_us=BASE_US)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(app, pilot, "12,000 of 12,000 records")
        await pilot.press("G")
        shown = await settled(app, pilot, "event 0 ")

    assert "event 0 " in shown


@pytest.mark.parametrize("row", [0, 199, 200, 7_777, 11_999])
def test_any_row_can_be_reached_directly(row: int) -> None:
    """Row numbers mean the same record whether they are reached page by page or in one jump."""
    from logship.query.tree import All

    store = store_of(*(record(number // 3, f"event {number}") for number in range(12_000)))
    made = [Record(f"{n:032x}", BASE_US + n // 50 * 1000, f"event {n}") for n in range(12_000)]
    store = store_of(*made)
    rows = Rows(store, All(), None)
    rows.read(row)
    expected = sorted(made, key=lambda item: item.order, reverse=True)

    assert rows.held(row) == expected[row]
    assert BLOCK > 0


async def test_hostile_records_are_shown_harmlessly() -> None:
    """Control sequences, markup, directions and 10 MB bodies neither move the screen nor style it."""
    hostile = [
        record(1, "\x1b[2J\x1b[31mred [bold]markup[/bold] \u202egnirts"),
        record(2, "x" * 10_000_000),
        record(3, "a\nb\x00c\ud800"),
    ]
    app = LogshipApp(store_of(*hostile), now_us=BASE_US)
    async with app.run_test(size=(80, 24)) as pilot:
        shown = await settled(app, pilot, "[bold]markup[/bold]")
        await pilot.press("enter", "down", "down")
        await pilot.pause(0.2)

    assert ("[bold]markup[/bold]" in shown, "\x1b" in shown, "\u202e" in shown) == (True, False, False)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
@pytest.mark.parametrize("screen", ["search", "incident"])
async def test_nothing_is_drawn_over(size: tuple[int, int], screen: str) -> None:
    """At both sizes every part of a screen has its own place within it."""
    app = LogshipApp(sample_store(), screen=screen, now_us=BASE_US)
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.5)
        regions = [child.region for child in app.screen.children if child.display]
        overlaps = [(a, b) for n, a in enumerate(regions) for b in regions[n + 1 :] if a.overlaps(b)]
        outside = [region for region in regions if region.bottom > size[1] or region.right > size[0]]

    assert (overlaps, outside) == ([], [])


async def test_the_incident_screen_names_the_culprit() -> None:
    """The ranking has inventory on top, the reasons beside it, and Enter shows the records."""
    window = TimeRange(BASE_US + 17 * 60_000_000, BASE_US + 22 * 60_000_000)
    baseline = [TimeRange(BASE_US, window.start_us)]
    app = LogshipApp(sample_store(), screen="incident", window=window, baseline=baseline, now_us=BASE_US)
    async with app.run_test(size=(120, 36)) as pilot:
        shown = await settled(app, pilot, "most suspect: inventory")
        await pilot.press("enter")
        records = await settled(app, pilot, "1 condition")

    assert ("most suspect: inventory" in shown, "own time of /stock/{sku}" in shown) == (True, True)
    assert "/stock/{sku}" in records


async def test_help_lists_every_action() -> None:
    """Nothing can be done by a key that the help does not name."""
    app = LogshipApp(store_of(), now_us=BASE_US)
    async with app.run_test(size=(120, 60)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause(0.2)
        shown = text_of(app)

    assert [action.help for action in (*EVERYWHERE, *SEARCH, *INCIDENT) if action.help not in shown] == []


async def test_an_empty_store_says_so() -> None:
    """Neither screen fails on a store without records."""
    app = LogshipApp(store_of(), now_us=BASE_US)
    async with app.run_test(size=(80, 24)) as pilot:
        search = await settled(app, pilot, "0 of 0 records")
        await pilot.press("4")
        incident = await settled(app, pilot, "the store is empty")
        await asyncio.sleep(0)

    assert ("0 of 0 records" in search, "the store is empty" in incident) == (True, True)


async def test_the_header_follows_the_width_of_the_terminal() -> None:
    """A window that is made wider says which store it shows, at its right edge; a narrow one has no room for that."""
    app = LogshipApp(store_of(record(1, "alpha")), now_us=BASE_US)
    async with app.run_test(size=(80, 24)) as pilot:
        narrow = (await settled(app, pilot, "1 records")).splitlines()[0]
        await pilot.resize_terminal(120, 24)
        wide = (await settled(app, pilot, "store ")).splitlines()[0]

    assert "store " not in narrow
    assert (len(wide.rstrip()), "store " in wide) == (119, True)


@pytest.mark.parametrize("either", ["alpha OR beta", "alpha || beta"])
async def test_a_service_filters_every_alternative(either: str) -> None:
    """However `or` is written, `f` leaves records of the service under the cursor alone."""
    app = LogshipApp(store_of(record(1, "alpha", service="edge"), record(2, "beta")), now_us=BASE_US, query=either)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(app, pilot, "2 of 2 records")
        await pilot.press("escape", "f")
        text = await settled(app, pilot, "1 of 2 records")

    assert "1 of 2 records" in text
    assert f"({either}) service:orders" in text


@pytest.mark.parametrize("asked", ["2026-11-23T14:00..", "..2026-11-23T14:01"])
async def test_an_open_range_shows_the_time_that_the_store_holds(asked: str) -> None:
    """Bars and keys go by the minute that has records, not by the years until the end of all time."""
    app = LogshipApp(store_of(record(0, "first"), record(59, "last")), now_us=BASE_US)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(app, pilot, "2 of 2 records")
        await pilot.press("r", *asked, "enter")
        shown = await settled(app, pilot, "each bar 1 s")
        await pilot.press("left")
        earlier = await settled(app, pilot, "1 of 2 records")

    assert "each bar 1 s" in shown
    assert "1 of 2 records" in earlier


async def test_the_name_of_a_store_cuts_no_count() -> None:
    """Where there is no room for both, the number of records and their age stand."""
    app = LogshipApp(store_of(record(1, "alpha")), now_us=BASE_US)
    async with app.run_test(size=(90, 24)) as pilot:
        await settled(app, pilot, "1 records")
        app.screen.query_one(Header).tell("/var/lib/logship/stores/production", Facts(12_345_678, BASE_US), BASE_US)
        line = (await settled(app, pilot, "12,345,678 records")).splitlines()[0]

    assert line.rstrip().endswith("12,345,678 records · 0 us behind")
