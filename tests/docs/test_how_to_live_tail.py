"""The settings, the command and the policy of docs/how-to/live-tail.md are what logship takes and asks for."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from logship.cli.search import command
from logship.cloudwatch import limits
from logship.errors import AccessError
from logship.settings import load
from logship.testing import Faults, LocalCloudWatch

TEXT = (Path(__file__).parents[2] / "docs/how-to/live-tail.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    """The one block of a kind."""
    [found] = re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)
    return str(found)


def test_the_settings_turn_live_tail_on(tmp_path: Path) -> None:
    """What the page shows is read as it says."""
    file = tmp_path / "logship.toml"
    file.write_text(block("toml"), encoding="utf-8")
    forward = load(str(file)).forward

    assert (forward.interval_s, [source.live_tail for source in forward.source]) == (5.0, [True])


def test_the_command_has_these_flags() -> None:
    """The command of the page is one that `logship search` reads."""
    words = shlex.split(block("console").removeprefix("$ logship search "))
    context = command.make_context("search", words)

    assert context.params["groups"] == ("/shop/*",)
    assert (context.params["follow"], context.params["live"]) == (True, True)


def test_the_policy_is_the_one_that_is_asked_for() -> None:
    """Who lacks it is told of the action that the page names."""
    from logship.cloudwatch.live_tail import LiveTail

    with LocalCloudWatch(faults=Faults(denied=frozenset({"StartLiveTail"}))) as cw:
        cw.client().create_log_group(logGroupName="/shop/orders")
        with pytest.raises(AccessError) as error:
            list(LiveTail(cw.client(), ["/shop/orders"]))
    asked = json.loads(str(error.value).partition("its policy lacks ")[2])

    assert json.loads(block("json"))["Action"] == asked["Action"]


def test_the_figures_are_the_limits() -> None:
    """500 events a second, 15 sessions, 150 groups."""
    most = limits.LIVE_TAIL_SESSIONS * limits.LIVE_TAIL_GROUPS

    assert f"| {limits.LIVE_TAIL_EVENTS} events a second and session |" in TEXT
    assert f"| {limits.LIVE_TAIL_SESSIONS} sessions an account and region, so {most} groups |" in TEXT
