"""Records between an embedded store and a real OpenSearch, by the commands that people run."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from logship.query.tree import All
from logship.record import Record, record_id
from logship.store.tantivy.reader import Reader
from logship.store.tantivy.writer import open_writer
from tests.contract.stores import Remote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW_US = 1_795_443_665_000_000


def record(number: int, **more: object) -> Record:
    time_us = NOW_US + number * 7_000_001
    return Record(
        record_id(time_us // 1000, "/shop/orders", "web", str(number)),
        time_us,
        f"waiting for lock on row {number} “ü” \x00",
        "WARN",
        time_us // 1000 + 900,
        "5b27baf9c1d24a0e8f3b6d7e9a012345",
        resource={"service.name": "orders"},
        attributes={
            "duration_ms": number + 0.5, "tags": ["a", 1, True], "user.id": number, "user": "ü", "none": "",
            "log.record.original": f"line {number}\x1b[0m", "log.record.original_base64": "/wD+",
        } | more,
    )  # fmt: skip


@pytest.fixture
def place(opensearch_url: str, tmp_path: Path) -> Iterator[Path]:
    """A folder with an embedded store ./data, and settings that name a cluster's index `there`."""
    remote = Remote(opensearch_url)
    remote.writer().close()
    writer = open_writer(tmp_path / "data", "test", long_running=True)
    writer.add([record(number) for number in range(5_000)])
    writer.close()
    (tmp_path / "logship.toml").write_text(
        f'[stores.there]\nlocation = "{remote.store.location}"\nindex = "{remote.store.index}"\n'
    )
    yield tmp_path
    remote.forget()


def logship(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "logship", *arguments]
    return subprocess.run(
        command, cwd=place, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False
    )


@pytest.mark.opensearch
def test_there_and_back_changes_nothing(place: Path) -> None:
    """Ids, values and originals come back as they were, and a second run finds everything there."""
    runs = [
        logship(place, "store", "export", "--to", "there"),
        logship(place, "store", "export", "--to", "there"),
        logship(place, "store", "export", "--store", "there", "--to", "./back"),
        logship(place, "store", "export", "service:orders", "--store", "there", "--output", "there.ndjson.gz"),
        logship(place, "import", "there.ndjson.gz", "--store", "./back"),
    ]
    here, back = (list(Reader(place / name).scan(All())) for name in ("data", "back"))

    assert [run.returncode for run in runs] == [0] * 5
    assert ["5,000 were there already" in run.stderr for run in runs] == [False, True, False, False, True]
    assert back == here


@pytest.mark.opensearch
def test_following_a_cluster(place: Path) -> None:
    """New and late records of a cluster are printed once each, as of an embedded store."""
    assert logship(place, "store", "export", "--to", "there").returncode == 0
    command = [sys.executable, "-m", "logship", "search", "service:orders", "--follow", "--store", "there"]
    process = subprocess.Popen(
        [*command, "--format", "ndjson", "--limit", "2"], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    printed = [process.stdout.readline() for _ in range(2)]
    writer = open_writer(place / "more", "test", long_running=True)
    writer.add([record(6_000), record(-1_000)])
    writer.close()
    assert logship(place, "store", "export", "--store", "./more", "--to", "there").returncode == 0
    printed += [process.stdout.readline() for _ in range(2)]
    process.terminate()
    process.communicate(timeout=20)

    assert [json.loads(line)["attributes"]["user.id"] for line in printed] == [4_998, 4_999, -1_000, 6_000]


SAME = [
    ["search", "row", "--limit", "20", "--format", "ndjson"],
    ["search", "duration>4990 | fields time, duration, user.id", "--format", "csv"],
    ["search", "* | stats count(), max(duration) by service", "--format", "table"],
    ["search", "user.id:>4000", "--count"],
    ["search", "user.id:>4990", "--format", "md"],
    ["search", "user.id:7", "--format", "raw"],
    ["fields", "--format", "json"],
    ["fields", "user", "--format", "json"],
    ["trace", "5b27baf9", "--to", "2026-11-23T14:30:00Z", "--format", "json"],
    ["store", "export", "user.id:<100", "--format", "ndjson"],
]


@pytest.mark.opensearch
def test_commands_print_the_same_from_both_stores(place: Path) -> None:
    """Data on stdout does not tell which engine it came from."""
    assert logship(place, "store", "export", "--to", "there").returncode == 0
    here = [logship(place, *command) for command in SAME]
    there = [logship(place, *command, "--store", "there") for command in SAME]
    status = [
        json.loads(logship(place, "store", "status", "--format", "json", "--store", where).stdout)
        for where in ("./data", "there")
    ]

    for command, one, other in zip(SAME, here, there, strict=True):
        assert (command, one.returncode, other.returncode, other.stdout) == (command, 0, 0, one.stdout)
    keys = ("records", "services", "days", "oldest", "newest", "fields")
    assert [{key: facts[key] for key in keys} for facts in status[:1]] == [{key: status[1][key] for key in keys}]
