"""What the store can never take, kept with the reason until somebody replays or drops it."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from logship.errors import ConnectError, DataError, DiskFullError
from logship.forward.database import check_database, is_full, make_database, passing
from logship.record import Cloud, LogEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from logship.errors import LogshipError

FILE: Final = "dead-letters.db"
Kind = Literal["event", "payload"]
_BUSY_S: Final = 5.0
"""So long another writer of the file is waited for at a time."""
_APPLICATION_ID: Final = 0x6C6F6702
_SCHEMA: Final = """
CREATE TABLE letter (
    id TEXT PRIMARY KEY, kept_ms INTEGER NOT NULL, reason TEXT NOT NULL, kind TEXT NOT NULL, continues TEXT NOT NULL,
    log_group TEXT NOT NULL, stream TEXT NOT NULL, timestamp_ms INTEGER NOT NULL, message TEXT NOT NULL,
    event_id TEXT NOT NULL, ingestion_ms INTEGER NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL);
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event, the id its record would have had, and why there is none."""

    id: str
    event: LogEvent
    """With its message as it would have been stored: redacted. Of a payload: what came in place of events."""
    reason: str
    kept_ms: int = 0
    """When it was kept, milliseconds since 1970."""
    kind: Kind = "event"
    """``payload`` is a subscription's payload that could not be read, as text or base64."""
    continues: str = ""
    """The id of the event that it continues; "" where it continues none."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which letters are meant; nothing set means all."""

    ids: tuple[str, ...] = ()
    """Whole ids; at most some hundreds."""
    group: str = ""
    """A log group's exact name."""

    def condition(self) -> tuple[str, list[str]]:
        """As SQL, and its values."""
        if self.ids:
            return f"id IN ({', '.join('?' * len(self.ids))})", list(self.ids)
        return ("log_group = ?", [self.group]) if self.group else ("1", [])


class DeadLetters:
    """A SQLite file in the state folder, readable by its owner alone. Several processes may use it; so may threads.

    Args:
        folder: the state folder.
        create: whether folder and file are made if they are not there.
        store: which store refused what is kept from now on, in words; "" leaves that as it is.

    Raises:
        DataError: the file cannot be used, or is not there. It is left as it is.
    """

    def __init__(self, folder: str | Path, *, create: bool = True, store: str = "") -> None:
        self.path = Path(folder) / FILE
        self._lock = threading.Lock()
        self._waiting, self._counted = 0, (-1, -1)
        """How many there were, and in which state of the file."""
        if not create and not self.path.is_file():
            raise DataError(
                f"{str(folder)!r} holds no {FILE}: no forwarder has kept its state there; name its folder with --state"
            )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            make_database(self.path, _APPLICATION_ID, _SCHEMA)
            self._database = sqlite3.connect(self.path, timeout=_BUSY_S, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None
        try:
            check_database(self._database, _APPLICATION_ID)
            self._database.execute("PRAGMA journal_mode=WAL")
            # A letter may be the last copy of an event: it is on the disk before the event is acknowledged.
            self._database.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error as error:
            self._database.close()
            raise self._unusable(error) from None
        if store and store != self.store:  # so that a full disk keeps nobody from beginning
            with self._transaction() as database:
                database.execute("INSERT OR REPLACE INTO fact VALUES ('store', ?)", (store,))

    @property
    def waiting(self) -> int:
        """How many there are, whoever kept or dropped them; as last known while the file is in use. Never raises."""
        if self._lock.acquire(blocking=False):
            try:
                [(version,)] = self._database.execute("PRAGMA data_version")  # changes when others write
                state = (version, self._database.total_changes)
                if state != self._counted:
                    [(self._waiting,)] = self._database.execute("SELECT count(*) FROM letter")
                    self._counted = state
            except sqlite3.Error:
                pass  # busy, or closed by now: what was known last stands, and whoever keeps a letter hears of damage
            finally:
                self._lock.release()
        return self._waiting

    @property
    def store(self) -> str:
        """The store of the forwarder that kept them, in words; "" where none has said it."""
        with self._transaction() as database:
            found = database.execute("SELECT value FROM fact WHERE name = 'store'").fetchone()
        return str(found[0]) if found else ""

    def keep(self, letters: Iterable[DeadLetter]) -> int:
        """Keeps letters for good; one that is there already is left as it is. How many were new.

        Raises:
            DiskFullError, ConnectError: none of them is kept yet: there is no room, or another process is writing.
            DataError: they cannot be kept.
        """
        now_ms = int(time.time() * 1000)
        rows = [
            (one.id, one.kept_ms or now_ms, one.reason, one.kind, one.continues, *one.event[:-1], *one.event.cloud)
            for one in letters
        ]
        with self._transaction(self._not_now) as database:
            before = database.total_changes
            database.executemany(f"INSERT OR IGNORE INTO letter VALUES ({', '.join('?' * 13)})", rows)  # noqa: S608 - ours
            return database.total_changes - before

    def count(self, chosen: Chosen = Chosen()) -> int:
        """How many there are."""
        where, values = chosen.condition()
        with self._transaction() as database:
            return int(database.execute(f"SELECT count(*) FROM letter WHERE {where}", values).fetchone()[0])  # noqa: S608

    def reasons(self) -> list[tuple[str, str, int, int]]:
        """(log group, reason, how many, when the newest was kept in ms), most frequent first."""
        with self._transaction() as database:
            return database.execute(
                "SELECT log_group, reason, count(*), max(kept_ms) FROM letter GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
            ).fetchall()

    def find(self, prefix: str, *, limit: int = 4) -> list[str]:
        """The first ids that begin so, in their order."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT id FROM letter WHERE substr(id, 1, length(?)) = ? ORDER BY id LIMIT ?", (prefix, prefix, limit)
            ).fetchall()
        return [row[0] for row in rows]

    def letters(self, chosen: Chosen = Chosen(), *, after: str = "", limit: int = 1000) -> list[DeadLetter]:
        """The letters behind the id `after` in order of id, which is that of time; at most `limit`."""
        where, values = chosen.condition()
        with self._transaction() as database:
            rows = database.execute(
                f"SELECT * FROM letter WHERE {where} AND id > ? ORDER BY id LIMIT ?",  # noqa: S608 - ours
                (*values, after, limit),
            ).fetchall()
        return [_letter(*row) for row in rows]

    def explain(self, reasons: Iterable[tuple[str, str]]) -> None:
        """Gives letters another reason, by their whole ids."""
        with self._transaction() as database:
            database.executemany("UPDATE letter SET reason = ?2 WHERE id = ?1", list(reasons))

    def drop(self, ids: Iterable[str]) -> int:
        """Deletes letters by their whole ids; how many there were."""
        with self._transaction() as database:
            before = database.total_changes
            database.executemany("DELETE FROM letter WHERE id = ?", [(letter,) for letter in ids])
            return database.total_changes - before

    def drop_chosen(self, chosen: Chosen) -> int:
        """Deletes all that are meant; how many there were."""
        where, values = chosen.condition()
        with self._transaction() as database:
            return database.execute(f"DELETE FROM letter WHERE {where}", values).rowcount  # noqa: S608 - ours

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            self._database.close()

    @contextmanager
    def _transaction(
        self, failure: Callable[[sqlite3.Error], LogshipError] | None = None
    ) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock, self._database:
                yield self._database
        except sqlite3.Error as error:
            raise (failure or self._unusable)(error) from error

    def _not_now(self, error: sqlite3.Error) -> LogshipError:
        """For those that can wait: what may be over in an hour told apart from what is for good."""
        if not (helps := passing(error)):
            return self._unusable(error)
        kind = DiskFullError if is_full(error) else ConnectError
        return kind(f"the dead letters in {str(self.path)!r}: {error}; {helps}")

    def _unusable(self, error: Exception) -> DataError:
        if helps := passing(error):
            return DataError(f"the dead letters in {str(self.path)!r}: {error}; {helps}; try again")
        return DataError(
            f"the dead letters in {str(self.path)!r} cannot be used: {error}; the file is left as it is "
            "and nothing was acknowledged: restore it, or move it away"
        )


def _letter(letter_id: str, kept_ms: int, reason: str, kind: Kind, continues: str, *event: Any) -> DeadLetter:
    *parts, account, region = event
    found = LogEvent._make((*parts, Cloud(account, region)))
    return DeadLetter(letter_id, found, reason, kept_ms, kind, continues)


def pages(letters: DeadLetters, chosen: Sequence[Chosen], *, size: int) -> Iterator[list[DeadLetter]]:
    """All the letters that are meant, some at a time, each once. What is done to a page may delete its letters."""
    for one in chosen:
        after = ""
        while page := letters.letters(one, after=after, limit=size):
            yield page
            after = page[-1].id
