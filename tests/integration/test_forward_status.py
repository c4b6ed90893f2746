"""What a real forwarder shows of itself while it reads, waits, throttles and ends."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from logship.errors import ConnectError
from logship.forward.between.prepare import prepare_of
from logship.forward.checkpoints.sqlite import SqliteCheckpoints
from logship.forward.letters.dead_letters import DeadLetters
from logship.forward.outside.http import serving
from logship.forward.outside.status import ForwardStatus, GroupStatus, status_of
from logship.forward.run import Forwarder, ForwardOptions, forward_groups
from logship.forward.sources.poll.poller import CloudWatchPoller, Polled
from logship.parse import Parser
from logship.settings import Forward, Rule, Settings
from logship.store.port import AddResult, Rejected
from logship.testing import Faults, LocalCloudWatch, MemoryStore
from tests.forwarding import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from logship.record import Record

GROUP, OTHER = "/shop/a", "/shop/b"
SETTINGS = Settings(forward=Forward(rule=[Rule(query="level:debug", action="drop")]))


class DownStore(MemoryStore):
    """A store that does not answer until it is up, and never takes poison."""

    def __init__(self) -> None:
        super().__init__()
        self.is_up = threading.Event()

    def add(self, records: Sequence[Record]) -> AddResult:
        if not self.is_up.is_set():
            raise ConnectError("the store does not answer")
        poison = tuple(Rejected(record, "poison") for record in records if record.body == "poison")
        result = super().add([record for record in records if record.body != "poison"])
        return AddResult(result.accepted, result.existing, poison)


def client_of(cw: LocalCloudWatch) -> Any:
    """A client that leaves trying again to the forwarder."""
    return boto3.client(
        "logs", endpoint_url=cw.url, region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t",
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip


class Running:
    """A forwarder in a thread, and what is seen of it."""

    def __init__(self, forwarder: Forwarder, prepare: Any, url: str) -> None:
        self.url = url
        self._forwarder, self._prepare = forwarder, prepare

    @property
    def status(self) -> ForwardStatus:
        return status_of(self._forwarder, prepared=self._prepare.counts)

    @property
    def groups(self) -> dict[str, GroupStatus]:
        return {group.name: group for group in self.status.sources[0].groups}

    def ask(self, path: str) -> tuple[int, str]:
        return ask(self.url, path)


def ask(url: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url + path, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


@contextmanager
def running(cw: LocalCloudWatch, store: MemoryStore, state: Path, *, client: Any = None) -> Iterator[Running]:
    checkpoints, letters = SqliteCheckpoints(str(state)), DeadLetters(state)
    wanted = Polled(groups=["/shop/*"], start_ms=int(time.time() * 1000) - 3_600_000, interval_s=0.2)
    prepare = prepare_of(SETTINGS)
    forwarder = Forwarder([CloudWatchPoller(client or client_of(cw), checkpoints, wanted)], store, prepare, letters)
    thread = threading.Thread(target=forwarder.run)
    with serving(lambda: status_of(forwarder, prepared=prepare.counts), "127.0.0.1:0") as url:
        thread.start()
        try:
            yield Running(forwarder, prepare, url)
        finally:
            forwarder.stop.set()
            thread.join(30)
    checkpoints.close()
    letters.close()


@pytest.fixture
def cw() -> Iterator[LocalCloudWatch]:
    with LocalCloudWatch() as endpoint:
        for group in (GROUP, OTHER):
            endpoint.client().create_log_group(logGroupName=group)
            endpoint.client().create_log_stream(logGroupName=group, logStreamName="s")
        yield endpoint


@pytest.fixture
def up() -> DownStore:
    store = DownStore()
    store.is_up.set()
    return store


def put(cw: LocalCloudWatch, *messages: str, age_s: float = 0.0, group: str = GROUP) -> None:
    at_ms = int((time.time() - age_s) * 1000)
    events = [{"timestamp": at_ms, "message": message} for message in messages]
    cw.client().put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def steady(true: Callable[[], object]) -> None:
    wait_for(true, 20)


def test_lag_grows_while_the_store_is_down_and_ends_with_it(cw: LocalCloudWatch, tmp_path: Path) -> None:
    """The lag is the age of the oldest event that is read and not stored; where all is stored there is none."""
    store = DownStore()
    with running(cw, store, tmp_path) as seen:
        steady(lambda: seen.groups.get(GROUP) and all(group.read_age_s is not None for group in seen.groups.values()))
        put(cw, "one", age_s=5.0)
        steady(lambda: seen.status.store_reason)
        first = seen.groups[GROUP].lag_s
        steady(lambda: seen.groups[GROUP].lag_s > first + 0.5)
        waiting, health, ready = seen.status, seen.ask("/healthz"), seen.ask("/readyz")
        store.is_up.set()
        steady(lambda: seen.groups[GROUP].stored == 1)
        steady(lambda: not seen.groups[GROUP].lag_s)
        steady(lambda: not seen.status.queued_bytes)

        assert first >= 5.0
        assert seen.groups[OTHER].lag_s == 0
        assert (waiting.queued_bytes > 0, waiting.store_waits > 0) == (True, True)
        assert (health[0], json.loads(health[1])["waits_for_store"]) == (200, "the store does not answer")
        assert (ready[0], json.loads(ready[1])["reason"]) == (503, "waiting for the store: the store does not answer")
        assert seen.ask("/readyz")[0] == 200


def test_a_run_that_ends_by_itself_gives_up_a_store_that_is_away(
    cw: LocalCloudWatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or cron would start one beside another; the next run reads what is not stored."""
    monkeypatch.setattr("logship.forward.run.ONCE_S", 0.5)
    put(cw, "one")
    store = DownStore()
    start_ms = int(time.time() * 1000) - 3_600_000
    once = ForwardOptions(groups=["/shop/*"], start_ms=start_ms, state=str(tmp_path), once=True)
    with pytest.raises(ConnectError, match="the store does not answer; given up"):
        forward_groups(client_of(cw), store, Parser(), once)
    store.is_up.set()

    assert forward_groups(client_of(cw), store, Parser(), once).counts.stored == 1


def test_a_backlog_is_what_is_left_of_the_first_hour(cw: LocalCloudWatch, tmp_path: Path) -> None:
    """It stays until it is stored, not merely read."""
    put(cw, "one", age_s=1800)
    store = DownStore()
    with running(cw, store, tmp_path) as seen:
        steady(lambda: seen.status.store_reason)
        waiting = seen.groups[GROUP]
        store.is_up.set()
        steady(lambda: not seen.groups[GROUP].backlog_s)

        assert 3500 < waiting.backlog_s < 3700
        assert seen.groups[GROUP].stored == 1


def test_each_figure_counts_what_happened(cw: LocalCloudWatch, up: DownStore, tmp_path: Path) -> None:
    """Events, those known, rules, redaction, dead letters: by the numbers that were put in."""
    put(cw, "one", "poison", "password=hunter2", '{"body":"x","severity_text":"DEBUG"}')
    with running(cw, up, tmp_path) as seen:
        steady(lambda: seen.status.read == 4)
        steady(lambda: seen.groups[GROUP].known)
        status, group = seen.status, seen.groups[GROUP]

        assert (status.stored, status.existing, status.rejected, status.read) == (2, 0, 1, 4)
        assert status.dead_letters == 1
        assert [(rule.place, rule.dropped, rule.sampled_out) for rule in status.rules] == [("forward.rule[0]", 1, 0)]
        assert status.redacted == {"password": 1}
        assert (group.fresh, group.stored) == (4, 4)
        assert group.events - group.known == 4
        assert group.pages > group.empty_pages >= 0
        assert group.bytes > group.pages
        assert abs(group.newest_stored_ms / 1000 - time.time()) < 60


def test_throttled_and_repeated_calls_are_counted(cw: LocalCloudWatch, up: DownStore, tmp_path: Path) -> None:
    """As many as the service says it threw; the rate falls below the quota by that."""
    with running(cw, up, tmp_path) as seen:
        steady(lambda: len(seen.groups) == 2)
        cw.faults = Faults(throttle_rate=1.0, operations=frozenset({"FilterLogEvents"}))
        steady(lambda: seen.status.sources[0].throttled)
        cw.faults = Faults()
        steady(lambda: seen.status.sources[0].retried == cw.injected["throttle"])
        [source] = seen.status.sources

        assert source.retried == source.throttled
        assert 0 < (source.throttled or 0) < (source.calls or 0)
        assert 0 < (source.rate or 0) < 0.98 * (source.quota or 0)


def deny(client: Any, group: str) -> None:
    """Has the service answer that a group may not be read."""

    def answer(request: Any, **_: Any) -> AWSResponse | None:
        if json.loads(request.body)["logGroupName"] != group:
            return None
        body = {"__type": "AccessDeniedException", "message": "not authorized to perform logs:FilterLogEvents"}
        return AWSResponse(request.url, 400, {}, Raw(json.dumps(body).encode()))

    client.meta.events.register("before-send.cloudwatch-logs.FilterLogEvents", answer)


class Raw(io.BytesIO):
    """A body as urllib3 gives it out."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def test_a_refused_group_says_why_and_the_others_go_on(cw: LocalCloudWatch, up: DownStore, tmp_path: Path) -> None:
    """It has no lag that is known; what counts is that it is refused."""
    client = client_of(cw)
    deny(client, OTHER)
    put(cw, "one")
    with running(cw, up, tmp_path, client=client) as seen:
        steady(lambda: seen.groups.get(GROUP) and seen.groups[GROUP].stored)
        steady(lambda: seen.groups[OTHER].refused)
        _, text = seen.ask("/metrics")

        assert seen.groups[OTHER].refused.startswith(f"log group '{OTHER}'")
        assert (seen.groups[OTHER].read_age_s, seen.groups[GROUP].refused) == (None, "")
        assert f'logship_forward_group_refused{{group="{OTHER}",source="cloudwatch us-east-1"}} 1.0' in text


def test_the_metrics_of_a_running_forwarder_can_be_scraped(cw: LocalCloudWatch, up: DownStore, tmp_path: Path) -> None:
    """Over HTTP, in the text format, with source and group as labels."""
    put(cw, "one")
    with running(cw, up, tmp_path) as seen:
        steady(lambda: seen.status.stored == 1)
        code, text = seen.ask("/metrics")

        assert code == 200
        assert "\nlogship_forward_stored_records_total 1.0\n" in text
        label = f'{{group="{GROUP}",source="cloudwatch us-east-1"}}'
        assert f"\nlogship_forward_group_fresh_events_total{label} 1.0\n" in text


class Command:
    """`logship forward` as systemd starts it, and what systemd hears."""

    def __init__(self, cw: LocalCloudWatch, folder: Path, listen: str) -> None:
        (folder / "logship.toml").write_text(
            f'store = "./store"\n[forward]\nstate = "./state"\nlisten = "{listen}"\n'
            '[[forward.source]]\nregion = "us-east-1"\ngroups = ["/shop/*"]\n'
        )
        self.url = f"http://{listen}"
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(str(folder / "notify"))
        self._manager.settimeout(20)
        env = os.environ | {
            "AWS_ENDPOINT_URL": cw.url, "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t",
            "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "1000000",
        }  # fmt: skip
        command = [sys.executable, "-m", "logship", "forward"]
        self.process = subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.PIPE, text=True)

    def hear(self, wanted: str) -> list[str]:
        """All that comes up to the message that begins so, without the lines for people."""
        heard: list[str] = []
        while not (heard and heard[-1].startswith(wanted)):
            heard.append(self._manager.recv(4096).decode())
        return [message.partition("\n")[0] for message in heard if not message.startswith("STATUS")]

    def end(self) -> tuple[int, str]:
        """Its exit status, and what it said."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=30)
        self._manager.close()
        return self.process.returncode, said


def test_systemd_hears_of_the_command_from_its_start_to_its_end(cw: LocalCloudWatch, tmp_path: Path) -> None:
    """Ready, alive, reloading and ready again on SIGHUP, stopping on SIGTERM; metrics are served all the while."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    command = Command(cw, tmp_path, listen)
    try:
        started = command.hear("READY")
        alive = command.hear("WATCHDOG")
        scraped = ask(command.url, "/metrics"), ask(command.url, "/readyz")
        command.process.send_signal(signal.SIGHUP)
        reloaded = [message for message in command.hear("RELOADING") + command.hear("READY") if message != "WATCHDOG=1"]
        again = ask(command.url, "/readyz")
    finally:
        command.process.send_signal(signal.SIGTERM)
        stopping = command.hear("STOPPING")
        code, said = command.end()

    assert started.count("READY=1") == 1
    assert alive[-1] == "WATCHDOG=1"
    assert [answer[0] for answer in (*scraped, again)] == [200, 200, 200]
    assert reloaded == ["RELOADING=1", "READY=1"]
    assert stopping[-1] == "STOPPING=1"
    assert (code, "Traceback" in said) == (0, False)


def test_the_command_refuses_an_address_that_is_taken(cw: LocalCloudWatch, tmp_path: Path) -> None:
    """With exit status 2 and one line, before anything is read."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = Command(cw, tmp_path, f"127.0.0.1:{taken.getsockname()[1]}")
        command.process.wait(30)
        code, said = command.end()

    assert (code, said.count("\n"), "name another: listen" in said) == (2, 1, True)


def test_groups_that_cannot_be_read_are_told_from_quiet_ones(
    cw: LocalCloudWatch, up: DownStore, tmp_path: Path
) -> None:
    """Where calls fail, their number in a row and the time without an answer grow; one answer ends both."""
    with running(cw, up, tmp_path) as forwarder:
        wait_for(lambda: len(forwarder.groups) == 2 and all(group.pages for group in forwarder.groups.values()))
        quiet = forwarder.status
        cw.faults = replace(cw.faults, operations=frozenset({"FilterLogEvents"}), error_503_rate=1.0)
        wait_for(lambda: any("calls failed in a row" in line for line in forwarder.status.wrong))
        unread_s = forwarder.status.sources[0].unread_s
        cw.faults = Faults()
        wait_for(lambda: forwarder.status.wrong == [])

    assert (quiet.wrong, quiet.sources[0].unread_s, unread_s > 0.0) == ([], 0.0, True)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>be right back</html>"),
        (200, b""),
        (200, b'{"events":[{"timestamp":17'),
        (200, b'{"events":[{"timestamp":"now"}]}'),
        (200, b"\xff\xfe"),
        (408, b""),
        (429, b"<html>too many</html>"),
        (500, b'"oops"'),
        (503, "gerade nicht verfügbar".encode("latin-1")),
    ],
)
def test_what_something_in_between_answers_ends_nothing(
    cw: LocalCloudWatch, up: DownStore, tmp_path: Path, status: int, body: bytes
) -> None:
    """Once CloudWatch has answered, a proxy's page, half an answer and bytes that are no text are tried again."""
    wrong: list[int] = []
    client = client_of(cw)

    def answer(request: Any, **_: Any) -> AWSResponse | None:
        return AWSResponse(request.url, wrong.pop(), {}, Raw(body)) if wrong else None

    client.meta.events.register("before-send.cloudwatch-logs", answer)
    put(cw, "one")
    with running(cw, up, tmp_path, client=client) as seen:
        steady(lambda: seen.status.stored == 1)
        wrong += [status] * 3
        steady(lambda: not wrong)
        put(cw, "two")
        steady(lambda: seen.status.stored == 2)

        assert seen.status.sources[0].retried
