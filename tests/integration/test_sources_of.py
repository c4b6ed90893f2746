"""From `[[forward.source]]` to sources that read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from logship.cloudwatch.session import open_client, open_session
from logship.errors import SettingsError
from logship.forward.checkpoints.sqlite import SqliteCheckpoints
from logship.forward.letters.dead_letters import DeadLetters
from logship.forward.sources.poll.poller import CloudWatchPoller
from logship.settings import load
from logship.testing import LocalCloudWatch, MemoryStore
from logship.wiring import SourceOptions, SourcePorts, sources_of
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
    make = sources_of(load(str(path), environ={}).forward.source, SourceOptions(now_us=now_us, **reading))
    return make(SourcePorts(checkpoints=SqliteCheckpoints(tmp_path), keep=keep))


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


def test_a_group_that_two_sources_name_is_read_by_one_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that moved one checkpoint on would take each other for another forwarder."""
    with LocalCloudWatch() as cw:
        fake_aws.use_credentials(monkeypatch)
        monkeypatch.setenv("AWS_ENDPOINT_URL", cw.url)
        client = cw.client()
        for group in ("/shop/a", "/shop/b"):
            client.create_log_group(logGroupName=group)
            client.create_log_stream(logGroupName=group, logStreamName="x")
            for number in range(20):
                now_ms = int(time.time() * 1000)
                events = [{"timestamp": now_ms, "message": f"{number} {line}"} for line in range(500)]
                client.put_log_events(logGroupName=group, logStreamName="x", logEvents=events)
        store = MemoryStore()
        toml = "".join(
            f'[[forward.source]]\nregion = "us-east-1"\ngroups = ["{groups}"]\n' for groups in ("/shop/*", "/shop/a")
        )
        stored, letters = forward(sources(tmp_path, toml, once=True), tmp_path, store)

    assert (stored, letters) == (20_000, [])


@pytest.mark.parametrize("given", [(3, None), (None, 3), (7, 3), (3, 7)])
def test_sources_of_an_account_and_region_spend_what_the_least_of_them_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[int | None, int | None]
) -> None:
    """In whatever order they stand; one that says nothing goes by the others."""
    fake_aws.use_credentials(monkeypatch)
    keys = [f"[[forward.source]]\n{f'tps = {tps}' if tps else ''}\n" for tps in given]
    made = sources(tmp_path, "".join(keys))

    assert [source.describes().quota for source in made if isinstance(source, CloudWatchPoller)] == [3.0, 3.0]


def test_a_source_without_a_role_spends_the_quota_of_the_account_that_its_credentials_are_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which one that is, the first groups tell: those of a role there share the quota with them; calls are counted
    by source."""
    with fake_aws.moto(monkeypatch):
        client = open_client("logs", open_session(region="us-east-2"))
        client.create_log_group(logGroupName="/shop/a")
        account = client.describe_log_groups()["logGroups"][0]["arn"].split(":")[4]
        keys = [f'tps = 3\nrole = "arn:aws:iam::{account}:role/reader"', 'groups = ["/shop/*"]', f'role = "{ROLE}"']
        toml = "".join(f'[[forward.source]]\nregion = "us-east-2"\n{line}\n' for line in keys)
        made = sources(tmp_path, toml, once=True)
        forward(made, tmp_path, MemoryStore())
        seen = [source.describes() for source in made if isinstance(source, CloudWatchPoller)]

    assert [status.quota for status in seen] == [3.0, 3.0, 10.0]
    assert [(status.calls or 0) > 0 for status in seen] == [True, True, False]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('type = "kinesis"', "forward.source[1].stream is missing"),
        ('start = "yesterdayish"', "forward.source[1].start: "),
        ('start = "2999-01-01"', "forward.source[1].start: '2999-01-01' is still to come"),
        ('type = "firehose"\nlisten = "127.0.0.1:0"', "forward.source[1].listen = '127.0.0.1:0' is no host and port"),
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
