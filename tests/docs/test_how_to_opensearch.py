"""The commands of docs/how-to/opensearch.md work on a real node, in their order."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from logship.settings import load, secret
from tests.conftest import REPOSITORY
from tests.contract.stores import Remote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = (REPOSITORY / "docs/how-to/opensearch.md").read_text(encoding="utf-8")


@pytest.fixture
def place(opensearch_url: str) -> Iterator[Remote]:
    place = Remote(opensearch_url)
    yield place
    place.forget()


@pytest.mark.opensearch
@pytest.mark.xdist_group("opensearch")
def test_the_commands_run_in_their_order(place: Remote, tmp_path: Path) -> None:
    """Setup, import, search, statistics, status and export end well and print something."""
    store = place.store
    settings = f'store = "prod"\n[stores.prod]\nlocation = "{store.location}"\nindex = "{store.index}"\nreplicas = 0\n'
    (tmp_path / "logship.toml").write_text(settings)
    (tmp_path / "app.log").write_text("2026-11-23T14:00:00Z ERROR it broke\n2026-11-23T14:00:01Z INFO it works\n")
    blocks = re.findall(r"<!-- run: \w+ -->\n```console\n(.*?)```", TEXT, re.DOTALL)
    commands = [shlex.split(line.removeprefix("$ ")) for block in blocks for line in block.splitlines()]
    done = [
        subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        for command in commands
    ]

    assert [(run.args[2:], run.returncode, run.stderr) for run in done if run.returncode] == []
    assert done[4].stdout == done[8].stdout == "1\n"
    assert "ERROR" in done[5].stdout


def test_the_settings_shown_are_settings(tmp_path: Path) -> None:
    """Every block of TOML is read without complaint, and the password is a reference."""
    for block in re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL):
        (tmp_path / "logship.toml").write_text(block)
        store = next(iter(load(str(tmp_path / "logship.toml")).stores.values()))

        assert secret(store.password, "stores.prod.password", environ={"OPENSEARCH_PASSWORD": "x"}) in ("x", "")
