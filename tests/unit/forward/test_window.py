"""The window that finds late events, and the checkpoint that survives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.errors import StoreLockedError
from logship.forward.checkpoint import Checkpoints
from logship.forward.window import LARGEST_OVERLAP_MS, SMALLEST_OVERLAP_MS, Window
from logship.record import LogEvent

if TYPE_CHECKING:
    from pathlib import Path

NOW_MS = 1_795_443_665_000


def event(number: int, at_ms: int) -> LogEvent:
    return LogEvent("/g", "s", at_ms, str(number), str(number))


@given(st.lists(st.tuples(st.integers(0, 120_000), st.integers(0, 30_000)), max_size=60))
def test_no_event_is_missed_or_given_out_twice(arrivals: list[tuple[int, int]]) -> None:
    """Events up to 30 s late, by any pattern, are each found exactly once by rounds every second."""
    window, found = Window(NOW_MS), []
    for now_ms in range(NOW_MS, NOW_MS + 240_000, 1000):
        start_ms = window.next_start_ms(now_ms)
        visible = [
            event(number, NOW_MS + at)
            for number, (at, late) in enumerate(arrivals)
            if NOW_MS + at + late <= now_ms and NOW_MS + at >= start_ms
        ]
        visible.sort(key=lambda item: item.timestamp_ms)
        found += [item.event_id for item, _ in window.fresh(visible, now_ms)]
        reached = visible[-1].timestamp_ms if visible else start_ms
        window.position_ms = max(window.position_ms, min(reached, now_ms), now_ms - window.overlap_ms)

    assert sorted(found, key=int) == [str(number) for number in range(len(arrivals))]


def test_the_overlap_follows_the_lateness() -> None:
    """It is short while nothing is late, grows beyond twice what was seen, and shrinks again."""
    window = Window(NOW_MS)
    before = window.overlap_ms
    window.fresh([event(1, NOW_MS - 30_000)], NOW_MS)
    grown = window.overlap_ms
    for _ in range(400):
        window.fresh([], NOW_MS)

    assert (before, grown, window.overlap_ms) == (SMALLEST_OVERLAP_MS, 60_000, SMALLEST_OVERLAP_MS)
    assert grown <= LARGEST_OVERLAP_MS


def test_a_position_is_kept_with_the_ids_near_it(tmp_path: Path) -> None:
    """Another process finds both where the first one left them, and old ids are forgotten."""
    first = Checkpoints(tmp_path)
    position = first.open("/g", NOW_MS)
    position.position_ms, position.lateness_ms = NOW_MS + 5000, 700
    first.save(position, [(b"old", NOW_MS - 9), (b"new", NOW_MS)], forget_before_ms=NOW_MS - 5)
    first.close()
    second = Checkpoints(tmp_path)
    found = second.open("/g", 0)
    seen = second.seen(found)
    second.close()

    assert (found.position_ms, found.lateness_ms, seen) == (NOW_MS + 5000, 700, {b"new": NOW_MS})


def test_two_forwarders_cannot_both_advance(tmp_path: Path) -> None:
    """Who comes second is refused, and what the first one saved stays."""
    one, two = Checkpoints(tmp_path), Checkpoints(tmp_path)
    mine, theirs = one.open("/g", 0), two.open("/g", 0)
    mine.position_ms, theirs.position_ms = 10, 20
    one.save(mine, [], forget_before_ms=0)
    with pytest.raises(StoreLockedError, match="another forwarder"):
        two.save(theirs, [], forget_before_ms=0)
    kept = two.open("/g", 0).position_ms
    one.close()
    two.close()

    assert kept == 10
