"""systemd is told what a forwarder does: ready, alive, reloading, stopping. The protocol is that of sd_notify(3)."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from logship.forward.outside.status import ForwardStatus

_STATUS_S: Final = 10.0
"""How often the line that ``systemctl status`` shows is renewed."""
_LOOK_S: Final = 0.2
"""How often is looked whether sources are ready, and whether the forwarder is to stop."""


class Notifier:
    """Sends notifications to the service manager, or nowhere when none asked for them. Any thread may call.

    Args:
        environ: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` as systemd sets them.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self.watchdog_s = _watchdog_s(environ)
        """A watchdog restarts who is silent for so long; None where there is none."""

    @property
    def is_wanted(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def ready(self) -> None:
        """The start, or a reload, is over."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for people."""
        self._send(f"STATUS={' '.join(text.split())}")

    def alive(self) -> None:
        """Winds the watchdog up."""
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """Settings are read again; `ready` follows."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A service manager that cannot be told must not end the forwarder.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(1.0)
            channel.connect(self._address)
            channel.send(message.encode())


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    meant = environ.get("WATCHDOG_PID", "")
    microseconds = environ.get("WATCHDOG_USEC", "")
    if (meant and meant != str(os.getpid())) or not microseconds.isdecimal() or not int(microseconds):
        return None
    return int(microseconds) / 1_000_000


@contextmanager
def notifying(
    notifier: Notifier, status: Callable[[], ForwardStatus], stop: threading.Event, *, status_s: float = _STATUS_S
) -> Iterator[None]:
    """Tells the service manager from a thread of its own how a forwarder is doing, until left.

    Ready is sent when a source knows what there is to read, whether the store takes records or not: a start that
    waited for the store would be given up. The watchdog is wound up as long as the storing thread goes round.

    Args:
        notifier: whom to tell.
        status: takes the snapshot.
        stop: set when the process is to end: that is told at once, and the watchdog goes on until all is stored.
        status_s: how often the line for people is renewed.
    """
    if not notifier.is_wanted:
        yield
        return
    ended = threading.Event()
    teller = _Teller(notifier, status, stop, status_s)
    thread = threading.Thread(target=teller.run, args=(ended,), name="logship-notify", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if stop.is_set():  # else another forwarder follows, with other settings
            teller.tell_stopping()


class _Teller:
    """What was told already, and when what is told again is due."""

    def __init__(
        self, notifier: Notifier, status: Callable[[], ForwardStatus], stop: threading.Event, status_s: float
    ) -> None:
        self._notifier, self._status, self._stop, self._status_s = notifier, status, stop, status_s
        self._beat_s = notifier.watchdog_s / 2 if notifier.watchdog_s else None
        self._ready = self._stopping = False
        self._next_status_s = self._next_beat_s = float("-inf")

    def run(self, ended: threading.Event) -> None:
        """Tells what is due until the event is set."""
        look_s = min(_LOOK_S, self._beat_s / 2) if self._beat_s else _LOOK_S
        while not ended.wait(look_s):
            self._tell(time.monotonic())

    def tell_stopping(self) -> None:
        """Once."""
        if not self._stopping:
            self._stopping = True
            self._notifier.stopping()

    def _tell(self, now_s: float) -> None:
        if self._stop.is_set():
            self.tell_stopping()
        beat_s = self._beat_s if now_s >= self._next_beat_s else None
        if self._ready and beat_s is None and now_s < self._next_status_s:
            return
        status = self._status()
        if not self._ready and status.is_listed:
            self._ready = True
            self._notifier.ready()
        if beat_s is not None and status.is_moving:
            self._next_beat_s = now_s + beat_s
            self._notifier.alive()
        if now_s >= self._next_status_s:
            self._next_status_s = now_s + self._status_s
            self._notifier.status(in_words(status))


def in_words(status: ForwardStatus) -> str:
    """Where a forwarder stands, in a line."""
    if status.waiting:
        return status.waiting
    groups = sum(len(source.groups) for source in status.sources)
    parts = [f"{status.stored:,} records stored"]
    if groups:
        parts.append(f"{groups:,} log group{'' if groups == 1 else 's'}, the furthest {status.lag_s:.0f} s behind")
    if status.dead_letters:
        parts.append(f"{status.dead_letters:,} dead letter{'' if status.dead_letters == 1 else 's'}")
    return "; ".join(parts)
