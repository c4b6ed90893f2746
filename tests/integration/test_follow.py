"""`logship search --follow` beside a process that writes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.cli.following import follow, new_records
from logship.query import parse
from logship.query.match import matches
from logship.record import Record, record_id
from logship.store.tantivy.reader import Reader
from logship.store.tantivy.writer import open_writer
from logship.timerange import LATEST_US, TimeRange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW_US = 1_795_443_665_000_000


def record(number: int, time_us: int, body: str = "hello") -> Record:
    identity = record_id(time_us // 1000, "/shop/orders", "web", str(number))
    return Record(identity, time_us, body, "INFO", resource={"service.name": "orders"}, attributes={"number": number})


@contextmanager
def following(place: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "logship", "search", *arguments, "--follow", "--store", "./data"]
    process = subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def next_lines(process: subprocess.Popen[bytes], count: int) -> list[bytes]:
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


def test_new_and_late_records_are_printed_once_each(tmp_path: Path) -> None:
    """After the last ones that are there come new ones, also those whose time lies before what was printed."""
    writer = open_writer(tmp_path / "data", "test", long_running=True)
    writer.add([record(number, NOW_US + number) for number in range(20)])
    writer.commit()
    with following(tmp_path, "service:orders", "--format", "ndjson", "--limit", "3") as process:
        printed = next_lines(process, 3)
        writer.add([record(20, NOW_US + 20), record(21, NOW_US - 86_400_000_000)])
        writer.commit()
        printed += next_lines(process, 2)
        writer.add([record(22, NOW_US + 5), record(23, NOW_US + 30, "other")])
        writer.commit()
        printed += next_lines(process, 2)
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=20)
    writer.close()

    assert [json.loads(line)["attributes"]["number"] for line in printed] == [17, 18, 19, 21, 20, 22, 23]
    assert (process.returncode, rest, b"interrupted" in said, b"Traceback" in said) == (130, b"", True, False)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["hello", "--format", "raw"], [b"hello\n"] * 2),
        (["hello", "--format", "table"], [b"2026-11-23 14:21:05.000 INFO  orders                   hello\n"] * 2),
        (["| where number>=1", "|", "fields number", "--format", "csv"], [b"number\r\n", b"1\r\n"]),
    ],
    ids=["raw", "table", "columns"],
)
def test_every_streaming_format_follows(tmp_path: Path, arguments: list[str], shown: list[bytes]) -> None:
    """Lines arrive as soon as their records are there, whatever their format."""
    writer = open_writer(tmp_path / "data", "test", long_running=True)
    writer.add([record(0, NOW_US)])
    writer.commit()
    with following(tmp_path, *arguments) as process:
        printed = next_lines(process, 1)
        writer.add([record(1, NOW_US + 1)])
        writer.commit()
        printed += next_lines(process, 1)
    writer.close()

    assert printed == shown


def test_following_ends_when_nobody_reads(tmp_path: Path) -> None:
    """`logship search --follow | head -1` ends by itself, without an error, though nothing more arrives."""
    writer = open_writer(tmp_path / "data", "test", long_running=True)
    writer.add([record(0, NOW_US)])
    writer.close()
    with following(tmp_path, "hello") as process:
        next_lines(process, 1)
        assert process.stdout is not None
        process.stdout.close()

        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--count"], b"--count"),
        (["--format", "json"], b"ndjson"),
        (["--to", "now"], b"--to"),
        (["|", "stats count()"], b"'stats'"),
        (["|", "sort duration"], b"'sort'"),
    ],
)
def test_what_needs_an_end_is_refused(tmp_path: Path, arguments: list[str], said: bytes) -> None:
    """What cannot be said before all records are known is a usage error."""
    open_writer(tmp_path / "data", "test", long_running=True).close()
    with following(tmp_path, *arguments) as process:
        printed, errors = process.communicate(timeout=20)

    assert (process.returncode, printed, said in errors) == (2, b"", True)


BATCHES = st.lists(
    st.lists(st.tuples(st.integers(0, 10_000_000), st.sampled_from(["hello", "lock held", "other"])), max_size=30),
    min_size=2,
    max_size=4,
)


@settings(max_examples=25, deadline=None)
@given(batches=BATCHES, query=st.sampled_from(["", "lock", '=~"l{2}o" service:orders', "number:>3 -lock", "lo*"]))
def test_what_is_new_is_the_difference_of_two_snapshots(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[int, str]]], query: str
) -> None:
    """Whatever times records have, each round gives exactly those that the last snapshot did not have, in order."""
    place, tree = tmp_path_factory.mktemp("store"), parse(query, now_us=NOW_US)
    writer = open_writer(place, "test", long_running=True)
    number, given_out, everything = 0, [], []
    last, then = Reader(place), Reader(place)
    for batch in batches:
        added = [record(number + place, NOW_US + at, body) for place, (at, body) in enumerate(batch)]
        number += len(batch)
        everything += added
        writer.add(added)
        writer.commit()
        then.refresh()
        found = list(new_records(last, then, tree, TimeRange(0, LATEST_US)))
        assert found == sorted((r for r in added if matches(tree, r)), key=lambda r: r.order)
        given_out += found
        last, then = then, last
    writer.close()

    assert sorted(r.id for r in given_out) == sorted(r.id for r in everything if matches(tree, r))


def test_a_terminal_shows_a_heartbeat(tmp_path: Path) -> None:
    """Whoever watches sees how many records came and how long ago the last one was; the line is written over."""
    writer = open_writer(tmp_path / "data", "test", long_running=True)
    writer.add([record(0, NOW_US)])
    writer.close()
    watched, terminal = pty.openpty()
    command = [sys.executable, "-m", "logship", "search", "--follow", "--store", "./data", "--format", "ndjson"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    seen = b""
    while b"ago" not in seen:
        seen += os.read(watched, 1000)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=20)
    os.close(watched)

    assert b"following; 1 record, last record" in seen
    assert (process.returncode, printed.count(b"\n")) == (130, 1)


def test_a_snapshot_that_nothing_follows_is_kept_in_use(tmp_path: Path) -> None:
    """A server forgets snapshots, so that the one shown last is asked now and then, also when nothing arrives."""
    writer = open_writer(tmp_path / "data", "test", long_running=True)
    writer.add([record(0, NOW_US)])
    writer.commit()
    asked = []

    class Watched(Reader):
        def count(self, *arguments: Any, **more: Any) -> int:
            asked.append(arguments)
            return super().count(*arguments, **more)

    pauses = 0

    def pause(seconds: float) -> None:
        nonlocal pauses
        assert seconds > 0
        pauses += 1
        if pauses == 250:
            writer.add([record(1, NOW_US + 1)])
            writer.commit()

    found = follow(
        (Watched(tmp_path / "data"), Watched(tmp_path / "data")), parse(""), 0, first=5, idle=lambda: None, pause=pause
    )
    shown = [next(found).attributes["number"], next(found).attributes["number"]]
    writer.close()

    assert (shown, len(asked)) == ([0, 1], 2)
