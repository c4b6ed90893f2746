"""Checkpoints in a SQLite file: moved by one process at a time, never silently reset."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from logship.errors import ConnectError, DataError, StoreLockedError
from logship.forward.checkpoints.sqlite import SqliteCheckpoints

if TYPE_CHECKING:
    from pathlib import Path


def test_a_text_survives_with_its_version(tmp_path: Path) -> None:
    """What was saved is loaded by the next process, with the version that its next save needs."""
    first = SqliteCheckpoints(tmp_path)
    version = first.save("a", "one", 0)
    version = first.save("a", "two", version)
    first.close()

    with closing(SqliteCheckpoints(tmp_path)) as second:
        assert second.load("a") == ("two", version)


def test_a_new_key_has_nothing(tmp_path: Path) -> None:
    """A key that nobody saved is None."""
    with closing(SqliteCheckpoints(tmp_path)) as checkpoints:
        assert checkpoints.load("a") is None


@pytest.mark.parametrize("version", [0, 1, 3])
def test_two_processes_do_not_both_move_a_key(tmp_path: Path, version: int) -> None:
    """Whoever saves from another version than the file's is refused, with the remedy."""
    with closing(SqliteCheckpoints(tmp_path)) as ours, closing(SqliteCheckpoints(tmp_path)) as theirs:
        ours.save("a", "two", ours.save("a", "one", 0))

        with pytest.raises(StoreLockedError, match="--state"):
            theirs.save("a", "three", version)
        assert ours.load("a") == ("two", 2)


def foreign() -> bytes:
    """A good database of another program, which has a table named like ours."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript("CREATE TABLE checkpoint (a, b); CREATE TABLE users (name)")
        return database.serialize()


@pytest.mark.parametrize("content", [b"no database at all" * 1000, b"", foreign()], ids=["garbage", "empty", "foreign"])
def test_what_is_no_file_of_ours_is_kept_aside(tmp_path: Path, content: bytes) -> None:
    """It ends the run and is kept under another name as it was; the next run begins anew."""
    (tmp_path / "checkpoints.db").write_bytes(content)
    with pytest.raises(DataError, match="kept aside"):
        SqliteCheckpoints(tmp_path)
    kept = [path.read_bytes() for path in tmp_path.glob("checkpoints.db.damaged-*")]

    with closing(SqliteCheckpoints(tmp_path)) as next_run:
        assert (kept, next_run.load("a")) == ([content], None)


def test_what_was_lost_with_a_damaged_file_is_said_until_it_is_removed(tmp_path: Path) -> None:
    """A supervisor that starts the next run leaves nobody time to read how the last one ended."""
    with closing(SqliteCheckpoints(tmp_path)) as checkpoints:
        checkpoints.save("a", "one", 0)
    (tmp_path / "checkpoints.db").write_bytes(b"no database at all" * 1000)
    (tmp_path / "checkpoints.db-wal").write_bytes(b"no log either")
    with pytest.raises(DataError, match="kept aside"):
        SqliteCheckpoints(tmp_path)
    said: list[list[str]] = [[], [], []]
    for lines in said[:2]:
        SqliteCheckpoints(tmp_path, say=lines.append).close()
    for path in tmp_path.glob("checkpoints.db.damaged-*"):
        path.unlink()
    SqliteCheckpoints(tmp_path, say=said[2].append).close()

    assert [len(lines) for lines in said] == [1, 1, 0]
    assert "positions were lost" in said[0][0]
    assert "earlier --start" in said[0][0]


def test_a_file_that_was_emptied_beside_its_log_is_kept_aside(tmp_path: Path) -> None:
    """A checkpoint that is there no more is not taken for a new group, whose older events would never be read."""
    with closing(SqliteCheckpoints(tmp_path)) as checkpoints:
        checkpoints.save("a", "one", 0)
    (tmp_path / "checkpoints.db").write_bytes(b"")

    with pytest.raises(DataError, match="the file is empty"):
        SqliteCheckpoints(tmp_path)


def test_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    """What cannot be saved now is saved when there is room again: the forwarder need not end for it."""
    with closing(SqliteCheckpoints(tmp_path)) as checkpoints:
        version = checkpoints.save("a", "one", 0)
        pages = checkpoints._database.execute("PRAGMA page_count").fetchone()[0]
        checkpoints._database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(ConnectError, match="database or disk is full; free some space"):
            checkpoints.save("a", "x" * 100_000, version)
        checkpoints._database.execute(f"PRAGMA max_page_count = {1000 * pages}")

        assert checkpoints.save("a", "two", version) == version + 1


def test_another_store_is_refused(tmp_path: Path) -> None:
    """Checkpoints say what a store holds, so they are of no use with another."""
    SqliteCheckpoints(tmp_path, store="/one").close()
    SqliteCheckpoints(tmp_path, store="/one").close()

    with pytest.raises(DataError, match="'/one', not '/two'"):
        SqliteCheckpoints(tmp_path, store="/two")


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    """A state folder that cannot be made is an error with a remedy."""
    (tmp_path / "file").write_text("x")

    with pytest.raises(DataError, match="--state"):
        SqliteCheckpoints(tmp_path / "file")
