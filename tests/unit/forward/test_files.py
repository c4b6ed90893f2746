"""Files → events: every shape that people have, and nothing lost on strange ones."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from logship.errors import BrokenFileError, UsageError
from logship.forward.files import FileEvent, FileOptions, find, read_events
from logship.forward.importing import import_paths
from logship.parse import Parser
from logship.query.tree import All
from logship.store.tantivy.writer import open_writer
from logship.testing import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.record import LogEvent

PLAIN = FileOptions()


def events(path: Path, options: FileOptions = PLAIN) -> list[LogEvent]:
    return [found.event for found in read_events(path, options)]


def stored(*paths: Path, options: FileOptions = PLAIN) -> MemoryStore:
    store = MemoryStore()
    for path in paths:
        result = import_paths([str(path)], store, Parser(), options)
        assert result.errors == []
    store.refresh()
    return store


def test_cloudwatch_events_keep_their_identity(tmp_path: Path) -> None:
    """NDJSON of events brings group, stream, time and id of its own."""
    path = tmp_path / "events.ndjson"
    line = {"logGroup": "/g", "logStreamName": "s", "timestamp": 5, "ingestionTime": 9, "eventId": "77", "message": "x"}
    path.write_text(json.dumps(line) + "\n")
    event = events(path)[0]

    assert (event.group, event.stream, event.timestamp_ms, event.ingestion_ms, event.event_id) == (
        "/g",
        "s",
        5,
        9,
        "77",
    )


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"timestamp": 1_795_443_665_871_234_000}, (5, 9)),
        ({"timestamp": 2**63}, (5, 9)),
        ({"timestamp": -1}, (5, 9)),
        ({"ingestionTime": "2026-11-23T14:21:05Z"}, (6, 1_795_443_665_000)),
        ({"ingestionTime": "soon"}, (6, 0)),
        ({"ingestionTime": 2**63}, (6, 0)),
        ({"ingestionTime": [1]}, (6, 0)),
    ],
)
@pytest.mark.parametrize("shape", ["lines", "listing"])
def test_a_time_that_no_record_can_have_is_none(
    times: dict[str, object], expected: tuple[int, int], shape: str, tmp_path: Path
) -> None:
    """Such an event has the time of the one before it, as an undated line has; the store takes all of them."""
    good = {"logGroup": "/g", "logStreamName": "s", "timestamp": 5, "ingestionTime": 9, "eventId": "1", "message": "x"}
    odd = good | {"timestamp": 6, "eventId": "2"} | times
    path = tmp_path / "events.ndjson"
    lines = [json.dumps(event) + "\n" for event in (good, odd)]
    path.write_text("".join(lines) if shape == "lines" else json.dumps({"events": [good, odd]}))
    writer = open_writer(tmp_path / "store", "import", long_running=False)
    result = import_paths([str(path)], writer, Parser(), PLAIN)
    writer.close()

    assert [(event.timestamp_ms, event.ingestion_ms) for event in events(path)] == [(5, 9), expected]
    assert (result.accepted, result.errors) == (2, [])


@pytest.mark.parametrize("indent", [None, 4])
def test_output_of_the_aws_command_is_read(tmp_path: Path, indent: int | None) -> None:
    """`aws logs filter-log-events` prints one JSON object with all events."""
    path = tmp_path / "out.json"
    listing = [{"logStreamName": "s", "timestamp": n, "message": f"m{n}", "eventId": str(n)} for n in range(3)]
    path.write_text(json.dumps({"events": listing, "searchedLogStreams": []}, indent=indent))

    assert [event.message for event in events(path, FileOptions(group="/g"))] == ["m0", "m1", "m2"]


def test_a_listing_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    """A small archive that unpacks to gigabytes is read up to the limit, and the line says what to do."""
    path = tmp_path / "out.json.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"{\n")
        for _ in range(256):
            file.write(b" " * 2**20)
    tracemalloc.start()
    try:
        with pytest.raises(BrokenFileError) as refused:
            events(path, FileOptions(listing_bytes=64 * 2**20))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert str(refused.value) == (
        f"{str(path)!r} cannot be read on: it begins like the output of `aws logs filter-log-events` and is longer "
        "than 67,108,864 bytes unpacked; make lines of it with: jq -c '.events[]'; what came before it is stored"
    )
    assert peak_bytes < 3 * 64 * 2**20


def test_lines_made_of_a_listing_are_the_same_events(tmp_path: Path) -> None:
    """So whoever is told to make them, since the listing is too long, gets the ids that it would have had."""
    listing = [{"logStreamName": "s", "timestamp": n, "message": f"m{n}", "eventId": str(n)} for n in range(3)]
    whole, lines = tmp_path / "out.json", tmp_path / "out.ndjson"
    whole.write_text(json.dumps({"events": listing}))
    lines.write_text("".join(json.dumps(event) + "\n" for event in listing))

    assert events(lines) == events(whole)


def test_exports_to_s3_are_read(tmp_path: Path) -> None:
    """Stream from the folder, time from each line, the message without it; lines that continue keep the time."""
    folder = tmp_path / "5f0c-task" / "web-1"
    folder.mkdir(parents=True)
    text = "2026-11-23T14:00:00.000Z first\nsecond line\n2026-11-23T14:00:01.500Z next\n"
    (folder / "000000.gz").write_bytes(gzip.compress(text.encode()))
    found = events(folder / "000000.gz", FileOptions(group="/g"))

    assert [(e.stream, e.message, e.timestamp_ms % 10_000) for e in found] == [
        ("web-1", "first", 0),
        ("web-1", "second line", 0),
        ("web-1", "next", 1500),
    ]


def test_the_group_of_an_export_is_its_prefix(tmp_path: Path) -> None:
    """So the streams of one export are of one group, and of one service."""
    for stream in ("web-1", "web-2"):
        folder = tmp_path / "exports/orders/1f5bb1a8-9a2e-4b6e-8f8a-3b1c9d0e7f21" / stream
        folder.mkdir(parents=True)
        (folder / "000000.gz").write_bytes(gzip.compress(b"2026-11-23T14:00:00.000Z first\n"))
    found = [event for path in sorted(tmp_path.rglob("*.gz")) for event in events(path, FileOptions())]

    assert [(event.group, event.stream) for event in found] == [("orders", "web-1"), ("orders", "web-2")]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, bytes])
def test_compression_is_known_by_content(tmp_path: Path, pack: object) -> None:
    """Whatever the name, gzip, bzip2 and xz are unpacked; a packed file's last line is complete."""
    path = tmp_path / "name.log"
    path.write_bytes(pack(b"2026-11-23T14:00:00Z a\n2026-11-23T14:00:01Z b"))  # type: ignore[operator]
    whole = pack is not bytes

    assert [event.message[-1] for event in events(path)] == (["a", "b"] if whole else ["a"])


def _tar() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(__file__)
    return packed.getvalue()


def _zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(__file__)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (_zip(), "a zip archive"),
        (_tar(), "a tar archive"),
        (gzip.compress(_tar()), "a tar archive"),
        (b"\x28\xb5\x2f\xfd\x24\x06", "packed by zstd"),
    ],
    ids=["zip", "tar", "tgz", "zstd"],
)
def test_archives_are_not_taken_for_logs(tmp_path: Path, content: bytes, what: str) -> None:
    """Nothing of them is stored, and the remedy is to unpack them, not to give them a time."""
    path = tmp_path / "logs"
    path.write_bytes(content)

    with pytest.raises(BrokenFileError, match=f"it is {what}; unpack it"):
        events(path, FileOptions(final=True, time_ms=1))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_pipe_is_read_like_a_file(pack: Callable[[bytes], bytes]) -> None:
    """`aws logs … | logship import /dev/stdin` takes what comes; a pipe gives each byte once."""
    reading, writing = os.pipe()
    os.write(writing, pack(b"2026-11-23T14:21:05Z one\n2026-11-23T14:21:06Z two\n"))
    os.close(writing)
    found = [event.message[-3:] for event in events(Path(f"/dev/fd/{reading}"))]
    os.close(reading)

    assert found == ["one", "two"]


def test_a_growing_and_rotated_file_is_the_same_file(tmp_path: Path) -> None:
    """Importing again after growth and rotation adds the new lines alone; equal lines stay apart."""
    path = tmp_path / "app.log"
    path.write_text("2026-11-23T14:00:00Z same\n2026-11-23T14:00:00Z same\n2026-11-23T14:00:01Z cut")
    store = stored(path)
    first = store.count(All())
    path.write_text(path.read_text() + " off\n2026-11-23T14:00:02Z more\n")
    path.rename(tmp_path / "app.log.1")
    result = import_paths([str(tmp_path / "app.log.1")], store, Parser(), PLAIN)

    assert (first, result.accepted, result.existing) == (2, 2, 2)


def test_undated_lines_take_the_time_before_them(tmp_path: Path) -> None:
    """Those at the top take the first time there is, or the one that is given."""
    path = tmp_path / "a.log"
    path.write_text("header\n2026-11-23T14:00:00Z a\n  at b\n2026-11-23T14:00:09Z c\n")
    inherited = [event.timestamp_ms // 1000 % 60 for event in events(path)]
    given = next(event.timestamp_ms for event in events(path, FileOptions(time_ms=5)))

    assert (inherited, given) == ([0, 0, 0, 9], 5)


def test_a_file_without_times_asks_for_one(tmp_path: Path) -> None:
    """The error names the flag, and the flag helps."""
    path = tmp_path / "a.log"
    path.write_text("no time\n")
    with pytest.raises(UsageError, match="--time"):
        events(path)

    assert events(path, FileOptions(time_ms=7))[0].timestamp_ms == 7


def test_what_came_before_a_break_is_given_out(tmp_path: Path) -> None:
    """A broken archive raises after its readable part."""
    path = tmp_path / "a.gz"
    whole = gzip.compress(b"".join(b"2026-11-23T14:00:00Z line %d\n" % n for n in range(5000)))
    path.write_bytes(whole[: len(whole) * 3 // 4])
    seen: list[FileEvent] = []
    with pytest.raises(BrokenFileError, match=r"a\.gz"):
        seen.extend(read_events(path, PLAIN))

    assert (len(seen) > 1000, seen[0].event.message) == (True, "2026-11-23T14:00:00Z line 0")


def test_exact_bytes_and_line_ends(tmp_path: Path) -> None:
    """CRLF ends a line; bytes that are no UTF-8 are kept beside the readable text."""
    path = tmp_path / "a.log"
    path.write_bytes(b"2026-11-23T14:00:00Z a\r\n2026-11-23T14:00:01Z \xff\n\n")
    found = list(read_events(path, PLAIN))

    assert [item.event.message for item in found] == ["2026-11-23T14:00:00Z a", "2026-11-23T14:00:01Z �"]
    assert [item.exact for item in found] == [None, b"2026-11-23T14:00:01Z \xff"]


def test_folders_are_searched_whole(tmp_path: Path) -> None:
    """Files below a folder come in order of name; hidden ones and AWS's write test are left out."""
    for name in ("b/2.log", "b/1.log", "a.log", ".hidden", "aws-logs-write-test"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert [str(path.relative_to(tmp_path)) for path in find([str(tmp_path)])] == ["a.log", "b/1.log", "b/2.log"]
