"""The settings and policies of docs/how-to/subscriptions.md are what the sources take and need."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from logship.forward.checkpoints.sqlite import SqliteCheckpoints
from logship.settings import load
from logship.wiring import SourceOptions, SourcePorts, sources_of
from tests import fake_aws
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (REPOSITORY / "docs/how-to/subscriptions.md").read_text(encoding="utf-8")
SETTINGS = re.findall(r"<!-- settings -->\n```toml\n(.*?)```", TEXT, re.DOTALL)
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


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("kinesis", {"kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"}),
        ("s3", {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "s3:GetObject"}),
    ],
)
def test_the_policies_name_what_is_called(name: str, actions: set[str]) -> None:
    """They can be pasted, and allow nothing else."""
    policy = json.loads(POLICIES[name])
    found = {action for statement in policy["Statement"] for action in statement["Action"]}

    assert found == actions
