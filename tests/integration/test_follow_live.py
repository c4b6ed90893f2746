"""`logship search --follow --live` beside an application that logs to CloudWatch Logs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from logship.testing import Faults, LocalCloudWatch
from tests.forwarding import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "AKIAIOSFODNN7EXAMPLE"


@pytest.fixture
def cw(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloudWatch]:
    with LocalCloudWatch(live_tail_every_s=0.05) as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": SECRET,
            "AWS_SECRET_ACCESS_KEY": "test",
        }.items():
            monkeypatch.setenv(name, value)
        for group in ("/shop/orders", "/shop/edge", "/other"):
            server.client().create_log_group(logGroupName=group)
            server.client().create_log_stream(logGroupName=group, logStreamName="s")
        yield server


def put(cw: LocalCloudWatch, group: str, *messages: str) -> None:
    now_ms = int(time.time() * 1000)
    events = [{"timestamp": now_ms, "message": message} for message in messages]
    cw.client().put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


@contextmanager
def following(place: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "logship", "search", *arguments]
    process = subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def next_lines(process: subprocess.Popen[bytes], count: int) -> list[bytes]:
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


def test_what_cloudwatch_gets_is_shown_and_not_stored(cw: LocalCloudWatch, tmp_path: Path) -> None:
    """Records of the groups that are asked for, parsed, without secrets, that match; nothing lies anywhere after."""
    line = '{"level":"error","message":"slow %s","user.id":7}'
    with following(
        tmp_path, "level:error", "slow", "--follow", "--live", "--group", "/shop/*", "--format", "ndjson"
    ) as process:
        wait_for(lambda: cw.live_tails)
        put(cw, "/shop/orders", "INFO all is well", line % f"login of {SECRET}")
        put(cw, "/other", line % "elsewhere")
        put(cw, "/shop/edge", line % "edge")
        shown = [json.loads(line) for line in next_lines(process, 2)]
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=20)

    assert [(record["resource"]["attributes"]["service.name"], record["body"]) for record in shown] == [
        ("orders", "slow login of [redacted:aws-access-key-id]"),
        ("edge", "slow edge"),
    ]
    assert shown[0]["attributes"]["user.id"] == 7
    assert (process.returncode, rest, SECRET in str(said), b"Traceback" in said) == (130, b"", False, False)
    assert b"live: 2 log groups by 1 session of Live Tail, each charged by the minute; nothing of it is stored" in said
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--format", "raw"], b"hello\n"),
        (["--format", "csv"], b"time,level,service,duration,message,trace,id\r\n"),
        (["|", "fields service", "--format", "csv"], b"service\r\n"),
    ],
    ids=["raw", "csv", "columns"],
)
def test_every_streaming_format_follows(
    cw: LocalCloudWatch, tmp_path: Path, arguments: list[str], shown: bytes
) -> None:
    """The formats are those of following a store; groups are those of the sources."""
    (tmp_path / "logship.toml").write_text(
        '[[forward.source]]\ngroups = ["/shop/*"]\nexclude_groups = ["/shop/edge"]\nlive_tail = true\n'
    )
    with following(tmp_path, "hello", *arguments, "--follow", "--live") as process:
        wait_for(lambda: cw.live_tails)
        tailed = cw.live_tails
        put(cw, "/shop/orders", "hello")

        assert (next_lines(process, 1), tailed) == ([shown], [frozenset({"/shop/orders"})])


def test_a_sample_is_said(cw: LocalCloudWatch, tmp_path: Path) -> None:
    """Who sees some of the records knows it."""
    with following(tmp_path, "--follow", "--live", "--format", "raw") as process:
        wait_for(lambda: cw.live_tails)
        put(cw, "/shop/orders", *["x"] * 700)
        printed = next_lines(process, 500)
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=20)

    assert ({*printed}, rest) == ({b"x\n"}, b"")
    assert said.count(b"faster than 500 a second, so some of them are shown") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--live"], 2, "add --follow"),
        (["--group", "/shop/*"], 2, "--group chooses"),
        (["--follow", "--live", "--since", "1h"], 2, "leave out --since"),
        (["--follow", "--live", "--store", "./data"], 2, "leave out --store"),
        (["--follow", "--live", "--count"], 2, "--count"),
        (["--follow", "--live", "--format", "json"], 2, "ndjson"),
        (["|", "stats count()", "--follow", "--live"], 2, "'stats'"),
        (["--follow", "--live", "--group", "/none"], 2, "'/none'"),
        (["--follow", "--live", "--group", "/none*"], 2, "no log group matches"),
    ],
)
def test_what_cannot_be_shown_is_a_usage_error(
    cw: LocalCloudWatch, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    """Flags of the store, and what needs an end, are refused in one line; so are groups that do not exist."""
    with following(tmp_path, *arguments) as process:
        printed, errors = process.communicate(timeout=20)

    assert (process.returncode, printed, said in errors.decode(), b"Traceback" in errors) == (code, b"", True, False)
    assert cw.live_tails == []


def test_a_role_that_may_not_tail_is_told(cw: LocalCloudWatch, tmp_path: Path) -> None:
    """Exit status 4, and the statement that the policy lacks."""
    cw.faults = Faults(denied=frozenset({"StartLiveTail"}))
    with following(tmp_path, "--follow", "--live") as process:
        _, errors = process.communicate(timeout=20)

    assert (process.returncode, b'"Action": "logs:StartLiveTail"' in errors, b"Traceback" in errors) == (4, True, False)


def test_following_ends_when_nobody_reads(cw: LocalCloudWatch, tmp_path: Path) -> None:
    """It ends by itself, without an error, though nothing more arrives; its session is closed."""
    with following(tmp_path, "--follow", "--live", "--format", "raw") as process:
        wait_for(lambda: cw.live_tails)
        put(cw, "/other", "x")
        next_lines(process, 1)
        assert process.stdout is not None
        process.stdout.close()

        assert process.wait(timeout=20) == 0
    wait_for(lambda: not cw.live_tails)
