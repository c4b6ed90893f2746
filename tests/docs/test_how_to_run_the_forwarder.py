"""What docs/how-to/run-the-forwarder.md says of generated files is so."""

from __future__ import annotations

import re

from click.testing import CliRunner

from logship.cli.main import logship
from logship.generate.stack import Place, stack
from logship.settings import Settings
from tests.conftest import REPOSITORY

HOW_TO = (REPOSITORY / "docs/how-to/run-the-forwarder.md").read_text(encoding="utf-8")
REFERENCE = (REPOSITORY / "docs/reference/commands.md").read_text(encoding="utf-8")


def test_the_files_are_the_ones_that_are_written() -> None:
    """In the order in which the command says them."""
    assert re.findall(r"^wrote deploy/(\S+)$", HOW_TO, re.MULTILINE) == list(stack(Settings(), Place(version="1")))


def test_every_flag_is_in_the_reference() -> None:
    """And no other."""
    shown = CliRunner().invoke(logship, ["generate", "stack", "--help"]).output
    section = REFERENCE.partition("## Generate\n")[2].partition("\n## ")[0]
    flags = set(re.findall(r"--[a-z]+", shown)) - {"--help", "--config"}

    assert set(re.findall(r"--[a-z]+", section)) == flags
