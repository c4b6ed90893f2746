"""The forwarder against LocalCloudWatch and the embedded store: nothing lost, nothing twice."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from logship.errors import DiskFullError
from logship.forward.letters.dead_letters import DeadLetters
from logship.forward.run import ForwardOptions, forward_groups
from logship.handler import CloudWatchHandler
from logship.parse import Parser
from logship.query.tree import All
from logship.store.port import AddResult, Rejected
from logship.store.tantivy.reader import Reader
from logship.testing import FakeClock, Faults, LocalCloudWatch, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from logship.record import Record

GROUPS = ["/shop/a", "/shop/b"]
READ = frozenset({"FilterLogEvents"})


def set_up(cw: LocalCloudWatch) -> Any:
    client = cw.client()
    for group in GROUPS:
        client.create_log_group(logGroupName=group)
        for stream in "xy":
            client.create_log_stream(logGroupName=group, logStreamName=stream)
    return client


def line(number: int) -> str:
    return json.dumps(
        {"body": f"event {number}", "severity_text": "INFO", "service.name": "orders", "logship.id": f"aa-{number}"}
    )


def put(client: Any, numbers: range, drawn: random.Random, *, late_s: float, repeat: float = 0.0) -> None:
    """One batch with ties and late events; sometimes sent twice, as after a lost answer."""
    now_ms = int(time.time() * 1000)
    times = sorted(now_ms - int(drawn.choice([0, 0, 0, drawn.random()]) * late_s * 1000) for _ in numbers)
    events = [{"timestamp": at, "message": line(number)} for at, number in zip(times, numbers, strict=True)]
    group, stream = drawn.choice(GROUPS), drawn.choice("xy")
    for _ in range(2 if drawn.random() < repeat else 1):
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def client_of(cw: LocalCloudWatch) -> Any:
    """A client that leaves trying again to the forwarder."""
    return boto3.client(
        "logs", endpoint_url=cw.url, region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t",
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip


def forward_once(cw: LocalCloudWatch, store: MemoryStore, state: Path) -> Any:
    options = ForwardOptions(
        groups=["/shop/*"], start_ms=int(time.time() * 1000) - 3_600_000, state=str(state), once=True
    )
    return forward_groups(client_of(cw), store, Parser(), options)


def process(cw: LocalCloudWatch, store: Path, state: Path, *flags: str) -> subprocess.Popen[str]:
    env = os.environ | {
        "AWS_ENDPOINT_URL": cw.url, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t",
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "logship",
        "forward",
        "--store",
        str(store),
        "--state",
        str(state),
        "--group",
        "/shop/*",
    ]
    return subprocess.Popen([*command, *flags], env=env, stderr=subprocess.PIPE, text=True)


def finish(running: subprocess.Popen[str], number: signal.Signals) -> str:
    running.send_signal(number)
    _, said = running.communicate(timeout=30)
    return said


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    waiting = threading.Event()
    while time.monotonic() < deadline:
        if condition():
            return True
        waiting.wait(0.1)
    return condition()


def holds(store: MemoryStore, records: int) -> bool:
    store.refresh()
    return store.count(All()) == records


def bodies(store: Path) -> list[str]:
    return sorted(record.body for record in Reader(store).scan(All()))


def test_everything_visible_is_stored_once(tmp_path: Path) -> None:
    """Ties, empty and part-full pages, throttled calls and batches sent twice change nothing."""
    faults = Faults(throttle_rate=0.2, empty_page_rate=0.3, partial_page_rate=0.5, operations=READ)
    with LocalCloudWatch(seed=1) as cw:
        client, drawn = set_up(cw), random.Random(1)
        for start in range(0, 5000, 500):
            put(client, range(start, start + 500), drawn, late_s=60, repeat=0.3)
        cw.faults = faults
        store = MemoryStore()
        first, again = forward_once(cw, store, tmp_path), forward_once(cw, store, tmp_path)
        store.refresh()

    assert sorted(record.body for record in store.scan(All())) == sorted(f"event {n}" for n in range(5000))
    assert (first.counts.stored, again.counts.stored) == (5000, 0)


def test_answers_that_were_lost_make_no_second_record(tmp_path: Path) -> None:
    """A handler's batches that were taken in but never answered arrive twice in CloudWatch and once in the store."""
    faults = Faults(lost_answer_rate=0.5, operations=frozenset({"PutLogEvents"}))
    log = logging.Logger("orders.api")  # noqa: LOG001 - one of its own, that ends with the test
    with LocalCloudWatch(faults=faults, seed=3) as cw:
        handler = CloudWatchHandler("/shop/a", boto3_client=client_of(cw), send_interval=0.01, max_batch_count=100)
        log.addHandler(handler)
        for number in range(2_000):
            log.info("event %d", number)
        delivered = handler.flush(60)
        handler.close()
        taken_in = len(cw.events("/shop/a"))
        store = MemoryStore()
        forward_once(cw, store, tmp_path)
        store.refresh()

    assert (delivered, taken_in > 2_000, store.count(All())) == (True, True, 2_000)


def test_what_is_stored_is_not_stored_again(tmp_path: Path) -> None:
    """The next run reads what may have been late once more, and the store knows it."""
    with LocalCloudWatch() as cw:
        put(set_up(cw), range(100), random.Random(1), late_s=1)
        store = MemoryStore()
        forward_once(cw, store, tmp_path)
        again = forward_once(cw, store, tmp_path)

    assert (again.counts.stored, again.counts.rejected) == (0, 0)


@pytest.mark.parametrize("skew_s", [-240, 0, 240])
def test_late_events_are_found_between_seldom_runs(tmp_path: Path, skew_s: int) -> None:
    """Runs an hour apart find what became visible after the one before, by any clock that AWS accepts."""
    clock, store, found = FakeClock(), MemoryStore(), []
    with LocalCloudWatch(clock=clock, visibility_delay_s=(1.0, 200.0), seed=3) as cw:
        client = set_up(cw)
        for hour in range(4):
            now_ms = int(clock() * 1000)
            events = [{"timestamp": now_ms - 30_000 + n * 100, "message": line(hour * 300 + n)} for n in range(300)]
            client.put_log_events(logGroupName=GROUPS[0], logStreamName="x", logEvents=events)
            clock.advance(60)
            options = ForwardOptions(start_ms=0, state=str(tmp_path), once=True)
            done = forward_groups(client, store, Parser(), options, clock=lambda: clock() + skew_s)
            found.append(done.counts.stored)
            clock.advance(3600)
        done = forward_groups(client, store, Parser(), options, clock=lambda: clock() + skew_s)
        found.append(done.counts.stored)

    assert (sum(found), min(found) > 0) == (1200, True)


def test_a_group_that_goes_and_comes_back(tmp_path: Path) -> None:
    """A deleted group is said once, does not end the others, and nothing of a later one of that name is lost."""
    said: list[str] = []
    with LocalCloudWatch() as cw:
        client, store, stop = set_up(cw), MemoryStore(), threading.Event()
        put(client, range(100), random.Random(1), late_s=1)
        options = ForwardOptions(start_ms=0, state=str(tmp_path), interval_s=0.05)
        arguments = {"stop": stop, "say": said.append}
        running = threading.Thread(
            target=forward_groups, args=(client_of(cw), store, Parser(), options), kwargs=arguments
        )
        running.start()
        assert wait_for(lambda: holds(store, 100), 40)
        for group in GROUPS:
            client.delete_log_group(logGroupName=group)
        assert wait_for(lambda: len(said) == 2, 40)
        set_up(cw)
        put(client, range(100, 200), random.Random(2), late_s=1)
        reached = wait_for(lambda: holds(store, 200), 40)
        stop.set()
        running.join()

    assert (reached, len(said), all("is gone" in text for text in said)) == (True, 2, True)


def test_a_named_group_that_goes_keeps_no_new_one_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a name whose group was deleted, new groups are read; all that is said is that it is gone."""
    monkeypatch.setattr("logship.forward.sources.poll.poller._RELIST_S", 0.2)
    said: list[str] = []
    with LocalCloudWatch() as cw:
        client, store, stop = set_up(cw), MemoryStore(), threading.Event()
        options = ForwardOptions(groups=["/shop/a", "/shop/b*"], start_ms=0, state=str(tmp_path), interval_s=0.05)
        arguments = {"stop": stop, "say": said.append}
        running = threading.Thread(
            target=forward_groups, args=(client_of(cw), store, Parser(), options), kwargs=arguments
        )
        event = {"timestamp": int(time.time() * 1000), "message": line(1)}
        client.put_log_events(logGroupName="/shop/a", logStreamName="x", logEvents=[event])
        running.start()
        assert wait_for(lambda: holds(store, 1), 20)
        client.delete_log_group(logGroupName="/shop/a")
        assert wait_for(lambda: len(said) == 1, 20)
        client.create_log_group(logGroupName="/shop/b2")
        client.create_log_stream(logGroupName="/shop/b2", logStreamName="x")
        client.put_log_events(logGroupName="/shop/b2", logStreamName="x", logEvents=[event | {"message": line(2)}])
        reached = wait_for(lambda: holds(store, 2), 20)
        stop.set()
        running.join()

    assert (reached, said) == (True, ["log group '/shop/a' is gone; what was read of it is stored"])


class FullDisk(MemoryStore):
    """A store whose disk is full now and then: what was not committed is lost with it."""

    def __init__(self, failing: set[int]) -> None:
        super().__init__()
        self._failing, self._calls = failing, 0

    def _maybe_fail(self) -> None:
        self._calls += 1
        if self._calls in self._failing:
            self._pending.clear()
            raise DiskFullError("no space left")

    def add(self, records: Sequence[Record]) -> AddResult:
        self._maybe_fail()
        poison = tuple(Rejected(record, "poison") for record in records if record.body == "event 7")
        good = [record for record in records if record.body != "event 7"]
        result = super().add(good)
        return AddResult(result.accepted, result.existing, poison)

    def commit(self) -> None:
        self._maybe_fail()
        super().commit()


@pytest.mark.parametrize("failing", [{1}, {2}, {1, 2, 3}, {2, 3, 5}])
def test_a_full_disk_is_waited_for(tmp_path: Path, failing: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost and nothing counted twice; what the store rejects is kept as a dead letter, once."""
    monkeypatch.setattr("logship.forward.storing._STORE_WAIT_S", 0.01)
    with LocalCloudWatch() as cw:
        put(set_up(cw), range(100), random.Random(1), late_s=1)
        store = FullDisk(failing)
        counts = forward_once(cw, store, tmp_path).counts
    store.refresh()
    letters = DeadLetters(tmp_path).letters()

    assert (store.count(All()), counts.rejected) == (99, 1)
    assert [(letter.reason, json.loads(letter.event.message)["body"]) for letter in letters] == [("poison", "event 7")]
    assert counts.stored + counts.existing == 99


def test_sigterm_stops_cleanly(tmp_path: Path) -> None:
    """What was read is stored and acknowledged, the exit status is 0, and nobody holds the store."""
    with LocalCloudWatch() as cw:
        put(set_up(cw), range(1000), random.Random(1), late_s=1)
        running = process(cw, tmp_path / "store", tmp_path / "state")
        reached = wait_for(
            lambda: (tmp_path / "store/format.json").exists() and len(bodies(tmp_path / "store")) == 1000, 20
        )
        said = finish(running, signal.SIGTERM)

    assert (reached, running.returncode, "1,000 records stored" in said) == (True, 0, True)
    assert not (tmp_path / "store/writer.json").exists()


def kill_and_restart(
    tmp_path: Path, total: int, *, pause_s: float, late_s: float, alive_s: float, settle_s: float = 75.0
) -> list[str]:
    """Kills the forwarder again and again while events arrive; what is stored in the end."""
    store, state = tmp_path / "store", tmp_path / "state"
    faults = Faults(throttle_rate=0.2, empty_page_rate=0.1, partial_page_rate=0.1, operations=READ)
    with LocalCloudWatch(faults=faults, visibility_delay_s=(0.0, late_s), seed=2) as cw:
        client, drawn = set_up(cw), random.Random(2)

        def produce() -> None:
            for start in range(0, total, 1000):
                put(client, range(start, min(start + 1000, total)), drawn, late_s=late_s, repeat=0.1)
                threading.Event().wait(pause_s)

        producer = threading.Thread(target=produce)
        producer.start()
        while producer.is_alive():
            running = process(cw, store, state)
            producer.join(alive_s)
            finish(running, signal.SIGKILL)
        running = process(cw, store, state)
        wait_for(lambda: (store / "format.json").exists() and len(bodies(store)) >= total, settle_s + late_s)
        finish(running, signal.SIGTERM)
    return bodies(store)


@pytest.mark.timeout(180)
def test_killed_forwarders_lose_nothing(tmp_path: Path) -> None:
    """Killed -9 while late, tied and repeated events arrive through throttling: each is stored exactly once."""
    found = kill_and_restart(tmp_path, 20_000, pause_s=0.3, late_s=4.0, alive_s=2.0)

    assert found == sorted(f"event {number}" for number in range(20_000))


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_soak_200_thousand_events(tmp_path: Path) -> None:
    """200 k events up to 30 s late, 20 % throttled calls, killed -9 every 3 s: 0 lost, 0 twice."""
    found = kill_and_restart(tmp_path, 200_000, pause_s=0.25, late_s=30.0, alive_s=3.0, settle_s=420.0)

    assert found == sorted(f"event {number}" for number in range(200_000))


def test_an_unknown_group_is_named(tmp_path: Path) -> None:
    """A group that does not exist ends the command with 2 and its name."""
    with LocalCloudWatch() as cw:
        running = process(cw, tmp_path / "store", tmp_path / "state", "--group", "/nope", "--once")
        _, said = running.communicate(timeout=30)

    assert (running.returncode, "'/nope'" in said, said.count("\n")) == (2, True, 1)


def test_no_credentials_and_no_endpoint_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials is 4, an endpoint that does not answer is 3, each in one line."""
    command = [
        sys.executable,
        "-m",
        "logship",
        "forward",
        "--store",
        str(tmp_path / "s"),
        "--state",
        str(tmp_path),
        "--once",
    ]
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    none = subprocess.run(command, capture_output=True, text=True, check=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "t")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "t")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    dead = subprocess.run(command, capture_output=True, text=True, check=False)

    assert [(run.returncode, run.stderr.count("\n")) for run in (none, dead)] == [(4, 1), (3, 1)]


def test_a_line_finds_its_event_across_a_restart(tmp_path: Path) -> None:
    """What continues an event that an earlier forwarder stored is linked to it all the same."""
    with LocalCloudWatch() as cw:
        client, now_ms, store = set_up(cw), int(time.time() * 1000), MemoryStore()
        for offset, message in enumerate(("2026-11-23T14:00:00Z ERROR no", "\tat x.Y", "\tat x.Z")):
            event = {"timestamp": now_ms + offset, "message": message}
            client.put_log_events(logGroupName=GROUPS[0], logStreamName="x", logEvents=[event])
            forward_once(cw, store, tmp_path)
    store.refresh()
    first, *lines = sorted(store.scan(All()), key=lambda record: record.attributes["aws.log.timestamp"])

    assert [line.attributes.get("logship.continues") for line in lines] == [first.id] * 2
