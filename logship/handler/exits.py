"""The ends of a process: the interpreter's exit, SIGTERM, a multiprocessing child, and the beginning after a fork.

``os._exit`` and SIGKILL run nothing of this: what is queued in memory at that moment is lost.
"""

from __future__ import annotations

import _imp
import _thread
import atexit
import concurrent.futures.thread  # noqa: F401  # the AWS SDK needs it, and once the interpreter ends it cannot be imported
import os
import signal
import sys
import threading
import time
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from logship.handler import forks
from logship.handler.insist import insist_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

MAX_CHAINED_SECONDS: Final = 2.0
"""Longest wait before the application's own SIGTERM handler runs; what is left is flushed at exit."""
_RETRY_SIGNAL_SECONDS: Final = 0.01
_LONGEST_IMPORT_SECONDS: Final = 10.0


class Flushable(Protocol):
    """What is flushed when the process ends."""

    def flush(self, timeout: float) -> bool:
        """Wait up to so many seconds; True when everything was delivered."""
        ...

    def abandon(self) -> None:
        """Say what was not delivered."""
        ...

    def after_fork(self) -> None:
        """Begin anew in a forked child."""
        ...


class _State:
    """Of this process."""

    live: dict[int, weakref.ref[Flushable]] = {}  # noqa: RUF012  # one for all
    deadline_seconds: float = 0.0
    ends_at: float | None = None
    """Monotonic time by which everything is to be flushed, once an end has begun."""
    ended = False
    """The flush at the interpreter's exit is over."""
    previous: Any = None
    wants_sigterm = installed_sigterm = False
    sends = False
    """A sender's thread has begun in this process."""
    knows_children = False
    finalizer_pid = 0
    importing = threading.Lock()
    held = False


def watch(delivery: Flushable) -> None:
    """Flush this one, too, when the process ends."""
    key = id(delivery)
    _State.live[key] = weakref.ref(delivery, lambda _: _State.live.pop(key, None))


def allow(seconds: float) -> None:
    """The deadline of the flush at exit; the longest that any handler asks for holds."""
    _State.deadline_seconds = max(_State.deadline_seconds, seconds)


def install_sigterm() -> None:
    """Flush on SIGTERM, then do what would have been done: the application's handler, or the default.

    Does nothing outside the main thread, where the signal is ignored, and where it is handled outside Python.
    A handler that the application installs later replaces this one; the flush at exit remains.
    A child of multiprocessing that has logged nothing is left to the default.
    """
    _State.wants_sigterm = True
    _know_children()
    if not forks.is_of_multiprocessing() or _State.sends:
        _install_sigterm()


def thread_started() -> None:
    """A multiprocessing child has records to flush from now on: at SIGTERM, and by a finalizer before its os._exit."""
    _State.sends = True
    if forks.is_of_multiprocessing():
        _finalize()
        if _State.wants_sigterm:
            _install_sigterm()


def _install_sigterm() -> None:
    if _State.installed_sigterm or threading.current_thread() is not threading.main_thread():
        return
    current = signal.getsignal(signal.SIGTERM)
    if current is signal.SIG_DFL or callable(current):
        try:
            signal.signal(signal.SIGTERM, _on_sigterm)
        except ValueError:  # a sub-interpreter
            return
        _State.previous, _State.installed_sigterm = current, True
        if forks.is_of_multiprocessing():  # whose parent sends it when it is idle, and waits for its end
            insist_on(signal.SIGTERM, _is_sigterm_heard)


def _is_sigterm_heard() -> bool:
    return _State.ends_at is not None or signal.getsignal(signal.SIGTERM) is not _on_sigterm


def _know_children() -> None:
    """Where multiprocessing is in use, it says in a forked child when that begins."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None and not _State.knows_children:
        _State.knows_children = True
        util.register_after_fork(_State, _begin_child)


def _begin_child(_: type[_State]) -> None:
    if _State.sends:  # since the import of a program that was not forked; finalizers of that time are forgotten
        _State.finalizer_pid = 0
        _finalize()
    elif _State.previous is signal.SIG_DFL and signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _State.installed_sigterm = False


def _finalize() -> None:
    util = sys.modules["multiprocessing.util"]
    if _State.finalizer_pid != os.getpid():
        _State.finalizer_pid = os.getpid()
        util.Finalize(None, flush_all, exitpriority=100)


def flush_all(limit_seconds: float | None = None) -> None:
    """Flush every handler by the one deadline of this process's end."""
    forks.check()
    if _State.ends_at is None:
        _State.ends_at = time.monotonic() + _State.deadline_seconds
    left = _State.ends_at - time.monotonic()
    until = time.monotonic() + (left if limit_seconds is None else min(left, limit_seconds))
    for delivery in _deliveries():
        delivery.flush(max(0.0, until - time.monotonic()))


def flush_now(seconds: float) -> bool:
    """Flush every handler of the process, for so long at most: before it is frozen or goes on.

    Returns:
        Whether everything was delivered.
    """
    until = time.monotonic() + seconds
    delivered = [delivery.flush(max(0.0, until - time.monotonic())) for delivery in _deliveries()]
    return all(delivered)


def left_of(seconds: float) -> float:
    """So many seconds; what the deadline leaves of them when the interpreter ends, where logging flushes once more."""
    if not _State.ended or _State.ends_at is None:
        return seconds
    return max(0.0, min(seconds, _State.ends_at - time.monotonic()))


def _at_exit() -> None:
    flush_all()
    _State.ended = True
    for delivery in _deliveries():
        delivery.abandon()


def _deliveries() -> list[Flushable]:
    return [delivery for ref in list(_State.live.values()) if (delivery := ref()) is not None]


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    from logship.handler.delivery import holds_logging_lock

    # Interrupted inside logging, or an import, whose lock the sender needs: come back in a moment.
    if holds_logging_lock() or _imp.lock_held():
        _thread.start_new_thread(_send_signal_later, (number,))
        return
    if callable(_State.previous):
        flush_all(MAX_CHAINED_SECONDS)
        _State.previous(number, frame)
        return
    _at_exit()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _send_signal_later(number: int) -> None:
    time.sleep(_RETRY_SIGNAL_SECONDS)
    os.kill(os.getpid(), number)


@contextmanager
def importing() -> Iterator[None]:
    """While the sender's thread imports, no process is forked: the child would find half a module for ever."""
    lock = _State.importing
    with lock:
        yield


def _before_fork() -> None:
    _know_children()
    _State.held = _State.importing.acquire(timeout=_LONGEST_IMPORT_SECONDS)


def _after_fork_in_parent() -> None:
    if _State.held:
        _State.importing.release()


def _after_fork() -> None:
    _State.importing = threading.Lock()
    _State.ends_at, _State.ended, _State.sends = None, False, False
    for delivery in _deliveries():
        delivery.after_fork()


atexit.register(_at_exit)
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
forks.in_child(_after_fork)
