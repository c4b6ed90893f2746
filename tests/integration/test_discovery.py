"""Which log groups are read: by name, pattern, tag, and in linked accounts; new ones while running."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from logship.cloudwatch.discovery import Discovery
from logship.cloudwatch.paging import Retry
from logship.errors import UnknownGroupError
from logship.forward.between.prepare import Preparer
from logship.forward.checkpoints.sqlite import SqliteCheckpoints
from logship.forward.letters.dead_letters import DeadLetters
from logship.forward.run import Forwarder
from logship.forward.sources.poll.poller import CloudWatchPoller, Polled
from logship.parse import Parser
from logship.query.tree import All
from logship.testing import LocalCloudWatch, MemoryStore

if TYPE_CHECKING:
    from pathlib import Path


def client_of(cw: LocalCloudWatch) -> Any:
    return boto3.client(
        "logs", endpoint_url=cw.url, region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t",
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip


def make(cw: LocalCloudWatch, name: str, *messages: str, **tags: str) -> None:
    client = cw.client()
    client.create_log_group(logGroupName=name, tags=tags)
    client.create_log_stream(logGroupName=name, logStreamName="s")
    for message in messages:
        event = {"timestamp": 1_795_443_665_000, "message": message}
        client.put_log_events(logGroupName=name, logStreamName="s", logEvents=[event])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["/pay/a", "/shop/a", "/shop/b", "/shop/old-c"]),
        ({"patterns": ["/shop/*"]}, ["/shop/a", "/shop/b", "/shop/old-c"]),
        ({"patterns": ["*/a"]}, ["/pay/a", "/shop/a"]),
        ({"patterns": ["/shop/?"]}, ["/shop/a", "/shop/b"]),
        ({"patterns": ["/shop/*"], "exclude": ["*old*"]}, ["/shop/a", "/shop/b"]),
        ({"tags": {"team": "blue"}}, ["/shop/a"]),
        ({"tags": {"team": "*", "tier": "1*"}}, ["/shop/b"]),
        ({"tags": {"team": "none"}}, []),
    ],
)
def test_groups_are_found(wanted: dict[str, Any], found: list[str]) -> None:
    """By names, patterns, exclusions and tags, in order."""
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a", team="blue")
        make(cw, "/shop/b", team="red", tier="12")
        make(cw, "/pay/a")
        make(cw, "/shop/old-c")
        listed = Discovery(client_of(cw), **wanted).list(Retry())

    assert list(listed) == found


def test_tags_are_asked_for_once() -> None:
    """Listing again within ten minutes costs no more calls for tags."""
    clock = [0.0]
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a", team="blue")
        discovery, asked = Discovery(client_of(cw), tags={"team": "blue"}, clock=lambda: clock[0]), []
        for at_s in (0.0, 300.0, 700.0):
            clock[0] = at_s
            discovery.list(Retry())
            asked.append(cw.requests["ListTagsForResource"])

    assert asked == [1, 1, 2]


def test_a_name_that_is_not_there_is_an_error() -> None:
    """A pattern may match nothing, which is said once, with the region; a name may not."""
    said: list[str] = []
    with LocalCloudWatch() as cw:
        discovery = Discovery(client_of(cw), ["/nope/*"], say=said.append)
        nothing = [discovery.list(Retry()) for _ in range(2)]
        with pytest.raises(UnknownGroupError, match="no log group '/nope' in us-east-1"):
            Discovery(client_of(cw), ["/nope"]).list(Retry())

    assert nothing == [{}, {}]
    assert said == [
        "no log group matches '/nope/*' in us-east-1; list them with: aws logs describe-log-groups --region us-east-1"
    ]


def test_a_named_group_that_goes_keeps_no_new_one_out() -> None:
    """Once it was there, listings go on without it, and with it when it comes back."""
    said: list[str] = []
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a")
        discovery, listed = Discovery(client_of(cw), ["/shop/a", "/new/*"], say=said.append), []
        for change in (lambda: None, lambda: cw.client().delete_log_group(logGroupName="/shop/a"),
                       lambda: make(cw, "/new/b"), lambda: make(cw, "/shop/a")):  # fmt: skip
            change()
            listed.append(list(discovery.list(Retry())))

    assert listed == [["/shop/a"], [], ["/new/b"], ["/new/b", "/shop/a"]]
    assert [text.partition(";")[0] for text in said] == ["no log group matches '/new/*' in us-east-1"]


def test_linked_accounts_are_read(tmp_path: Path) -> None:
    """A monitoring account reads its own groups and those of accounts linked to it, also where names are the same."""
    with LocalCloudWatch() as cw, LocalCloudWatch() as other:
        cw.link(other, "210987654321")
        make(cw, "/shop/a", "of ours")
        make(other, "/shop/a", "of theirs")
        make(other, "/shop/z", "of theirs alone")
        keys = list(Discovery(client_of(cw), linked=True).list(Retry()))
        store = forwarded(cw, tmp_path, Polled(start_ms=0, once=True, linked=True))

    assert keys == ["/shop/a", "210987654321:/shop/a", "210987654321:/shop/z"]
    assert sorted(record.body for record in store.scan(All())) == ["of ours", "of theirs", "of theirs alone"]


def forwarded(cw: LocalCloudWatch, state: Path, wanted: Polled) -> MemoryStore:
    store, letters, checkpoints = MemoryStore(), DeadLetters(state), SqliteCheckpoints(state)
    poller = CloudWatchPoller(client_of(cw), checkpoints, wanted)
    Forwarder([poller], store, Preparer(Parser()), letters, stop=threading.Event()).run()
    letters.close()
    checkpoints.close()
    store.refresh()
    return store
