from __future__ import annotations

import threading
import time

import pytest

from logship.handler.backlog import RECORD_OVERHEAD_BYTES, Backlog, Overflow

SIZE = 100 + RECORD_OVERHEAD_BYTES


def full(overflow: Overflow, block_timeout: float = 0.0) -> Backlog:
    backlog = Backlog(3 * SIZE, overflow, block_timeout)
    for number in range(3):
        assert backlog.put(number, b"x" * 100)
    return backlog


def times(backlog: Backlog) -> list[int]:
    return [event[0] for event in backlog.take(10_000)]


def test_the_new_record_gives_way() -> None:
    """drop_new keeps what waits, and counts what it drops."""
    backlog = full("drop_new")

    assert not backlog.put(3, b"x" * 100)
    assert (backlog.dropped, times(backlog), backlog.size_bytes) == (1, [0, 1, 2], 0)


def test_the_oldest_record_gives_way() -> None:
    """drop_oldest keeps the newest records, and counts what it drops."""
    backlog = full("drop_oldest")

    assert backlog.put(3, b"x" * 150)
    assert (backlog.dropped, times(backlog), backlog.size_bytes) == (2, [2, 3], 0)


def test_the_caller_waits_for_room() -> None:
    """Block waits until the sender has taken something."""
    backlog = full("block", block_timeout=60)
    taker = threading.Timer(0.02, backlog.take, (1,))
    taker.start()

    assert backlog.put(3, b"x" * 100)
    taker.join()
    assert (backlog.dropped, times(backlog)) == (0, [1, 2, 3])


def test_the_caller_waits_no_longer_than_told() -> None:
    """Block drops the new record when the time is up."""
    backlog = full("block", block_timeout=0.05)
    started = time.monotonic()

    assert not backlog.put(3, b"x" * 100)
    assert 0.05 <= time.monotonic() - started < 5
    assert backlog.dropped == 1


@pytest.mark.parametrize("overflow", ["drop_new", "drop_oldest", "block"])
def test_a_record_larger_than_the_queue_is_dropped(overflow: Overflow) -> None:
    """What can never fit does not push everything else out, nor wait."""
    backlog = full(overflow, block_timeout=60)

    assert not backlog.put(3, b"x" * 1000)
    assert (backlog.dropped, times(backlog)) == (1, [0, 1, 2])


def test_threads_lose_nothing() -> None:
    """Many producers and one consumer: every record arrives once, and the byte count ends at zero."""
    backlog = Backlog(10**9, "drop_new", 0)
    threads = [
        threading.Thread(target=lambda n=n: [backlog.put(n * 1000 + i, b"x") for i in range(1000)]) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    taken: list[int] = []
    while any(thread.is_alive() for thread in threads) or len(backlog):
        taken += times(backlog)

    assert sorted(taken) == list(range(4000))
    assert backlog.size_bytes == 0
