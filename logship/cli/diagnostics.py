"""What goes to stderr, and what a command's exit status says. No traceback ever reaches a user."""

from __future__ import annotations

import errno
import gc
import os
import sys
import tempfile
import traceback
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from logship.errors import ExitCode, LogshipError, QuerySyntaxError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TextIO


_UNKNOWN_WIDTH: Final = 80
"""Where a terminal does not tell how wide it is."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_FOR_NOW: Final = _FULL | {errno.EAGAIN}
"""What keeps a line from being written now, and perhaps no longer in an hour."""


def say(message: str) -> None:
    """One line for people, as long as somebody listens."""
    try:
        sys.stderr.write(message + "\n")
        sys.stderr.flush()
    except OSError as error:
        if error.errno not in _FOR_NOW:
            _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """What is written to the stream, and what Python would still flush, goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _open_closed() -> None:
    """A stream that was closed before we began is none at all to Python, and a file of ours could get its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for as long as we run


def counted(number: int, noun: str) -> str:
    """A number and what it counts: `1 record`, `1,204 records`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def refused(location: str, number: int, reasons: Sequence[str]) -> str:
    """What a store can never take, with the first few reasons."""
    return f"logship: {location} refused {counted(number, 'record')}: {'; '.join(reasons)}"


_KEPT_BYTES: Final = 32 * 2**20
_OWN_MAPPING_BYTES: Final = 16 * 2**20
"""A request of 5 MB, and the page that it was made from, are smaller."""
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_MOST_ARENAS: Final = -8
"""Parameters of glibc's mallopt(3)."""


def expect_many_objects() -> None:
    """Lets the collector of cycles run seldom: millions of records come by, and none is part of a cycle.

    Memory that a batch leaves is kept for the next one, up to so much: handing it back to the system and taking it
    again, a page at a time, costs a quarter of all the work on a record. Other libraries than glibc go on as ever.
    """
    import ctypes

    gc.set_threshold(100_000, 50, 100)
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _OWN_MAPPING_BYTES)
        # Threads take turns anyway, and each arena of their own would keep what its thread once needed.
        mallopt(_MOST_ARENAS, 1)


def interactive() -> bool:
    """Whether somebody watches stderr, so that progress is worth showing."""
    return sys.stderr.isatty()


def has_lost_terminal() -> bool:
    """Whether stderr, which was a terminal, is one no more since that was closed: nothing is written there then."""
    if sys.stderr.isatty():
        return False
    _discard(sys.stderr)
    return True


class Progress:
    """A line on stderr that is written over; silent when nobody watches."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, text: str) -> None:
        """Replaces the line."""
        if interactive():
            width = os.get_terminal_size(sys.stderr.fileno()).columns or _UNKNOWN_WIDTH
            sys.stderr.write("\r\x1b[2K" + text[: max(width - 1, 20)])
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        """Takes the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._shown = False


def guarded(main: Callable[[], int | None]) -> int:
    """Runs a program and turns every way it can end into a line on stderr and an exit status."""
    _open_closed()
    try:
        return int(main() or 0)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        asks_help = isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ()))  # since click 8.2
        say(error.format_message() if asks_help else f"logship: {_in_one_line(error)}")
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        say("logship: interrupted")
        return ExitCode.INTERRUPTED
    except QuerySyntaxError as error:
        say(error.pointed())
        return error.exit_code
    except LogshipError as error:
        say(f"logship: {error}")
        return error.exit_code
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            _discard(sys.stdout)
            say(f"logship: the output cannot be written: {error.strerror}; free some space, or write it elsewhere")
            return ExitCode.DATA
        say(f"logship: internal error: {type(error).__name__}: {error}; the report lies in {_report()}")
        return ExitCode.INTERNAL
    finally:
        _flush_last()


@contextmanager
def while_read() -> Iterator[None]:
    """A command is done when nobody reads its output any more, as behind `| head`: click would end it with status 1."""
    try:
        yield
    except BrokenPipeError:
        _discard(sys.stdout)
        raise click.exceptions.Exit(ExitCode.DONE) from None


def _flush_last() -> None:
    """What could not be written until now and still cannot is nothing that Python should end with a status for."""
    try:
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def _in_one_line(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "logship"
    if context and isinstance(error, click.NoSuchOption) and _may_be_of_a_query(error.option_name, context.command):
        message += f"; what a query leaves out stands behind --, such as: {command} -- -level:debug"
    return message if message.endswith("?") else f"{message}; see {command} --help"


def _may_be_of_a_query(option: str, command: click.Command) -> bool:
    takes_query = any(isinstance(found, click.Argument) and found.name == "query" for found in command.params)
    return takes_query and not option.startswith("--")


def _report() -> str:
    with tempfile.NamedTemporaryFile("w", prefix="logship-", suffix=".txt", delete=False, encoding="utf-8") as file:
        traceback.print_exc(file=file)
        return file.name
