"""What the references of rules, the dry run and dead letters say, held to what the programs do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from logship.cli import dry_run, letters
from logship.forward.between.dry_run import Foreseen, GroupSample
from logship.forward.between.prepare import Preparer, prepare_of
from logship.forward.letters.dead_letters import DeadLetter
from logship.parse import Parser
from logship.record import SAMPLE_RATE, LogEvent
from logship.settings import load
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RULES = (REPOSITORY / "docs/reference/rules.md").read_text(encoding="utf-8")
COMMANDS = (REPOSITORY / "docs/reference/commands.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"<!-- settings -->\n```toml\n(.*?)```", RULES, re.DOTALL)
EVENT = LogEvent("/shop/orders", "x", 1_795_443_665_871, "2026-11-23T14:00:00Z ERROR no", "1", 1_795_443_665_871)


def keys(text: str, head: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {head} |"))
    return re.findall(r"`([^`]+)`", line.split(" | ")[1])


def test_the_settings_of_the_reference_are_used(tmp_path: Path) -> None:
    """Each example makes rules and services; an error of the orders service is stored by all of them."""
    found = []
    for example in EXAMPLES:
        (tmp_path / "logship.toml").write_text(example)
        found.append([record.service for record in prepare_of(load(str(tmp_path / "logship.toml")))([EVENT])])

    assert found == [["orders"], ["orders"], ["checkout"]]


def test_a_sample_carries_the_documented_name() -> None:
    """The attribute that people count with."""
    assert f"`{SAMPLE_RATE}`" in RULES


def test_the_json_of_a_dry_run_is_the_documented_one(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The keys, all of them and in their order."""
    foreseen = Foreseen(EVENT, Preparer(Parser()).explain(EVENT), "plain", "./data")
    dry_run.write([GroupSample("/shop/orders", [foreseen])], [], "json")
    found = json.loads(capsysbinary.readouterr().out)

    assert [list(found), list(found["groups"][0]), list(found["groups"][0]["events"][0])] == [
        keys(RULES, "the whole"), keys(RULES, "each of `groups`"), keys(RULES, "each of `events`")
    ]  # fmt: skip


def test_the_json_of_dead_letters_is_the_documented_one(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The keys of a letter, all of them and in their order."""
    letters.write_letters([DeadLetter("0" * 32, EVENT, "why", 1)], "json")
    [found] = json.loads(capsysbinary.readouterr().out)

    assert list(found) == keys(COMMANDS, "each of `logship dead-letters show`")
