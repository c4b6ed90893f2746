"""Live Tail wakes the poller: what is told is read at once, and all is read without it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from logship.cloudwatch import limits
from logship.cloudwatch.live_tails import LiveTails
from logship.cloudwatch.quotas import Governor
from logship.forward.checkpoints.sqlite import SqliteCheckpoints
from logship.forward.sources.poll.group import GroupReader
from logship.forward.sources.poll.known import KnownIds, Memory
from logship.forward.sources.poll.marks import Marks
from logship.forward.sources.poll.poller import CloudWatchPoller, Polled
from logship.forward.sources.poll.scheduler import Scheduler
from logship.forward.sources.poll.waking import CALM_MS, FALLBACK_MS, SOONEST_MS, Watch
from logship.testing import Faults, LocalCloudWatch
from tests.forwarding import forwarding, messages, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from logship.cloudwatch.live_tail import LiveTail, Update
    from logship.errors import LogshipError

NOW_MS = 1_795_443_665_000
NEVER_S = 3_600.0
"""An interval so long that nothing is read at it."""
ONCE = Config(retries={"total_max_attempts": 1})


@contextmanager
def polling(
    cw: LocalCloudWatch, place: Path, *, interval_s: float = NEVER_S, said: list[str] | None = None
) -> Iterator[tuple[CloudWatchPoller, Any]]:
    """A poller with Live Tail beside the test, and the store it fills."""
    from logship.testing import MemoryStore

    store, checkpoints = MemoryStore(), SqliteCheckpoints(place)
    now_ms = int(time.time() * 1000)
    wanted = Polled(groups=("/g*",), start_ms=now_ms, interval_s=interval_s, live_tail=True)
    lines: list[str] = [] if said is None else said
    poller = CloudWatchPoller(cw.client(config=ONCE), checkpoints, wanted, say=lines.append)
    try:
        with forwarding([poller], place / "letters", store):
            yield poller, store
    finally:
        checkpoints.close()


@pytest.fixture
def cw() -> Iterator[LocalCloudWatch]:
    with LocalCloudWatch(live_tail_every_s=0.05) as server:
        create(server, "/g")
        yield server


def create(cw: LocalCloudWatch, *groups: str) -> None:
    client = cw.client()
    for group in groups:
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName="s")


def put(cw: LocalCloudWatch, *messages: str, group: str = "/g") -> None:
    now_ms = int(time.time() * 1000)
    events = [{"timestamp": now_ms, "message": message} for message in messages]
    cw.client().put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def test_an_event_is_stored_soon_although_the_interval_is_long(cw: LocalCloudWatch, tmp_path: Path) -> None:
    """What Live Tail tells of is read at once, and what comes while it is being read soon after."""
    with polling(cw, tmp_path) as (poller, store):
        wait_for(lambda: cw.live_tails and cw.requests.get("FilterLogEvents"))
        for number in range(3):
            put(cw, f"{number}")
            wait_for(lambda: len(messages(store)) == number + 1, 3)  # noqa: B023 - called at once
        calls = cw.requests["FilterLogEvents"]

    assert messages(store) == ["0", "1", "2"]
    assert calls <= 12
    assert poller.describes().live_tail_s == poller.live_tail_s
    assert poller.live_tail_s > 0


def test_what_is_told_before_it_is_visible_is_looked_for_again(tmp_path: Path) -> None:
    """Live Tail is faster than the index that is read: the reading is repeated until the event is there."""
    with LocalCloudWatch(live_tail_every_s=0.05, visibility_delay_s=1.5) as cw:
        create(cw, "/g")
        with polling(cw, tmp_path) as (_, store):
            wait_for(lambda: cw.live_tails and cw.requests.get("FilterLogEvents"))
            put(cw, "late")
            wait_for(lambda: messages(store), 8)

            assert (messages(store), cw.requests["FilterLogEvents"] <= 8) == (["late"], True)


def test_without_permission_the_interval_goes_on(cw: LocalCloudWatch, tmp_path: Path) -> None:
    """A role that may not tail is told once what its policy lacks; events are read as without Live Tail."""
    said: list[str] = []
    cw.faults = Faults(denied=frozenset({"StartLiveTail"}))
    with polling(cw, tmp_path, interval_s=0.2, said=said) as (poller, store):
        wait_for(lambda: said)
        put(cw, "one")
        wait_for(lambda: messages(store))

    assert (messages(store), poller.live_tail_s) == (["one"], 0.0)
    assert [line.count('"Action": "logs:StartLiveTail"') for line in said] == [1]


def test_sampling_is_said_once(cw: LocalCloudWatch, tmp_path: Path) -> None:
    """A sample wakes as well; that it is one is said the first time, and everything is stored."""
    said: list[str] = []
    with polling(cw, tmp_path, said=said) as (_, store):
        wait_for(lambda: cw.live_tails and cw.requests.get("FilterLogEvents"))
        put(cw, *["x"] * 700)
        wait_for(lambda: said)
        put(cw, *["x"] * 700)
        wait_for(lambda: len(messages(store)) == 1_400)

    assert ["faster than 500 a second" in line for line in said] == [True]


def test_a_group_without_live_tail_is_read_at_its_interval(
    cw: LocalCloudWatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session leaves it out, so silence means nothing there; the others of its session are read seldom."""
    monkeypatch.setattr("logship.cloudwatch.discovery._UNREADABLE", frozenset())
    cw.client().create_log_group(logGroupName="/g-rare", logGroupClass="INFREQUENT_ACCESS")
    with polling(cw, tmp_path, interval_s=0.2) as (poller, _):
        wait_for(lambda: "/g" in poller.groups and poller.groups["/g"].watch.until_ms)
        watches = {name: bool(group.watch.until_ms) for name, group in poller.groups.items()}

    assert watches == {"/g": True, "/g-rare": False}


def test_a_session_that_times_out_wakes_on(cw: LocalCloudWatch, tmp_path: Path) -> None:
    """After three hours, here a tenth of a second, the next session tells of what comes."""
    cw.faults = Faults(session_timeout_s=0.2)
    with polling(cw, tmp_path) as (_, store):
        wait_for(lambda: cw.requests.get("StartLiveTail", 0) >= 3)
        cw.faults = Faults()
        wait_for(lambda: cw.requests["StartLiveTail"] >= 4 and cw.live_tails)
        put(cw, "after")
        wait_for(lambda: messages(store), 5)

    assert messages(store) == ["after"]


# Many groups


class Covered:
    """Sessions over groups of an endpoint, opened without waiting for the quota."""

    def __init__(self, cw: LocalCloudWatch) -> None:
        self.failures: list[LogshipError] = []
        self.told: list[str] = []
        self.tails = LiveTails(
            cw.client(config=ONCE),
            self._take,
            failed=lambda _, error: self.failures.append(error),
            starts=Governor(1_000.0),
        )

    def _take(self, _: LiveTail, update: Update) -> None:
        self.told += [event.group for event in update.events]


@pytest.fixture
def covered(cw: LocalCloudWatch) -> Iterator[Covered]:
    found = Covered(cw)
    yield found
    found.tails.close()


def test_every_ten_groups_have_a_session(cw: LocalCloudWatch, covered: Covered) -> None:
    """Of 23 groups each is told; new ones fill a session that has room, and those that are gone leave theirs."""
    names = [f"/g/{number:02d}" for number in range(24)]
    create(cw, *names)
    beyond = covered.tails.cover(names[:23])
    wait_for(lambda: len(cw.live_tails) == 3)
    sizes = sorted(map(len, cw.live_tails))
    covered.tails.cover(names[3:])
    wait_for(lambda: frozenset(covered.tails.groups) == frozenset().union(*cw.live_tails))
    wait_for(lambda: len(cw.live_tails) == 3)
    put(cw, "x", group="/g/23")
    put(cw, "x", group="/g/03")
    wait_for(lambda: len(covered.told) == 2)

    assert (beyond, sizes, sorted(covered.told)) == ([], [3, 10, 10], ["/g/03", "/g/23"])
    assert "/g/23" in covered.tails.groups


def test_sessions_reach_150_groups(cw: LocalCloudWatch, covered: Covered, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account has 15 sessions, here two; groups beyond them are given back."""
    monkeypatch.setattr(limits, "LIVE_TAIL_SESSIONS", 2)
    names = [f"/g/{number:02d}" for number in range(25)]
    create(cw, *names)

    assert covered.tails.cover(names) == names[20:]


def test_closing_ends_all_sessions_at_once(cw: LocalCloudWatch, covered: Covered) -> None:
    """Although no session has anything to say, all are closed within a second or so."""
    cw.faults = Faults(session_silent=True)
    names = [f"/g/{number:02d}" for number in range(30)]
    create(cw, *names)
    covered.tails.cover(names)
    wait_for(lambda: len(cw.live_tails) == 3)
    began_s = time.monotonic()
    covered.tails.close()

    assert time.monotonic() - began_s < 1
    assert covered.tails.groups == []


# When to read


@pytest.mark.parametrize(
    ("watch", "pause_ms"),
    [
        (Watch(), 5_000),
        (Watch(until_ms=NOW_MS + 1), FALLBACK_MS),
        (Watch(until_ms=NOW_MS - 1), 5_000),
        (Watch(until_ms=NOW_MS + 1, told_ms=NOW_MS - CALM_MS, newest_ms=NOW_MS - CALM_MS), 5_000),
        (Watch(until_ms=NOW_MS + 1, told_ms=NOW_MS - 100, newest_ms=NOW_MS - 100), SOONEST_MS),
        (Watch(told_ms=NOW_MS - 900, newest_ms=NOW_MS - 400), 900),
        (Watch(told_ms=NOW_MS - 40_000, newest_ms=NOW_MS - 400), 5_000),
    ],
    ids=["none", "nothing told", "session down", "told of late", "told while reading", "not visible", "never visible"],
)
def test_the_pause_follows_what_is_told(watch: Watch, pause_ms: int) -> None:
    """Seldom where nothing is told, soon where something is, at ever longer pauses where it is not visible."""
    read_ms, began_ms = NOW_MS - 500, NOW_MS - 200

    assert watch.pause_ms(5_000, SOONEST_MS, read_ms=read_ms, began_ms=began_ms, now_ms=NOW_MS) == pause_ms


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def scheduled() -> tuple[Scheduler, GroupReader, Clock]:
    """A scheduler with one group that was read just now, at an interval of an hour."""
    clock = Clock()
    scheduler = Scheduler(Governor(10.0, clock), lambda: NOW_MS, threading.Event(), clock)
    group = GroupReader(
        "/g", Marks.begin(NOW_MS, NOW_MS), KnownIds(Memory()), interval_ms=int(NEVER_S * 1000), now_ms=NOW_MS
    )
    scheduler.add(group)
    scheduler.take()
    scheduler.give_back(group.live)
    return scheduler, group, clock


@pytest.mark.parametrize(("passed_s", "due_s"), [(0.1, 0.5), (7.0, 7.0)])
def test_a_group_is_woken_now_but_not_too_often(
    scheduled: tuple[Scheduler, GroupReader, Clock], passed_s: float, due_s: float
) -> None:
    """It is due at once, or half a second after its last reading."""
    scheduler, group, clock = scheduled
    clock.now_s += passed_s
    scheduler.wake(group)

    assert group.live.due_s == pytest.approx(100.0 + due_s)


def _fail(group: GroupReader) -> None:
    group.live.failures = 1


def _refuse(group: GroupReader) -> None:
    group.refused = "not allowed"


@pytest.mark.parametrize("change", [_fail, _refuse])
def test_a_group_that_cannot_be_read_is_not_woken(
    scheduled: tuple[Scheduler, GroupReader, Clock], change: Callable[[GroupReader], None]
) -> None:
    """The wait after a failure holds, whatever Live Tail tells."""
    scheduler, group, _ = scheduled
    due_s = group.live.due_s
    change(group)
    scheduler.wake(group)

    assert group.live.due_s == due_s
