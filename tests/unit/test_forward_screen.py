"""The forwarder's screen: what stands where, and that nothing wraps."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from rich.text import Text

from logship.cli.forward_screen import Shown, bar, draw, size, span
from logship.forward.outside.rates import Rate
from logship.forward.outside.status import SourceStatus
from tests.forward_status import GROUP, SOURCE, STATUS, status, with_source

if TYPE_CHECKING:
    from logship.forward.outside.status import ForwardStatus

ODD = replace(
    GROUP, name='/shop/"odd"\\name', lag_s=42.5, backlog_s=0.0, read_age_s=70.0, failures=4, ingestion_delay_s=0.5
)
REFUSED = replace(
    GROUP, name="/shop/secret", lag_s=0.0, refused="log group '/shop/secret': not allowed; its policy lacks it"
)
KINESIS = SourceStatus(name="kinesis shop-logs", ready=True, retried=1, lag_s=0.75)
BUSY = status(sources=(replace(SOURCE, groups=(GROUP, ODD, REFUSED)), KINESIS))
MANY = replace(
    SOURCE,
    groups=tuple(
        replace(GROUP, name=f"/aws/lambda/a-rather-long-name-of-a-function-in-production-{number:03}", lag_s=number)
        for number in range(300)
    ),
)
RATE = Rate(
    events=1234.0,
    read_bytes=567_890.0,
    calls={SOURCE.name: 4.9},
    groups={(SOURCE.name, GROUP.name): (1200.0, 560_000.0)},
)


def lines(
    status: ForwardStatus, *, width: int, height: int, cost: str = "$73.00 a month at this rate, $0.10 so far"
) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, no_color=True)
    shown = Shown(status=status, rate=RATE, running_s=3725.0, cost=cost)
    with console.capture() as capture:
        console.print(draw(shown, width=width, height=height))
    return [Text.from_ansi(line).plain.rstrip() for line in capture.get().splitlines()]


def test_a_screen_of_80_by_24_says_how_it_stands() -> None:
    """Flow, store, cost, sources, groups by lag, and what is wrong."""
    assert lines(BUSY, width=80, height=24) == [
        "logship forward  80 records stored  3 groups  2 sources  running 1 h 2 m",
        "flow    1,234 events/s  555 kB/s  lag 42 s  backlog 1 m 0 s  known 5  left out …",
        "store   ok  queue █░░░░░░░░░ 12 kB  dead letters 1  requests 2/4  waits 3",
        "cost    $73.00 a month at this rate, $0.10 so far",
        "source  cloudwatch eu-west-1  4.9 of 10 calls/s ██░░░  throttled 1  retried 2",
        "source  kinesis shop-logs  retried 1  lag 0.8 s",
        "group                                                lag  delay   ev/s  read/s",
        '/shop/"odd"\\name                                    42 s  0.5 s      0     0 B',
        "/shop/orders                                       2.5 s  1.2 s  1,200  547 kB",
        "/shop/secret                                     refused  1.2 s      0     0 B",
        "! log group '/shop/secret': not allowed; its policy lacks it",
        '! /shop/"odd"\\name: 4 calls failed in a row, not read for 70 s',
        "! 1 record cannot be stored, see: logship dead-letters list",
    ]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60), (60, 15), (120, 30)])
def test_nothing_wraps_and_the_screen_is_never_too_high(width: int, height: int) -> None:
    """Hundreds of groups with long names are cut to what fits, the furthest behind first, and the rest is said."""
    sources = (MANY, *[replace(KINESIS, name=f"kinesis {number}") for number in range(9)])
    reason = "https://search.example.eu-west-1.es.amazonaws.com does not answer: " + "timed out " * 40
    found = lines(status(sources=sources, store_reason=reason), width=width, height=height)
    groups = [line for line in found if line.startswith("/aws/")]

    assert len(found) == height
    assert max(map(len, found)) <= width
    assert "4 m 59 s" in groups[0]
    assert f"and {300 - len(groups)} more groups that are less behind" in found
    assert "and 6 more sources" in found


def test_a_wide_screen_has_all_figures_of_a_group() -> None:
    """Backlog, the last reading, pages, and how many events were known."""
    found = lines(with_source(), width=200, height=60)
    heading = next(line for line in found if line.startswith("group"))
    row = next(line for line in found if line.startswith("/shop/orders"))

    assert heading.split("  ")[-1] == "known"
    assert "  1 m 0 s     0.5 s      80      7    29%    10%" in row


@pytest.mark.parametrize("width", [40, 60, 80])
def test_groups_can_be_told_apart_where_room_is_short(width: int) -> None:
    """Names that begin alike are cut in their middle, also where a sign takes two columns."""
    wide = replace(SOURCE, groups=tuple(replace(group, name=f"/日本語/{group.name}") for group in MANY.groups))
    for source in (MANY, wide):
        shown = [line.split()[0] for line in lines(status(sources=(source,)), width=width, height=40) if "…" in line]
        numbers = [name[-3:] for name in shown if name[0] == "/"]

        assert numbers[:3] == ["299", "298", "297"]
        assert len(set(numbers)) == len(numbers) > 20


def test_groups_of_one_name_are_told_apart_by_their_sources() -> None:
    """Regions and accounts have groups of the same names."""
    other = replace(SOURCE, name="cloudwatch eu-west-9")
    shown = lines(status(sources=(SOURCE, other, replace(SOURCE, name="c", groups=(ODD,)))), width=100, height=30)
    names = [line for line in shown if GROUP.name in line]

    assert sorted(line.split(GROUP.name)[0] for line in names) == sorted(
        f"{source.name.removeprefix('cloudwatch ')} " for source in (SOURCE, other)
    )
    assert [line[:5] for line in shown if ODD.name in line][:1] == ["/shop"]


def test_what_is_not_there_is_not_shown() -> None:
    """No cost, no groups, one writer, a source that says nothing of itself: fewer lines and figures, no zeros."""
    plain = status(
        sources=(SourceStatus(name="s3 exports"),), requests=None, rules=(), redacted={}, rejected=0, dead_letters=0
    )

    assert lines(replace(plain, existing=0), width=80, height=24, cost="") == [
        "logship forward  80 records stored  0 groups  1 source  running 1 h 2 m",
        "flow    1,234 events/s  555 kB/s  lag 0.0 s",
        "store   ok  queue █░░░░░░░░░ 12 kB  dead letters 0  waits 3",
        "source  s3 exports",
    ]


def test_an_error_cannot_write_to_the_terminal() -> None:
    """Control characters of an answer are shown as replacement characters."""
    found = lines(status(store_reason="bad \x1b[2Janswer\x07"), width=80, height=24)

    assert "! store: bad �[2Janswer�" in found


def test_the_last_notices_stand_below() -> None:
    """Three of them, oldest first, each in its line."""
    console = Console(file=io.StringIO(), width=80, height=24, no_color=True)
    shown = Shown(status=STATUS, rate=RATE, running_s=1.0, notices=["one", "two", "three", "four " * 40])
    with console.capture() as capture:
        console.print(draw(shown, width=80, height=24))
    found = capture.get().splitlines()

    assert [found[-3].rstrip(), found[-2].rstrip(), len(found[-1])] == ["two", "three", 80]


def test_of_groups_equally_far_behind_the_busiest_comes_first() -> None:
    """Hundreds of idle groups do not hide the one with events."""
    idle = tuple(replace(GROUP, name=f"/a/{number}") for number in range(30))
    found = lines(with_source(groups=(*idle, GROUP)), width=80, height=24)

    assert next(line for line in found if line.startswith("/")).startswith("/shop/orders")


def test_no_color_means_no_color() -> None:
    """NO_COLOR is rich's business, and nothing here goes around it."""
    console = Console(file=io.StringIO(), width=80, force_terminal=True, _environ={"NO_COLOR": "1", "TERM": "xterm"})
    with console.capture() as capture:
        console.print(draw(Shown(status=BUSY, rate=RATE, running_s=1.0), width=80, height=24))

    assert "\x1b[3" not in capture.get()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"), (59.7, "1 m 0 s"), (200, "3 m 20 s"), (18_120, "5 h 2 m"),
     (216_000, "2.5 d")],
)  # fmt: skip
def test_spans_are_short(seconds: float, shown: str) -> None:
    """Two units at most."""
    assert span(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (312, "312 B"), (1229, "1.2 kB"), (35_651_584, "34 MB"), (5 * 2**50, "5,120 TB")],
)
def test_sizes_are_short(count: float, shown: str) -> None:
    """Two digits of what matters."""
    assert size(count) == shown


def test_a_bar_shows_that_there_is_something() -> None:
    """The least part fills a cell, and nothing overflows."""
    assert [bar(0.0), bar(0.001), bar(0.5), bar(3.0)] == ["░" * 10, "█" + "░" * 9, "█" * 5 + "░" * 5, "█" * 10]


def test_the_worst_is_said_first() -> None:
    """The store comes before groups, and a forwarder that does well has nothing to say."""
    waiting = replace(BUSY, store_reason="no answer")

    assert waiting.wrong[0] == "store: no answer"
    assert replace(STATUS, dead_letters=0).wrong == []
    assert replace(STATUS, rejected=0, dead_letters=2).wrong == [
        "2 records cannot be stored, see: logship dead-letters list"
    ]
    assert replace(STATUS, dead_letters=0, progress_age_s=90.0).wrong == ["nothing has moved for 90 s"]
    failing = replace(GROUP, read_age_s=45.0, failures=1)
    frozen = with_source(groups=(failing, replace(GROUP, name="/b", read_age_s=300.0)))
    assert replace(frozen, dead_letters=0).wrong == [
        "cloudwatch eu-west-1: nothing could be read for 45 s, so the lag is not known"
    ]
    rare = with_source(groups=(replace(failing, failures=0),))
    assert replace(rare, dead_letters=0).wrong == []
    assert with_source(ready=False).wrong[0] == "cloudwatch eu-west-1: has not listed what to read"
