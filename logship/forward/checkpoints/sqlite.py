"""Checkpoints of one process: a SQLite file in the forwarder's state folder."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from logship.errors import ConnectError, DataError, LogshipError, StoreLockedError
from logship.forward.database import check_database, make_database, passing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from logship.forward.checkpoints.alone import Alone

_FILE: Final = "checkpoints.db"
_ASIDE: Final = f"{_FILE}.damaged-"
_APPLICATION_ID: Final = 0x6C6F6701
_SCHEMA: Final = """
CREATE TABLE checkpoint (key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL);
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class SqliteCheckpoints:
    """One file, one process that moves it on.

    Args:
        folder: the state folder, made if it is not there.
        store: which store the checkpoints are about, in words; "" is not looked at.
        say: told, while a damaged file is kept aside, what was lost with it.
        alone: keeps other processes out until this is closed.

    Raises:
        DataError: the file cannot be used, is no database, or is about another store.
        ConnectError: there is no room, or somebody else uses it.
    """

    save_interval_s: float = 0.0
    share_interval_s: float = 10.0

    def __init__(
        self,
        folder: str | Path,
        *,
        store: str = "",
        say: Callable[[str], None] = lambda _: None,
        alone: Alone | None = None,
    ) -> None:
        self._folder, self._alone = Path(folder), alone
        self.place = f"the state folder {str(self._folder)!r}"
        # One connection has one transaction: without the lock another thread's commit would end it half-way.
        self._lock = threading.Lock()
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            make_database(self._folder / _FILE, _APPLICATION_ID, _SCHEMA)
            self._database = sqlite3.connect(self._folder / _FILE, timeout=5, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None
        try:
            check_database(self._database, _APPLICATION_ID)
            # Losing the last commit to a power cut costs reading it again, never a record.
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
        except sqlite3.OperationalError as error:
            self._database.close()
            raise self._unusable(error) from None
        except sqlite3.DatabaseError as error:
            raise self._set_aside(error) from None
        try:
            self._check_store(store)
        except LogshipError:
            self._database.close()
            raise
        self._say_lost(say)

    def load(self, key: str) -> tuple[str, int] | None:
        """The text of a key and its version; None for a new key."""
        with self._transaction() as database:
            found = database.execute("SELECT value, version FROM checkpoint WHERE key = ?", (key,)).fetchone()
        return (str(found[0]), int(found[1])) if found else None

    def save(self, key: str, value: str, version: int) -> int:
        """Keeps a text if the key still has that version; see the port."""
        with self._transaction() as database:
            if version:
                changed = database.execute(
                    "UPDATE checkpoint SET value = ?, version = version + 1 WHERE key = ? AND version = ?",
                    (value, key, version),
                ).rowcount
            else:
                changed = database.execute("INSERT OR IGNORE INTO checkpoint VALUES (?, ?, 1)", (key, value)).rowcount
            if changed != 1:
                raise StoreLockedError(
                    f"another forwarder has moved {key!r} on in {str(self._folder)!r}; stop it, or name another --state"
                )
        return version + 1

    def share(self, keys: Collection[str]) -> set[str]:
        """All of them: one process uses the file."""
        return set(keys)

    def release(self, key: str) -> None:
        """Nobody else waits for it."""

    def close(self) -> None:
        """Lets go of the file."""
        self._database.close()
        if self._alone:
            self._alone.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock, self._database:
                yield self._database
        except sqlite3.Error as error:
            if helps := passing(error):
                raise ConnectError(f"{self.place}: {error}; {helps}") from error
            raise self._unusable(error) from error

    def _check_store(self, store: str) -> None:
        if not store:
            return
        with self._transaction() as database:
            database.execute("INSERT OR IGNORE INTO fact VALUES ('store', ?)", (store,))
            known = database.execute("SELECT value FROM fact WHERE name = 'store'").fetchone()[0]
        if known != store:
            raise DataError(
                f"the state folder {str(self._folder)!r} is about the store {known!r}, not {store!r}: "
                "what it counts as stored is not there; name another --state"
            )

    def _unusable(self, error: Exception) -> DataError:
        return DataError(
            f"the state folder {str(self._folder)!r} cannot be used: {error}; make it usable (another forwarder, its "
            "rights, a full disk), since with another --state reading begins at --start"
        )

    def _say_lost(self, say: Callable[[str], None]) -> None:
        """A supervisor that starts the next run hides how the last one ended, so what it meant is said each time."""
        for number in sorted(path.name.removeprefix(_ASIDE) for path in self._folder.glob(f"{_ASIDE}*")):
            if number.isdecimal():  # not the log of one
                say(
                    f"{self.place} holds {_ASIDE}{number}: its positions were lost and reading began anew at --start, "
                    f"so what was older and not stored is missing; to read it stop, remove {_FILE} and give an earlier "
                    f"--start (what the store has is not stored twice); remove {_ASIDE}{number} to end this message"
                )

    def _set_aside(self, error: Exception) -> DataError:
        """A damaged file is kept under another name; going on without it is the user's decision."""
        self._database.close()
        aside = f"{_ASIDE}{int(time.time())}"
        for suffix in ("", "-wal", "-shm"):
            path = self._folder / (_FILE + suffix)
            if path.exists():
                path.rename(self._folder / (aside + suffix))
        return DataError(
            f"the checkpoints in {str(self._folder)!r} cannot be read ({error}) and were kept aside as {aside}; "
            "run again to begin at --start: what the store has is not stored twice"
        )
