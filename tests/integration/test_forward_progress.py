"""What people see of a real `logship forward`: structured lines in a log, a screen on a terminal."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from logship.cli.forward_progress import telling
from logship.errors import StoreError
from logship.query.tree import All
from logship.store.tantivy.reader import Reader
from logship.testing import LocalCloudWatch
from tests.forward_status import STATUS, status
from tests.forwarding import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from logship.forward.outside.status import ForwardStatus

REPOSITORY = Path(__file__).resolve().parent.parent.parent
LINE = re.compile(r"time=\S+Z level=(info|warn) event=(notice|progress) \S+=.+")


@pytest.fixture
def shop() -> Iterator[LocalCloudWatch]:
    with LocalCloudWatch() as cloudwatch:
        client = cloudwatch.client()
        client.create_log_group(logGroupName="/shop/orders")
        client.create_log_stream(logGroupName="/shop/orders", logStreamName="web-1")
        now_ms = int(time.time() * 1000)
        events = [{"timestamp": now_ms, "message": f"order {number}"} for number in range(25)]
        client.put_log_events(logGroupName="/shop/orders", logStreamName="web-1", logEvents=events)
        yield cloudwatch


def command(shop: LocalCloudWatch, folder: Path, **environ: str) -> tuple[list[str], dict[str, str]]:
    (folder / "logship.toml").write_text('[forward]\nlisten = ""\n', encoding="utf-8")
    given = {"AWS_ENDPOINT_URL": shop.url, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "t"}
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    found = {**keep, **given, "AWS_SECRET_ACCESS_KEY": "t", "PYTHONPATH": paths, **environ}
    return [sys.executable, "-m", "logship", "forward", "--store", "./data", "--state", "./state"], found


def stored(folder: Path) -> int:
    try:
        reader = Reader(str(folder))
    except StoreError:
        return 0
    try:
        return reader.count(All())
    finally:
        reader.close()


@contextmanager
def on_terminal(shop: LocalCloudWatch, folder: Path, *, columns: int, lines: int) -> Iterator[Callable[[], str]]:
    """The command on a terminal of that size; gives what it has written so far."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    words, environ = command(shop, folder, TERM="xterm-256color")
    process = subprocess.Popen(words, cwd=folder, env=environ, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    written = bytearray()

    def read() -> str:
        try:
            written.extend(os.read(master, 65_536))
        except OSError:  # the other end is closed
            time.sleep(0.05)
        return written.decode("utf-8", "replace")

    try:
        yield read
    finally:
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: (read(), process.poll())[1] is not None)
        os.close(master)
    assert process.returncode == 0


def test_on_a_terminal_it_draws_and_leaves_what_was_said(shop: LocalCloudWatch, tmp_path: Path) -> None:
    """The other screen shows figures and groups; when it is left, the summary stands in the usual one."""
    with on_terminal(shop, tmp_path, columns=80, lines=24) as read:
        wait_for(lambda: "25 records stored" in read() and "/shop/orders" in read())
    whole = read()

    _, _, screen = whole.partition("\x1b[?1049h")
    screen, _, after = screen.partition("\x1b[?1049l")
    assert "cloudwatch us-east-1" in screen
    assert "25 records stored from cloudwatch us-east-1" in after


def test_elsewhere_every_line_is_structured(shop: LocalCloudWatch, tmp_path: Path) -> None:
    """A journal or a log file gets lines that programs can read, and no escape sequence."""
    words, environ = command(shop, tmp_path)
    process = subprocess.Popen(words, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: stored(tmp_path / "data") == 25)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)

    assert process.returncode == 0
    assert [bool(LINE.fullmatch(line)) for line in said.splitlines()] == [True] * len(said.splitlines())
    assert 'msg="25 records stored from cloudwatch us-east-1"' in said


def test_progress_is_said_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is that of the forwarder that is followed now; before there is one, none is said."""
    with telling(once=False, progress_s=0.02) as people:
        time.sleep(0.1)
        before = capsys.readouterr().err
        people.follow(lambda: STATUS)
        wait_for(lambda: " event=progress stored=80 " in capsys.readouterr().err)
        people.follow(partial(status, stored=0))
        wait_for(lambda: " event=progress stored=0 " in capsys.readouterr().err)

    assert before == ""


def test_a_run_that_ends_by_itself_says_its_notices_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """`--once` is read by people and scripts that expect a sentence."""
    with telling(once=True) as people:
        people.follow(lambda: STATUS)
        people.say("25 records stored")

    assert capsys.readouterr().err == "25 records stored\n"


def test_a_screen_that_fails_does_not_end_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """It is said once, without a traceback, and the notices still come out at the end."""
    file, tried = io.StringIO(), threading.Event()
    console = Console(file=file, force_terminal=True, width=80, height=24)

    def broken() -> ForwardStatus:
        tried.set()
        raise ValueError("no figures")

    with telling(once=False, console=console) as people:
        people.follow(broken)
        assert tried.wait(10)
        people.say("all is stored")
    said = file.getvalue()

    assert capsys.readouterr().err == ""
    assert said.count("progress is no longer shown: ValueError: no figures; forwarding goes on") == 1
    assert "all is stored" in said


def test_the_last_word_of_a_process_that_ends_at_once_stands_in_the_usual_screen() -> None:
    """The terminal is left as it was found, though nothing is gone back from; the other screen is not drawn again."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=24)
    with telling(once=False, console=console) as people:
        people.follow(lambda: STATUS)
        wait_for(lambda: "/shop/" in file.getvalue())
        people.say("it was stuck")
        people.leave("it ends")
        said = file.getvalue()
    other, _, usual = said.partition("\x1b[?1049l")

    assert ("\x1b[?1049h" in other, "\x1b[?1049" in usual) == (True, False)
    assert [line[9:] for line in usual.splitlines() if line[2:3] == ":"] == ["it was stuck", "it ends"]
    assert "\x1b[?25h" in said


OWNED = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
"""Runs a program whose terminal is the one that stdin is: the system tells it when that is closed."""


@pytest.mark.parametrize("is_told", [True, False], ids=["hung-up", "background"])
def test_a_terminal_that_is_closed_takes_its_forwarder_along(
    shop: LocalCloudWatch, tmp_path: Path, is_told: bool
) -> None:
    """It does not run on where nobody sees it; one in the background is told by somebody else. Neither is a failure."""
    master, slave = pty.openpty()
    words, environ = command(shop, tmp_path, TERM="xterm-256color")
    owned = [sys.executable, "-c", OWNED] if is_told else []
    process = subprocess.Popen([*owned, *words], cwd=tmp_path, env=environ, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    written = b""
    while b"25 records stored" not in written:
        written += os.read(master, 65_536)
    os.close(master)
    if not is_told:
        process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(20) == 0
    finally:
        process.kill()
    assert stored(tmp_path / "data") == 25
