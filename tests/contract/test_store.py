"""The store port: every engine answers as the plain-Python matcher does, and keeps what it acknowledged."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logship.errors import NewerFormatError, StoreError, StoreLockedError
from logship.query import parse
from logship.query.tree import All
from logship.record import Record, record_id
from logship.store.port import Cancelled
from logship.store.tantivy.reader import Reader
from logship.store.tantivy.writer import open_writer
from logship.testing import MemoryStore
from logship.timerange import TimeRange
from tests.contract.store_cases import BASE_US, NAMES, QUERIES, records

if TYPE_CHECKING:
    from pathlib import Path


def record(number: int, **changes: Any) -> Record:
    made = Record(
        record_id(BASE_US // 1000 + number, "/g", "s", str(number)), BASE_US + number * 1000, f"event {number}", "INFO"
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store")


def fill(store: str, made: list[Record]) -> None:
    writer = open_writer(store, "test", long_running=False)
    writer.add(made)
    writer.close()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(records(), min_size=1, max_size=60, unique_by=lambda made: made.id), st.data())
def test_the_embedded_store_agrees_with_the_matcher(
    tmp_path_factory: pytest.TempPathFactory, made: list[Record], data: st.DataObject
) -> None:
    """Ids, order, counts, histograms and terms are those of plain Python, for every kind of query and value."""
    store, memory = str(tmp_path_factory.mktemp("s") / "store"), MemoryStore()
    fill(store, made)
    memory.add(made)
    memory.commit()
    memory.refresh()
    reader = Reader(store)
    wide = TimeRange(BASE_US - 10**6, BASE_US + 10**6)
    within = data.draw(st.sampled_from([None, TimeRange(BASE_US + 2000, BASE_US + 7001)]))
    for query in QUERIES:
        tree = parse(query)
        expected = [found.id for found in memory.scan(tree, within)]
        assert [found.id for found in reader.scan(tree, within)] == expected, query
        assert reader.count(tree, within) == len(expected), query
        assert reader.histogram(tree, wide, 5000, by_severity=True) == memory.histogram(
            tree, wide, 5000, by_severity=True
        )
    for name in ["service.name", "severity", "aws.log.group.name", *NAMES]:
        assert reader.terms(All(), name, size=99) == memory.terms(All(), name, size=99), name
    assert (reader.extent(), reader.field_names()) == (memory.extent(), memory.field_names())


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("limit", [1, 7, 50])
def test_pages_join_without_gap_or_repeat(store: str, limit: int, *, newest_first: bool) -> None:
    """Following cursors gives every record once and in order, also through thousands of equal times."""
    made = [record(number, time_us=BASE_US + number // 90 * 1000) for number in range(400)]
    fill(store, made)
    reader = Reader(store)
    seen: list[str] = []
    after = None
    while page := reader.search(All(), limit=limit, after=after, newest_first=newest_first):
        seen += [found.id for found in page]
        after = page[-1].order
    expected = [found.id for found in sorted(made, key=lambda r: r.order, reverse=newest_first)]

    assert seen == expected


def test_a_record_comes_back_as_it_went_in(store: str) -> None:
    """Every part of a record survives, hostile text included."""
    made = record(
        1, body="a\x00b\ud800\x1b[31m", attributes={"x": ["\ud800", 1, None], "ключ": "é", "n": 2**70}, severity=""
    )
    fill(store, [made])
    found = Reader(store).search(All(), limit=1)[0]

    assert (found.body, found.attributes) == ("a\x00b?\x1b[31m", {"x": ["?", 1, None], "ключ": "é", "n": str(2**70)})


def test_writing_again_changes_nothing(store: str) -> None:
    """An id that is there is success and stays one record, before and after the commit."""
    writer = open_writer(store, "test", long_running=False)
    first = writer.add([record(1), record(1)])
    writer.commit()
    again = writer.add([record(1, body="other"), record(2)])
    writer.close()
    reader = Reader(store)

    assert (first.accepted, first.existing, again.accepted, again.existing) == (1, 1, 1, 1)
    assert [found.body for found in reader.scan(All())] == ["event 1", "event 2"]


def test_old_records_are_deleted_by_age_and_may_come_again(store: str) -> None:
    """Pruning deletes what is older, and a pruned record can be written again."""
    writer = open_writer(store, "test", long_running=False)
    writer.add([record(number) for number in range(10)])
    deleted = writer.prune(BASE_US + 4000)  # type: ignore[attr-defined]
    again = writer.add([record(3), record(5)])
    writer.close()

    assert (deleted, again.accepted, Reader(store).count(All())) == (4, 1, 7)


def test_another_process_sees_records_while_they_are_written(store: str) -> None:
    """A reader in another process finds a record within 1.2 s of its commit."""
    writer = open_writer(store, "test", long_running=True)
    code = (
        "import sys,time\nfrom logship.store.tantivy.reader import Reader\nfrom logship.query.tree import All\n"
        "reader = Reader(sys.argv[1])\nprint('ready', flush=True)\n"
        "while not (reader.refresh() and reader.count(All())): time.sleep(0.01)\nprint(time.time(), flush=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, store], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    written = time.time()
    writer.add([record(1)])
    writer.commit()
    seen = float(process.stdout.readline())
    process.wait()
    process.stdout.close()
    writer.close()

    assert seen - written <= 1.2


def test_a_second_long_running_writer_is_refused(store: str) -> None:
    """It is told who holds the store."""
    writer = open_writer(store, "forward", long_running=True)
    with pytest.raises(StoreLockedError, match="forward"):
        open_writer(store, "forward", long_running=True)
    writer.close()


def test_a_short_writer_hands_over_to_a_long_running_one(store: str) -> None:
    """Its batch is durable when `add` returns, although another writer holds the store."""
    holder = open_writer(store, "forward", long_running=True)
    short = open_writer(store, "import", long_running=False)
    result = short.add([record(1), record(2)])
    seen = Reader(store).count(All())
    short.close()
    holder.close()

    assert (result.accepted, seen) == (2, 2)


def hold(store: str, ready: Any) -> None:
    open_writer(store, "forward", long_running=True)
    ready.send(True)
    time.sleep(60)


def test_a_store_outlives_its_killed_writer(store: str) -> None:
    """After kill -9 of the holder a waiting short writer takes over, and nothing acknowledged is gone."""
    fill(store, [record(1)])
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=hold, args=(store, there))
    process.start()
    here.recv()
    short = open_writer(store, "import", long_running=False)
    process.kill()
    result = short.add([record(2)])
    short.close()
    process.join()

    assert (result.accepted, Reader(store).count(All())) == (1, 2)


@pytest.fixture
def strange_folders(tmp_path: Path) -> Path:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("x")
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "format.json").write_text(json.dumps({"engine": "tantivy", "format": 99}))
    return tmp_path


def test_folders_that_are_no_stores_are_left_alone(strange_folders: Path) -> None:
    """What is no store is neither read nor written, and a newer format is named."""
    for path, kind in (("absent", StoreError), ("other", StoreError), ("newer", NewerFormatError)):
        with pytest.raises(kind):
            Reader(strange_folders / path)
    for path, kind in (("other", StoreError), ("newer", NewerFormatError)):
        with pytest.raises(kind):
            open_writer(strange_folders / path, "test", long_running=False)

    assert sorted(item.name for item in (strange_folders / "other").iterdir()) == ["notes.txt"]


def test_long_work_can_be_stopped(store: str) -> None:
    """A search that has to read many records ends when its caller gives up."""
    fill(store, [record(number) for number in range(3000)])
    with pytest.raises(Cancelled):
        Reader(store).count(parse('=~"event"'), stop=lambda: True)
