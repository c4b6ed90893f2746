"""Leases among processes that crash, pause, lose answers and have clocks of their own, against a table in memory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from logship.errors import ConnectError
from logship.forward.checkpoints import balance
from logship.forward.checkpoints.balance import View
from logship.forward.checkpoints.leases import BEAT_S, LEASE_S, Entry, Lease, Row
from logship.forward.checkpoints.port import LeaseLost
from logship.forward.checkpoints.worker import HANDOVER_S, Worker

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

KEYS = [f"/shop/{number}" for number in range(7)]


class MemoryTable:
    """What DynamoDB does with our conditions; told to, it loses answers, refuses, or makes a change later."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.entries: dict[str, Entry] = {}
        self.delayed: list[Callable[[], Any]] = []
        self.mood = "well"
        self.calls = 0

    def _do(self, change: Callable[[], Any]) -> Any:
        self.calls += 1
        mood, self.mood = self.mood, "well" if self.mood != "down" else "down"
        if mood == "well":
            return change()
        if mood == "answer lost":
            change()
        elif mood == "late":
            self.delayed.append(change)
        raise ConnectError("the table does not answer")

    def enter(self, worker: str) -> None:
        self._do(lambda: self.rows.__setitem__(worker, Row(0)))

    def beat(self, worker: str, beat: int, asks: Sequence[str]) -> bool:
        def change() -> bool:
            if worker not in self.rows or self.rows[worker].beat > beat:
                return False
            self.rows[worker] = Row(beat, tuple(asks))
            return True

        return bool(self._do(change))

    def bury(self, worker: str, beat: int) -> bool:
        def change() -> bool:
            return worker in self.rows and self.rows[worker].beat == beat and bool(self.rows.pop(worker))

        return bool(self._do(change))

    def leave(self, worker: str) -> None:
        self._do(lambda: self.rows.pop(worker, None))

    def workers(self) -> dict[str, Row]:
        found: dict[str, Row] = self._do(lambda: dict(self.rows))
        return found

    def leases(self) -> dict[str, Lease]:
        found: dict[str, Lease] = self._do(lambda: {key: entry.lease for key, entry in self.entries.items()})
        return found

    def take(self, key: str, seen: Lease | None, worker: str) -> bool:
        def change() -> bool:
            entry = self.entries.get(key)
            if (entry.lease if entry else None) != seen:
                return False
            token = seen.token + 1 if seen else 1
            self.entries[key] = Entry(*((entry.value, entry.version) if entry else (None, 0)), Lease(worker, token))
            return True

        return bool(self._do(change))

    def release(self, key: str, lease: Lease) -> None:
        def change() -> None:
            entry = self.entries[key]
            if entry.lease == lease:
                self.entries[key] = Entry(entry.value, entry.version, Lease("", lease.token))

        self._do(change)

    def load(self, key: str) -> Entry | None:
        found: Entry | None = self._do(lambda: self.entries.get(key))
        return found

    def save(self, key: str, value: str, version: int, lease: Lease) -> Entry | None:
        def change() -> Entry | None:
            entry = self.entries[key]
            if (entry.version, entry.lease) != (version, lease):
                return entry
            self.entries[key] = Entry(value, version + 1, lease)
            return None

        found: Entry | None = self._do(change)
        return found


class Process:
    """Works on keys as a forwarder does: counts one up from the checkpoint it found."""

    def __init__(self, table: MemoryTable, number: int, now_s: Callable[[], float], rate: float = 1.0) -> None:
        self.names = (f"process-{number}/{life}" for life in range(1_000_000))
        self.worker = Worker(table, lambda: next(self.names), clock=lambda: 1e6 * number + now_s() * rate)
        self.working: dict[str, int] = {}
        self.to_release: set[str] = set()
        self.moves = 0

    @property
    def believes(self) -> set[str]:
        return set(self.worker._held) if self.worker.pulse.is_alive else set()

    def share(self, keys: Sequence[str] = KEYS) -> None:
        ours = self.worker.share(keys)
        self.to_release |= self.working.keys() - ours
        self.moves += len(ours ^ self.working.keys())
        self.working = {key: version for key, version in self.working.items() if key in ours}
        for key in sorted(ours - self.working.keys()):
            try:
                found = self.worker.load(key)
            except ConnectError:
                continue
            self.working[key] = found[1] if found else 0

    def release(self) -> None:
        for key in sorted(self.to_release):
            self.worker.release(key)
        self.to_release.clear()

    def save(self, key: str) -> None:
        version = self.working[key]
        try:
            self.working[key] = self.worker.save(key, str(version + 1), version)
        except LeaseLost:
            del self.working[key]
        except ConnectError:
            pass


class Fleet(RuleBasedStateMachine):
    """Processes crash, pause and lose answers, in any order; their clocks run at speeds up to 7 % apart."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.now_s, self.number = MemoryTable(), 0.0, 0
        self.processes: list[Process] = []

    @initialize(rates=st.lists(st.floats(0.94, 1.06), min_size=2, max_size=4))
    def begin(self, rates: list[float]) -> None:
        for rate in rates:
            self.start(rate)

    @rule(rate=st.floats(0.94, 1.06))
    def start(self, rate: float) -> None:
        if len(self.processes) < 5:
            self.number += 1
            self.table.mood = "well"
            self.processes.append(Process(self.table, self.number, lambda: self.now_s, rate))

    @rule(by_s=st.one_of(st.floats(0.1, 4.0), st.floats(1.0, 20.0)))
    def time_passes(self, by_s: float) -> None:
        self.now_s += by_s

    @rule(choice=st.integers(0, 20), mood=st.sampled_from(["well", "well", "answer lost", "late", "refuses"]))
    def beat(self, choice: int, mood: str) -> None:
        process = self.chosen(choice)
        self.table.mood = mood
        process.worker.beat()

    @rule(choice=st.integers(0, 20), after=st.integers(0, 8), mood=st.sampled_from(["answer lost", "late", "refuses"]))
    def share(self, choice: int, after: int, mood: str) -> None:
        """A round of several calls, one of which may go wrong."""
        process = self.chosen(choice)
        calls, do = self.table.calls + after, self.table._do

        def once(change: Callable[[], Any]) -> Any:
            if self.table.calls == calls:
                self.table.mood = mood
            return do(change)

        self.table._do = once  # type: ignore[method-assign]
        process.share()
        self.table._do = do  # type: ignore[method-assign]

    @rule(choice=st.integers(0, 20))
    def release(self, choice: int) -> None:
        self.chosen(choice).release()

    @rule(choice=st.integers(0, 20), key=st.integers(0, 20), mood=st.sampled_from(["well", "answer lost", "late"]))
    def save(self, choice: int, key: int, mood: str) -> None:
        process = self.chosen(choice)
        if process.working:
            self.table.mood = mood
            process.save(sorted(process.working)[key % len(process.working)])
            self.table.mood = "well"

    @rule()
    def late_change(self) -> None:
        if self.table.delayed:
            self.table.delayed.pop(0)()

    @rule(choice=st.integers(0, 20), politely=st.booleans())
    def end(self, choice: int, politely: bool) -> None:
        if len(self.processes) > 1:
            process = self.processes.pop(choice % len(self.processes))
            if politely:
                process.worker.leave()

    def chosen(self, choice: int) -> Process:
        self.table.mood = "well"
        return self.processes[choice % len(self.processes)]

    @invariant()
    def a_key_has_one_worker(self) -> None:
        believers = Counter(key for process in self.processes for key in process.believes)

        assert [key for key, count in believers.items() if count > 1] == []

    @invariant()
    def nobody_overwrites(self) -> None:
        """Each checkpoint was made from the one before: texts count as versions do."""
        for entry in self.table.entries.values():
            assert (entry.value or "0") == str(entry.version)

    def teardown(self) -> None:
        """Left in peace, all keys are worked on, evenly, and stay where they are."""
        if not self.processes:
            return
        while self.table.delayed:
            self.late_change()
        self.peace(LEASE_S * 4 + HANDOVER_S)
        before = [(process.moves, set(process.working)) for process in self.processes]
        self.peace(70)

        assert before == [(process.moves, set(process.working)) for process in self.processes]
        counts = [len(process.working) for process in self.processes]
        assert (sum(counts), max(counts) - min(counts) <= 1) == (len(KEYS), True)

    def peace(self, seconds: float) -> None:
        self.table.mood = "well"
        run(self.processes, self, seconds)


def run(processes: Sequence[Process], fleet: Fleet, seconds: float) -> None:
    """Each process beats, shares and releases as a forwarder does, a second at a time."""
    for second in range(int(seconds)):
        fleet.now_s += 1.0
        for process in processes:
            if second % BEAT_S == 0 or process.worker.pulse.pause_s < 0:
                process.worker.beat()
            if second % 3 == 0:
                process.share()
            process.release()


TestFleet = Fleet.TestCase
TestFleet.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)


def fleet_of(count: int) -> Fleet:
    fleet = Fleet()
    for _ in range(count):
        fleet.start(1.0)
    return fleet


def test_a_killed_process_is_replaced_in_time() -> None:
    """The keys of a process that ends without a word are worked on by the others within 25 s."""
    fleet = fleet_of(3)
    fleet.peace(30)
    killed = fleet.processes.pop()
    assert killed.working
    seconds = 0
    while sum(len(process.working) for process in fleet.processes) < len(KEYS):
        fleet.peace(1)
        seconds += 1

    assert LEASE_S - BEAT_S <= seconds <= 22


def test_a_process_that_leaves_is_replaced_at_once() -> None:
    """What a process gives back when it ends is taken without waiting for a lease to run out."""
    fleet = fleet_of(3)
    fleet.peace(30)
    fleet.processes.pop().worker.leave()
    fleet.peace(BEAT_S + 3)

    assert sum(len(process.working) for process in fleet.processes) == len(KEYS)


def test_a_process_that_starts_gets_its_share() -> None:
    """A second process has half of the keys after two rounds of looking and sharing."""
    fleet = fleet_of(1)
    fleet.peace(30)
    fleet.start(1.0)
    fleet.peace(2 * (BEAT_S + 3))

    assert sorted(len(process.working) for process in fleet.processes) == [3, 4]


@pytest.mark.parametrize(("slow", "fast"), [(1.0, 1.0), (0.94, 1.06), (1.06, 0.94)])
def test_a_paused_process_stops_before_others_begin(slow: float, fast: float) -> None:
    """Whatever the speeds of the clocks, nobody takes a key before its worker has stopped believing in it."""
    fleet = fleet_of(0)
    fleet.start(slow)
    fleet.start(fast)
    fleet.peace(30)
    paused, other = fleet.processes
    believed = set(paused.believes)
    assert believed
    while not believed <= other.believes:
        fleet.now_s += 0.1
        other.worker.beat()
        other.share()

        assert paused.believes.isdisjoint(other.believes)
    assert fleet.now_s < 30 + 20 / min(slow, fast)


@pytest.mark.parametrize("after", [1, 2])
def test_who_comes_between_two_looks_keeps_its_keys(after: int) -> None:
    """A process that starts and takes keys while another looks at leases and workers is not taken for dead."""
    fleet = fleet_of(1)
    first = fleet.processes[0]
    do, looks = fleet.table._do, 0

    def between(change: Callable[[], Any]) -> Any:
        nonlocal looks
        found, looks = do(change), looks + 1
        if looks == after:
            fleet.start(1.0)
            fleet.processes[1].share()
        return found

    fleet.table._do = between  # type: ignore[method-assign]
    first.share()

    assert len(fleet.processes[1].believes) == 3
    assert first.believes.isdisjoint(fleet.processes[1].believes)


def test_a_paused_process_saves_nothing() -> None:
    """After a pause of a minute the first save is refused, and the text of whoever took the key over stays."""
    fleet = fleet_of(2)
    fleet.peace(30)
    paused, other = fleet.processes
    key = next(iter(paused.working))
    paused.save(key)
    run([other], fleet, 60)
    other.save(key)
    with pytest.raises(LeaseLost):
        paused.worker.save(key, "mine", 1)

    assert fleet.table.entries[key].value == "2"


def test_a_paused_process_is_refused_by_its_token_too() -> None:
    """Also a process whose clock stood still with it cannot save: the token has moved on."""
    fleet = fleet_of(2)
    fleet.peace(30)
    paused, other = fleet.processes
    key = next(iter(paused.working))
    run([other], fleet, 60)
    paused.worker.pulse.clock = lambda: paused.worker.pulse._beaten_s

    with pytest.raises(LeaseLost):
        paused.worker.save(key, "mine", 0)
    assert key not in paused.worker._held


def test_a_table_out_of_reach_lets_work_rest() -> None:
    """While nobody can reach the table longer than a lease, nobody works; after it, all goes on where it was."""
    fleet = fleet_of(2)
    fleet.peace(30)
    said: list[str] = []
    fleet.processes[0].worker.pulse._say = said.append
    fleet.table.mood = "down"
    run(fleet.processes, fleet, LEASE_S + 5)
    resting = [len(process.working) for process in fleet.processes]
    fleet.peace(BEAT_S * 2)

    assert (resting, sorted(len(process.working) for process in fleet.processes)) == ([0, 0], [3, 4])
    assert [text.split("; ")[1] for text in said] == [
        "work rests until checkpoints can be reached, nothing is lost",
        "work goes on",
    ]


def test_a_lost_answer_is_no_lost_lease() -> None:
    """A save whose answer did not arrive is gone on from, whether or not it was made."""
    for mood in ("answer lost", "refuses"):
        fleet = fleet_of(1)
        fleet.peace(5)
        worker = fleet.processes[0].worker
        fleet.table.mood = mood
        with pytest.raises(ConnectError):
            worker.save(KEYS[0], "one", 0)

        assert worker.load(KEYS[0]) == (("one", 1) if mood == "answer lost" else None)
        version = worker.save(KEYS[0], "two", 0)
        assert worker.load(KEYS[0]) == ("two", version)


def test_keys_that_nobody_names_are_given_back() -> None:
    """A group that is no longer listed is freed after a while."""
    fleet = fleet_of(1)
    fleet.peace(5)
    for _ in range(30):
        fleet.now_s += 3
        fleet.processes[0].worker.beat()
        fleet.processes[0].share(KEYS[:2])

    assert [key for key in KEYS if fleet.table.entries[key].lease.owner] == KEYS[:2]


def test_keys_of_one_process_alone_are_worked_on() -> None:
    """Where the others do not know a key, whoever knows it takes it, whatever the fair share."""
    fleet = fleet_of(3)
    one, *others = fleet.processes
    for _ in range(12):
        fleet.now_s += 3
        for process in fleet.processes:
            process.worker.beat()
        one.share(KEYS)
        for process in others:
            process.share(["/other"])

    assert sorted(one.working) == KEYS


def test_settled_processes_ask_for_little() -> None:
    """Where nothing changes, sharing costs a look at the others each time, and one at all leases a minute."""
    fleet = fleet_of(3)
    fleet.peace(30)
    calls = fleet.table.calls
    fleet.peace(60)

    # Per process twelve beats, twenty looks at the others, and the look at the leases.
    assert fleet.table.calls - calls <= 3 * (12 + 20 + 2)


@given(st.integers(1, 40), st.integers(1, 8), st.randoms(use_true_random=False))
def test_asking_and_giving_end_in_fair_shares(keys: int, workers: int, drawn: random.Random) -> None:
    """From any distribution a few rounds lead to shares that differ by one at most; then nobody asks."""
    names, all_keys = [f"w{number}" for number in range(workers)], [f"k{number}" for number in range(keys)]
    owners = {key: drawn.choice(names) for key in all_keys}
    for _ in range(12):
        asked = [ask for me in names for ask in balance.to_ask(View(me=me, keys=all_keys, owners=owners, live=names))]
        for me in names:
            mine = [key for key, owner in owners.items() if owner == me]
            for key in balance.to_give(mine, keys=keys, live=workers, asked=asked):
                del owners[key]
        for me in drawn.sample(names, workers):
            owners |= dict.fromkeys(balance.to_take(View(me=me, keys=all_keys, owners=owners, live=names)), me)
    counts = [list(owners.values()).count(me) for me in names]

    assert (sum(counts), max(counts) - min(counts) <= 1) == (keys, True)
    assert not any(balance.to_ask(View(me=me, keys=all_keys, owners=owners, live=names)) for me in names)
