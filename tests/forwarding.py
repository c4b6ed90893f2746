"""Sources in a forwarder, and what came of it."""

from __future__ import annotations

import gzip
import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from logship.forward.between.prepare import Preparer
from logship.forward.letters.dead_letters import DeadLetters
from logship.forward.port import Batch
from logship.forward.run import Forwarder
from logship.parse import Parser
from logship.query.tree import All
from logship.record import LogEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from logship.forward.port import Source
    from logship.record import Record
    from logship.testing import MemoryStore


def payload(events: Sequence[LogEvent], **other: Any) -> bytes:
    """What a subscription filter sends of events of one stream."""
    listed = [{"id": event.event_id, "timestamp": event.timestamp_ms, "message": event.message} for event in events]
    head = {"messageType": "DATA_MESSAGE", "owner": "123456789012", "subscriptionFilters": ["f"]}
    of = {"logGroup": events[0].group, "logStream": events[0].stream} if events else {"logGroup": "", "logStream": ""}
    return gzip.compress(json.dumps({**head, **of, "logEvents": listed, **other}).encode())


CONTROL = payload([], messageType="CONTROL_MESSAGE")


def records(store: MemoryStore) -> list[Record]:
    """What a store has, in order."""
    store.refresh()
    return list(store.scan(All()))


def messages(store: MemoryStore) -> list[str]:
    """The texts of what a store has, sorted."""
    return sorted(record.body for record in records(store))


def forward(
    sources: Sequence[Source], state: Path, store: Any, *, stop: threading.Event | None = None
) -> tuple[int, list[tuple[str, str]]]:
    """Runs sources until they end; how many records were new, and the dead letters as (group, reason)."""
    letters = DeadLetters(state)
    try:
        counts = Forwarder(sources, store, Preparer(Parser()), letters, stop=stop).run()
        return counts.stored, [(letter.event.group, letter.reason) for letter in letters.letters()]
    finally:
        letters.close()


@contextmanager
def forwarding(sources: Sequence[Source], state: Path, store: Any) -> Iterator[threading.Event]:
    """Runs sources beside the test; gives what stops them, and raises here what they raised."""
    stop, failure = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            forward(sources, state, store, stop=stop)
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(30)
    if failure:
        raise failure[0]


class Ticking:
    """A source that delivers an event every now and then, and counts those that are acknowledged."""

    name = "ticking"

    def __init__(self) -> None:
        self.stored = 0

    def run(self, deliver: Callable[[Batch], None], stop: threading.Event) -> None:
        number = 0
        while not stop.wait(0.02):
            number += 1
            deliver(Batch([LogEvent("/other", "x", 1_795_443_665_000 + number, "tick", str(number))], self._stored))

    def save(self, *, now: bool = False) -> None:
        """Nothing to write down."""

    def goes_on(self) -> None:
        """Returns once events are acknowledged that were not when it was called."""
        before = self.stored
        wait_for(lambda: self.stored > before + 1, 5.0)

    def _stored(self) -> None:
        self.stored += 1


@contextmanager
def full_disk(letters: DeadLetters) -> Iterator[None]:
    """Gives the file of dead letters no further page while it lasts."""
    with letters._lock:
        [(pages,)] = letters._database.execute("PRAGMA page_count")
        letters._database.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        with letters._lock:
            letters._database.execute(f"PRAGMA max_page_count = {1_000_000}")


def wait_for(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Returns when something has come true."""
    deadline_s = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        time.sleep(0.02)
