"""Requests to a store: how many at once, and what becomes of chunks while it is down, slow, or picky."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from logship.errors import BusyError, ConnectError, DiskFullError, StoreError
from logship.forward import storing
from logship.forward.between.prepare import Preparer
from logship.forward.limiter import Limiter
from logship.forward.storing import Chunk, Patience, Requests
from logship.parse import Parser
from logship.record import LogEvent
from logship.store.port import AddResult, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.record import Record
    from logship.table import Table


def chunk(number: int) -> Chunk:
    return Chunk([[LogEvent("/g", "s", 1_795_443_665_000 + n, f"line {n}", f"{number}-{n}") for n in range(3)]])


class Store:
    """Answers each request by what a test wants; remembers what it took."""

    parallel = 4

    def __init__(self, answer: Callable[[Store, Sequence[Record]], AddResult]) -> None:
        self._answer, self.adds, self.taken = answer, 0, list[str]()
        self.commits, self._lock = 0, threading.Lock()

    def add(self, records: Sequence[Record]) -> AddResult:
        return self.send([records])

    def encode(self, records: Sequence[Record], tables: Sequence[Table] = ()) -> Sequence[Record]:
        return [*records, *(record for table in tables for record in table.records())]

    def send(self, encoded: Sequence[Sequence[Record]]) -> AddResult:
        records = [record for some in encoded for record in some]
        with self._lock:
            self.adds += 1
        result = self._answer(self, records)
        with self._lock:
            self.taken += [record.body for record in records]
        return result

    def commit(self) -> None:
        self.commits += 1

    def close(self) -> None:
        """Nothing to let go of."""


def taken(store: Store, records: Sequence[Record]) -> AddResult:
    del store
    return AddResult(len(records), round_trip_s=0.001)


def run(
    store: Store, chunks: Sequence[Chunk], stop: threading.Event | None = None, *, longest_s: float = float("inf")
) -> list[Chunk]:
    """Puts all chunks, and gives back those that are safe."""
    patience = Patience(stop or threading.Event(), lambda _: None, longest_s=longest_s)
    requests = Requests(store, Preparer(Parser()), patience, lambda: None)
    try:
        for one in chunks:
            requests.put(one)
        requests.flush()
        return requests.done()
    finally:
        requests.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "_STORE_WAIT_S", 0.01)
    monkeypatch.setattr(storing, "_LONGEST_STORE_WAIT_S", 0.02)


@pytest.mark.usefixtures("impatient")
@pytest.mark.timeout(20)
def test_a_store_that_was_down_takes_everything() -> None:
    """However many chunks wait when it comes back, each is stored, and none waits for another for ever."""

    def answer(store: Store, records: Sequence[Record]) -> AddResult:
        if store.adds <= 60:
            raise ConnectError("down")
        return taken(store, records)

    done = run(Store(answer), [chunk(number) for number in range(40)])

    assert sum(one.accepted for one in done) == 120


@pytest.mark.usefixtures("impatient")
def test_only_what_was_refused_is_sent_again() -> None:
    """The part that a busy store took is not sent twice."""

    def answer(store: Store, records: Sequence[Record]) -> AddResult:
        if store.adds == 1:
            store.taken.append(records[0].body)
            raise BusyError("busy", AddResult(1), [records[1:]])
        return taken(store, records)

    store = Store(answer)
    done = run(store, [chunk(1)])

    assert (store.taken, done[0].accepted) == (["line 0", "line 1", "line 2"], 3)


@pytest.mark.usefixtures("impatient")
def test_a_store_that_is_down_while_records_are_encoded_gets_each_once() -> None:
    """Encoding may ask the store for room for a new field; what waits there is prepared once and sent once."""

    class Forgetful(Store):
        calls = 0

        def encode(self, records: Sequence[Record], tables: Sequence[Table] = ()) -> Sequence[Record]:
            self.calls += 1
            if self.calls in (2, 3):
                raise ConnectError("down")
            return super().encode(records, tables)

    events = [event for number in range(180) for event in chunk(number).parts[0]]
    store = Forgetful(taken)
    done = run(store, [Chunk([events])])

    assert store.taken == [event.message for event in events]
    assert (done[0].accepted, store.adds, store.calls) == (540, 1, 5)


def test_what_the_store_never_takes_is_kept_with_its_reason() -> None:
    """A rejected record is part of what became of its chunk, and costs no further request."""

    def answer(store: Store, records: Sequence[Record]) -> AddResult:
        del store
        return AddResult(2, 0, (Rejected(records[1], "400 poison"),))

    store = Store(answer)
    done = run(store, [chunk(1)])

    assert ([rejected.reason for rejected in done[0].rejected], store.adds) == (["400 poison"], 1)


def test_a_failure_for_good_ends_it() -> None:
    """An error that waiting does not mend reaches whoever puts chunks."""

    def answer(store: Store, records: Sequence[Record]) -> AddResult:
        del store, records
        raise StoreError("write block")

    with pytest.raises(StoreError, match="write block"):
        run(Store(answer), [chunk(number) for number in range(20)])


@pytest.mark.usefixtures("impatient")
def test_stopping_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to stop while the store is down, it gives up after its grace, with what the store said."""
    monkeypatch.setattr(storing, "GRACE_S", 0.0)
    stop = threading.Event()
    stop.set()

    def answer(store: Store, records: Sequence[Record]) -> AddResult:
        del store, records
        raise ConnectError("down")

    with pytest.raises(ConnectError, match="down"):
        run(Store(answer), [chunk(1)], stop)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", [ConnectError, DiskFullError])
@pytest.mark.timeout(20)
def test_a_store_that_takes_nothing_is_given_up(kind: type[ConnectError | DiskFullError]) -> None:
    """Where the run is to end by itself, after its time and with the status of what the store said."""

    def answer(store: Store, records: Sequence[Record]) -> AddResult:
        del store, records
        raise kind("full")

    with pytest.raises(kind, match="full; given up after 0 min, the next run reads again"):
        run(Store(answer), [chunk(1)], longest_s=0.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.timeout(20)
def test_a_store_that_takes_a_little_is_not_given_up() -> None:
    """Each record that it takes begins the time anew."""

    def answer(store: Store, records: Sequence[Record]) -> AddResult:
        if store.adds % 5:
            raise ConnectError("down")
        if len(records) > 1:
            raise BusyError("busy", AddResult(1), [records[1:]])
        return taken(store, records)

    store = Store(answer)
    done = run(store, [chunk(number) for number in range(4)], longest_s=0.3)

    assert (sum(one.accepted for one in done), store.adds) == (12, 60)


def test_the_limit_grows_while_the_store_keeps_up() -> None:
    """It begins with one request and grows by one a round trip, up to the most."""
    clock = [0.0]
    limiter, limits = Limiter(4, lambda: clock[0]), []
    for _ in range(6):
        while limiter.acquire(0.0):
            pass
        clock[0] += 1.0
        limiter.observe(0.1, refused=False)
        for _ in range(limiter.under_way):
            limiter.release()
        limits.append(limiter.limit)

    assert limits == [2.0, 3.0, 4.0, 4.0, 4.0, 4.0]


@pytest.mark.parametrize(("round_trip_s", "refused"), [(0.1, True), (5.0, False), (None, False)])
def test_the_limit_falls_when_the_store_suffers(round_trip_s: float | None, *, refused: bool) -> None:
    """By a tenth, when it refuses, slows down or does not answer; never below one."""
    clock = [0.0]
    limiter = Limiter(8, lambda: clock[0])
    for _ in range(7):
        while limiter.acquire(0.0):
            pass
        clock[0] += 1.0
        limiter.observe(0.1, refused=False)
    grown = limiter.limit
    clock[0] += 1.0
    limiter.observe(round_trip_s, refused=refused)
    fallen = limiter.limit
    for _ in range(60):
        clock[0] += 10.0
        limiter.observe(None, refused=False)

    assert (grown, round(fallen, 9), limiter.limit) == (8.0, 7.2, 1.0)
