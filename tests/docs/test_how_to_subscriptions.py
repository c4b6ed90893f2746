"""The settings and policies of docs/how-to/subscriptions.md are what the sources take and need."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from logship.forward.between.rules import Rules
from logship.forward.checkpoints.sqlite import SqliteCheckpoints
from logship.record import GROUP, Record
from logship.settings import load
from logship.wiring import SourceOptions, SourcePorts, sources_of
from tests import fake_aws
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (REPOSITORY / "docs/how-to/subscriptions.md").read_text(encoding="utf-8")
SETTINGS = re.findall(r"<!-- settings -->\n```toml\n(.*?)```", TEXT, re.DOTALL)
RULE = "".join(re.findall(r"<!-- rules -->\n```toml\n(.*?)```", TEXT, re.DOTALL))
OBJECTS = {"s3:GetObject", "s3:ListBucket"}
POLICIES = dict(re.findall(r"<!-- policy: (\w+) -->\n```json\n(.*?)```", TEXT, re.DOTALL))


@pytest.mark.parametrize(("number", "kinds"), list(enumerate(["kinesis", "firehose", "s3", "cloudwatch cloudwatch"])))
def test_the_settings_make_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kinds: str) -> None:
    """Every example, as it stands."""
    fake_aws.use_credentials(monkeypatch)
    monkeypatch.setenv("FIREHOSE_ACCESS_KEY", "example")
    path = tmp_path / "logship.toml"
    path.write_text(SETTINGS[number])
    checkpoints = SqliteCheckpoints(tmp_path)
    make = sources_of(load(str(path)).forward.source, SourceOptions(now_us=10**15))
    made = make(SourcePorts(checkpoints=checkpoints, keep=print))

    assert (len(SETTINGS), [source.name.split()[0] for source in made]) == (4, kinds.split())


def test_the_rule_leaves_out_groups(tmp_path: Path) -> None:
    """By the name of the group that an event came from."""
    path = tmp_path / "logship.toml"
    path.write_text(RULE)
    rules = Rules(load(str(path)).forward.rule)
    groups = ("/shop/debug-1", "/shop/orders")
    records = [Record("0" * 32, 0, "x", resource={GROUP: group}) for group in groups]

    assert [rules.decide(record).kept for record in records] == [False, True]


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("kinesis", {"kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"}),
        ("s3", {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", *OBJECTS}),
    ],
)
def test_the_policies_name_what_is_called(name: str, actions: set[str]) -> None:
    """They can be pasted, and allow nothing else but what tells an object that is gone from one that is forbidden."""
    policy = json.loads(POLICIES[name])
    found = {action for statement in policy["Statement"] for action in statement["Action"]}

    assert found == actions
