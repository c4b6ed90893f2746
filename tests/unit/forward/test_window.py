"""The window that finds late events, whatever happens between two rounds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logship.forward.window import CLOCK_TOLERANCE_MS, LARGEST_OVERLAP_MS, SMALLEST_OVERLAP_MS, SWEEPS, Window
from logship.record import LogEvent

NOW_MS = 1_795_443_665_000
MINUTE_MS = 60_000

Arrival = tuple[int, int]
"""(an event's time in ms after NOW_MS, how late it becomes visible in ms)."""


def event(number: int, at_ms: int) -> LogEvent:
    return LogEvent("/g", "s", at_ms, str(number), str(number))


def visible(arrivals: list[Arrival], now_ms: int, start_ms: int) -> list[LogEvent]:
    """What CloudWatch gives out at that time, in order."""
    found = [
        event(number, NOW_MS + at)
        for number, (at, late) in enumerate(arrivals)
        if NOW_MS + at + late <= now_ms and NOW_MS + at >= start_ms
    ]
    return sorted(found, key=lambda item: item.timestamp_ms)


def read_round(window: Window, arrivals: list[Arrival], now_ms: int, *, skew_ms: int = 0, page: int = 3) -> list[str]:
    """One round by a clock that is `skew_ms` ahead; the ids that were new."""
    ours_ms, fresh = now_ms + skew_ms, []
    start_ms = window.next_start_ms(ours_ms)
    events = visible(arrivals, now_ms, start_ms)
    for first in range(0, len(events), page):
        part = events[first : first + page]
        fresh += [item.event_id for item, _ in window.fresh(part, ours_ms)]
        window.read_up_to(part[-1].timestamp_ms, start_ms=start_ms, now_ms=ours_ms)
    window.read_all(start_ms=start_ms, now_ms=ours_ms)
    return fresh


def numbers(arrivals: list[Arrival]) -> list[str]:
    return [str(number) for number in range(len(arrivals))]


@given(st.lists(st.tuples(st.integers(0, 120_000), st.integers(0, 30_000)), max_size=60), st.integers(-240, 240))
@example([(0, 11_001), (10_001, 0)], 0)
def test_no_event_is_missed_or_given_out_twice(arrivals: list[Arrival], skew_s: int) -> None:
    """Events up to 30 s late, by any pattern and any clock AWS accepts, are each found once by rounds every second."""
    window, found = Window(NOW_MS), []
    for now_ms in range(NOW_MS, NOW_MS + 480_000, 1000):
        found += read_round(window, arrivals, now_ms, skew_ms=skew_s * 1000)

    assert sorted(found, key=int) == numbers(arrivals)


@given(
    st.lists(st.tuples(st.integers(0, 7_200_000), st.integers(0, SWEEPS[0][0])), max_size=40),
    st.lists(st.integers(1_000, 7_200_000), max_size=12),
)
@example([(0, 0), (1000, 30_000), (3_600_000, 0)], [2_000, 3_600_000, 3_600_000])
def test_outages_and_restarts_lose_nothing(arrivals: list[Arrival], pauses_ms: list[int]) -> None:
    """Rounds any time apart, each by a new process from the saved marks, find all that is at most 5 min late."""
    window, found, now_ms = Window(NOW_MS), set[str](), NOW_MS
    for pause_ms in [*pauses_ms, 8_000_000, 8_000_000]:
        now_ms += pause_ms
        found.update(read_round(window, arrivals, now_ms))
        window = replace(window, known={})

    assert sorted(found, key=int) == numbers(arrivals)


def test_a_clock_ahead_delays_nothing() -> None:
    """Quiet rounds by a clock 4 min ahead do not move the window past events that come on time."""
    window = Window(NOW_MS)
    arrivals = [(90_000, 0)]
    found = [read_round(window, arrivals, now_ms, skew_ms=240_000) for now_ms in range(NOW_MS, NOW_MS + 100_000, 1000)]

    assert found[90] == ["0"]


@pytest.mark.parametrize("sweep", range(len(SWEEPS)))
def test_each_sweep_keeps_its_guarantee(sweep: int) -> None:
    """An event as late as a sweep allows is found within the sweep's interval, though others kept coming."""
    late_ms, every_ms = SWEEPS[sweep]
    busy = [(at, 0) for at in range(0, late_ms + 2 * every_ms, every_ms // 8)]
    arrivals = [*busy, (1, late_ms - 1)]
    window, found_ms = Window(NOW_MS), 0
    for now_ms in range(NOW_MS, NOW_MS + late_ms + 2 * every_ms, every_ms // 8):
        if str(len(busy)) in read_round(window, arrivals, now_ms):
            found_ms = now_ms - NOW_MS

    assert late_ms <= found_ms <= late_ms + every_ms + every_ms // 8 + CLOCK_TOLERANCE_MS


def test_a_backfill_is_read_once() -> None:
    """A first round that takes long is neither read again from its beginning, nor after a restart in its middle."""
    start_ms = NOW_MS - 10 * 86_400_000
    window = Window(start_ms)
    half_ms = start_ms + 5 * 86_400_000
    window.read_up_to(half_ms, start_ms=start_ms, now_ms=NOW_MS)
    resumed = Window(window.position_ms, settled_ms=window.settled_ms, first_ms=start_ms)

    assert resumed.next_start_ms(NOW_MS) >= half_ms - SMALLEST_OVERLAP_MS
    resumed.read_all(start_ms=half_ms, now_ms=NOW_MS)
    assert resumed.next_start_ms(NOW_MS + 1000) >= NOW_MS - CLOCK_TOLERANCE_MS - 2 * SMALLEST_OVERLAP_MS


def test_nothing_before_the_start_is_read() -> None:
    """Neither the overlap nor a sweep goes back behind where a group was told to begin."""
    window, starts = Window(NOW_MS), []
    for now_ms in range(NOW_MS, NOW_MS + 40 * 60 * MINUTE_MS, 20 * MINUTE_MS):
        starts.append(window.next_start_ms(now_ms))
        window.read_all(start_ms=starts[-1], now_ms=now_ms)

    assert min(starts) == NOW_MS


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


def test_ids_are_bounded_in_number() -> None:
    """However many events come in one round, old or new, no more ids than allowed are kept, and those the newest."""
    window, most = Window(NOW_MS, most_known=1000), 0
    for number in range(0, 50_000, 100):
        at_ms = NOW_MS + number
        window.fresh([event(number + n, at_ms + n) for n in range(100)], at_ms)
        window.fresh([event(-number - n, NOW_MS - 86_400_000 + n) for n in range(100)], at_ms)
        window.read_up_to(at_ms + 99, start_ms=NOW_MS, now_ms=at_ms)
        most = max(most, len(window.known))

    assert (most <= 1100, max(window.known.values())) == (True, NOW_MS + 49_999)
    assert len(window.known) > 400


def test_forgotten_ids_are_not_taken_for_late_events() -> None:
    """An event that is read again after its id was forgotten does not widen the overlap."""
    window = Window(NOW_MS, most_known=100)
    first = [event(n, NOW_MS + n * 1000) for n in range(200)]
    now_ms = NOW_MS + 200_000
    window.fresh(first, now_ms)
    window.read_up_to(now_ms, start_ms=NOW_MS, now_ms=now_ms)
    again = window.fresh(first, now_ms)

    assert (bool(again), window.lateness_ms) == (True, 0)
