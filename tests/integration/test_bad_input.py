"""Whatever is wrong, a command says so in one line on stderr, with the right exit status and no traceback."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from logship.store.tantivy.writer import open_writer
from tests.stub_server import Server

if TYPE_CHECKING:
    from pathlib import Path


def logship(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "logship", *arguments], cwd=cwd, capture_output=True, check=False)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a store of one record, and everything that can be wrong beside it."""
    (tmp_path / "good.log").write_text("2026-11-23T14:00:00Z INFO hello\n")
    assert logship("import", "good.log", "--store", "./data", cwd=tmp_path).returncode == 0
    whole = gzip.compress(b"2026-11-23T14:00:00Z INFO line\n" * 5000)
    (tmp_path / "broken.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "undated.log").write_text("no time at all\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").write_text("x")
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer/format.json").write_text(json.dumps({"engine": "tantivy", "format": 99}))
    (tmp_path / "bad.toml").write_text("stor = 1\n")
    return tmp_path


@pytest.mark.parametrize("group", [[], ["store"], ["agent"]], ids=" ".join)
def test_a_group_without_a_command_shows_its_help(tmp_path: Path, group: list[str]) -> None:
    """As `--help` does, line by line: it is the first thing that somebody types."""
    done, helped = (logship(*group, *more, cwd=tmp_path) for more in ([], ["--help"]))

    assert (done.returncode, done.stderr) == (2, helped.stdout)


CASES = [
    (["import", "absent.log"], 5, b"'absent.log' does not exist"),
    (["import", "broken.gz"], 5, b"broken.gz"),
    (["import", "undated.log"], 2, b"--time"),
    (["import", "good.log", "--time", "nonsense"], 2, b"nonsense"),
    (["search", "x", "--store", "./absent"], 5, b"no store at"),
    (["search", "x", "--store", "./other"], 5, b"not a logship store"),
    (["search", "x", "--store", "./newer"], 5, b"format tantivy 99"),
    (["import", "good.log", "--store", "./other"], 5, b"not a logship store"),
    (["search", "x", "--store", "word"], 2, b"[stores.word]"),
    (["search", "x", "--store", "env:NOPE"], 2, b"NOPE"),
    (["search", "x", "--from", "2026-01-02", "--to", "2026-01-01"], 2, b"swap --from and --to"),
    (["search", "x", "--since", "1parsec"], 2, b"parsec"),
    (["search", "x", "--since", "9" * 400 + "h"], 2, b"longer than all times"),
    (["search", "* | top " + "9" * 5000 + " service"], 2, b"is no number"),
    (["search", "level>=\u00b2"], 2, b"is no level"),
    (["search", "word~" + "9" * 5000], 2, b"1 or 2 mistakes"),
    (["search", "x", "--limit", "0"], 2, b"--limit"),
    (["search", "x", "--formt", "json"], 2, b"--format"),
    (
        ["search", "level:info", "-service:edge"],
        2,
        b"stands behind --, such as: python -m logship search -- -level:debug",
    ),
    (["fields", "-service:edge"], 2, b"stands behind --"),
    (["tui"], 2, b"needs a terminal"),
    (["incident", "--baseline-from", "2026-01-01"], 2, b"pairs"),
    (["incident", "--query", "a AND"], 2, b"behind it"),
    (
        [
            *["incident", "--from", "2026-11-23T14:00", "--to", "2026-11-23T14:10"],
            *["--baseline-from", "2026-11-23T14:00", "--baseline-to", "2026-11-23T14:05"],
        ],
        2,
        b"lies within the window 2026-11-23 14:00:00",
    ),
    (["--config", "bad.toml", "search", "x"], 2, b"'store'"),
    (["--config", "absent.toml", "search", "x"], 2, b"absent.toml"),
    (["search", "x", "--config", "absent.toml"], 2, b"absent.toml"),
    (["serch", "x"], 2, b"search"),
    (["search", "nothing"], 1, b"0 records"),
]


@pytest.mark.parametrize(("arguments", "status", "said"), CASES, ids=[" ".join(case[0])[:60] for case in CASES])
def test_what_is_wrong_is_said(place: Path, arguments: list[str], status: int, said: bytes) -> None:
    """The exit status is the documented one, stdout stays empty, and the line names value, place and remedy."""
    done = logship(*arguments, cwd=place)

    assert (done.returncode, done.stdout, said in done.stderr, b"Traceback" in done.stderr) == (
        status,
        b"",
        True,
        False,
    )


@pytest.mark.parametrize(
    "query", ['"open', "(a", "a)", "service:", "duration>1parsec", "level:wran", '=~"(["', "status=500"]
)
def test_a_broken_query_has_a_caret(place: Path, query: str) -> None:
    """The query, a caret under the wrong character, and what to write instead; nothing on stdout."""
    done = logship("search", query, cwd=place)
    lines = done.stderr.decode().splitlines()

    assert (done.returncode, done.stdout, len(lines), lines[0], set(lines[1].strip())) == (2, b"", 3, query, {"^"})


def test_a_broken_archive_keeps_what_came_before(place: Path) -> None:
    """What was read before the break is stored and can be found."""
    logship("import", "broken.gz", cwd=place)
    done = logship("search", "line", "--count", cwd=place)

    assert int(done.stdout) > 100


def test_a_second_forwarder_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told who holds the store."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "t")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    writer = open_writer(str(place / "data"), "forward", long_running=True)
    done = logship("forward", cwd=place)
    writer.close()

    assert (done.returncode, b"being written by forward" in done.stderr) == (5, True)


def test_strange_lines_are_stored_and_change_no_status(place: Path) -> None:
    """10 MB lines, invalid UTF-8, NUL bytes and control sequences are stored, counted, and come back exactly."""
    strange = [b"\xff\xfe bytes", b"nul\x00inside", b"\x1b[31mred\x1b[0m", b"y" * 10_000_000]
    (place / "strange.log").write_bytes(b"2026-11-23T14:00:00Z first\n" + b"\n".join(strange) + b"\n")
    done = logship("import", "strange.log", "--stream", "strange", cwd=place)
    raw = logship("search", "stream:strange", "--format", "raw", "--oldest-first", cwd=place)
    shown = logship("search", "stream:strange", cwd=place)
    record = json.loads(logship("search", "stream:strange bytes", "--format", "ndjson", cwd=place).stdout)

    assert (done.returncode, b"4 strange lines" in done.stderr) == (0, True)
    assert sorted(raw.stdout.split(b"\n")[:-1]) == sorted([b"2026-11-23T14:00:00Z first", *strange])
    assert base64.b64decode(record["attributes"]["log.record.original_base64"]) == strange[0]
    assert (record["body"], b"\x1b" in shown.stdout, b"\x00" in shown.stdout) == ("�� bytes", False, False)


@pytest.mark.parametrize(
    ("redirection", "status", "said"),
    [
        (">/dev/full", 5, b"logship: the output cannot be written: No space left on device"),
        (">&-", 0, b"time: the whole store"),
        ("2>&-", 0, b""),
        ("2>/dev/full", 0, b""),
        (">/dev/null 0<&-", 0, b"time: the whole store"),
    ],
)
def test_streams_that_are_full_or_closed_are_no_fault_of_ours(
    place: Path, redirection: str, status: int, said: bytes
) -> None:
    """What cannot be written is told where that is possible; nobody's listening is no failure."""
    command = f"{sys.executable} -m logship search '*' --store ./data {redirection}"
    done = subprocess.run(["/bin/sh", "-c", command], cwd=place, capture_output=True, check=False)

    assert (done.returncode, said in done.stderr, b"internal error" in done.stderr) == (status, True, False), (
        done.stderr
    )


@pytest.mark.parametrize("command", [["search", "*", "--store", "./data"], ["--help"], ["search", "--help"]])
def test_a_reader_that_has_enough_is_no_failure(place: Path, command: list[str]) -> None:
    """`logship search … | head` ends with 0, and not with the status of a search that found nothing."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "logship", *command], cwd=place, stdout=writing, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writing)

    assert (done.returncode, b"rror" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("command", [["search", "x"], ["import", "good.log"], ["fields"]])
def test_a_server_that_answers_anything_is_no_store(place: Path, command: list[str]) -> None:
    """Whatever is asked of it."""
    with Server((200, {"hello": "world"})) as server:
        done = logship(*command, "--store", server.url.rstrip("/"), cwd=place)

    assert (done.returncode, b"does not answer as OpenSearch does" in done.stderr) == (5, True), done.stderr
