"""Which log stream a record goes to: the process's own, or one by its logger or thread, named before its line."""

from __future__ import annotations

import os
import platform
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from logship.errors import SettingsError
from logship.naming import MAX_NAME_LENGTH, STREAM_NAME, Naming

if TYPE_CHECKING:
    import logging

_PER_RECORD: Final = re.compile(r"\{(logger_name|thread_name)[!:}]")
_ILLEGAL: Final = re.compile(r"[:*\x00-\x1f\x7f]")
END: Final = b"\n"
"""Stands behind the stream's name; neither a name nor a line of JSON holds one."""
_NOBODY: Final = "logship"
"""In place of logger and thread, in the stream of what no record stands behind."""


class Streams:
    """The streams of one handler.

    Args:
        pattern: see `CloudWatchHandler`; None is the stream of the one naming rule.

    Raises:
        SettingsError: an unknown placeholder, or an illegal name.
    """

    def __init__(self, pattern: str | None) -> None:
        self._pattern = pattern
        self.by_record = pattern is not None and _PER_RECORD.search(pattern) is not None
        """Whether records of one process go to several streams."""
        self._second = -1
        self._known: dict[tuple[str, str | None, int], str] = {}
        """Names of this second, by logger, thread and process: filling a pattern takes as long as half a call."""
        name = self.own()  # refused here, not in the background
        if not STREAM_NAME.match(name):
            raise SettingsError(f"log_stream_name={name!r}; use 1 to 512 characters other than : and *")

    def own(self) -> str:
        """The stream of this process."""
        return Naming().stream_name() if self._pattern is None else self._filled(_NOBODY, _NOBODY)

    def before(self, record: logging.LogRecord, line: bytes) -> bytes:
        """The line, with the name of the record's stream before it."""
        second = int(record.created)
        if second != self._second:  # a pattern may hold the time
            self._second, self._known = second, {}
        key = record.name, record.threadName, os.getpid()
        name = self._known.get(key)
        if name is None:
            name = self._known[key] = self._filled(_legal(record.name), _legal(str(record.threadName)))[
                :MAX_NAME_LENGTH
            ]
        return joined(name, line)

    def _filled(self, logger: str, thread: str) -> str:
        assert self._pattern is not None
        host = platform.node()
        values = {
            "machine_name": host,
            "host": host,
            "program_name": sys.argv[0].replace(":", "") if sys.argv else "",
            "logger_name": logger,
            "thread_name": thread,
            "process_id": os.getpid(),
            "pid": os.getpid(),
            "strftime": datetime.now(UTC),
        }
        try:
            return self._pattern.format(**values)
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            known = ", ".join(f"{{{known}}}" for known in values)
            raise SettingsError(f"log_stream_name={self._pattern!r} has an unknown placeholder; use {known}") from error


def joined(name: str, line: bytes) -> bytes:
    """A line with the name of its stream before it; "" is the process's own, and is not named."""
    return name.encode("utf-8", "replace") + END + line if name else line


def divided(line: bytes) -> tuple[str, bytes]:
    """What `joined` has put together."""
    at = line.find(END)
    return ("", line) if at < 0 else (line[:at].decode("utf-8", "replace"), line[at + 1 :])


def _legal(name: str) -> str:
    return _ILLEGAL.sub("-", name) or "root"
