"""Where reading stands, on disk: a position per log group, and the ids of the events near it."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from logship.errors import DataError, StoreLockedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS position (
    log_group TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE,
    position_ms INTEGER NOT NULL, lateness_ms INTEGER NOT NULL, settled_ms TEXT NOT NULL,
    first_ms INTEGER NOT NULL, version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seen (
    number INTEGER NOT NULL, timestamp_ms INTEGER NOT NULL, event_id BLOB NOT NULL,
    PRIMARY KEY (number, timestamp_ms, event_id)) WITHOUT ROWID;
"""


@dataclass(slots=True)
class Position:
    """How far a group has been read and stored."""

    group: str
    number: int
    position_ms: int
    """Everything that was visible up to this event time is stored."""
    lateness_ms: int
    """How long after its own time an event was seen for the first time, at most, of late."""
    settled_ms: tuple[int, ...]
    """How far each sweep has settled (`Window.settled_ms`); empty for a new group."""
    first_ms: int
    """Where the group was told to begin."""
    version: int


class Checkpoints:
    """A SQLite file in the forwarder's state folder; one process advances it. Any thread may call."""

    def __init__(self, folder: str | Path) -> None:
        path = self._path = Path(folder)
        # One connection has one transaction: without the lock another thread's commit would end it half-way.
        self._lock = threading.Lock()
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = sqlite3.connect(path / "checkpoints.db", timeout=5, check_same_thread=False)
            # Losing the last commit to a power cut costs reading it again, never a record.
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> DataError:
        return DataError(f"the state folder {str(self._path)!r} cannot be used: {error}; name another with --state")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock, self._database:
                yield self._database
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def open(self, group: str, start_ms: int) -> Position:
        """The position of a group; a new one begins at `start_ms`."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO position SELECT ?, coalesce(max(number), 0) + 1, ?, 0, '[]', ?, 0 FROM position",
                (group, start_ms, start_ms),
            )
            number, position_ms, lateness_ms, settled, first_ms, version = database.execute(
                "SELECT number, position_ms, lateness_ms, settled_ms, first_ms, version FROM position "
                "WHERE log_group = ?",
                (group,),
            ).fetchone()
        return Position(group, number, position_ms, lateness_ms, tuple(json.loads(settled)), first_ms, version)

    def seen(self, position: Position, most: int) -> dict[bytes, int]:
        """Digests of the event ids near the position, the newest `most` of them, with their times in ms."""
        with self._transaction() as database:
            return dict(
                database.execute(
                    "SELECT event_id, timestamp_ms FROM seen WHERE number = ? ORDER BY timestamp_ms DESC LIMIT ?",
                    (position.number, most),
                )
            )

    def save(self, position: Position, seen: Iterable[tuple[bytes, int]], *, forget_before_ms: int) -> None:
        """Advances a position together with the ids of what was stored, if nobody else has.

        Raises:
            StoreLockedError: another forwarder has advanced it meanwhile.
            DataError: the file cannot be written.
        """
        with self._transaction() as database:
            changed = database.execute(
                "UPDATE position SET position_ms = ?, lateness_ms = ?, settled_ms = ?, version = version + 1 "
                "WHERE log_group = ? AND version = ?",
                (
                    position.position_ms,
                    position.lateness_ms,
                    json.dumps(position.settled_ms),
                    position.group,
                    position.version,
                ),
            ).rowcount
            if changed != 1:
                raise StoreLockedError(
                    f"another forwarder has moved {position.group!r} on in {str(self._path)!r}; "
                    "stop it, or name another --state"
                )
            database.executemany(
                "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", ((position.number, at_ms, key) for key, at_ms in seen)
            )
            database.execute(
                "DELETE FROM seen WHERE number = ? AND timestamp_ms < ?", (position.number, forget_before_ms)
            )
        position.version += 1

    def close(self) -> None:
        """Lets go of the file."""
        self._database.close()
