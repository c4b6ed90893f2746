"""SQLite files of the state folder: made whole or not at all, and known again by a number in their header."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_PASSING: Final = {
    sqlite3.SQLITE_FULL: "free some space",
    sqlite3.SQLITE_IOERR: "see whether its disk is well and has room",
    sqlite3.SQLITE_BUSY: "another process is writing there",
}
"""Result codes (their lower byte) of what may be over in an hour, and what helps or is waited for."""
_CHECKED_WHOLE_BYTES: Final = 64 * 2**20
"""Larger files are not read whole at each start: from a disk a gigabyte takes some 8 s."""


def make_database(path: Path, application_id: int, schema: str) -> None:
    """Makes a database that only its owner may read, unless there is a file of that name, whatever it is.

    It gets its name once it is whole: a file without our number is none of ours, however early a process was killed.

    Raises:
        OSError, sqlite3.Error: it cannot be made.
    """
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_native_id()}")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(draft)) as database:
            database.executescript(f"PRAGMA application_id = {application_id}; {schema}")
        try:
            os.link(draft, path)  # unlike a rename it leaves a file alone that another process has made meanwhile
        except FileExistsError:
            return
        except OSError:  # no file system has to know links
            draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def check_database(database: sqlite3.Connection, application_id: int) -> None:
    """Complains of a file that is empty, damaged, or another program's. Of a large one the beginning is looked at.

    Raises:
        sqlite3.DatabaseError: it is; the message says how.
    """
    size_bytes = _number(database, "PRAGMA page_count") * _number(database, "PRAGMA page_size")
    if size_bytes <= _CHECKED_WHOLE_BYTES:
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(" ".join(found.split()))
    tables = _number(database, "SELECT count(*) FROM sqlite_master")
    if _number(database, "PRAGMA application_id") == application_id:
        return
    if not tables:
        raise sqlite3.DatabaseError("the file is empty")
    raise sqlite3.DatabaseError("the file is of another program, or for another purpose")


def is_full(error: Exception) -> bool:
    """Whether there is no room on the disk."""
    return _code(error) == sqlite3.SQLITE_FULL


def passing(error: Exception) -> str:
    """What helps against a failure that may be over in an hour: a full disk, another writer; "" for all others."""
    return _PASSING.get(_code(error), "")


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _number(database: sqlite3.Connection, statement: str) -> int:
    return int(database.execute(statement).fetchone()[0])
