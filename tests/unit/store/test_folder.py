"""An embedded store whose files go away while it is read."""

from __future__ import annotations

import shutil
import threading
import time
from typing import TYPE_CHECKING

import pytest

from logship.errors import StoreError
from logship.store.tantivy.reader import Reader
from logship.store.tantivy.writer import open_writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    open_writer(tmp_path / "data", "test", long_running=True).close()
    return tmp_path / "data"


def test_the_status_is_told_while_merges_take_files_away(store: Path) -> None:
    """A file that is gone after it was listed counts nothing."""
    ended = threading.Event()

    def merge() -> None:
        while not ended.is_set():
            for number in range(20):
                (store / "index" / f"{number}.store").touch()
            for number in range(20):
                (store / "index" / f"{number}.store").unlink()

    merging = threading.Thread(target=merge)
    merging.start()
    try:
        reader, until, told = Reader(store), time.monotonic() + 0.5, set()
        while time.monotonic() < until:
            told.add(reader.status()["records"])
    finally:
        ended.set()
        merging.join()

    assert told == {0}


@pytest.mark.parametrize("ask", [Reader.refresh, Reader.status], ids=["refresh", "status"])
def test_a_store_that_is_gone_is_said_to_be(store: Path, ask: Callable[[Reader], object]) -> None:
    """Whoever looks at a store that somebody removes reads that, and no word about rights."""
    reader = Reader(store)
    shutil.rmtree(store)

    with pytest.raises(StoreError, match=r"data' is gone: .*; start again when it is back"):
        ask(reader)
