"""Groups that are opened, saved and let go of: one reader moves a checkpoint, whatever arrives late."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from logship.cloudwatch.quotas import Governor
from logship.errors import ConnectError
from logship.forward.checkpoints.port import LeaseLost
from logship.forward.checkpoints.sqlite import SqliteCheckpoints
from logship.forward.sources.poll.group import GroupReader
from logship.forward.sources.poll.holdings import DRAIN_S, Holdings
from logship.forward.sources.poll.known import KnownIds, Memory
from logship.forward.sources.poll.marks import Marks, loads
from logship.forward.sources.poll.scheduler import Scheduler
from logship.record import LogEvent
from logship.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from logship.forward.port import Batch

NOW_MS = 1_795_443_665_000
NAME = "/shop/a"


class Checkpoints(SqliteCheckpoints):
    """A file that behaves as a shared table may: takes keys away, and does not answer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ours, self.others = True, set[str]()
        self.failure: Exception | None = None
        self.released: list[str] = []

    def share(self, keys: Collection[str]) -> set[str]:
        return set(keys) if self.ours else self.others

    def save(self, key: str, value: str, version: int) -> int:
        if self.failure:
            raise self.failure
        return super().save(key, value, version)

    def release(self, key: str) -> None:
        self.released.append(key)


class Poller:
    """What the poller does around its holdings, page by page."""

    def __init__(self, folder: Path) -> None:
        self.checkpoints, self.clock, self.memory = Checkpoints(folder), FakeClock(), Memory()
        self.scheduler = Scheduler(Governor(5), lambda: NOW_MS, threading.Event())
        self.said: list[str] = []
        self.holdings = Holdings(
            self.checkpoints, self.scheduler, str, self.reader, say=self.said.append, clock=self.clock
        )

    def reader(self, name: str, found: tuple[str, int] | None) -> GroupReader:
        marks = loads(found[0], name) if found else Marks.begin(NOW_MS - 60_000, NOW_MS)
        version = found[1] if found else 0
        return GroupReader(name, marks, KnownIds(self.memory), interval_ms=1000, now_ms=NOW_MS, version=version)

    def opened(self) -> GroupReader:
        self.holdings.open([NAME])
        return self.scheduler.groups[NAME]

    def page(self, group: GroupReader, *numbers: int) -> Batch:
        """The range's first page, with more to come."""
        reading = group.ranges[1]
        group.request(reading, NOW_MS)
        events = [LogEvent(NAME, "s", NOW_MS - 60_000 + number, "x", f"id-{number}") for number in numbers]
        batch = group.take(reading, events, "more", NOW_MS)
        assert batch
        return batch

    @property
    def saved_ms(self) -> int:
        found = self.checkpoints.load(NAME)
        return loads(found[0], NAME).ranges[1][0] - (NOW_MS - 60_000) if found else -1


@pytest.fixture
def poller(tmp_path: Path) -> Iterator[Poller]:
    made = Poller(tmp_path)
    yield made
    made.checkpoints.close()


def test_a_group_is_given_back_when_its_pages_are_stored(poller: Poller) -> None:
    """What is on its way is waited for and saved; only then may anybody open the group, and goes on from there."""
    group = poller.opened()
    batch = poller.page(group, 10, 20)
    poller.checkpoints.ours = False
    poller.holdings.open([NAME])
    poller.holdings.finish()
    poller.checkpoints.ours = True
    poller.holdings.open([NAME])
    waiting = (list(poller.scheduler.groups), list(poller.checkpoints.released))
    batch.stored()
    poller.holdings.finish()

    assert (waiting, poller.checkpoints.released) == (([], []), [NAME])
    assert (poller.saved_ms, poller.opened().marks.ranges[1][0] - (NOW_MS - 60_000)) == (20, 20)


def test_a_new_group_is_kept_before_it_is_read(poller: Poller) -> None:
    """Else a process that never stores anything of it would hide from the next one that it was there."""
    group = poller.opened()

    assert (poller.saved_ms, group.version) == (0, 1)


def test_a_new_group_that_cannot_be_kept_is_not_read_yet(poller: Poller) -> None:
    """Not now: it is opened as soon as it can be. Not ours: another process reads it."""
    read = []
    for failure in (ConnectError("no answer"), LeaseLost(NAME), None):
        poller.checkpoints.failure = failure
        poller.holdings.open([NAME])
        read.append(list(poller.scheduler.groups))

    assert read == [[], [], [NAME]]


def test_a_group_is_let_go_of_while_another_cannot_be_opened(poller: Poller) -> None:
    """What is another process's is read no further, whatever else fails."""
    poller.opened()
    poller.checkpoints.ours = False
    poller.checkpoints.others = {"/a"}
    poller.checkpoints.failure = ConnectError("no answer")
    poller.holdings.open(["/a", NAME])

    assert (list(poller.scheduler.groups), poller.holdings.leaving) == ([], {NAME})


def test_a_page_that_is_being_fetched_is_waited_for(poller: Poller) -> None:
    """A call under way may still bring a page, so the group is not given back before it has ended."""
    group = poller.opened()
    group.live.busy = True
    poller.holdings.let_go(group)
    poller.holdings.finish()
    assert poller.checkpoints.released == []
    group.live.busy = False
    poller.holdings.finish()

    assert poller.checkpoints.released == [NAME]


def test_pages_that_are_stored_too_late_move_nothing(poller: Poller) -> None:
    """After a while a group is given back as it is; what is stored later leaves the new reader's checkpoint alone."""
    group = poller.opened()
    poller.page(group, 5).stored()
    late = poller.page(group, 10, 20)
    poller.holdings.let_go(group)
    poller.clock.advance(DRAIN_S)
    poller.holdings.finish()
    new = poller.opened()
    late.stored()
    poller.holdings.save()
    assert poller.saved_ms == 5
    poller.page(new, 7).stored()
    poller.holdings.save()

    assert poller.saved_ms == 7


def test_an_old_reader_does_not_take_the_new_one_along(poller: Poller) -> None:
    """A call for the old reader that fails late lets go of that one alone."""
    old = poller.opened()
    poller.holdings.let_go(old)
    poller.holdings.finish()
    new = poller.opened()

    assert (poller.holdings.let_go(old), poller.scheduler.groups[NAME] is new) == (False, True)


def test_a_lost_lease_ends_the_reading(poller: Poller) -> None:
    """Whoever is refused stops, saves nothing more, and gives nothing back that is another's."""
    group = poller.opened()
    poller.page(group, 10).stored()
    poller.checkpoints.failure = LeaseLost(NAME)
    poller.holdings.save()
    poller.checkpoints.failure = None
    poller.holdings.finish()
    poller.holdings.save()

    assert (list(poller.scheduler.groups), poller.checkpoints.released, poller.saved_ms) == ([], [], 0)


def test_a_checkpoint_that_cannot_be_saved_now_is_saved_later(poller: Poller) -> None:
    """No answer loses nothing: the same marks are saved when there is one."""
    group = poller.opened()
    poller.page(group, 10).stored()
    poller.checkpoints.failure = ConnectError("no answer")
    poller.holdings.save()
    poller.checkpoints.failure = None
    poller.holdings.save()

    assert poller.saved_ms == 10


def test_that_nothing_can_be_saved_is_said_once(poller: Poller) -> None:
    """However often it is tried, and whatever else there is to save; and again once something was."""
    group = poller.opened()
    said = []
    for failure in (ConnectError("no answer"), None, ConnectError("no answer")):
        poller.checkpoints.failure = failure
        for quiet_too in (True, False, True):
            group.stored.dirty = True
            poller.holdings.save(quiet_too=quiet_too)
        said.append(len(poller.said))

    assert said == [1, 1, 2]


def test_quiet_groups_are_saved_seldom(poller: Poller) -> None:
    """Where saving costs a request, marks that only follow the clock are saved at every fourth time."""
    poller.checkpoints.save_interval_s = 10.0
    group = poller.opened()
    saved = []
    for event in (0, 10, 0, 0, 0, 20, 0):
        if event:
            poller.page(group, event).stored()
        group.stored.dirty = True
        poller.holdings.save_when_due()
        saved.append(not group.stored.dirty)
        poller.clock.advance(10)

    assert saved == [True, True, False, False, True, True, False]


def test_a_closed_group_fills_no_memory(poller: Poller) -> None:
    """Pages that come after all is over are not remembered."""
    group = poller.opened()
    poller.holdings.let_go(group)
    poller.holdings.finish()
    poller.page(group, *range(100))

    assert poller.memory.used_bytes == 0


def test_saving_and_reopening_at_once(poller: Poller) -> None:
    """A thread that saves and one that lets go and opens again never move a checkpoint from two versions."""
    ended = threading.Event()
    failures: list[BaseException] = []

    def save() -> None:
        try:
            while not ended.is_set():
                poller.holdings.save()
        except BaseException as error:
            failures.append(error)

    saving = threading.Thread(target=save)
    saving.start()
    for number in range(1, 200):
        group = poller.opened()
        poller.page(group, number).stored()
        poller.holdings.let_go(group)
        poller.holdings.finish()
    ended.set()
    saving.join()

    assert (failures, poller.saved_ms) == ([], 199)
