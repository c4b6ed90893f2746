"""What is delivered is stored and acknowledged, and nobody waits for what cannot come."""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import pytest

from logship.errors import AccessError, ConnectError, DiskFullError, Stopped
from logship.forward import pipeline, storing
from logship.forward.between.prepare import Preparer, prepare_of
from logship.forward.letters.dead_letters import DeadLetters
from logship.forward.pipeline import Pipeline
from logship.forward.port import Batch
from logship.parse import Parser
from logship.query.tree import All
from logship.record import LogEvent
from logship.settings import Redact, RedactRule, Settings
from logship.store.port import AddResult, Rejected
from logship.testing import MemoryStore
from tests.forwarding import full_disk, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from logship.forward.letters.dead_letters import DeadLetter
    from logship.record import Record
    from logship.store.port import StoreWriter
    from logship.table import Table

EVENTS = 40


class OneByOne(MemoryStore):
    """Takes requests, each of which is safe at once."""

    parallel = 2

    def encode(self, records: Sequence[Record], tables: Sequence[Table] = ()) -> Sequence[Record]:
        return [*records, *(record for table in tables for record in table.records())]

    def send(self, encoded: Sequence[Sequence[Record]]) -> AddResult:
        return self.add([record for some in encoded for record in some])


def batch(number: int) -> Batch:
    return Batch([LogEvent("/g", "s", 1_795_443_665_000 + number, "x" * 1000, f"{number:056d}")])


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [MemoryStore, OneByOne])
def test_a_full_queue_is_stored_at_once(make: type[MemoryStore], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sources wait for room, neither a chunk that is not full nor a commit that is not due waits for them."""
    monkeypatch.setattr(pipeline, "QUEUE_BYTES", 4 * batch(0).size)
    monkeypatch.setattr(pipeline, "_LINGER_S", 600.0)
    monkeypatch.setattr(pipeline, "_TICK_S", 600.0)
    monkeypatch.setattr(storing, "COMMIT_INTERVAL_S", 600.0)
    store = make()
    writer: StoreWriter = store
    working = Pipeline(writer, Preparer(Parser()), keep=lambda _: None, stop=threading.Event())

    def deliver() -> None:
        for number in range(EVENTS):
            working.deliver(batch(number))
        working.close()

    threading.Thread(target=deliver).start()
    working.run()
    store.refresh()

    assert (store.count(All()), working.counts.read, working.queued_bytes) == (EVENTS, EVENTS, 0)


def moved_since(working: Pipeline, moved_s: float) -> bool:
    return working.moved_s > moved_s


@pytest.mark.timeout(20)
@pytest.mark.parametrize("batches", [1, 5], ids=["at the end", "before the next"])
def test_waiting_for_a_slow_answer_is_moving(batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a store takes over its requests, the storing thread is seen to go round."""
    monkeypatch.setattr(pipeline, "_CHUNK_EVENTS", 1)
    monkeypatch.setattr(storing, "_LOOK_S", 0.01)
    answers, asked = threading.Event(), threading.Event()

    class Slow(OneByOne):
        def send(self, encoded: Sequence[Sequence[Record]]) -> AddResult:
            asked.set()
            answers.wait()
            return super().send(encoded)

    working = Pipeline(Slow(), Preparer(Parser()), keep=lambda _: None, stop=threading.Event())
    for number in range(batches):
        working.deliver(batch(number))
    working.close()
    running = threading.Thread(target=working.run)
    running.start()
    try:
        asked.wait()
        for _ in range(20):
            moved_s = working.moved_s
            wait_for(partial(moved_since, working, moved_s), 5.0)
    finally:
        answers.set()
        running.join()

    assert working.counts.read == batches


@pytest.mark.timeout(30)
def test_a_failure_for_good_ends_requests_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """One request is not permitted while another waits for a store that is away: neither waits for the other."""
    monkeypatch.setattr(pipeline, "_CHUNK_EVENTS", 1)
    monkeypatch.setattr(storing, "GRACE_S", 0.2)
    away, calls = threading.Event(), iter(range(2))

    class Failing(OneByOne):
        def send(self, encoded: Sequence[Sequence[Record]]) -> AddResult:
            del encoded
            if next(calls, 1) == 0:
                away.wait()
                raise AccessError("not permitted")
            away.set()
            raise ConnectError("away")

    working = Pipeline(Failing(), Preparer(Parser()), keep=lambda _: None, stop=threading.Event())
    assert working.limiter
    working.limiter.limit = 2.0

    def deliver() -> None:
        with suppress(Stopped):
            for number in count():
                working.deliver(batch(number))

    threading.Thread(target=deliver).start()
    with pytest.raises(AccessError, match="not permitted"):
        working.run()


def test_a_record_whose_id_was_redacted_becomes_a_letter() -> None:
    """Its event is found by the id that stood in the line as it arrived."""
    redact = Redact(rule=[RedactRule(name="hex", pattern="[0-9a-f]{16}")])
    prepare = prepare_of(Settings(redact=redact))
    lines = [f'{{"message":"m{number}","logship.id":"7f3c9a1e5b204d68-{number}"}}' for number in range(3)]
    kept: list[DeadLetter] = []

    class Refusing(MemoryStore):
        def add(self, records: Sequence[Record]) -> AddResult:
            return AddResult(0, 0, tuple(Rejected(one, "400 no") for one in records))

    events = [LogEvent("/g", "s", 1_795_443_665_000, line, f"{number}") for number, line in enumerate(lines)]
    working = Pipeline(Refusing(), prepare, keep=kept.extend, stop=threading.Event())
    working.deliver(Batch(events))
    working.close()
    working.run()

    assert [letter.event.event_id for letter in kept] == ["0", "1", "2"]
    assert len({letter.id for letter in kept}) == 3


def test_each_rejected_line_of_our_handler_becomes_its_own_letter() -> None:
    """Though they are of one stream and one millisecond."""
    lines = [f'{{"message":"order {number}","logship.id":"7f3c9a1e5b204d68-{number}"}}' for number in range(30)]
    events = [LogEvent("/g", "s", 1_795_443_665_000, line, f"{number}") for number, line in enumerate(lines)]
    records = Preparer(Parser())(events)
    chunk = storing.Chunk([events], rejected=[Rejected(one, "400 no") for one in records[::2]])

    letters = pipeline.letters_of(chunk, lambda event: event)

    assert [(letter.id, letter.event) for letter in letters] == [
        (record.id, event) for record, event in zip(records[::2], events[::2], strict=True)
    ]


@pytest.mark.parametrize(
    "line",
    [
        '{"message":"x","logship":{"id":"7f-1"}}',
        '{"message":"x","logship\\u002eid":"7f-1"}',
        '{"log":"{\\"message\\":\\"m\\",\\"logship\\":{\\"id\\":\\"w1\\"}}\\n","stream":"stdout"}',
        '{"message":"x","password":"hunter2hunter","logship\\u002eid":"7f-1"}',
    ],
)
def test_a_letter_is_kept_wherever_a_line_has_the_id_of_our_handler(line: str) -> None:
    """Nested, escaped, within a container's line, beside a secret: the id of the letter is the record's."""
    event = LogEvent("/g", "s", 1_795_443_665_000, line, "1")
    prepare = prepare_of(Settings())
    [record] = prepare([event])

    letters = pipeline.letters_of(storing.Chunk([[event]], rejected=[Rejected(record, "400 no")]), prepare.clean)

    assert [(letter.id, letter.event) for letter in letters] == [(record.id, prepare.clean(event))]


def test_a_rejected_record_that_no_event_has_made_is_kept_all_the_same() -> None:
    """From what it tells itself: where it comes from, and its text."""
    event = LogEvent("/g", "s", 1_795_443_665_000, "a line", "1", 5)
    [record] = Preparer(Parser())([event])

    letters = pipeline.letters_of(storing.Chunk([[]], rejected=[Rejected(record, "400 no")]), lambda event: event)

    assert [(letter.id, letter.event) for letter in letters] == [(record.id, event._replace(event_id=""))]


class Refusing(OneByOne):
    """Takes no record at all."""

    def add(self, records: Sequence[Record]) -> AddResult:
        return AddResult(0, 0, tuple(Rejected(one, "400 no") for one in records))


@pytest.fixture
def letters(tmp_path: Path) -> Iterator[DeadLetters]:
    with closing(DeadLetters(tmp_path)) as opened:
        yield opened


def acknowledging(number: int, seen: list[int]) -> Batch:
    return Batch(batch(number).events, lambda: seen.append(number))


@pytest.mark.timeout(20)
def test_room_for_dead_letters_is_waited_for(letters: DeadLetters, monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanwhile nothing is acknowledged, and the thread is seen to move; with room all goes on."""
    monkeypatch.setattr(storing, "_STORE_WAIT_S", 0.01)
    monkeypatch.setattr(storing, "_LONGEST_STORE_WAIT_S", 0.02)
    said, seen = list[str](), list[int]()
    working = Pipeline(
        Refusing(), Preparer(Parser()), keep=letters.keep, stop=threading.Event(), say=said.append, patience_s=60
    )
    for number in range(EVENTS):
        working.deliver(acknowledging(number, seen))
    working.close()
    running = threading.Thread(target=working.run)
    with full_disk(letters):
        running.start()
        wait_for(lambda: working.letters_patience.waits > 2)
        wait_for(partial(moved_since, working, working.moved_s), 5.0)
        before, reason = list(seen), working.letters_patience.reason
    running.join(10)

    assert (before, seen, letters.count()) == ([], list(range(EVENTS)), EVENTS)
    assert said == [f"{reason}; nothing is lost, the forwarder waits for room for dead letters"]
    assert (working.letters_patience.reason, "is full; free some space" in reason) == ("", True)


@pytest.mark.timeout(20)
def test_stopping_ends_the_waiting_for_room(letters: DeadLetters, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its grace, with what was not kept not acknowledged: the next forwarder reads it again."""
    monkeypatch.setattr(storing, "GRACE_S", 0.2)
    stop, seen = threading.Event(), list[int]()
    working = Pipeline(Refusing(), Preparer(Parser()), keep=letters.keep, stop=stop)
    for number in range(EVENTS):
        working.deliver(acknowledging(number, seen))
    working.close()
    stop.set()
    with full_disk(letters), pytest.raises(DiskFullError, match="is full"):
        working.run()

    assert (seen, letters.count()) == ([], 0)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [MemoryStore, OneByOne])
def test_what_comes_right_before_the_end_is_stored(make: type[MemoryStore], monkeypatch: pytest.MonkeyPatch) -> None:
    """A last batch, and the word that it was the last, that arrive while the storing thread found nothing to do."""
    monkeypatch.setattr(pipeline, "_TICK_S", 0.01)
    store, left = make(), [batch(0)]
    writer: StoreWriter = store

    def after_round() -> None:
        if left:
            working.deliver(left.pop())
            working.close()

    working = Pipeline(writer, Preparer(Parser()), keep=lambda _: None, stop=threading.Event(), after_round=after_round)
    working.run()
    store.refresh()

    assert (store.count(All()), working.counts.read) == (1, 1)
