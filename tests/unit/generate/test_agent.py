"""Configs of the agent, and what goes with them, are byte by byte those of before."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from logship.cli.main import logship

GOLDEN = Path(__file__).parent / "golden/agent"
EXTRAS = ("policy", "commands", "systemd", "cloudformation", "terraform", "ansible", "cloud-init")


def written(system: str, place: Path, *arguments: str) -> dict[str, str]:
    """The files that a description of a system becomes, by name."""
    command = ["generate", "agent", "--config", str(GOLDEN / f"{system}.toml"), "--os", system, "--output", str(place)]
    ended = CliRunner().invoke(logship, [*command, *arguments])
    assert ended.exit_code == 0, ended.output
    return {path.name: path.read_bytes().decode() for path in place.iterdir()}


@pytest.mark.parametrize("system", ["linux", "windows", "darwin"])
def test_what_is_written_is_what_was(system: str, tmp_path: Path) -> None:
    """Golden bytes: keys keep their order, and a change of what is deployed is seen in a review."""
    extras = [word for extra in EXTRAS if system == "linux" for word in ("--with", extra)]
    golden = {path.name: path.read_bytes().decode() for path in (GOLDEN / system).iterdir()}

    assert written(system, tmp_path, *extras) == golden


@pytest.mark.parametrize("system", ["linux", "windows", "darwin"])
def test_the_linter_has_nothing_to_say(system: str) -> None:
    """Of the folder that was written, in which not every file is a config."""
    ended = CliRunner().invoke(logship, ["agent", "lint", str(GOLDEN / system), "--os", system])

    assert (ended.exit_code, ended.stdout) == (0, "")
