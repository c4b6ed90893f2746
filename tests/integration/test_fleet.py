"""Three forwarders that share twelve groups through DynamoDB: killed, paused and restarted, each event once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import ThreadedMotoServer

from logship.forward.checkpoints.dynamodb import dynamodb_client
from logship.forward.checkpoints.dynamodb_table import DynamoTable
from logship.testing import LocalCloudWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GROUPS = [f"/shop/{number:02}" for number in range(12)]
PROCESS = Path(__file__).with_name("fleet_process.py")
TABLE = "checkpoints"


class Store(ThreadingHTTPServer):
    """Keeps texts by id with create semantics, and counts."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Adding)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.texts: dict[str, str] = {}
        self.existing = 0
        self.lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A killed process breaks its connection."""


class _Adding(BaseHTTPRequestHandler):
    server: Store
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        records = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            before = len(self.server.texts)
            for id_, text in records:
                self.server.texts.setdefault(id_, text)
            accepted = len(self.server.texts) - before
            self.server.existing += len(records) - accepted
        data = json.dumps({"accepted": accepted, "existing": len(records) - accepted}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Silent."""


class Fleet:
    """The servers, the producer, and processes by number."""

    def __init__(self, cw: LocalCloudWatch, dynamodb_url: str, store: Store, folder: Path) -> None:
        self.cw, self.dynamodb_url, self.store, self.folder = cw, dynamodb_url, store, folder
        self.dynamodb = dynamodb_client(endpoint_url=dynamodb_url)
        self.table = DynamoTable(self.dynamodb, TABLE)
        self.start_ms = int(time.time() * 1000) - 60_000
        self.running: dict[int, subprocess.Popen[str]] = {}
        client = cw.client()
        for group in GROUPS:
            client.create_log_group(logGroupName=group)
            client.create_log_stream(logGroupName=group, logStreamName="s")

    def start(self, number: int) -> None:
        env = os.environ | {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t"}
        state = self.folder / f"state-{number}"
        arguments = [self.cw.url, self.dynamodb_url, self.store.url, str(state), str(self.start_ms)]
        with (self.folder / f"said-{number}").open("a") as said:
            self.running[number] = subprocess.Popen(
                [sys.executable, str(PROCESS), *arguments], env=env, stderr=said, text=True
            )

    def signal(self, number: int, which: signal.Signals) -> None:
        self.running[number].send_signal(which)

    def said(self, number: int) -> str:
        return (self.folder / f"said-{number}").read_text()

    def owners(self) -> dict[str, str]:
        """Group → number of the process that has it, or "" where nobody has."""
        numbers = {str(process.pid): str(number) for number, process in self.running.items()}
        alive = self.table.workers()
        return {
            key.split(":")[1]: numbers.get(lease.owner.split("/")[-2], "") if lease.owner in alive else ""
            for key, lease in self.table.leases().items()
        }

    def tokens(self) -> dict[str, int]:
        return {key.split(":")[1]: lease.token for key, lease in self.table.leases().items()}

    def shares(self) -> list[int]:
        """How many groups each process has, most first."""
        return sorted(Counter(owner for owner in self.owners().values() if owner).values(), reverse=True)

    def produce(self, total: int, batch: int, pause_s: float, drawn: random.Random) -> threading.Thread:
        """Puts events, numbered from 0 on, into random groups."""

        def put() -> None:
            client = self.cw.client()
            for start in range(0, total, batch):
                now_ms = int(time.time() * 1000)
                times = sorted(now_ms - drawn.randrange(3000) for _ in range(batch))
                events = [{"timestamp": at, "message": f"event {start + n}"} for n, at in enumerate(times)]
                client.put_log_events(logGroupName=drawn.choice(GROUPS), logStreamName="s", logEvents=events)
                threading.Event().wait(pause_s)

        producer = threading.Thread(target=put)
        producer.start()
        return producer

    def end(self) -> list[int]:
        for process in self.running.values():
            process.terminate()
        return [process.wait(20) for process in self.running.values()]

    def close(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        self.dynamodb.close()


def _one_at_a_time(answer: Callable[..., Any]) -> Callable[..., Any]:
    """An item is there whole or not at all, as in DynamoDB: moto puts it there and fills it in two steps."""
    lock = threading.Lock()

    def answer_alone(*args: Any) -> Any:
        with lock:
            return answer(*args)

    return answer_alone


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    for name, value in {"AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(DomainDispatcherApplication, "__call__", _one_at_a_time(DomainDispatcherApplication.__call__))
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    with LocalCloudWatch(visibility_delay_s=(0.0, 2.0), seed=4) as cw, Store() as store:
        made = Fleet(cw, f"http://{host}:{port}", store, tmp_path)
        yield made
        made.close()
    moto.stop()


def wait_for(condition: Callable[[], bool], seconds: float) -> float:
    """How long it took until the condition held; fails when it took longer than that."""
    began_s, waiting = time.monotonic(), threading.Event()
    while not condition():
        assert time.monotonic() - began_s < seconds, "it took too long"
        waiting.wait(0.2)
    return time.monotonic() - began_s


def ready(fleet: Fleet) -> Callable[[], bool]:
    def shared() -> bool:
        tables = fleet.dynamodb.list_tables()["TableNames"]
        return TABLE in tables and len(fleet.table.workers()) == 3 and fleet.shares() == [4, 4, 4]

    return shared


@pytest.mark.timeout(300)
def test_groups_of_a_dead_and_a_paused_process_move(fleet: Fleet) -> None:
    """Killed -9 or stopped, a process loses its groups to the others within 30 s; woken up, it saves nothing of them.

    Nothing is lost and nothing twice; the woken one gets a share again, and all end well on SIGTERM.
    """
    total = 8_000
    for number in range(3):
        fleet.start(number)
    balanced_s = wait_for(ready(fleet), 120)
    producer = fleet.produce(total, 100, 0.35, random.Random(1))
    before, tokens = fleet.owners(), fleet.tokens()
    fleet.signal(0, signal.SIGKILL)
    fleet.signal(1, signal.SIGSTOP)
    moved_s = wait_for(lambda: set(fleet.owners().values()) == {"2"}, 30)
    after = fleet.tokens()
    fleet.signal(1, signal.SIGCONT)
    back_s = wait_for(lambda: fleet.shares() == [6, 6], 40)
    producer.join()
    wait_for(lambda: len(fleet.store.texts) >= total, 40)
    statuses = fleet.end()
    print(
        f"\nthree processes share 12 groups after {balanced_s:.1f} s; groups of one killed and one stopped are with "
        f"the third after {moved_s:.1f} s; the stopped one has half again {back_s:.1f} s after it went on; "
        f"{total:,} events, {fleet.store.existing:,} of them written once more"
    )

    assert statuses == [-signal.SIGKILL, 0, 0]
    assert sorted(fleet.store.texts.values()) == sorted(f"event {number}" for number in range(total))
    assert all((after[group] > tokens[group]) == (owner != "2") for group, owner in before.items())
    assert "others took this process for dead" in fleet.said(1)
    assert set(fleet.owners().values()) == {""}


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_killing_one_every_three_seconds(fleet: Fleet) -> None:
    """200,000 events while a random process is killed -9 every 3 s and started again: each is stored exactly once."""
    total, drawn, kills = 200_000, random.Random(2), 0
    for number in range(3):
        fleet.start(number)
    producer = fleet.produce(total, 500, 0.2, random.Random(3))
    began_s = time.monotonic()
    while producer.is_alive():
        producer.join(3.0)
        number = drawn.randrange(3)
        fleet.signal(number, signal.SIGKILL)
        fleet.running[number].wait()
        fleet.start(number)
        kills += 1
    during = len(fleet.store.texts)
    wait_for(lambda: len(fleet.store.texts) >= total, 200)
    statuses = fleet.end()
    print(
        f"\n{kills} kills in {time.monotonic() - began_s:.0f} s; {during:,} of {total:,} events stored while killing; "
        f"{fleet.store.existing:,} written once more"
    )

    assert statuses == [0, 0, 0]
    assert sorted(fleet.store.texts.values()) == sorted(f"event {number}" for number in range(total))
