"""The checkpoint that survives, and that only one forwarder can move."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from logship.errors import DataError, StoreLockedError
from logship.forward.checkpoint import Checkpoints

if TYPE_CHECKING:
    from pathlib import Path

NOW_MS = 1_795_443_665_000


def test_a_position_is_kept_with_the_ids_near_it(tmp_path: Path) -> None:
    """Another process finds both where the first one left them, old ids are forgotten, and the newest come first."""
    first = Checkpoints(tmp_path)
    position = first.open("/g", NOW_MS)
    position.position_ms, position.lateness_ms, position.settled_ms = NOW_MS + 5000, 700, (3, 2, 1)
    first.save(position, [(b"old", NOW_MS - 9), (b"new", NOW_MS), (b"newest", NOW_MS + 1)], forget_before_ms=NOW_MS - 5)
    first.close()
    second = Checkpoints(tmp_path)
    found = second.open("/g", 0)
    seen, newest = second.seen(found, 10), second.seen(found, 1)
    second.close()

    assert (found.position_ms, found.lateness_ms, found.settled_ms) == (NOW_MS + 5000, 700, (3, 2, 1))
    assert (seen, newest) == ({b"new": NOW_MS, b"newest": NOW_MS + 1}, {b"newest": NOW_MS + 1})


def test_two_forwarders_cannot_both_advance(tmp_path: Path) -> None:
    """Who comes second is refused, and of what it wanted to save nothing is kept."""
    one, two = Checkpoints(tmp_path), Checkpoints(tmp_path)
    mine, theirs = one.open("/g", 0), two.open("/g", 0)
    mine.position_ms, theirs.position_ms = 10, 20
    one.save(mine, [(b"mine", 10)], forget_before_ms=0)
    with pytest.raises(StoreLockedError, match="another forwarder"):
        two.save(theirs, [(b"theirs", 20)], forget_before_ms=0)
    kept, seen = two.open("/g", 0).position_ms, two.seen(mine, 10)
    one.save(mine, [], forget_before_ms=0)
    one.close()
    two.close()

    assert (kept, seen) == (10, {b"mine": 10})


def test_of_many_forwarders_one_advances(tmp_path: Path) -> None:
    """When several save from the same version at once, exactly one succeeds each time."""
    several = [Checkpoints(tmp_path) for _ in range(4)]
    outcomes: list[bool] = []

    def save(checkpoints: Checkpoints, barrier: threading.Barrier) -> None:
        position = checkpoints.open("/g", 0)
        barrier.wait()
        try:
            checkpoints.save(position, [], forget_before_ms=0)
        except StoreLockedError:
            outcomes.append(False)
        else:
            outcomes.append(True)

    for _ in range(10):
        barrier = threading.Barrier(len(several))
        threads = [threading.Thread(target=save, args=(one, barrier)) for one in several]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    version = several[0].open("/g", 0).version
    for one in several:
        one.close()

    assert (outcomes.count(True), version) == (10, 10)


def test_reader_and_writer_share_it(tmp_path: Path) -> None:
    """Opening new groups in one thread never disturbs saving in another."""
    checkpoints = Checkpoints(tmp_path)
    position = checkpoints.open("/g", 0)
    opener = threading.Thread(target=lambda: [checkpoints.open(f"/{n}", n) for n in range(300)])
    opener.start()
    for at_ms in range(300):
        position.position_ms = at_ms
        checkpoints.save(position, [(at_ms.to_bytes(8), at_ms)], forget_before_ms=0)
    opener.join()
    found = checkpoints.open("/g", 0)
    count = len(checkpoints.seen(found, 1000))
    checkpoints.close()

    assert (found.version, found.position_ms, count) == (300, 299, 300)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A file in the way, and a file that is no database, are one clear error each."""
    (tmp_path / "file").touch()
    (tmp_path / "checkpoints.db").write_bytes(b"no database at all" * 100)
    for folder in (tmp_path / "file", tmp_path):
        with pytest.raises(DataError, match="--state"):
            Checkpoints(folder)
