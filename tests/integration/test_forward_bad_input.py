"""What is wrong around the forwarder is told in one line with its remedy, and never hurts what is right."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from logship.query.tree import All
from logship.store.tantivy.reader import Reader
from logship.testing import Faults, LocalCloudWatch
from tests.bulk_server import bulk_server
from tests.forwarding import wait_for
from tests.stub_server import Server


def start(url: str, folder: Path, *flags: str, settings: str = "") -> subprocess.Popen[str]:
    env = os.environ | {
        "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "t",
        "AWS_SECRET_ACCESS_KEY": "t",
    }  # fmt: skip
    (folder / "logship.toml").write_text(f'store = "./data"\n{settings}')
    command = [sys.executable, "-m", "logship", "forward", *flags]
    return subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(url: str, folder: Path, *flags: str, settings: str = "") -> tuple[int, str]:
    running = start(url, folder, "--once", *flags, settings=settings)
    _, said = running.communicate(timeout=60)
    return running.returncode, said


def fill(cw: LocalCloudWatch, group: str, count: int = 3) -> None:
    client = cw.client()
    with suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName="s")
    events = [{"timestamp": int(time.time() * 1000), "message": f"{group} {number}"} for number in range(count)]
    client.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def stored(folder: Path) -> list[str]:
    place = folder / "data"
    return sorted(record.body for record in Reader(place).scan(All())) if (place / "format.json").exists() else []


def test_one_group_that_may_not_be_read_does_not_keep_the_others_out(tmp_path: Path) -> None:
    """It is said once, with the statement that the policy lacks; with --once the exit status is 4."""
    with LocalCloudWatch(faults=Faults(denied_groups=frozenset({"/shop/secret"}))) as cw:
        for group in ("/shop/a", "/shop/secret", "/shop/z"):
            fill(cw, group)
        status, said = run(cw.url, tmp_path)
    about = [line for line in said.splitlines() if "/shop/secret" in line]
    statement = json.loads(re.findall(r"\{.*\}", about[0])[0])

    assert (status, len(about)) == (4, 1)
    assert stored(tmp_path) == [f"/shop/{name} {number}" for name in "az" for number in range(3)]
    assert statement == {
        "Effect": "Allow",
        "Action": "logs:FilterLogEvents",
        "Resource": "arn:aws:logs:us-east-1:123456789012:log-group:/shop/secret:*",
    }


def test_it_goes_on_for_days_without_that_group(tmp_path: Path) -> None:
    """Running on, it says so once, and ends cleanly when told to."""
    with LocalCloudWatch(faults=Faults(denied_groups=frozenset({"/shop/secret"}))) as cw:
        fill(cw, "/shop/a")
        fill(cw, "/shop/secret")
        running = start(cw.url, tmp_path, settings='[forward]\nlisten = ""\ninterval_s = 0.2\n')
        deadline = time.monotonic() + 30
        while len(stored(tmp_path)) < 3 and time.monotonic() < deadline:
            threading.Event().wait(0.2)
        threading.Event().wait(1.0)
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=30)

    assert (running.returncode, len(stored(tmp_path)), said.count("its policy lacks")) == (0, 3, 1)


def test_a_store_that_never_answers_does_not_hold_the_end_up(tmp_path: Path) -> None:
    """Told to end while it waits for its store to say the first word, it ends at once, with 0."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = start("http://127.0.0.1:1", tmp_path, "--store", store)
        silent.settimeout(60)
        with silent.accept()[0] as asked:
            asked.recv(1)
            running.send_signal(signal.SIGTERM)
            _, said = running.communicate(timeout=10)

    assert (running.returncode, said) == (0, "")


def test_an_endpoint_that_is_no_cloudwatch_is_told(tmp_path: Path) -> None:
    """A web server that answers something else is a line and a status, not a traceback."""
    with Server((200, {"hello": "world"})) as server:
        status, said = run(server.url, tmp_path)

    assert status in {2, 3}
    assert server.url.rpartition(":")[0] in said or "AWS_ENDPOINT_URL" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("settings", "status", "named"),
    [
        ('[forward]\nstat = "x"\n', 2, "'forward.stat'; did you mean 'state'?"),
        ('[forward]\ncheckpoints = "redis:x"\n', 2, "checkpoints = 'redis:x'"),
        ('[[forward.source]]\ntype = "kafka"\n', 2, "forward.source"),
        ('[[forward.source]]\nstart = "soonish"\n', 2, "forward.source[0].start"),
        ("[[forward.source]]\ntps = 0.0\n", 2, "key 'forward.source[0].tps': expected `float` > 0"),
        ("[forward]\ninterval_s = nan\n", 2, "key 'forward.interval_s': expected `float` > 0"),
        ('[[forward.source]]\ntype = "kinesis"\n', 2, "forward.source[0].stream"),
        ('[[forward.rule]]\nquery = "level:"\naction = "drop"\n', 2, "forward.rule[0].query"),
        ('[[redact.rule]]\nname = "x"\npattern = "("\n', 2, "redact.rule[0].pattern"),
        ('[redact]\noff = ["passwords"]\n', 2, "redact.off"),
    ],
)
def test_settings_are_named_by_file_and_key(tmp_path: Path, settings: str, status: int, named: str) -> None:
    """Whatever is wrong in logship.toml is found before anything is read, in one line with the key."""
    with LocalCloudWatch() as cw:
        fill(cw, "/shop/a")
        ended, said = run(cw.url, tmp_path, settings=settings)

    assert (ended, said.count("\n"), named in said) == (status, 1, True), said
    assert said.startswith("logship: logship.toml: ")
    assert stored(tmp_path) == []


@pytest.mark.parametrize(("start", "said"), [("nope", "is no time"), ("2999-01-01", "is still to come")])
def test_a_start_that_a_flag_names_is_no_mistake_of_the_settings(tmp_path: Path, start: str, said: str) -> None:
    """The flag is named, and neither file nor key."""
    status, found = run("http://127.0.0.1:1", tmp_path, "--start", start)

    assert (status, found.count("\n"), found.startswith(f"logship: --start: {start!r} {said}")) == (2, 1, True), found


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ('[[forward.source]]\nregion = "us-east-1"\nstart = "soonish"\n', "forward.source[0].start"),
        ('[[forward.source]]\nregion = "us-east-1"\ntype = "kinesis"\n', "forward.source[0].stream"),
        ('[[forward.source]]\nregion = "us-east-1"\ngroups = ["/shop/nope"]\n', "/shop/nope"),
        ('[forward]\nlisten = "nonsense"\n', "forward.listen"),
        ("[forward]\ninterval_s = 0\n", "forward.interval_s"),
        ('[[forward.source]]\ntype = "firehose"\nlisten = "127.0.0.1:8"\naccess_key = "file:key"\n', "file:key"),
    ],
)
def test_bad_settings_do_not_end_a_forwarder_that_runs(tmp_path: Path, change: str, named: str) -> None:
    """On SIGHUP they are said, whether they are wrong by themselves or of no use to CloudWatch; the old ones stay."""
    good = '[forward]\nlisten = ""\ninterval_s = 0.2\n'
    with LocalCloudWatch() as cw:
        fill(cw, "/shop/a")
        running = start(cw.url, tmp_path, settings=good)
        wait_for(lambda: len(stored(tmp_path)) == 3)
        (tmp_path / "logship.toml").write_text(f'store = "./data"\n{change}')
        (tmp_path / "key").write_bytes(b"\xff\x00 no text")
        running.send_signal(signal.SIGHUP)
        said = iter(running.stderr or ())
        refused = next(line for line in said if "as they were" in line)
        fill(cw, "/shop/a")
        wait_for(lambda: len(stored(tmp_path)) == 6)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)

    assert (named in refused, running.returncode) == (True, 0), refused


_ONE_SOURCE = '[forward]\nlisten = ""\ninterval_s = 0.2\n[[forward.source]]\ngroups = ["/shop/a"]\n'


def read_again(running: subprocess.Popen[str], cw: LocalCloudWatch, folder: Path) -> str:
    """What a forwarder says of settings that it is told to read again; it goes on storing, and is ended."""
    running.send_signal(signal.SIGHUP)
    said = next(line for line in running.stderr or () if "settings" in line)
    fill(cw, "/shop/a")
    wait_for(lambda: len(stored(folder)) == 6)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=30)
    return said


@pytest.mark.parametrize(
    ("flags", "change", "named"),
    [
        ((), "", "are gone or empty"),
        ((), None, "are gone or empty"),
        (("--group", "/shop/a"), "", "are gone or empty"),
        ((), 'store = "./data"\n[forward]\nlisten = ""\n', "no [[forward.source]] is left"),
        ((), f'store = "./other"\n{_ONE_SOURCE}', "'./other' differs in location from './data'"),
        ((), f'store = "one"\n{_ONE_SOURCE}[stores.one]\nlocation = "./data"\nindex = "i"\n', "differs in index"),
        (("--store", "one"), f'{_ONE_SOURCE}[stores.one]\nlocation = "./other"\n', "restart to change the store"),
        ((), _ONE_SOURCE.replace("[forward]", '[forward]\nstate = "./other"'), "every log group would begin at start"),
        ((), _ONE_SOURCE.replace("[[", 'checkpoints = "dynamodb:places"\n[['), "kept in the DynamoDB table 'places'"),
    ],
    ids=[
        *("empty", "gone", "empty beside flags", "no source", "store", "profile", "profile of the flag"),
        *("state", "checkpoints"),
    ],
)
def test_settings_that_would_forward_something_else_are_refused(
    tmp_path: Path, flags: tuple[str, ...], change: str | None, named: str
) -> None:
    """On SIGHUP neither a file that is just being written nor another store moves a forwarder from what it does."""
    with LocalCloudWatch() as cw:
        fill(cw, "/shop/a")
        fill(cw, "/shop/b")
        settings = _ONE_SOURCE + '[stores.one]\nlocation = "./data"\n'
        running = start(cw.url, tmp_path, *flags, settings=settings)
        wait_for(lambda: len(stored(tmp_path)) == 3)
        if change is None:
            (tmp_path / "logship.toml").unlink()
        else:
            (tmp_path / "logship.toml").write_text(change)
        said = read_again(running, cw, tmp_path)

    assert (named in said, "; going on with the settings as they were" in said, running.returncode) == (True, True, 0)
    assert {line.split()[0] for line in stored(tmp_path)} == {"/shop/a"}


def test_a_flag_for_the_store_outlasts_settings_that_name_another(tmp_path: Path) -> None:
    """On SIGHUP as at the start: where `--store` is given, what the settings say of the store does not count."""
    with LocalCloudWatch() as cw:
        fill(cw, "/shop/a")
        running = start(cw.url, tmp_path, "--store", "./data", settings=_ONE_SOURCE)
        wait_for(lambda: len(stored(tmp_path)) == 3)
        (tmp_path / "logship.toml").write_text(f'store = "./other"\n{_ONE_SOURCE}')
        said = read_again(running, cw, tmp_path)

    assert ("were read again" in said, running.returncode) == (True, 0), said


def test_settings_read_again_many_times_leave_nothing_behind(tmp_path: Path) -> None:
    """A process that is told to every day for a year takes no more memory for it."""
    with LocalCloudWatch() as cw:
        fill(cw, "/shop/a")
        running = start(cw.url, tmp_path, settings='[forward]\nlisten = ""\ninterval_s = 0.2\n')
        wait_for(lambda: len(stored(tmp_path)) == 3)
        said, sizes = iter(running.stderr or ()), []
        for total in range(4, 16):
            running.send_signal(signal.SIGHUP)
            next(line for line in said if "were read again" in line)
            fill(cw, "/shop/a", 1)
            wait_for(partial(has, tmp_path, total))
            sizes.append(anonymous_bytes(running.pid))
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)

    assert (running.returncode, sizes[-1] - sizes[3] < 8 * 2**20) == (0, True), sizes


def has(folder: Path, records: int) -> bool:
    return len(stored(folder)) == records


def anonymous_bytes(pid: int) -> int:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    assert found
    return int(found[1]) * 1024


def test_what_one_group_is_refused_for_is_no_matter_of_the_others(tmp_path: Path) -> None:
    """An error that AWS gives only later, and that nobody knows, is said once; reading goes on, and ends with 0."""
    group = {"logGroupName": "/a", "arn": "arn:aws:logs:us-east-1:123456789012:log-group:/a:*"}
    refused = {"__type": "SomethingNewException", "message": "not today"}
    with Server((200, {"logGroups": [group]}), (200, {"events": []}), (400, refused)) as server:
        running = start(server.url, tmp_path, settings='[forward]\nlisten = ""\ninterval_s = 0.2\n')
        first = next(line for line in running.stderr or () if "SomethingNewException" in line)
        threading.Event().wait(1.0)
        running.send_signal(signal.SIGTERM)
        _, rest = running.communicate(timeout=30)

    assert "log group '/a': SomethingNewException: not today" in first
    assert (running.returncode, "SomethingNewException" in rest) == (0, False), rest


def test_settings_read_again_while_the_store_is_away_do_not_end_a_forwarder(tmp_path: Path) -> None:
    """It waits for the store with the new ones, and stores what it has not, each event once."""
    with LocalCloudWatch() as cw, bulk_server() as sink:
        fill(cw, "/shop/a")
        running = start(cw.url, tmp_path, "--store", sink.url, settings='[forward]\nlisten = ""\ninterval_s = 0.2\n')
        wait_for(lambda: sink.counts()["created"] == 3)
        sink.faults(down=True)
        fill(cw, "/shop/a")
        said = iter(running.stderr or ())
        next(line for line in said if "waits for the store" in line)
        running.send_signal(signal.SIGHUP)
        next(line for line in said if "were read again" in line)
        sink.faults()
        wait_for(lambda: sink.counts()["created"] == 6)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)

    assert running.returncode == 0


def test_settings_that_name_a_group_deleted_since_are_good_enough(tmp_path: Path) -> None:
    """A forwarder that is asked to read them again goes on, with the groups that are there."""
    settings = (
        '[forward]\nlisten = ""\ninterval_s = 0.2\n'
        '[[forward.source]]\nregion = "us-east-1"\ngroups = ["/shop/a", "/shop/b"]\n'
    )
    with LocalCloudWatch() as cw:
        fill(cw, "/shop/a")
        fill(cw, "/shop/b")
        running = start(cw.url, tmp_path, settings=settings)
        wait_for(lambda: len(stored(tmp_path)) == 6)
        cw.client().delete_log_group(logGroupName="/shop/b")
        said = iter(running.stderr or ())
        gone = next(line for line in said if "is gone" in line)
        running.send_signal(signal.SIGHUP)
        read_again = next(line for line in said if "read again" in line)
        missing = next(line for line in said if "no log group" in line)
        fill(cw, "/shop/a")
        wait_for(lambda: len(stored(tmp_path)) == 9)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)

    assert ("/shop/b" in gone, "/shop/b" in missing, running.returncode) == (True, True, 0), read_again


def test_settings_read_again_amid_an_outage_do_not_end_a_forwarder(tmp_path: Path) -> None:
    """CloudWatch that does not answer just then is waited for, as it is at any other time."""
    with LocalCloudWatch() as cw:
        fill(cw, "/shop/a")
        running = start(cw.url, tmp_path, settings='[forward]\nlisten = ""\ninterval_s = 0.2\n')
        wait_for(lambda: len(stored(tmp_path)) == 3)
        cw.faults = Faults(error_503_rate=1.0)
        running.send_signal(signal.SIGHUP)
        said = iter(running.stderr or ())
        kept = next(line for line in said if "as they were" in line)
        waiting = next(line for line in said if "trying again" in line)
        cw.faults = Faults()
        fill(cw, "/shop/a")
        wait_for(lambda: len(stored(tmp_path)) == 6)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)

    assert ("ServiceUnavailable" in kept, "log groups" in waiting, running.returncode) == (True, True, 0), kept


@pytest.mark.parametrize(
    "faults", [{"latency_s": 40.0}, {"item_429": 0.9}, {"down": True}], ids=["silent", "crowded", "down"]
)
def test_told_to_end_it_ends_within_ten_seconds(tmp_path: Path, faults: dict[str, object]) -> None:
    """Whatever its store does; the next one stores what was read, each event once."""
    settings = '[forward]\nlisten = ""\ninterval_s = 0.2\n'
    with LocalCloudWatch() as cw, bulk_server() as sink:
        fill(cw, "/shop/a")
        running = start(cw.url, tmp_path, "--store", sink.url, settings=settings)
        wait_for(lambda: sink.counts()["created"] == 3)
        sink.faults(**faults)
        fill(cw, "/shop/a", 3_000)
        threading.Event().wait(3.0)  # requests pile up at it
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            running.send_signal(number)
        began_s = time.monotonic()
        _, said = running.communicate(timeout=60)
        took_s = time.monotonic() - began_s
        sink.faults()
        again, _ = run(cw.url, tmp_path, "--store", sink.url)
        counts = sink.counts()

    assert (running.returncode, took_s < 10, "next forwarder" in said) == (0, True, True), (took_s, said)
    assert (again, counts["created"]) == (0, 3_003)


def test_a_damaged_checkpoint_file_is_kept_aside(tmp_path: Path) -> None:
    """The run ends with 5 and says where the file went; the next begins anew, says so, and stores nothing twice."""
    with LocalCloudWatch() as cw:
        fill(cw, "/shop/a")
        run(cw.url, tmp_path)
        for file in (tmp_path / "state").glob("checkpoints.db*"):
            file.unlink()
        (tmp_path / "state/checkpoints.db").write_bytes(b"not a database" * 500)
        status, said = run(cw.url, tmp_path)
        again, told = run(cw.url, tmp_path)

    assert (status, "kept aside" in said, said.count("\n")) == (5, True, 1)
    assert "its positions were lost" in told
    assert (again, len(stored(tmp_path)), len(list((tmp_path / "state").glob("checkpoints.db.damaged-*")))) == (0, 3, 1)


def test_a_state_folder_is_one_forwarders(tmp_path: Path) -> None:
    """A second one is told so at its start; the first goes on, and when it has ended the next may begin."""
    with LocalCloudWatch() as cw, bulk_server() as sink:
        fill(cw, "/shop/a")
        first = start(cw.url, tmp_path, "--store", sink.url, settings='[forward]\nlisten = ""\ninterval_s = 0.2\n')
        wait_for(lambda: sink.counts()["created"] == 3)
        second = run(cw.url, tmp_path, "--store", sink.url)
        goes_on = first.poll() is None
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=30)
        third = run(cw.url, tmp_path, "--store", sink.url)

    assert (second[0], f"is in use by another forwarder (pid {first.pid})" in second[1]) == (5, True), second[1]
    assert (goes_on, first.returncode, third[0]) == (True, 0, 0), third[1]


def test_checkpoints_of_another_store_are_refused(tmp_path: Path) -> None:
    """They say what the other store holds."""
    with LocalCloudWatch() as cw:
        fill(cw, "/shop/a")
        run(cw.url, tmp_path)
        status, said = run(cw.url, tmp_path, "--store", "./other")

    assert (status, "is about the store" in said, "--state" in said) == (5, True, True)
