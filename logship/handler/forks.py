"""What is to be done in a forked child, also where a server forks behind Python's back, as uWSGI does."""

from __future__ import annotations

import mmap
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_WIPE_ON_FORK: Final = 18
"""MADV_WIPEONFORK of madvise(2), Linux 4.14."""
_TASKS: Final[list[Callable[[], None]]] = []


def _mark() -> mmap.mmap | bytearray:
    """One byte that is 1 here and 0 in a child: looking at it costs a fifth of asking for the process's id."""
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_WIPE_ON_FORK)
    except (OSError, ValueError, AttributeError):  # other systems: Python's own hook has to do
        return bytearray(b"\1")
    page[0] = 1
    return page


MARK: Final = _mark()
"""``MARK[0]`` is 0 in a child that `begin_anew` has not seen to."""


def is_uwsgi_master() -> bool:
    """Whether this process has loaded the application for workers that uWSGI forks from it.

    It does so without holding the GIL: where another thread holds it at that moment, the worker never gets it.
    """
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi is not None and not uwsgi.worker_id()


def is_importing_for_parent() -> bool:
    """Whether multiprocessing has begun this process without a fork, and it still imports the parent's program."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and hasattr(process.current_process(), "_inheriting")


def is_of_multiprocessing() -> bool:
    """Whether this is a child of multiprocessing's, which ends it with SIGTERM, or with `os._exit`."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and (process.parent_process() is not None or is_importing_for_parent())


def in_child(task: Callable[[], None]) -> None:
    """Have it done in every child, before anything else of the handler is."""
    _TASKS.append(task)


def begin_anew() -> None:
    """In a child: does what is to be done, once."""
    MARK[0] = 1
    for task in _TASKS:
        task()


def check() -> None:
    """Does the same where it was not done yet."""
    if not MARK[0]:
        begin_anew()


os.register_at_fork(after_in_child=begin_anew)
