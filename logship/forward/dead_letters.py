"""Events that the store can never take, kept with the reason until somebody replays or drops them."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from logship.errors import DataError
from logship.record import LogEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FILE: Final = "dead-letters.db"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS letter (
    id TEXT PRIMARY KEY, kept_ms INTEGER NOT NULL, reason TEXT NOT NULL, log_group TEXT NOT NULL,
    stream TEXT NOT NULL, timestamp_ms INTEGER NOT NULL, event_id TEXT NOT NULL, ingestion_ms INTEGER NOT NULL,
    message TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event, the id its record would have had, and why there is none."""

    id: str
    event: LogEvent
    """With its message as it would have been stored: redacted."""
    reason: str
    kept_ms: int = 0
    """When it was kept, milliseconds since 1970."""


class DeadLetters:
    """A SQLite file in the state folder, readable by its owner alone. Several processes may use it; so may threads.

    Raises:
        DataError: the file cannot be used.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / FILE
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.touch(mode=0o600)
            self._database = sqlite3.connect(self.path, timeout=10, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None

    def keep(self, letters: Iterable[DeadLetter]) -> int:
        """Keeps letters for good; one that is there already is left as it is. How many were new."""
        now_ms = int(time.time() * 1000)
        with self._transaction() as database:
            before = database.total_changes
            database.executemany(
                "INSERT OR IGNORE INTO letter VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (letter.id, letter.kept_ms or now_ms, letter.reason, event.group, event.stream,
                     event.timestamp_ms, event.event_id, event.ingestion_ms, event.message)
                    for letter in letters
                    for event in (letter.event,)
                ),
            )  # fmt: skip
            return database.total_changes - before

    def count(self) -> int:
        """How many there are."""
        with self._transaction() as database:
            return int(database.execute("SELECT count(*) FROM letter").fetchone()[0])

    def reasons(self) -> list[tuple[str, str, int, int]]:
        """(log group, reason, how many, when the newest was kept in ms), most frequent first."""
        with self._transaction() as database:
            return database.execute(
                "SELECT log_group, reason, count(*), max(kept_ms) FROM letter GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
            ).fetchall()

    def letters(
        self, *, ids: Sequence[str] = (), group: str = "", after: str = "", limit: int = 1000
    ) -> list[DeadLetter]:
        """The letters behind `after` in order of id.

        Args:
            ids: beginnings of ids; none means all.
            group: a log group's exact name; "" means all.
            after: the last id of the page before.
            limit: at most so many.
        """
        where, values = ["id > ?"], [after]
        if ids:
            where.append("(" + " OR ".join(["substr(id, 1, length(?)) = ?"] * len(ids)) + ")")
            values += [part for prefix in ids for part in (prefix, prefix)]
        if group:
            where.append("log_group = ?")
            values.append(group)
        with self._transaction() as database:
            rows = database.execute(
                "SELECT id, kept_ms, reason, log_group, stream, timestamp_ms, message, event_id, ingestion_ms "  # noqa: S608 - the conditions are ours
                f"FROM letter WHERE {' AND '.join(where)} ORDER BY id LIMIT ?",
                (*values, limit),
            ).fetchall()
        return [DeadLetter(row[0], LogEvent(*row[3:]), row[2], row[1]) for row in rows]

    def drop(self, ids: Iterable[str]) -> int:
        """Deletes letters by their whole ids; how many there were."""
        with self._transaction() as database:
            before = database.total_changes
            database.executemany("DELETE FROM letter WHERE id = ?", ((letter,) for letter in ids))
            return database.total_changes - before

    def close(self) -> None:
        """Lets go of the file."""
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock, self._database:
                yield self._database
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> DataError:
        return DataError(f"{str(self.path)!r} cannot be used: {error}; nothing was acknowledged")
