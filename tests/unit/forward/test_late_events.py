"""Events that come minutes, hours or days late are stored soon after they have come, and found out about unasked."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Any

import pytest

from logship.forward.sources.poll.group import GroupReader
from logship.forward.sources.poll.known import KnownIds, Memory
from logship.forward.sources.poll.marks import NEAR, Marks, loads
from logship.record import LogEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.forward.sources.poll.reading import Reading

NOW_MS = 1_795_443_665_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
PAGE = 5_000


class Group:
    """A log group and its reader; each event is visible as soon as it is put, and says so."""

    def __init__(self, back_ms: int = 4 * HOUR_MS) -> None:
        self.now_ms = NOW_MS
        self.waits_ms: dict[int, int] = {}
        """How long after it was put each event was stored."""
        self.late_ms: dict[int, int] = {}
        self._events: list[tuple[int, int, int]] = []
        self._put = 0
        self._back_ms = back_ms
        self.reader = self._reader(None)

    def _reader(self, saved: str | None, after_gap: int = NEAR) -> GroupReader:
        marks = loads(saved, "/g") if saved else Marks.begin(self.now_ms - self._back_ms, self.now_ms)
        known, version = KnownIds(Memory()), int(saved is not None)
        return GroupReader(
            "/g", marks, known, interval_ms=5_000, now_ms=self.now_ms, version=version, after_gap=after_gap
        )

    def put(self, late_ms: int) -> None:
        """An event that is so late."""
        self._put += 1
        self.late_ms[self._put] = late_ms
        bisect.insort(self._events, (self.now_ms - late_ms, self._put, self.now_ms))

    def run(self, for_ms: int, every_ms: int, *puts: tuple[int, Callable[[int], int]]) -> None:
        """Time passes, in which the reader reads, and events come: so often, and so late at that time."""
        end_ms = self.now_ms + for_ms
        while self.now_ms < end_ms:
            for each_ms, late_ms in puts:
                for _ in range(max(1, every_ms // each_ms) if self.now_ms % max(each_ms, every_ms) < every_ms else 0):
                    self.put(late_ms(self.now_ms))
            self.now_ms += every_ms
            self.read()

    def read(self, range_pages: int = 1_000_000) -> None:
        """Each reading that is due reads what there is, ranges so many pages at most."""
        for reading in list(self.reader.readings()):
            if self.reader.is_due(reading, self.now_ms):
                self._page(reading)
                pages = range_pages if reading.kind == "range" else 1_000_000
                while reading.token and (pages := pages - 1) > 0:
                    self._page(reading)

    def restart(self, after_gap: int) -> None:
        """Another process goes on from the checkpoint."""
        self.reader = self._reader(self.reader.stored.to_save() or self.reader.stored.marks.dumps(), after_gap)

    def _page(self, reading: Reading) -> None:
        events, token = self._answer(self.reader.request(reading, self.now_ms))
        batch = self.reader.take(reading, events, token, self.now_ms)
        if batch is not None:
            for event in batch.events:
                self.waits_ms.setdefault(int(event.event_id), self.now_ms - event.ingestion_ms)
            batch.stored()

    def _answer(self, request: dict[str, Any]) -> tuple[list[LogEvent], str | None]:
        first = bisect.bisect_left(self._events, (request["startTime"], 0, 0))
        last = bisect.bisect_left(self._events, (request.get("endTime", 2**62) + 1, 0, 0))
        first += int(request.get("nextToken", 0))
        page = self._events[first : min(first + PAGE, last)]
        token = str(int(request.get("nextToken", 0)) + PAGE) if first + PAGE < last else None
        return [LogEvent("/g", "s", at_ms, "x", str(put), in_ms) for at_ms, put, in_ms in page], token

    @property
    def missing(self) -> int:
        """How many events are not stored."""
        return len(self._events) - len(self.waits_ms)


def constantly(late_ms: int) -> Callable[[int], int]:
    return lambda _: late_ms


@pytest.mark.parametrize("late_ms", [6 * MINUTE_MS, 10 * MINUTE_MS, 40 * MINUTE_MS])
def test_a_group_whose_events_all_come_late_is_read_as_they_come(late_ms: int) -> None:
    """An aggregate of ten minutes, or a host whose clock is behind: each is stored at once, but for a few at first."""
    group = Group(back_ms=HOUR_MS)
    group.run(2 * HOUR_MS, 5_000, (20_000, constantly(late_ms)))

    assert group.missing == 0
    assert sum(wait_ms <= 15_000 for wait_ms in group.waits_ms.values()) > 0.99 * len(group.waits_ms)


@pytest.mark.parametrize(
    ("each_ms", "late_ms"),
    [
        (100, 10 * MINUTE_MS), (1_000, 10 * MINUTE_MS), (30_000, 10 * MINUTE_MS), (100, 45 * MINUTE_MS),
        (1_000, 45 * MINUTE_MS), (30_000, 45 * MINUTE_MS), (1_000, 3 * HOUR_MS), (30_000, 3 * HOUR_MS),
    ],
)  # fmt: skip
def test_a_late_stream_beside_a_punctual_one_is_found_out(each_ms: int, late_ms: int) -> None:
    """By and by; from then on each of its events is stored within the age of the sweep that sees them."""
    group = Group()
    hours = 26 if late_ms > HOUR_MS else 8
    group.run(hours * HOUR_MS, 20_000, (each_ms, constantly(300)), (60_000, constantly(late_ms)))
    group.run(5 * late_ms, 20_000, (each_ms, constantly(300)))

    late = [wait_ms for put, wait_ms in group.waits_ms.items() if group.late_ms[put] == late_ms]
    assert group.missing == 0
    assert max(late[len(late) // 2 :]) <= 2 * late_ms


def test_a_host_that_was_cut_off_for_an_hour_delivers_what_it_has_kept() -> None:
    """Its oldest events are an hour late, the last ones are not, while others go on."""
    group = Group()
    group.run(3 * HOUR_MS, 20_000, (100, constantly(300)))
    for second in range(3_600):
        group.put(second * 1_000)
    group.run(2 * HOUR_MS, 20_000, (100, constantly(300)))

    assert group.missing == 0


def test_a_batch_of_the_day_before_yesterday_is_found_in_a_quiet_group() -> None:
    """As late as the service takes events in."""
    group = Group(back_ms=60 * HOUR_MS)
    group.run(HOUR_MS, 60_000, (MINUTE_MS, constantly(300)))
    group.put(50 * HOUR_MS)
    group.run(16 * 24 * HOUR_MS, HOUR_MS // 4, (HOUR_MS, constantly(300)))

    assert group.missing == 0


def test_a_run_that_ends_reads_what_came_late_since_the_one_before() -> None:
    """It is started by cron, say, and not there for what a sweep would find."""
    group = Group()
    group.run(HOUR_MS, 20_000, (1_000, constantly(300)))
    for _ in range(200):
        group.put(10 * MINUTE_MS)
    group.now_ms += 66_000
    group.restart(NEAR + 1)
    while not group.reader.is_caught_up(group.now_ms):
        group.read()

    assert group.missing == 0


def test_what_a_flood_has_left_behind_is_read_once() -> None:
    """While a range is read after an outage, the live reading stays at the newest events."""
    group = Group()
    group.run(10 * MINUTE_MS, 20_000, (1_000, constantly(300)))
    for _ in range(240):
        group.now_ms += 1_000
        for _ in range(1_000):
            group.put(300)
    group.read(range_pages=1)
    assert group.reader.ranges
    while group.reader.ranges:
        group.now_ms += 1_000
        group.read(range_pages=1)
    figures = group.reader.figures

    assert (group.missing, figures.events < 2 * figures.fresh) == (0, True)


def test_an_empty_group_is_read_at_its_interval_at_first() -> None:
    """What comes soon after the start is what somebody waits for, however far back there is nothing."""
    group = Group()
    group.run(10_000, 5_000)

    assert group.reader.pause_ms(group.now_ms) == 5_000
