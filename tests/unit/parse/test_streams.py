"""Continuation lines find their event, in whichever order a stream's events arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.parse import Parser
from logship.parse.streams import LONGEST_GAP_MS, Stream
from logship.record import CONTINUES, LogEvent, Record, record_id

START_MS = 1_795_443_665_000
JSON = '{"timestamp":"2026-11-23T14:21:05.871Z","level":"INFO","message":"a"}'


def first(at_ms: int, number: int = 0, *, stream: str = "x", line: str = "2026-11-23T14:21:05Z ERROR no") -> LogEvent:
    return LogEvent("/g", stream, START_MS + at_ms, line, f"{at_ms}-{number}")


def more(at_ms: int, number: int = 1, *, stream: str = "x") -> LogEvent:
    return LogEvent("/g", stream, START_MS + at_ms, "\tat x.Y(Z.java:1)", f"{at_ms}-{number}")


def identity(event: LogEvent) -> str:
    return record_id(event.timestamp_ms, event.group, event.stream, event.event_id)


def links(records: list[Record]) -> list[str | None]:
    return [record.attributes.get(CONTINUES) for record in records]


def test_lines_are_linked_across_batches_and_between_streams() -> None:
    """Each to the event before it in its own stream, whatever lies between; ids are those of events."""
    parser = Parser()
    a, b, c = first(0), first(0, stream="y", line=JSON), first(5)
    batches = [[a, more(0), b], [more(1, stream="y"), more(2)], [c], [more(2, 7, stream="y"), more(6)]]
    records = [record for batch in batches for record in parser.records(batch)]

    assert links(records) == [None, identity(a), None, identity(b), identity(a), None, identity(b), identity(c)]
    assert [record.id for record in records] == [identity(event) for batch in batches for event in batch]


@pytest.mark.parametrize("spacing_ms", [10, 20_000])
def test_a_backfill_beside_the_newest_events_mixes_nothing(spacing_ms: int) -> None:
    """Pages of days ago and of now take turns; one that begins with a continuation line has its event."""
    parser = Parser()
    made: list[str | None] = []
    want: list[str | None] = []
    for page in range(50):
        for start_ms, spacing in ((-90_000_000, 10), (-50_000_000, 10), (0, spacing_ms)):
            before, now = first(start_ms + (page - 1) * spacing), first(start_ms + page * spacing, line=JSON)
            events = [now] if not page else [more(before.timestamp_ms - START_MS + 5), now]
            made += links(parser.records(events))
            want += [None] if not page else [identity(before), None]

    assert made == want


def test_late_events_bring_their_own_lines() -> None:
    """What arrives late is linked among itself, and does not take the lines of what is newer."""
    parser = Parser()
    new, late = first(10_000), first(4_000, line=JSON)
    records = parser.records([new, more(10_000), late, more(4_000), more(4_001), more(10_001)])

    assert links(records) == [None, identity(new), None, identity(late), identity(late), identity(new)]


def test_a_second_backfill_begins_for_itself() -> None:
    """Its first event does not take the place of one of hours before."""
    newest, early, between = first(1_000_000), first(0), first(500_000)
    records = Parser().records([newest, early, between, more(1), more(500_001), more(1_000_001)])

    assert links(records)[3:] == [identity(early), identity(between), identity(newest)]


def test_going_back_takes_back_every_sequence() -> None:
    """Not the newest one alone."""
    parser = Parser()
    parser.records([first(0), first(100_000)])
    mark = parser.mark()
    parser.records([first(3_000)])
    parser.rewind(mark)

    assert links(parser.records([more(1_000)])) == [identity(first(0))]


def test_only_so_many_sequences_are_remembered() -> None:
    """A stream of rare events costs no more memory with each, and the oldest sequence stays known."""
    parser = Parser()
    old = first(-10_000_000)
    parser.records([old, *(first(minute * 60_000) for minute in range(1000))])
    [stream] = parser._streams.values()

    assert (len(stream.older) <= 16, links(parser.records([more(-9_999_999)]))) == (True, [identity(old)])


def test_what_is_not_known_is_not_linked() -> None:
    """A line before every event, or long after one, continues something that was not seen."""
    records = Parser().records([more(0), first(10), more(9), more(10 + LONGEST_GAP_MS), more(11 + LONGEST_GAP_MS)])

    assert links(records) == [None, None, None, identity(first(10)), None]


def test_an_event_of_the_future_takes_no_lines() -> None:
    """A clock an hour ahead does not keep the lines of others from their events."""
    future, now = first(3_600_000), first(1, line=JSON)
    records = Parser().records([future, now, more(1), first(2), more(3)])

    assert links(records) == [None, None, identity(now), None, identity(first(2))]


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=40), st.integers(0, 40))
def test_going_back_is_complete(drawn: list[tuple[int, bool]], cut: int) -> None:
    """The same events prepared again have the same links, in whichever order they came."""
    events = [(more if is_more else first)(at * 1_500, number) for number, (at, is_more) in enumerate(drawn)]
    parser = Parser()
    parser.records(events[:cut])
    mark = parser.mark()
    made = []
    for _ in range(2):
        made.append(links(parser.records(events[cut:])))
        parser.rewind(mark)

    assert made[0] == made[1]


@given(st.lists(st.tuples(st.integers(0, 100), st.booleans()), max_size=60))
def test_in_order_the_event_before_is_the_one(drawn: list[tuple[int, bool]]) -> None:
    """Events in the order of time: each line continues the last event, unless that is too long ago."""
    events = [(more if is_more else first)(at * 700, number) for number, (at, is_more) in enumerate(sorted(drawn))]
    want: list[str | None] = []
    last: LogEvent | None = None
    for event in events:
        if event.message.startswith("\t"):
            near = last is not None and event.timestamp_ms - last.timestamp_ms <= LONGEST_GAP_MS
            want.append(identity(last) if last and near else None)
        else:
            last = event
            want.append(None)

    assert links(Parser().records(events)) == want


@given(
    before=st.lists(st.integers(0, 60), max_size=12),
    batch=st.lists(st.integers(0, 60), min_size=1, max_size=8),
    spacing_ms=st.sampled_from([1, 1_500, 6_000]),
    in_order=st.booleans(),
)
def test_many_events_at_once_leave_what_each_of_them_leaves(
    before: list[int], batch: list[int], spacing_ms: int, *, in_order: bool
) -> None:
    """Wherever a batch falls among the sequences that are known."""
    batch = sorted(batch) if in_order else batch
    one_by_one, at_once = (Stream("/g", "x", "g") for _ in range(2))
    for stream in (one_by_one, at_once):
        for place, at in enumerate(before):
            stream.begin(at * 6_000, f"before {place}")
    times_ms, ids = [at * spacing_ms for at in batch], [f"id {place}" for place in range(len(batch))]

    for at_ms, its_id in zip(times_ms, ids, strict=True):
        one_by_one.begin(at_ms, its_id)
    at_once.begin_all(times_ms, ids)

    assert at_once.mark() == one_by_one.mark()
