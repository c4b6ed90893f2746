"""A signal that the main thread has missed is sent to it once more, until its handler has run.

A handler of Python's runs in the main thread, between two of its steps. A call in C that blocks is interrupted for it,
but not if the signal came just before the call began: then the handler waits for a call that may never return.
So an idle worker of a pool, asked to end while it goes to wait for its queue, would wait for ever, and the pool for it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from logship.handler import forks

if TYPE_CHECKING:
    from collections.abc import Callable

_AGAIN_SECONDS: Final = 0.05
"""Far longer than a handler takes to begin where nothing keeps it from it."""
_NONE: Final = -1
_pipe: list[int] = []
"""Where the system's side of a signal's handling writes its number: the end to read, and the one to write."""


def insist_on(number: int, is_heard: Callable[[], bool]) -> None:
    """Begins to watch, in a thread of its own; for the main thread to call.

    Does nothing where somebody else is told of signals that way already, as asyncio may be.

    Args:
        number: of the signal.
        is_heard: whether its handler has run, or is not ours any more.
    """
    if _pipe:
        return
    try:
        read_fd, write_fd = os.pipe()
    except OSError:  # the process may open no more
        return
    os.set_blocking(write_fd, False)
    before = signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    if before != _NONE:
        signal.set_wakeup_fd(before)
        os.close(read_fd)
        os.close(write_fd)
        return
    _pipe[:] = read_fd, write_fd
    with suppress(RuntimeError):  # the interpreter is ending and starts no threads any more
        threading.Thread(target=_watch, args=(read_fd, number, is_heard), name="logship-sigterm", daemon=True).start()


def _watch(read_fd: int, number: int, is_heard: Callable[[], bool]) -> None:
    main = threading.main_thread().ident
    assert main is not None
    while came := os.read(read_fd, 1):
        if came[0] == number:
            time.sleep(_AGAIN_SECONDS)
            if not is_heard():
                signal.pthread_kill(main, number)  # is told here, too


def _forget() -> None:
    """In a child: its signals are none of the parent's."""
    if _pipe:
        with suppress(ValueError):  # not the main thread, where a server forks behind Python's back
            before = signal.set_wakeup_fd(_NONE)
            if before not in (_NONE, _pipe[1]):
                signal.set_wakeup_fd(before)
        for fd in _pipe:
            os.close(fd)
        _pipe.clear()


forks.in_child(_forget)
