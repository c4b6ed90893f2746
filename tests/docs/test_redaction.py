"""The examples of the reference of redaction, run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from logship.secrets import BUILT_IN, Redactor, from_settings
from logship.settings import load
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (REPOSITORY / "docs/reference/redaction.md").read_text(encoding="utf-8")
CHANGED = re.findall(r"^\| (?:`[a-z-]+` )?\| `(.+)` \| `(.+)` \|$", TEXT, re.MULTILINE)
KEPT = re.findall(r"^\| `([^|]+)` \| [^`|]+ \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("line", "becomes"), CHANGED)
def test_a_line_becomes_what_the_reference_says(line: str, becomes: str) -> None:
    """To the character."""
    assert Redactor().redact(line) == becomes


@pytest.mark.parametrize("line", KEPT)
def test_a_line_stays_as_the_reference_says(line: str) -> None:
    """The same text comes back."""
    assert Redactor().redact(line) is line


def test_the_reference_has_every_rule() -> None:
    """No rule is left out, and none is named that does not exist."""
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", TEXT.split("These stay")[0]))

    assert (len(CHANGED), len(KEPT), named) == (23, 8, {rule.name for rule in BUILT_IN})


def test_the_settings_do_what_the_reference_says(tmp_path: Path) -> None:
    """The rule that is off leaves its secret, the own one takes its group."""
    block = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    example = re.search(r"makes of `(.+)` the line\n`(.+)`", TEXT)
    assert block is not None
    assert example is not None
    (tmp_path / "logship.toml").write_text(block[1])
    redactor = from_settings(load(str(tmp_path / "logship.toml")).redact)
    assert redactor is not None

    assert redactor.redact(example[1]) == example[2]


def test_the_python_of_the_reference_runs() -> None:
    """Its assertions hold."""
    block = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None

    exec(block[1], {})
