"""What is delivered is stored and acknowledged, and nobody waits for what cannot come."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from logship.forward import pipeline, storing
from logship.forward.between.prepare import Preparer
from logship.forward.pipeline import Pipeline
from logship.forward.port import Batch
from logship.parse import Parser
from logship.query.tree import All
from logship.record import LogEvent
from logship.testing import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.record import Record
    from logship.store.port import AddResult, StoreWriter
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
