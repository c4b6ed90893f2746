"""How fast a forwarder is, and the lines that say how it stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from logship.forward.news import News
from logship.forward.outside.progress import notice, progress
from logship.forward.outside.rates import Rate, Rates
from logship.testing import FakeClock
from tests.forward_status import GROUP, SOURCE, STATUS, status, with_source

AT_S = 1_795_443_665.0
KEY = (SOURCE.name, GROUP.name)


def test_the_first_rate_counts_from_the_beginning() -> None:
    """One snapshot is enough for a figure."""
    clock = FakeClock()
    rates = Rates(clock=clock)
    clock.advance(10)
    rate = rates.see(STATUS)

    assert rate == Rate(events=8.6, read_bytes=409.6, calls={SOURCE.name: 0.9}, groups={KEY: (8.0, 409.6)})


def test_a_rate_looks_back_half_a_minute() -> None:
    """What happened before has no part in it."""
    clock = FakeClock()
    rates = Rates(clock=clock)
    for _ in range(10):
        clock.advance(10)
        rates.see(status(read=1_000_000))
    clock.advance(10)

    assert rates.see(status(read=1_000_300)).events == 10.0


def test_a_group_that_begins_anew_has_no_negative_rate() -> None:
    """Its reader went to another process and came back with counts of 0."""
    clock = FakeClock()
    rates = Rates(clock=clock)
    clock.advance(1)
    rates.see(with_source(groups=(replace(GROUP, stored=500, bytes=500),)))
    clock.advance(60)
    rates.see(with_source(groups=(replace(GROUP, stored=500, bytes=500),)))
    clock.advance(1)

    assert rates.see(with_source(groups=(replace(GROUP, stored=0, bytes=0),))).groups == {KEY: (0.0, 0.0)}


def test_a_line_of_progress_can_be_read_by_programs_and_people() -> None:
    """Figures first, what is wrong last and quoted."""
    rate = Rate(events=107.54, read_bytes=5000.4)

    assert progress(AT_S, status(rejected=0, dead_letters=0), rate) == (
        "time=2026-11-23T14:21:05.000Z level=info event=progress stored=80 existing=5 rate=107.5 "
        "read_bytes_rate=5000 lag_s=2.5 backlog_s=60.0 groups=1 sources=1 queued_bytes=12000 throttled=1 retried=2 "
        "rejected=0 store=ok"
    )
    waiting = progress(AT_S, status(store_reason='"x" does not answer'), rate)
    assert waiting.startswith("time=2026-11-23T14:21:05.000Z level=warn event=progress ")
    assert waiting.endswith(r' store=waiting wrong="store: \"x\" does not answer"')


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("", '""'),
        ("two words", '"two words"'),
        ('say "a\\b"', '"say \\"a\\\\b\\""'),
        ("a=b", '"a=b"'),
        ("new\nline\x1b[31m\x85", '"new\\nline\\u001b[31m\\u0085"'),
    ],
)
def test_values_stay_on_their_line_and_out_of_the_terminal(text: str, written: str) -> None:
    """Quotes, breaks and control characters are escaped."""
    assert notice(AT_S, text) == f"time=2026-11-23T14:21:05.000Z level=warn event=notice msg={written}"


def test_only_what_is_as_it_should_be_is_of_level_info() -> None:
    """Who looks for warnings alone misses nothing that is wrong."""
    levels = [notice(AT_S, text).split()[1] for text in ("no answer; trying again", News("going on where it stood"))]

    assert levels == ["level=warn", "level=info"]
