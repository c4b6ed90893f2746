"""The examples of the documentation, run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from logship.query import parse
from logship.settings import Settings, load
from logship.timerange import TimeRange
from logship_tui.picture import sample_store

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMANDS = (DOCS / "reference/commands.md").read_text()
REFERENCE = (DOCS / "reference/query-language.md").read_text()
QUERIES = [
    piece.replace("\\|", "|")
    for line in REFERENCE.splitlines()
    if line.startswith("| `") and "stands for" not in line
    for piece in re.findall(r"`([^`]+)`", line.split(" | ")[0])
]


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_of_the_reference_is_read(query: str) -> None:
    """Whatever stands in the left column of its tables is a query."""
    parse(query)


def test_the_settings_of_the_reference_are_read(tmp_path: Path) -> None:
    """The example of logship.toml has known keys alone."""
    example = re.search(r"<!-- settings -->\n```toml\n(.*?)```", COMMANDS, re.DOTALL)
    assert example is not None
    (tmp_path / "logship.toml").write_text(example[1])

    assert isinstance(load(str(tmp_path / "logship.toml")), Settings)
    assert tomllib.loads(example[1])["naming"]["app"] == "shop"


def demo_store(place: Path) -> None:
    """A store as the demo leaves it."""
    from logship.query.tree import All
    from logship.wiring import open_writer

    writer = open_writer(str(place / "demo/store"), "test")
    writer.add(list(sample_store().scan(All(), TimeRange(0, 2**60))))
    writer.close()


def run_block(page: str, place: Path) -> list[subprocess.CompletedProcess[str]]:
    """Every command behind `run: store` of a page."""
    block = re.search(r"<!-- run: store -->\n```console\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert block is not None
    commands = [shlex.split(line.removeprefix("$ ")) for line in block[1].splitlines()]
    return [logship(*command[1:], place=place) for command in commands]


def logship(*arguments: str, place: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "logship", *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


def test_the_commands_of_the_tutorial_run(tmp_path: Path) -> None:
    """Every command behind `run: store` works on a store as the demo leaves it."""
    demo_store(tmp_path)
    done = run_block("tutorial/first-incident.md", tmp_path)

    assert [(run.returncode, bool(run.stdout)) for run in done] == [(0, True)] * 4
    assert "most suspect is inventory" in done[2].stdout


def test_the_commands_of_the_reference_run(tmp_path: Path) -> None:
    """Every example prints something and succeeds."""
    demo_store(tmp_path)
    done = run_block("reference/commands.md", tmp_path)

    assert [(run.returncode, bool(run.stdout)) for run in done] == [(0, True)] * 9


def documented(head: str) -> list[str]:
    """The keys that a table of the reference names in the line that begins so."""
    line = next(line for line in COMMANDS.splitlines() if line.startswith(f"| {head} |"))
    return re.findall(r"`([^`]+)`", line.split(" | ")[1])


def test_the_json_of_the_reference_is_what_is_printed(tmp_path: Path) -> None:
    """The documented keys, all of them and in their order."""
    demo_store(tmp_path)

    def printed(*arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            logship(*arguments, "--format", "json", "--store", "demo/store", place=tmp_path).stdout
        )
        return found

    listed, values = printed("fields"), printed("fields", "service")
    slow = logship(
        "search", "service:inventory level:warn", "--format", "ndjson", "--store", "demo/store", place=tmp_path
    )
    record = json.loads(slow.stdout.splitlines()[0])
    trace = printed("trace", record["traceId"])
    status = printed("store", "status")
    table = COMMANDS.split("## Stores")[1].split("An embedded store adds")[0]
    keys = [
        key
        for line in table.splitlines()
        if line.startswith("| `")
        for key in re.findall(r"`(\w+)`", line.split(" | ")[0])
    ]

    assert [list(listed), list(listed["fields"][0]), list(values), list(values["values"][0])] == [
        documented("`logship fields`"),
        documented("each of `fields`"),
        documented("`logship fields NAME`"),
        documented("each of `values`"),
    ]
    assert [list(trace), list(trace["spans"][0])] == [documented("`logship trace`"), documented("each of `spans`")]
    assert (set(keys) <= set(status), {"writer", "inbox", "committed_us"} <= set(status)) == (True, True)
