"""The queue's files: whatever was put is found again; what is broken costs the record it lies in."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.handler.backlog import Backlog
from logship.handler.outbox import Outbox
from logship.handler.spool.files import SEGMENT_BYTES, Files, folder_of
from logship.handler.spool.segment import HEAD_BYTES, RECORD_BYTES, Segment

if TYPE_CHECKING:
    from logship.handler.batch import Event

SIZE = 64 * 1024
LINES = st.lists(st.tuples(st.integers(0, 2**41), st.binary(max_size=300)), max_size=60)
ONES = st.lists(
    st.tuples(st.integers(0, 2**41), st.binary(max_size=300).filter(lambda line: b"\n" not in line)), max_size=60
)


def written(folder: Path, events: list[Event]) -> Path:
    """A file as a process leaves it that is killed."""
    segment = Segment.create(folder / "1-a-000001.queue", SIZE)
    for event in events:
        segment.write(*event)
    segment.close(remove=False)
    return segment.path


def rest(path: Path) -> tuple[list[Event], int]:
    """What the next process finds: records, and how many broken ones."""
    segment = Segment.adopt(path)
    assert segment is not None
    found = list(segment.rest())
    segment.close(remove=False)
    return [(one.timestamp_ms, one.line) for one in found if one is not None], found.count(None)


@given(LINES)
@settings(max_examples=60)
def test_what_was_put_is_found(events: list[Event]) -> None:
    """Whatever the lines hold, the next process reads them, in their order."""
    with TemporaryDirectory() as folder:
        assert rest(written(Path(folder), events)) == (events, 0)


@given(LINES.filter(bool), st.data())
@settings(max_examples=150)
def test_a_corrupt_byte_costs_one_record(events: list[Event], data: st.DataObject) -> None:
    """A byte that is changed anywhere behind the head costs the record it lies in and no other."""
    with TemporaryDirectory() as folder:
        path = written(Path(folder), events)
        ends = [HEAD_BYTES]
        for _at, line in events:
            ends.append(ends[-1] + RECORD_BYTES + len(line))
        place = data.draw(st.integers(HEAD_BYTES, ends[-1] - 1))
        change = data.draw(st.integers(1, 255))
        with path.open("r+b") as file:
            file.seek(place)
            before = file.read(1)[0]
            file.seek(place)
            file.write(bytes([before ^ change]))
        hit = next(number for number, end in enumerate(ends[1:]) if place < end)
        found, broken = rest(path)

    assert found == events[:hit] + events[hit + 1 :]
    assert broken <= 1


@given(LINES.filter(bool), st.data())
@settings(max_examples=100)
def test_a_torn_file_keeps_what_was_whole(events: list[Event], data: st.DataObject) -> None:
    """Cut off anywhere, the records before the cut are there."""
    with TemporaryDirectory() as folder:
        path = written(Path(folder), events)
        ends = [HEAD_BYTES]
        for _at, line in events:
            ends.append(ends[-1] + RECORD_BYTES + len(line))
        cut = data.draw(st.integers(HEAD_BYTES, ends[-1]))
        os.truncate(path, cut)

        assert rest(path)[0] == events[: sum(end <= cut for end in ends[1:])]


@given(LINES, st.integers(0, 60))
@settings(max_examples=60)
def test_what_was_delivered_is_not_sent_again(events: list[Event], count: int) -> None:
    """The next process begins behind the last record that was acknowledged."""
    with TemporaryDirectory() as folder:
        files = Files(Path(folder), 10**9, print)
        backlog = Backlog(10**9, "drop_new", 0, files)
        for event in events:
            backlog.put(*event)
        taken = len(backlog.take(count))
        backlog.acknowledge(taken)
        backlog.disown()
        left = Files(Path(folder), 10**9, print).adopt()
        found = [(one.timestamp_ms, one.line) for segment in left for one in segment.rest() if one]
        for segment in left:
            segment.close(remove=True)

    assert found == events[taken:]


def test_files_are_private_and_bounded(tmp_path: Path) -> None:
    """Folder 0700, files 0600; beyond the bound no file is made, and the queue goes on in memory."""
    said: list[str] = []
    files = Files(tmp_path / "spool", SEGMENT_BYTES, said.append)
    backlog = Backlog(10**9, "drop_new", 0, files)
    for number in range(4):
        for _ in range(11):
            backlog.put(number, b"x" * 400_000)
    made = list((tmp_path / "spool").iterdir())
    taken = backlog.take(44)

    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    assert (len(made), backlog.trouble != "", backlog.spooled) == (3, True, 30)
    assert [event[0] for event in taken] == [number for number in range(4) for _ in range(11)]


def test_a_file_that_another_process_deletes_meanwhile_hinders_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes of a service share the folder, and delete what they have delivered at any moment."""
    files = Files(tmp_path / "spool", 8 * 2**20, print)
    Files(tmp_path / "spool", 8 * 2**20, print).make().close(remove=False)
    entries = files._entries()
    Path(entries[0].path).unlink()
    monkeypatch.setattr(files, "_entries", lambda: entries)

    assert files.make().path.exists()


def test_files_that_are_done_with_are_deleted(tmp_path: Path) -> None:
    """What is delivered goes; what waits stays; when all is delivered, nothing is left."""
    backlog = Backlog(10**9, "drop_new", 0, Files(tmp_path, 10**9, print))
    for number in range(45):
        backlog.put(number, b"x" * 400_000)
    for _ in range(25):
        backlog.take(1)
    backlog.acknowledge(25)
    backlog.tend()
    kept = len(list(tmp_path.iterdir()))
    while backlog.take(1):
        pass
    backlog.acknowledge(20)
    backlog.let_go()

    assert (kept, list(tmp_path.iterdir())) == (4, [])  # the third to the fifth, and the next one


def test_files_go_at_the_end_although_a_caller_is_busy(tmp_path: Path) -> None:
    """A process that ends waits a moment for whoever has the queue's lock, and leaves no file that holds nothing."""
    backlog = Backlog(10**9, "drop_new", 0, Files(tmp_path, 10**9, print))
    backlog.put(1, b"line")
    backlog.take(1)
    backlog.acknowledge(1)
    held = threading.Event()

    def busy() -> None:
        with backlog._lock:
            held.set()
            time.sleep(0.1)

    thread = threading.Thread(target=busy)
    thread.start()
    held.wait(5)
    backlog.let_go()
    kept = len(list(tmp_path.iterdir()))
    backlog.let_go(5)
    thread.join()

    assert (kept, list(tmp_path.iterdir())) == (1, [])


def test_a_living_process_keeps_its_files(tmp_path: Path) -> None:
    """Only a dead process's files are adopted, and by one process alone."""
    backlog = Backlog(10**9, "drop_new", 0, Files(tmp_path, 10**9, print))
    backlog.put(1, b"line")
    others = [Files(tmp_path, 10**9, print) for _ in range(2)]
    assert [other.adopt() for other in others] == [[], []]

    backlog.disown()
    [segment] = others[0].adopt()
    assert others[1].adopt() == []
    segment.close(remove=True)


@pytest.mark.parametrize("head", [b"logship\0\x02\0\0\0" + b"\0" * 60, b"something else" + b"\0" * 60, b""])
def test_files_of_others_are_left_alone(tmp_path: Path, head: bytes) -> None:
    """A newer format, something that is no queue, and an empty file: said once, kept, and nothing else suffers."""
    said: list[str] = []
    path = tmp_path / "9-b-000001.queue"
    path.write_bytes(head)
    files = Files(tmp_path, 10**9, said.append)

    assert (files.adopt(), files.adopt(), path.exists()) == ([], [], True)
    assert len(said) == 1
    assert str(path) in said[0]


@pytest.mark.parametrize("made", ["", "allocated", "whole"])
def test_a_file_whose_maker_was_killed_goes_after_a_minute(tmp_path: Path, made: str) -> None:
    """However far it was, it holds no records; a younger one may still be its maker's."""
    beside = tmp_path / ".1-a-000001.queue"
    if made == "whole":
        written(tmp_path, []).rename(beside)
    else:
        beside.write_bytes(bytes(SIZE if made else 0))
    files = Files(tmp_path, 2**30, pytest.fail)

    assert (files.adopt(), beside.exists()) == ([], True)
    os.utime(beside, (0, 0))
    for segment in files.adopt():
        assert list(segment.rest()) == []
        segment.close(remove=True)
    assert not beside.exists()


def test_a_deleted_file_is_noticed(tmp_path: Path) -> None:
    """Where somebody deletes the folder, records go on into a new file, and those in the old one are still sent."""
    backlog = Backlog(10**9, "drop_new", 0, Files(tmp_path / "spool", 10**9, print))
    backlog.put(1, b"one")
    for path in (tmp_path / "spool").iterdir():
        path.unlink()
    backlog.tend()
    assert "deleted" in backlog.trouble
    backlog.put(2, b"two")

    assert backlog.take(2) == [(1, b"one"), (2, b"two")]
    assert len(list((tmp_path / "spool").iterdir())) == 1


def test_a_folder_that_cannot_be_made_leaves_the_queue_in_memory(tmp_path: Path) -> None:
    """The reason is kept, and every record is taken."""
    (tmp_path / "file").write_text("")
    backlog = Backlog(10**9, "drop_new", 0, Files(tmp_path / "file" / "spool", 10**9, print))
    backlog.put(1, b"one")

    assert (backlog.trouble, backlog.spooled, backlog.take(1)) == ("Not a directory", 0, [(1, b"one")])


def test_services_have_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By group and service, in the user's state folder or where it is told."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folders = {folder_of("auto", group, service) for group in ("/a", "/b") for service in ("a", "b")}

    assert len(folders) == 4
    assert {folder.parent for folder in folders} == {tmp_path / "logship" / "spool"}
    assert folder_of(tmp_path / "x", "/a", "a").parent == tmp_path / "x"


@given(ONES, ONES, st.integers(1, 40), st.booleans())
@settings(max_examples=60)
def test_what_was_left_is_sent_first_and_once(left: list[Event], own: list[Event], most: int, early: bool) -> None:
    """A dead process's records, then one's own, in batches; when all are delivered no file is left.

    That the next round is prepared while one is on its way changes nothing.
    """
    with TemporaryDirectory() as folder:
        written(Path(folder), left)
        files = Files(Path(folder), 10**9, print)
        backlog = Backlog(10**9, "drop_new", 0, files)
        for event in own:
            backlog.put(*event)
        outbox = Outbox(
            backlog, files, None, max_batch_bytes=2**20, max_batch_events=most, max_message_bytes=2**20 - 26
        )
        outbox.look_for_left()
        sent = []
        while batches := outbox.next_round().batches:
            sent += batches[""].events
            if early:
                outbox.prepare()
            outbox.delivered()
        backlog.let_go()

        assert (sent, outbox.recovered, list(Path(folder).iterdir())) == (left + own, len(left), [])


def test_an_empty_file_before_a_full_one_holds_nothing_up(tmp_path: Path) -> None:
    """A dead process leaves a file that it has made beforehand, too; what lies in the others is sent all the same."""
    written(tmp_path, [])
    (tmp_path / "1-a-000001.queue").rename(tmp_path / "0-a-000001.queue")
    written(tmp_path, [(1, b"one")])
    files = Files(tmp_path, 10**9, print)
    outbox = Outbox(
        Backlog(10**9, "drop_new", 0, files),
        files,
        None,
        max_batch_bytes=2**20,
        max_batch_events=9,
        max_message_bytes=2**19,
    )
    outbox.look_for_left()

    assert outbox.next_round().batches[""].events == [(1, b"one")]
    outbox.delivered()
    assert list(tmp_path.iterdir()) == []
