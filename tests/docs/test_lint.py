"""The examples of docs/reference/lint.md: each bad one reports its rule, each good one nothing at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from logship.agent.lint import lint_document
from logship.agent.lint.rules import RULES

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/lint.md").read_text()
SECTIONS = re.findall(
    r"^## (\S+)\n\n(\w+)\. .*?Bad:\n\n```json\n(.*?)\n```\n\nGood:\n\n```json\n(.*?)\n```",
    PAGE,
    re.MULTILINE | re.DOTALL,
)


@pytest.mark.parametrize(("rule", "severity", "bad", "good"), SECTIONS, ids=[section[0] for section in SECTIONS])
def test_the_examples_hold(rule: str, severity: str, bad: str, good: str) -> None:
    """What the page calls bad is reported by that rule and as that severe; what it calls good is not."""
    found = lint_document(bad.encode())

    assert (rule, severity.lower()) in {(one.rule, one.severity) for one in found}
    assert lint_document(good.encode()) == []


def test_every_rule_has_a_page() -> None:
    """A rule that the code names is on the page."""
    folder = Path(lint_document.__code__.co_filename).parent
    names = {
        name
        for file in folder.glob("*.py")
        for name in re.findall(r"""(?:rule=|_finding\([^,]+, )"([a-z0-9-]+)\"""", file.read_text())
    }

    assert len(RULES) == 12
    assert sorted(name for name in names if name not in PAGE) == []
