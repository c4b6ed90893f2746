"""One group's reader against a model of CloudWatch: nothing lost, whatever happens between two pages."""

from __future__ import annotations

import bisect
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from logship.errors import DataError
from logship.forward.sources.poll.group import LIVE_PAGES, GroupReader
from logship.forward.sources.poll.known import KnownIds, Memory
from logship.forward.sources.poll.marks import DEEP, GAP_MS, NEAR, SWEEPS, Marks, loads
from logship.forward.sources.poll.ranges import MOST_RANGES
from logship.record import LogEvent

if TYPE_CHECKING:
    from logship.forward.port import Batch
    from logship.forward.sources.poll.reading import Reading

NOW_MS = 1_795_443_665_000
PAGE = 3
Stamped = tuple[int, int, int]
"""(event time, when it becomes visible, number), times in ms."""


class Service:
    """A log group: events in order of time, given out from when they are visible on, in pages of three."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.events: list[Stamped] = []

    def put(self, at_ms: int, late_ms: int) -> None:
        bisect.insort(self.events, (at_ms, self.now_ms + late_ms, len(self.events)))

    def page(self, request: dict[str, Any]) -> tuple[list[LogEvent], str | None]:
        start = (request["startTime"], 0, 0)
        if token := request.get("nextToken"):
            at_ms, number = map(int, token.split("/"))
            start = (at_ms, 0, number)
        end_ms = request.get("endTime", 2**62)
        found = [
            event
            for event in self.events
            if request["startTime"] <= event[0] <= end_ms
            and event[1] <= self.now_ms
            and (event[0], event[2]) >= (start[0], start[2])
        ]
        found.sort(key=lambda event: (event[0], event[2]))
        page, rest = found[:PAGE], found[PAGE:]
        token = f"{rest[0][0]}/{rest[0][2]}" if rest else None
        return [LogEvent("/g", "s", at, f"{number}", f"id-{number}") for at, _, number in page], token


class Reader(RuleBasedStateMachine):
    """Events arrive, pages are read in any order, acknowledged late, and the process is killed now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.service = Service()
        self.stored: dict[str, int] = {}
        self.saved: tuple[str, int] | None = None
        self.waiting: list[Batch] = []

    @initialize(back_ms=st.integers(0, 600_000), interval_ms=st.sampled_from([1_000, 5_000]))
    def begin(self, back_ms: int, interval_ms: int) -> None:
        self.first_ms, self.interval_ms = NOW_MS - back_ms, interval_ms
        self.start()

    def start(self) -> None:
        marks = loads(self.saved[0], "/g") if self.saved else Marks.begin(self.first_ms, self.service.now_ms)
        version = self.saved[1] if self.saved else 0
        now_ms = self.service.now_ms
        memory = Memory(limit_bytes=6_000, open_bytes=2_000)
        self.reader = GroupReader(
            "/g", marks, KnownIds(memory), interval_ms=self.interval_ms, now_ms=now_ms, version=version
        )
        self.open: list[Reading] = []

    @rule(
        behind_ms=st.one_of(st.integers(-3_600_000, 0), st.integers(0, 400_000), st.integers(0, 3_000)),
        late_ms=st.one_of(st.integers(0, 2_000), st.integers(0, 280_000)),
        count=st.integers(1, 12),
    )
    def put(self, behind_ms: int, late_ms: int, count: int) -> None:
        at_ms = self.service.now_ms - behind_ms
        if at_ms >= self.first_ms and behind_ms + late_ms < SWEEPS[NEAR].age_ms:
            for _ in range(count):
                self.service.put(at_ms, late_ms)

    @rule(by_ms=st.one_of(st.integers(1, 2_000), st.integers(1, 20_000), st.integers(1, 2 * GAP_MS)))
    def time_passes(self, by_ms: int) -> None:
        self.service.now_ms += by_ms

    @rule(choice=st.integers(0, 20), pages=st.integers(1, 12), spare=st.integers(0, 2))
    def read(self, choice: int, pages: int, spare: int) -> None:
        due = [reading for reading in self.reader.readings() if self.reader.is_due(reading, self.service.now_ms)]
        reading = due[choice % len(due)]
        for _ in range(pages):
            if reading.kind == "range" and reading.number not in self.reader.ranges:
                return
            self.read_page(reading, spare)
            if not reading.token:
                return

    def read_page(self, reading: Reading, spare: int = 0) -> None:
        events, token = self.service.page(self.reader.request(reading, self.service.now_ms))
        batch = self.reader.take(reading, events, token, self.service.now_ms, spare=spare)
        if batch is not None:
            self.waiting.append(batch)

    @rule(choice=st.integers(0, 20))
    def token_expires(self, choice: int) -> None:
        readings = [reading for reading in self.reader.readings() if reading.token]
        if readings:
            self.reader.restart(readings[choice % len(readings)])

    @rule(count=st.integers(1, 10))
    def acknowledge(self, count: int) -> None:
        done, self.waiting = self.waiting[:count], self.waiting[count:]
        for batch in done:
            for event in batch.events:
                self.stored[event.event_id] = self.stored.get(event.event_id, 0) + 1
        for batch in done:
            batch.stored()
        text = self.reader.stored.to_save()
        if text is not None:
            self.saved = text, (self.saved[1] if self.saved else 0) + 1

    @rule(choice=st.integers(0, 20))
    def overtake(self, choice: int) -> None:
        """One that waits for room is overtaken by a later one."""
        if self.waiting:
            self.waiting.insert(0, self.waiting.pop(choice % len(self.waiting)))
            self.acknowledge(1)

    @rule()
    def kill(self) -> None:
        self.waiting.clear()
        self.start()

    @invariant()
    def marks_read_are_ahead_of_marks_stored(self) -> None:
        if hasattr(self, "reader"):
            assert self.reader.marks.position_ms >= self.reader.stored.marks.position_ms
            assert self.reader.marks.first_ms == self.first_ms

    def teardown(self) -> None:
        """Left alone for as long as the latest event may take, the reader has stored every event that is not ahead."""
        if not hasattr(self, "reader"):
            return
        end_ms = self.service.now_ms + 3_600_000 + SWEEPS[NEAR].age_ms + 2 * SWEEPS[NEAR].every_ms
        while self.service.now_ms < end_ms:
            self.service.now_ms += 20_000
            self.settle()
        expected = {f"id-{number}" for _, _, number in self.service.events}
        assert expected - set(self.stored) == set()

    def settle(self) -> None:
        for reading in list(self.reader.readings()):
            if reading.kind != "range" and (
                reading is self.reader.live or self.reader.is_due(reading, self.service.now_ms)
            ):
                self.read_page(reading)
                while reading.token:
                    self.read_page(reading)
        while self.reader.ranges:
            self.read_page(next(iter(self.reader.ranges.values())))
        self.acknowledge(len(self.waiting))


TestReader = pytest.mark.timeout(600)(Reader.TestCase)
TestReader.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)


def reader_pages(reader: GroupReader, reading: Reading, service: Service) -> list[str]:
    """Reads until there is no token; the ids that were new. Everything is acknowledged at once."""
    found = []
    while True:
        events, token = service.page(reader.request(reading, service.now_ms))
        batch = reader.take(reading, events, token, service.now_ms)
        if batch is not None:
            found += [event.event_id for event in batch.events]
            batch.stored()
        if reading.token is None:
            return found


def new_reader(service: Service, interval_ms: int = 5_000) -> GroupReader:
    marks = Marks.begin(service.now_ms, service.now_ms)
    return GroupReader("/g", marks, KnownIds(Memory()), interval_ms=interval_ms, now_ms=service.now_ms)


def test_two_events_alike_are_two() -> None:
    """Events of one stream, millisecond and text have two ids, and both are given out, across pages too."""
    service = Service()
    reader = new_reader(service)
    for _ in range(2 * PAGE + 1):
        service.put(NOW_MS + 5, 0)
    service.now_ms += 1_000

    assert len(reader_pages(reader, reader.live, service)) == 2 * PAGE + 1


def test_a_live_reading_that_takes_long_vouches_for_nothing_after_its_begin() -> None:
    """Pages that waited for the store leave what came behind the first of them to the next sweep."""
    service = Service()
    reader = new_reader(service)
    reader_pages(reader, reader.live, service)
    service.now_ms += SWEEPS[NEAR].age_ms + GAP_MS
    for number in range(PAGE * (LIVE_PAGES + 2)):
        service.put(NOW_MS + number * 1_000, 0)
    began_ms = service.now_ms
    for page in range(LIVE_PAGES):
        service.now_ms += GAP_MS if page == 1 else 10
        events, token = service.page(reader.request(reader.live, service.now_ms))
        batch = reader.take(reader.live, events, token, service.now_ms)
        assert batch is not None
        batch.stored()

    assert (len(reader.ranges), reader.stored.marks.swept_ms[NEAR]) == (1, began_ms + 10 - SWEEPS[NEAR].age_ms)


def test_a_batch_that_overtakes_another_moves_no_mark_before_it() -> None:
    """The later page knows what the earlier one has read, which may never be stored: the process ends first."""
    service = Service()
    reader = new_reader(service)
    reader_pages(reader, reader.live, service)
    before = reader.stored.marks.copy()
    batches = []
    for _ in range(2):
        service.now_ms += 1_000
        service.put(service.now_ms, 0)
        events, token = service.page(reader.request(reader.live, service.now_ms))
        batches.append(reader.take(reader.live, events, token, service.now_ms))
    first, second = batches
    assert first
    assert second
    second.stored()
    overtaken = reader.stored.marks.copy()
    first.stored()

    assert (overtaken, reader.stored.marks.position_ms) == (before, service.now_ms)


def test_an_event_from_the_future_moves_nothing() -> None:
    """An event stamped an hour ahead is given out at once, and those that follow at their own times too."""
    service = Service()
    reader = new_reader(service)
    service.put(NOW_MS + 3_600_000, 0)
    found = []
    for _ in range(5):
        service.put(service.now_ms, 0)
        service.now_ms += 1_000
        found.append(len(reader_pages(reader, reader.live, service)))

    assert found == [2, 1, 1, 1, 1]


def test_a_clock_that_is_ahead_hides_nothing() -> None:
    """Where our clock is four minutes ahead, the minute before its now is to come: what comes by then is read, too."""
    marks = Marks.begin(NOW_MS + 180_000, NOW_MS)
    reader = GroupReader("/g", marks, KnownIds(Memory()), interval_ms=1_000, now_ms=NOW_MS)

    asked = reader.request(reader.live, NOW_MS + 1_000)

    assert (asked["startTime"], reader.ranges) == (NOW_MS, {})


def test_a_start_before_all_events_is_one_at_the_first() -> None:
    """CloudWatch takes no time before 1970: whoever wants everything may name any time, and has it."""
    reader = GroupReader(
        "/g", Marks.begin(-62_135_596_800_000, NOW_MS), KnownIds(Memory()), interval_ms=1_000, now_ms=NOW_MS
    )

    asked = reader.request(reader.ranges[1], NOW_MS)

    assert (asked["startTime"], asked["endTime"]) == (0, NOW_MS)


def test_steady_reading_costs_less_than_four_times() -> None:
    """Ten events a second, up to 2 s late, read every 5 s for half an hour: each is read less than four times."""
    service = Service()
    reader = new_reader(service)
    for second in range(1_800):
        for part in range(10):
            service.put(service.now_ms - part * 100, part * 200)
        service.now_ms += 1_000
        if second % 5 == 0:
            for reading in list(reader.readings()):
                if reading is reader.live or reader.is_due(reading, service.now_ms):
                    reader_pages(reader, reading, service)
    figures = reader.figures

    assert figures.fresh > 17_000
    assert figures.events / figures.fresh < 4.0


def test_marks_are_moved_by_acknowledgement_alone() -> None:
    """What was read and not acknowledged is read again by the process that goes on from the checkpoint."""
    service = Service()
    reader = new_reader(service)
    service.put(NOW_MS + 5, 0)
    service.now_ms += 1_000
    batch = reader.take(reader.live, *service.page(reader.request(reader.live, service.now_ms)), service.now_ms)
    assert batch is not None
    before = reader.stored.to_save()
    batch.stored()
    after = reader.stored.to_save()

    assert before is not None
    assert after is not None
    assert loads(before, "/g").position_ms == NOW_MS < loads(after, "/g").position_ms


def test_many_threads_share_the_ids() -> None:
    """Threads that read the same events at the same time give each out once."""
    known, events = KnownIds(Memory()), [LogEvent("/g", "s", NOW_MS + n, "x", f"id-{n}") for n in range(5_000)]
    found: list[LogEvent] = []
    threads = [threading.Thread(target=lambda: found.extend(known.fresh(events, 0))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == events
    assert DEEP > NEAR


def test_a_checkpoint_names_so_many_ranges_at_most() -> None:
    """A flood that is never caught up with makes ranges up to a limit; beyond it the live reading goes on instead."""
    marks = Marks.begin(NOW_MS, NOW_MS)
    reader = GroupReader("/g", marks, KnownIds(Memory()), interval_ms=1_000, now_ms=NOW_MS)
    now_ms, at_ms = NOW_MS, NOW_MS
    while now_ms < NOW_MS + (MOST_RANGES + 20) * (GAP_MS + 1_000):
        now_ms += GAP_MS + 1_000
        for _ in range(LIVE_PAGES):
            reader.request(reader.live, now_ms)
            at_ms = max(at_ms, reader.live.start_ms) + 1
            batch = reader.take(reader.live, [LogEvent("/g", "s", at_ms, "x", str(at_ms))], "more", now_ms)
            assert batch
            batch.stored()
    text = reader.stored.marks.dumps()

    assert (len(reader.ranges), len(reader.stored.marks.ranges), len(text) < 20_500) == (MOST_RANGES, MOST_RANGES, True)


def test_a_range_is_gone_on_with_somewhat_earlier() -> None:
    """What continues an event that was stored just before is read with it again; nothing before the group's start."""
    service = Service()
    for quarter in range(12):
        service.put(NOW_MS + quarter * 250, 0)
    begin_ms, service.now_ms = NOW_MS + 125, NOW_MS + 60_000
    first = GroupReader(
        "/g", Marks.begin(begin_ms, service.now_ms), KnownIds(Memory()), interval_ms=5_000, now_ms=service.now_ms
    )
    reading = first.ranges[1]
    for _ in range(2):
        batch = first.take(reading, *service.page(first.request(reading, service.now_ms)), service.now_ms)
        assert batch is not None
        batch.stored()
    saved = first.stored.to_save()
    assert saved is not None
    marks = [loads(saved, "/g"), Marks.begin(begin_ms, service.now_ms)]
    again, fresh = (
        GroupReader("/g", one, KnownIds(Memory()), interval_ms=5_000, now_ms=service.now_ms, version=1) for one in marks
    )

    assert reader_pages(again, again.ranges[1], service) == [f"id-{number}" for number in range(4, 12)]
    assert fresh.request(fresh.ranges[1], service.now_ms)["startTime"] == begin_ms


def test_short_lives_come_further() -> None:
    """A process that is killed after each two pages reads everything in the end, however much lies in its windows."""
    service = Service()
    text, stored, lives = "", set[str](), 0
    for number in range(600):
        service.put(NOW_MS + number // 2, 0)
    service.now_ms += 2 * GAP_MS
    while len(stored) < 600 and lives < 1_000:
        marks = loads(text, "/g") if text else Marks.begin(NOW_MS - 1_000, NOW_MS)
        lives += 1
        reader = GroupReader(
            "/g", marks, KnownIds(Memory()), interval_ms=5_000, now_ms=service.now_ms, version=1 if text else 0
        )
        for reading in (reader.live, next(iter(reader.ranges.values()), reader.live)):
            batch = reader.take(reading, *service.page(reader.request(reading, service.now_ms)), service.now_ms)
            if batch is not None:
                stored.update(event.event_id for event in batch.events)
                batch.stored()
        text = reader.stored.to_save() or text
        service.now_ms += 1_000

    assert (len(stored), lives < 600) == (600, True)


def test_a_rest_is_split_once_it_is_saved() -> None:
    """What a flood leaves is read by one reading while its pages are not stored, and by several from then on."""
    reader = GroupReader("/g", Marks.begin(NOW_MS, NOW_MS), KnownIds(Memory()), interval_ms=1_000, now_ms=NOW_MS)
    now_ms, batches = NOW_MS + 20 * GAP_MS, []
    for page in range(LIVE_PAGES):
        reader.request(reader.live, now_ms)
        events = [LogEvent("/g", "s", NOW_MS + page + 1, "x", f"{page}")]
        batches.append(reader.take(reader.live, events, "more", now_ms))
    counts = []
    for page in range(3):
        reader.request(reader.ranges[1], now_ms)
        if page == 2:
            for batch in batches:
                assert batch
                batch.stored()
        events = [LogEvent("/g", "s", NOW_MS + 100 + page, "x", f"rest-{page}")]
        reader.take(reader.ranges[1], events, "more", now_ms, spare=1)
        counts.append(len(reader.ranges))

    assert counts == [1, 1, 2]


@pytest.mark.parametrize("text", ["garbage", "{}", '{"first_ms":1,"position_ms":1,"swept_ms":[]}'])
def test_marks_that_cannot_be_read_are_refused(text: str) -> None:
    """The error names the key, where it lies, and what deletes it."""
    with pytest.raises(DataError) as told:
        loads(text, "/us-east-1:/g", "the state folder '/s'")

    assert "the checkpoint '/us-east-1:/g' in the state folder '/s' cannot be read" in str(told.value)
    assert """sqlite3 checkpoints.db "DELETE FROM checkpoint WHERE key = '/us-east-1:/g'\"""" in str(told.value)


def test_events_of_two_streams_that_have_the_same_id_are_two() -> None:
    """CloudWatch's are unique; of others the record's identity asks no more than that they are within a stream."""
    known = KnownIds(Memory())
    events = [LogEvent("/g", stream, NOW_MS, "x", "1") for stream in ("a", "b", "a")]

    assert [event.stream for event in known.fresh(events, 0)] == ["a", "b"]


def test_a_range_whose_pages_come_stream_by_stream_is_neither_split_nor_cut() -> None:
    """Where its last event lies says nothing of what is still to come; it is done when there is no token."""
    first_ms = NOW_MS - 3_600_000
    reader = GroupReader("/g", Marks.begin(first_ms, NOW_MS), KnownIds(Memory()), interval_ms=1_000, now_ms=NOW_MS)
    [reading] = reader.ranges.values()
    for page in range(30):
        reader.request(reading, NOW_MS)
        number, minute = divmod(page, 10)
        times_ms = [first_ms + minute * 300_000 + part * 1_000 for part in range(100)]
        events = [LogEvent("/g", f"s{number}", at_ms, "x", f"{number}/{at_ms}") for at_ms in times_ms]
        batch = reader.take(reading, events, "more", NOW_MS, spare=1 if page > 10 else 0)
        assert batch
        batch.stored()

    assert (len(reader.ranges), reader.stored.marks.ranges) == (1, {1: (first_ms, NOW_MS)})
