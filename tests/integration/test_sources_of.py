"""From `[[forward.source]]` to sources that read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from logship.cloudwatch.session import open_client, open_session
from logship.errors import SettingsError, UsageError
from logship.forward.checkpoints.sqlite import SqliteCheckpoints
from logship.forward.letters.dead_letters import DeadLetters
from logship.settings import load
from logship.testing import MemoryStore
from logship.wiring import SourceOptions, sources_of
from tests import fake_aws
from tests.forwarding import forward, messages

if TYPE_CHECKING:
    from pathlib import Path

    from logship.forward.port import Source

ROLE = "arn:aws:iam::210987654321:role/logship-reader"


def sources(tmp_path: Path, toml: str, **reading: Any) -> list[Source]:
    """What the settings of a run describe."""
    path = tmp_path / "logship.toml"
    path.write_text(toml)
    keep = DeadLetters(tmp_path).keep
    now_us = time.time_ns() // 1000
    return sources_of(
        load(str(path), environ={}).forward.source,
        SourceOptions(checkpoints=SqliteCheckpoints(tmp_path), keep=keep, now_us=now_us, **reading),
    )


def test_two_accounts_and_two_regions_are_read_in_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source has its own region and role, and its own checkpoints, also where groups have the same name."""
    with fake_aws.moto(monkeypatch):
        places = {"": "eu-west-1", ROLE: "us-east-2"}
        for role, region in places.items():
            client = open_client("logs", open_session(region=region, role=role))
            client.create_log_group(logGroupName="/shop/a")
            client.create_log_stream(logGroupName="/shop/a", logStreamName=region)
            event = {"timestamp": int(time.time() * 1000), "message": f"from {region}"}
            client.put_log_events(logGroupName="/shop/a", logStreamName=region, logEvents=[event])
        toml = "".join(
            f'[[forward.source]]\nregion = "{region}"\nrole = "{role}"\ngroups = ["/shop/*"]\n'
            for role, region in places.items()
        )
        store = MemoryStore()
        made = sources(tmp_path, toml, once=True)
        forward(made, tmp_path, store)

    assert [source.name for source in made] == ["cloudwatch eu-west-1", "cloudwatch 210987654321 us-east-2"]
    assert messages(store) == ["from eu-west-1", "from us-east-2"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('type = "kinesis"', "forward.source[1].stream is missing"),
        ('start = "yesterdayish"', "forward.source[1].start: "),
        ('type = "s3"', "forward.source[1].queue = '' is no URL"),
        ('type = "firehose"\nlisten = "8088"', "forward.source[1].listen = '8088'"),
        ('type = "firehose"\nlisten = "0.0.0.0:8088"', "is open to others without a key"),
        ('type = "firehose"\naccess_key = "example"', "forward.source[1].access_key holds a secret itself"),
    ],
)
def test_a_source_that_cannot_be_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str, said: str
) -> None:
    """The message has the place of the key."""
    fake_aws.use_credentials(monkeypatch)
    with pytest.raises(SettingsError) as error:
        sources(tmp_path, f"[[forward.source]]\n[[forward.source]]\n{keys}\n")

    assert said in str(error.value)


def test_every_type_makes_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the settings, with names for people."""
    fake_aws.use_credentials(monkeypatch)
    monkeypatch.setenv("FIREHOSE_KEY", "example")
    made = sources(
        tmp_path,
        f"""
        [[forward.source]]
        type = "kinesis"
        stream = "arn:aws:kinesis:eu-west-1:210987654321:stream/logs"
        role = "{ROLE}"
        [[forward.source]]
        type = "firehose"
        listen = "[::]:8443"
        access_key = "env:FIREHOSE_KEY"
        [[forward.source]]
        type = "s3"
        queue = "https://sqs.eu-west-1.amazonaws.com/123456789012/objects"
        [[forward.source]]
        """,
    )

    assert [source.name for source in made] == [
        "kinesis 210987654321 logs",
        "firehose [::]:8443",
        "s3 objects",
        "cloudwatch eu-west-1",
    ]


def test_deliveries_have_no_end(tmp_path: Path) -> None:
    """A source that waits for others to send cannot be read once."""
    with pytest.raises(SettingsError, match="leave --once"):
        sources(tmp_path, '[[forward.source]]\ntype = "firehose"', once=True)


def test_a_role_that_is_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the type of the source."""
    fake_aws.use_credentials(monkeypatch)
    for kind in ("cloudwatch", "kinesis"):
        with pytest.raises(UsageError, match="'reader' is no ARN of a role"):
            sources(tmp_path, f'[[forward.source]]\ntype = "{kind}"\nrole = "reader"\nstream = "a"')
