"""The examples of the documentation, run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from logship.query import parse
from logship.settings import Settings, load
from logship.timerange import TimeRange
from logship_tui.picture import sample_store

DOCS = Path(__file__).resolve().parents[2] / "docs"
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
    example = re.search(r"```toml\n(.*?)```", (DOCS / "reference/commands.md").read_text(), re.DOTALL)
    assert example is not None
    (tmp_path / "logship.toml").write_text(example[1])

    assert isinstance(load(str(tmp_path / "logship.toml")), Settings)
    assert tomllib.loads(example[1])["naming"]["app"] == "shop"


def test_the_commands_of_the_tutorial_run(tmp_path: Path) -> None:
    """Every command behind `run: store` works on a store as the demo leaves it."""
    from logship.query.tree import All
    from logship.wiring import open_writer

    writer = open_writer(str(tmp_path / "demo/store"), "test")
    writer.add(list(sample_store().scan(All(), TimeRange(0, 2**60))))
    writer.close()
    block = re.search(
        r"<!-- run: store -->\n```console\n(.*?)```", (DOCS / "tutorial/first-incident.md").read_text(), re.DOTALL
    )
    assert block is not None
    commands = [shlex.split(line.removeprefix("$ ")) for line in block[1].splitlines()]
    done = [
        subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        for command in commands
    ]

    assert [(run.returncode, bool(run.stdout)) for run in done] == [(0, True)] * 4
    assert "most suspect is inventory" in done[2].stdout
