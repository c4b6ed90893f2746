"""What systemd hears from a forwarder, on a real socket."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from logship.forward.outside.notify import Notifier, in_words, notifying
from tests.forward_status import status, with_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from logship.forward.outside.status import ForwardStatus


class Manager:
    """The service manager's end."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)

    def hear(self, wanted: str = "", seconds: float = 10.0) -> str:
        """The next message that begins so; what comes before it is skipped."""
        deadline_s = time.monotonic() + seconds
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            heard = self._socket.recv(4096).decode()
            if heard.startswith(wanted):
                return heard
        raise TimeoutError

    def is_silent(self, about: str, seconds: float) -> bool:
        try:
            self.hear(about, seconds)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Manager, str]]:
    """A listening socket, and its name as NOTIFY_SOCKET has it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@logship-{secrets.token_hex(8)}"
    listening = Manager("\0" + name[1:] if name.startswith("@") else name)
    yield listening, name
    listening.close()


@contextmanager
def told(
    name: str, snapshots: list[ForwardStatus], *, watchdog_s: float = 0.0, status_s: float = 0.1
) -> Iterator[threading.Event]:
    """A forwarder whose newest snapshot is the last of the list; gives what stops it."""
    environ = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": str(int(watchdog_s * 1_000_000))}
    stop = threading.Event()
    with notifying(Notifier(environ), lambda: snapshots[-1], stop, status_s=status_s):
        yield stop


def test_ready_is_told_once_when_there_is_something_to_read(manager: tuple[Manager, str]) -> None:
    """Not before, but also while the store is down: a start that waited for it would be given up."""
    listening, name = manager
    snapshots = [with_source(ready=False)]
    with told(name, snapshots):
        assert listening.is_silent("READY", 0.5)
        snapshots.append(status(store_reason="no route to host"))
        assert listening.hear("READY") == "READY=1"
        assert listening.hear("STATUS=waiting") == "STATUS=waiting for the store: no route to host"
        assert listening.is_silent("READY", 0.5)


def test_the_watchdog_is_wound_up_while_the_storing_thread_moves(manager: tuple[Manager, str]) -> None:
    """At half of its time; a stuck forwarder is silent and is restarted, one that waits for the store is not."""
    listening, name = manager
    snapshots = [status()]
    with told(name, snapshots, watchdog_s=0.4):
        began_s = time.monotonic()
        beats = [listening.hear("WATCHDOG") for _ in range(4)]
        took_s = time.monotonic() - began_s
        snapshots.append(status(progress_age_s=61.0))
        listening.is_silent("WATCHDOG", 0.3)  # one may be on its way
        silent = listening.is_silent("WATCHDOG", 0.6)
        snapshots.append(status(progress_age_s=61.0, store_reason="disk full"))

        assert (beats, silent, listening.hear("WATCHDOG")) == (["WATCHDOG=1"] * 4, True, "WATCHDOG=1")
        assert took_s < 4 * 0.4, "beats come before the watchdog's time is over"


def test_the_end_is_told_when_it_begins(manager: tuple[Manager, str]) -> None:
    """What is read is still stored for some seconds, and the watchdog is wound up meanwhile."""
    listening, name = manager
    with told(name, [status()], watchdog_s=0.4) as stop:
        listening.hear("READY")
        stop.set()
        assert listening.hear("STOPPING") == "STOPPING=1"
        assert listening.hear("WATCHDOG") == "WATCHDOG=1"
    assert listening.is_silent("STOPPING", 0.2)


def test_a_forwarder_that_is_followed_by_another_ends_silently(manager: tuple[Manager, str]) -> None:
    """When settings are read again the process goes on: its end is told by who knows that it ends."""
    listening, name = manager
    with told(name, [status()]):
        listening.hear("READY")

    assert listening.is_silent("STOPPING", 0.2)


def test_a_reload_is_told_with_its_time(manager: tuple[Manager, str]) -> None:
    """``Type=notify-reload`` asks for the monotonic clock, by which it knows old answers from new ones."""
    listening, name = manager
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier({"NOTIFY_SOCKET": name}).reloading()
    reloading, _, at_us = listening.hear().partition("\nMONOTONIC_USEC=")

    assert reloading == "RELOADING=1"
    assert before_us <= int(at_us) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_status_is_one_line(manager: tuple[Manager, str]) -> None:
    """A line break would begin another assignment."""
    listening, name = manager
    Notifier({"NOTIFY_SOCKET": name}).status("disk full\nREADY=1")

    assert listening.hear() == "STATUS=disk full READY=1"


def test_without_a_socket_nothing_is_done() -> None:
    """Outside of systemd there is no thread and no snapshot."""
    before = threading.active_count()
    with notifying(Notifier({}), pytest.fail, threading.Event()):
        during = threading.active_count()
    Notifier({}).ready()

    assert before == during


def test_a_manager_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    """Neither what is said at once nor the thread fails."""
    with told(str(tmp_path / "gone"), [status()]) as stop:
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
        stop.set()


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_that_of_this_process(environ: dict[str, str], watchdog_s: float | None) -> None:
    """Children inherit the variables, and are not meant."""
    assert watchdog_s == Notifier(environ).watchdog_s


def test_the_line_for_people_says_how_far_behind_it_is() -> None:
    """Dead letters are mentioned when there are any."""
    assert in_words(status()) == "80 records stored; 1 log group, the furthest 2 s behind; 1 dead letter"
    assert in_words(status(dead_letters=0, sources=())) == "80 records stored"
