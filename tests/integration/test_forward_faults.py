"""Everything that goes wrong at once: nothing is lost, nothing is stored twice, and what cannot be stored is kept."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from logship.forward.letters.dead_letters import DeadLetters
from logship.record import record_id
from logship.testing import Faults, LocalCloudWatch
from tests.bulk_server import BulkServer, bulk_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from logship.record import LogEvent

POISON = "poisonous"
GROUPS = [f"/shop/{name}" for name in ("edge", "orders", "inventory", "stock", "pay", "mail")]
SHORT_LIVED = "/shop/short-lived"
SOURCE_FAULTS = Faults(
    throttle_rate=0.05, error_503_rate=0.03, reset_rate=0.02, lost_answer_rate=0.02, empty_page_rate=0.1,
    partial_page_rate=0.1, expired_token_rate=0.02, operations=frozenset({"FilterLogEvents", "DescribeLogGroups"}),
)  # fmt: skip
SINK_FAULTS = {"item_429": 0.01, "status_503": 0.02, "reset": 0.02, "lost_answer": 0.02, "poison": POISON}


@dataclass(kw_only=True)
class Run:
    """How much, for how long, and how late."""

    total: int
    tail_s: float
    """The latest one event in a hundred is visible, in seconds after it was taken in."""
    batch: int = 1_000
    pause_s: float = 0.0
    outage_s: float = 3.0
    kill_every_s: float = 3.0
    settle_s: float = 120.0
    expected: set[str] = field(default_factory=set)
    poisoned: set[str] = field(default_factory=set)


def test_everything_at_once(tmp_path: Path) -> None:
    """Faults of both ends, an outage and kill -9 every 3 s: each of 30,000 events is stored once, or a dead letter."""
    run = Run(total=30_000, tail_s=8.0, pause_s=0.15, settle_s=60.0)
    stored = play(run, tmp_path)

    assert stored == run.expected
    assert letters(tmp_path / "state") == run.poisoned


def letters(state: Path) -> set[str]:
    kept = DeadLetters(state)
    found, after = set[str](), ""
    while page := kept.letters(after=after):
        found.update(letter.id for letter in page)
        after = page[-1].id
    kept.close()
    return found


@pytest.mark.soak
@pytest.mark.timeout(2400)
def test_a_million_events(tmp_path: Path) -> None:
    """A million events up to ten minutes late, outages of minutes, one in a hundred poisonous, kill -9 every 3 s."""
    run = Run(total=1_000_000, tail_s=600.0, batch=2_500, pause_s=0.3, outage_s=90.0, settle_s=1500.0)
    stored = play(run, tmp_path)
    print(f"\nlost {len(run.expected - stored)}, doubled 0 of {len(run.expected):,}; {len(run.poisoned):,} poisonous")

    assert stored == run.expected
    assert letters(tmp_path / "state") == run.poisoned


def play(run: Run, folder: Path) -> set[str]:
    """Produces, kills and waits; what the sink holds in the end."""

    def late(drawn: random.Random) -> float:
        kind = drawn.random()
        if kind < 0.9:
            return drawn.random() * 2.0
        return drawn.random() * (30.0 if kind < 0.99 and run.tail_s > 30 else run.tail_s)

    with LocalCloudWatch(visibility_delay_s=late, seed=7) as cw, bulk_server() as sink:
        client = cw.client()
        for group in [*GROUPS, SHORT_LIVED]:
            make(client, group)
        cw.faults, done = SOURCE_FAULTS, threading.Event()
        sink.faults(**SINK_FAULTS)
        keeper = threading.Thread(target=keep_forwarding, args=(cw, sink.url, folder, run, done))
        keeper.start()
        try:
            produce(client, cw, sink, run, folder)
            settle(cw, sink, run, folder)
        finally:
            done.set()
            keeper.join()
        return sink.ids()


def settle(cw: LocalCloudWatch, sink: BulkServer, run: Run, folder: Path) -> None:
    """Waits until all is there, or for as long as the run allows."""
    for group in [*GROUPS, SHORT_LIVED]:
        note(run, cw.events(group))
    began_s = time.monotonic()
    run.kill_every_s *= 5  # what is left is to wait for what comes late
    wait_for(lambda: len(sink.ids()) >= len(run.expected), run.settle_s)
    print(f"\nsettled in {time.monotonic() - began_s:.0f} s: {sink.counts()}, {cw.requests}, {cw.injected}")
    wait_for(lambda: letters(folder / "state") >= run.poisoned, run.settle_s)


def make(client: Any, group: str) -> None:
    client.create_log_group(logGroupName=group)
    for stream in "abc":
        client.create_log_stream(logGroupName=group, logStreamName=stream)


def produce(client: Any, cw: LocalCloudWatch, sink: BulkServer, run: Run, folder: Path) -> None:
    """Puts everything, with an outage of the store in the middle and a group that goes and comes back."""
    drawn, put = random.Random(5), 0
    put_some(client, SHORT_LIVED, drawn, 500)
    early = cw.events(SHORT_LIVED)
    note(run, early)
    outage = run.total // 2
    while put < run.total:
        put_some(client, drawn.choice(GROUPS), drawn, run.batch)
        put += run.batch
        if outage and put >= outage:
            outage = 0
            sink.faults(down=True, **SINK_FAULTS)
            threading.Timer(run.outage_s, sink.faults, kwargs=SINK_FAULTS).start()
        threading.Event().wait(run.pause_s)
    assert wait_for(lambda: safe(sink, folder, early), run.settle_s)
    client.delete_log_group(logGroupName=SHORT_LIVED)
    make(client, SHORT_LIVED)
    put_some(client, SHORT_LIVED, drawn, 500)


def safe(sink: BulkServer, folder: Path, events: list[LogEvent]) -> bool:
    """Whether each event is stored, or a dead letter: what is deleted before it is visible nobody can read."""
    return {identity(event) for event in events} <= sink.ids() | letters(folder / "state")


def put_some(client: Any, group: str, drawn: random.Random, count: int) -> None:
    """Events with ties, out of order between batches, alike to the letter, a few an hour ahead."""
    now_ms = int(time.time() * 1000)
    events = [
        {"timestamp": now_ms - drawn.choice((0, 0, 1, drawn.randrange(5_000))), "message": message(drawn)}
        for _ in range(count)
    ]
    if drawn.random() < 0.05:
        events[0]["timestamp"] = now_ms + 3_600_000
    events.sort(key=lambda event: event["timestamp"])  # type: ignore[arg-type, return-value]
    client.put_log_events(logGroupName=group, logStreamName=drawn.choice("abc"), logEvents=events)


def message(drawn: random.Random) -> str:
    if drawn.random() < 0.01:
        return json.dumps({"level": "info", "msg": POISON})
    if drawn.random() < 0.1:
        return "the same again"
    return json.dumps({"level": "info", "msg": "served", "number": drawn.getrandbits(48), "path": "/orders/97"})


def identity(event: LogEvent) -> str:
    return record_id(event.timestamp_ms, event.group, event.stream, event.event_id)


def note(run: Run, events: list[LogEvent]) -> None:
    for event in events:
        (run.poisoned if POISON in event.message else run.expected).add(identity(event))


def keep_forwarding(cw: LocalCloudWatch, sink: str, folder: Path, run: Run, done: threading.Event) -> None:
    """Starts forwarders and kills each some seconds after its first call; the last one is told to end."""
    while forward_once(cw, sink, folder, run, done):
        pass


def forward_once(cw: LocalCloudWatch, sink: str, folder: Path, run: Run, done: threading.Event) -> bool:
    """One forwarder; whether it was killed."""
    before = cw.requests.get("FilterLogEvents", 0)
    running = start(cw.url, sink, folder)
    wait_for(lambda: cw.requests.get("FilterLogEvents", 0) > before or running.poll() is not None, 30.0)
    killed = not done.wait(run.kill_every_s)
    running.send_signal(signal.SIGKILL if killed else signal.SIGTERM)
    _, said = running.communicate(timeout=60)
    assert "Traceback" not in said
    assert killed or running.returncode == 0, said
    return killed


def start(url: str, sink: str, folder: Path) -> subprocess.Popen[str]:
    env = os.environ | {
        "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "t",
        "AWS_SECRET_ACCESS_KEY": "t",
    }  # fmt: skip
    command = [sys.executable, "-m", "logship", "forward", "--store", sink, "--state", str(folder / "state")]
    return subprocess.Popen([*command, "--group", "/shop/*"], env=env, stderr=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline, waiting = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < deadline:
        if condition():
            return True
        waiting.wait(0.5)
    return condition()
