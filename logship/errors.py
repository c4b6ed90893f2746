"""Every error that logship raises on purpose, and the exit code each branch ends a command with.

::

    LogshipError                    70  internal
    ├── UsageError                   2  flags, settings
    │   ├── SettingsError            2  a file and a key
    │   ├── TimeRangeError           2  a time nobody can read, an end before its start
    │   ├── QuerySyntaxError         2  a query, a position in it, a suggestion
    │   ├── MissingExtraError        2  a package that was not installed, and the command that installs it
    │   ├── UnknownGroupError        2  a named log group that does not exist
    │   └── TooManyGroupsError       2  a statistic with more groups than anyone reads
    ├── ConnectError                 3  an endpoint that does not answer
    │   └── BusyError                3  a store that takes the rest of a batch later
    ├── AccessError                  4  no credentials, or not permitted
    └── DataError                    5  what lies on disk
        ├── BrokenFileError          5  a file or archive that cannot be read on
        └── StoreError               5  a folder that is no store
            ├── NewerFormatError     5  written by a newer logship
            ├── StoreLockedError     5  a second long-running writer
            └── DiskFullError        5  no space left

Messages carry the value, the place and the remedy, in one line.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class ExitCode(IntEnum):
    """What a command's exit status means; the same for every command."""

    DONE = 0
    FINDINGS = 1
    """No match, findings, out of date, conflict, a demo that was not exact."""
    USAGE = 2
    CONNECT = 3
    ACCESS = 4
    DATA = 5
    INTERNAL = 70
    INTERRUPTED = 130


class LogshipError(Exception):
    """The root: whoever catches it catches everything that logship raises on purpose."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL


class UsageError(LogshipError):
    """The caller asked for something that cannot be meant: a flag, a value, a combination."""

    exit_code = ExitCode.USAGE


class SettingsError(UsageError):
    """A settings file or variable holds what cannot be used; the message names file and key."""


class TimeRangeError(UsageError):
    """A time that cannot be read, or a range that ends before it starts."""


class MissingExtraError(UsageError):
    """An optional package is not installed.

    Args:
        package: the import that failed, such as ``"tantivy"``.
        extra: the extra of logship that brings it, such as ``"local"``.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; install it with: pip install 'logship[{extra}]'")


class UnknownGroupError(UsageError):
    """A log group was named that does not exist in the account and region."""


class QuerySyntaxError(UsageError):
    """A query that cannot be read.

    Attributes:
        query: the whole text.
        position: offset of the first wrong character, 0-based; may equal ``len(query)``.
        length: how many characters are wrong, at least 1.
        problem: what is wrong, without position.
        suggestion: a corrected piece or an explanation; empty when there is none.
    """

    def __init__(self, query: str, position: int, problem: str, *, length: int = 1, suggestion: str = "") -> None:
        self.query, self.position, self.length = query, position, max(1, length)
        self.problem, self.suggestion = problem, suggestion
        super().__init__(f"{problem} at column {position + 1} of {query!r}" + (f"; {suggestion}" if suggestion else ""))

    def pointed(self) -> str:
        """Three lines for a terminal: the query, carets under the wrong characters, the problem."""
        line = self.query.replace("\n", " ").replace("\t", " ")
        hint = f"{self.problem}; {self.suggestion}" if self.suggestion else self.problem
        return f"{line}\n{' ' * self.position}{'^' * self.length}\n{hint}"


class TooManyGroupsError(UsageError):
    """A statistic with more groups than anyone reads."""


class ConnectError(LogshipError):
    """An endpoint does not answer, or the network does not reach it."""

    exit_code = ExitCode.CONNECT


class BusyError(ConnectError):
    """A store took a part of what it was given, and takes the rest later.

    Attributes:
        so_far: what became of the part that was decided.
        rest: the records that are to be given again.
    """

    def __init__(self, message: str, so_far: Any, rest: Sequence[Any]) -> None:
        super().__init__(message)
        self.so_far, self.rest = so_far, rest


class AccessError(LogshipError):
    """No credentials were found, or they do not permit the call."""

    exit_code = ExitCode.ACCESS


class DataError(LogshipError):
    """Bytes that were read cannot be used."""

    exit_code = ExitCode.DATA


class BrokenFileError(DataError):
    """A file or archive that cannot be read on; the message names it and what was read before."""


class StoreError(DataError):
    """A folder that is no store, or a store that cannot be used."""


class NewerFormatError(StoreError):
    """The store was written by a newer logship than this one."""


class StoreLockedError(StoreError):
    """Another long-running writer holds the store."""


class DiskFullError(StoreError):
    """There is no space left for what is to be stored; what was acknowledged before is still there."""


class Stopped(Exception):  # noqa: N818 - an outcome, not an error
    """Whoever does the work was asked to end while it waited."""
