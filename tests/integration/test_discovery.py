"""Which log groups are read: by name, pattern, tag, and in linked accounts; new ones while running."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from logship.cloudwatch.discovery import Discovery
from logship.cloudwatch.paging import Retry
from logship.cloudwatch.tags import KEPT_S, Tags
from logship.errors import AccessError, ConnectError, Stopped, UnknownGroupError
from logship.forward import run
from logship.forward.between.prepare import Preparer
from logship.forward.checkpoints.sqlite import SqliteCheckpoints
from logship.forward.letters.dead_letters import DeadLetters
from logship.forward.run import Forwarder
from logship.forward.sources.poll.holdings import DRAIN_S
from logship.forward.sources.poll.poller import CloudWatchPoller, Polled
from logship.parse import Parser
from logship.query.tree import All
from logship.testing import Faults, LocalCloudWatch, MemoryStore
from tests.forwarding import forward, forwarding, wait_for
from tests.stub_server import Server

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


def client_of(cw: LocalCloudWatch | Server) -> Any:
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


def test_tags_that_no_group_has_are_said_once() -> None:
    """A mistyped tag looks like a forwarder with nothing to do."""
    said: list[str] = []
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a", team="blue")
        discovery = Discovery(client_of(cw), tags={"team": "bleu"}, say=said.append)
        listed = [discovery.list(Retry()) for _ in range(2)]

    assert listed == [{}, {}]
    assert said == [
        (
            "no log group that is named has the tags team=bleu in us-east-1; see those of one with: "
            "aws logs list-tags-for-resource --resource-arn arn:aws:logs:us-east-1:123456789012:log-group:/shop/a"
        )
    ]


def test_groups_of_a_class_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    """Each is said once, however often groups are listed, unless it is excluded; the others are read."""
    said: list[str] = []
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a", "here")
        for name in ("/shop/rare", "/shop/old"):
            cw.client().create_log_group(logGroupName=name, logGroupClass="INFREQUENT_ACCESS")
        discovery = Discovery(client_of(cw), ["/shop/*"], exclude=["*/old"], say=said.append)
        listed = [list(discovery.list(Retry())) for _ in range(2)]
        store = forwarded(cw, tmp_path, Polled(groups=["/shop/*"], start_ms=0, once=True))

    assert (listed, [record.body for record in store.scan(All())]) == ([["/shop/a"]] * 2, ["here"])
    assert said == [
        "log group '/shop/rare' is of class INFREQUENT_ACCESS, which FilterLogEvents does not read; it is left out"
    ]


def test_a_group_that_is_refused_for_a_reason_of_its_own_is_refused_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class that this logship does not know: its error is no reason to leave the others unread."""
    monkeypatch.setattr("logship.cloudwatch.discovery._UNREADABLE", frozenset())
    with LocalCloudWatch() as cw:
        make(cw, "/shop/z", "here")
        cw.client().create_log_group(logGroupName="/shop/a", logGroupClass="INFREQUENT_ACCESS")
        poller = CloudWatchPoller(client_of(cw), SqliteCheckpoints(tmp_path), Polled(start_ms=0))
        store = MemoryStore()
        with forwarding([poller], tmp_path, store):
            wait_for(lambda: holds(store, 1) and poller.groups["/shop/a"].refused)
            refused = poller.groups["/shop/a"].refused

    assert "FilterLogEvents is not supported for this log class" in refused


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


def test_tags_that_were_heard_before_are_begun_with() -> None:
    """Settings that are read again wait for no tags of groups that are known; these are asked for after that."""
    heard, asked = Tags(), []
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a", team="blue")
        Discovery(client_of(cw), tags={"team": "blue"}, heard=heard).list(Retry())
        make(cw, "/shop/b", team="blue")
        later = Discovery(client_of(cw), tags={"team": "blue"}, heard=heard)
        for _ in range(3):
            assert list(later.list(Retry())) == ["/shop/a", "/shop/b"]
            asked.append(cw.requests["ListTagsForResource"])

    assert asked == [2, 3, 3]


def test_a_new_group_does_not_wait_for_the_tags_of_all_others() -> None:
    """What is known of many gets old at the same time: some are asked for anew in each listing, the oldest first."""
    tags, arns = Tags(), [f"arn:{number}" for number in range(120)]
    for number, arn in enumerate(arns):
        tags.hear(arn, {}, float(number))

    asked = []
    for now_s in (1_000.0, 1_020.0, 1_040.0, 1_060.0):
        asked.append(tags.to_ask_again([*arns, "arn:new"], now_s - KEPT_S))
        for arn in asked[-1]:
            tags.hear(arn, {}, now_s)

    assert asked == [{*arns[:50]}, {*arns[50:100]}, {*arns[100:]}, set()]


def test_listing_again_leaves_calls_to_others() -> None:
    """Names and pages cost a call each: a forwarder that has many to make spends half of those of its account."""
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a")
        discovery = Discovery(client_of(cw), ["/shop/a"] + ["/none/*"] * 6)
        discovery.list(Retry())
        cw.faults = Faults(tps={"DescribeLogGroups": 5})
        discovery.list(Retry())

        assert (cw.requests["DescribeLogGroups"], cw.injected) == (14, {})


def test_asking_for_tags_ends_when_told_to() -> None:
    """Whoever is told to stop waits for the tags of no further group."""
    told = threading.Event()
    told.set()
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a", team="blue")
        with pytest.raises(Stopped):
            Discovery(client_of(cw), tags={"team": "blue"}).list(Retry(told))

    assert "ListTagsForResource" not in cw.requests


def test_a_group_that_goes_before_its_tags_are_asked_for_is_left_out() -> None:
    """The others are found."""
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a", team="blue")
        make(cw, "/shop/b", team="blue")
        client = client_of(cw)

        def delete(**_: Any) -> None:
            if "/shop/a" in cw.groups():
                cw.client().delete_log_group(logGroupName="/shop/a")

        client.meta.events.register("before-call.cloudwatch-logs.ListTagsForResource", delete)
        listed = Discovery(client, tags={"team": "blue"}).list(Retry())

    assert list(listed) == ["/shop/b"]


def test_a_group_whose_tags_may_not_be_asked_for_keeps_the_others_from_nothing() -> None:
    """It is left out, and said once, with what the policy lacks; that it holds for all of them is an error."""
    refused, said = {"/shop/b"}, list[str]()

    def refuse(params: dict[str, Any], **_: Any) -> None:
        if any(name in str(params["body"]) for name in refused):
            facts = {"Code": "AccessDeniedException", "Message": "not authorized"}
            raise ClientError({"Error": facts}, "ListTagsForResource")

    with LocalCloudWatch() as cw:
        for name in "abc":
            make(cw, f"/shop/{name}", team="blue")
        client = client_of(cw)
        client.meta.events.register("before-call.cloudwatch-logs.ListTagsForResource", refuse)
        discovery = Discovery(client, tags={"team": "blue"}, say=said.append)
        listed = [list(discovery.list(Retry())) for _ in range(2)]
        refused |= {"/shop/a", "/shop/c"}
        with pytest.raises(AccessError, match=r'"logs:ListTagsForResource"'):
            Discovery(client, tags={"team": "blue"}).list(Retry())

    assert listed == [["/shop/a", "/shop/c"]] * 2
    assert [('"logs:ListTagsForResource"' in line, line.partition("}; ")[2]) for line in said] == [
        (True, "meanwhile it is left out")
    ]


@pytest.mark.parametrize(
    ("call", "resource"), [("DescribeLogGroups", "*:log-group:*"), ("ListTagsForResource", "123456789012:log-group:/a")]
)
def test_a_role_that_may_not_look_is_told_what_is_missing(call: str, resource: str) -> None:
    """The error carries the statement that the role's policy lacks."""
    with LocalCloudWatch(faults=Faults(denied=frozenset({call}))) as cw:
        make(cw, "/a")
        with pytest.raises(AccessError) as told:
            Discovery(client_of(cw), tags={"team": "blue"}).list(Retry())
    statement = json.loads(str(told.value).partition("its policy lacks ")[2])

    assert statement == {"Effect": "Allow", "Action": f"logs:{call}", "Resource": f"arn:aws:logs:us-east-1:{resource}"}


@pytest.mark.parametrize("groups", [[{"x": 1}], [None], [1], "x", None])
def test_groups_that_are_none_are_not_cloudwatch(groups: Any) -> None:
    """An endpoint that answers something else is told of as such."""
    with Server((200, {"logGroups": groups})) as server, pytest.raises(ConnectError, match="is not CloudWatch Logs"):
        Discovery(client_of(server), linked=True).list(Retry(tries=1))


@pytest.mark.parametrize("answer", [[], 1, None, {}, {"events": [1]}, {"events": {"a": 1}}])
def test_events_that_are_none_are_not_cloudwatch(tmp_path: Path, answer: Any) -> None:
    """So is an endpoint that has log groups, and no events."""
    groups = {"logGroups": [{"logGroupName": "/a", "arn": "arn:aws:logs:us-east-1:123456789012:log-group:/a:*"}]}
    with Server((200, groups), (200, answer)) as server:
        poller = CloudWatchPoller(client_of(server), SqliteCheckpoints(tmp_path), Polled(start_ms=0, once=True))
        with pytest.raises(ConnectError, match="'/a': what answers is not CloudWatch Logs"):
            poller.run(lambda _: None, threading.Event())


def test_a_monitoring_account_without_groups_is_asked_for_once() -> None:
    """A listing asks once which account is its own, however many groups are linked."""
    with LocalCloudWatch() as cw, LocalCloudWatch() as other:
        cw.link(other, "210987654321")
        for name in "abc":
            make(other, f"/shop/{name}")
        listed = Discovery(client_of(cw), ["/shop/*"], linked=True).list(Retry())

    assert (list(listed), cw.requests["DescribeLogGroups"]) == ([f"210987654321:/shop/{name}" for name in "abc"], 2)


@pytest.mark.parametrize("once", [False, True])
def test_an_account_that_may_not_be_read_keeps_the_others_from_nothing(tmp_path: Path, once: bool) -> None:
    """It is left out, and said with what its policy lacks; with `once` the end is no success all the same."""
    said: list[str] = []
    with LocalCloudWatch(faults=Faults(denied=frozenset({"DescribeLogGroups"}))) as closed, LocalCloudWatch() as cw:
        make(cw, "/shop/a", "one")
        checkpoints, store, stop = SqliteCheckpoints(tmp_path), MemoryStore(), threading.Event()
        sources = [
            CloudWatchPoller(client_of(place), checkpoints, Polled(account=name, start_ms=0, once=once))
            for name, place in (("111111111111", closed), ("222222222222", cw))
        ]
        forwarder = Forwarder(
            sources, store, Preparer(Parser()), DeadLetters(tmp_path), stop=stop, say=said.append, once=once
        )
        ended = Ended(forwarder)
        wait_for(lambda: holds(store, 1) and said)
        if not once:
            stop.set()
        failure = ended.failure()

    assert ("DescribeLogGroups" in said[0], "cloudwatch 111111111111 us-east-1 is left out" in said[0]) == (True, True)
    assert (len(said), isinstance(failure, AccessError)) == (1, once)


def test_an_account_that_may_be_read_later_is_read_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to begin the forwarder again; what else fails on the way is waited for, too, and said once."""
    monkeypatch.setattr(run, "REFUSED_S", 0.1)
    said: list[str] = []
    with LocalCloudWatch(faults=Faults(denied=frozenset({"DescribeLogGroups"}))) as closed, LocalCloudWatch() as cw:
        make(cw, "/shop/a", "one")
        checkpoints, store, stop = SqliteCheckpoints(tmp_path), MemoryStore(), threading.Event()
        sources = [
            CloudWatchPoller(client_of(place), checkpoints, Polled(groups=[group], account=name, start_ms=0))
            for name, place, group in (("111111111111", closed, "/shop/b"), ("222222222222", cw, "/shop/a"))
        ]
        forwarder = Forwarder(sources, store, Preparer(Parser()), DeadLetters(tmp_path), stop=stop, say=said.append)
        ended = Ended(forwarder)
        wait_for(lambda: holds(store, 1) and said)
        was_left_out = list(forwarder.left_out)
        closed.faults = Faults()
        wait_for(lambda: len(said) > 1)
        make(closed, "/shop/b", "two")
        wait_for(lambda: holds(store, 2))
        stop.set()

    assert (ended.failure(), was_left_out, forwarder.left_out) == (None, sources[:1], [])
    assert (len(said), "tried again later" in said[0], "/shop/b" in said[1]) == (2, True, True), said


def test_where_no_account_may_be_read_that_is_an_error(tmp_path: Path) -> None:
    """There is nothing to go on with."""
    with LocalCloudWatch(faults=Faults(denied=frozenset({"DescribeLogGroups"}))) as closed:
        sources = [
            CloudWatchPoller(client_of(closed), SqliteCheckpoints(tmp_path), Polled(account=name, start_ms=0))
            for name in ("111111111111", "222222222222")
        ]
        with pytest.raises(AccessError, match="DescribeLogGroups"):
            forward(sources, tmp_path, MemoryStore())


def test_a_region_that_is_away_keeps_the_others_from_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once, and read when it answers; where none answers that is an error."""
    monkeypatch.setattr("logship.forward.run.AWAY_S", 0.1)
    monkeypatch.setattr("logship.cloudwatch.paging.backoff_s", lambda _: 0.01)
    said, store = list[str](), MemoryStore()

    def sources_of(*places: LocalCloudWatch) -> list[CloudWatchPoller]:
        named = zip(("111111111111", "222222222222"), places, strict=True)
        return [
            CloudWatchPoller(client_of(place), checkpoints, Polled(account=name, start_ms=0)) for name, place in named
        ]

    checkpoints, stop = SqliteCheckpoints(tmp_path), threading.Event()
    with LocalCloudWatch() as away, LocalCloudWatch() as cw:
        make(away, "/shop/b", "two")
        make(cw, "/shop/a", "one")
        away.faults = Faults(error_503_rate=1.0)
        forwarder = Forwarder(
            sources_of(away, cw), store, Preparer(Parser()), DeadLetters(tmp_path), stop=stop, say=said.append
        )
        ended = Ended(forwarder)
        wait_for(lambda: holds(store, 1) and away.requests.get("DescribeLogGroups", 0) > 12)
        away.faults = Faults()
        wait_for(lambda: holds(store, 2))
        stop.set()
        assert ended.failure() is None
        away.faults = Faults(error_503_rate=1.0)
        with pytest.raises(ConnectError, match="listing log groups"):
            forward(sources_of(away, away), tmp_path, store)

    assert [line.partition("; ")[2] for line in said if "tried again later" in line] == [
        "try again later; cloudwatch 111111111111 us-east-1 is left out and tried again later, other sources go on"
    ]


class Ended:
    """A forwarder in a thread of its own."""

    def __init__(self, forwarder: Forwarder) -> None:
        self._failures: list[BaseException] = []
        self._forwarder = forwarder
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._forwarder.run()
        except BaseException as error:
            self._failures.append(error)

    def failure(self) -> BaseException | None:
        """What it has raised, once it has ended."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self._failures[0] if self._failures else None


def test_losing_the_right_to_list_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said with the missing statement, and again only after it was there; what is read goes on."""
    monkeypatch.setattr("logship.forward.sources.poll.poller._RELIST_S", 0.05)
    denied, said = Faults(denied=frozenset({"DescribeLogGroups"})), list[str]()
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a", "one")
        poller = CloudWatchPoller(client_of(cw), SqliteCheckpoints(tmp_path), Polled(start_ms=0), say=said.append)

        def listed(times: int) -> None:
            before = cw.requests["DescribeLogGroups"]
            wait_for(lambda: cw.requests["DescribeLogGroups"] >= before + times)

        with forwarding([poller], tmp_path, MemoryStore()):
            wait_for(lambda: poller.groups)
            for faults in (denied, Faults(), denied):
                cw.faults = faults
                listed(3)

    assert len(said) == 2
    assert all('"Action": "logs:DescribeLogGroups"' in text for text in said)


def test_a_group_that_is_made_anew_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the deleted one is on its way any more, so its drain is not waited for."""
    monkeypatch.setattr("logship.forward.sources.poll.poller._RELIST_S", 0.2)
    said, store = list[str](), MemoryStore()
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a", "one")
        wanted = Polled(start_ms=0, interval_s=0.05)
        poller = CloudWatchPoller(client_of(cw), SqliteCheckpoints(tmp_path), wanted, say=said.append)
        with forwarding([poller], tmp_path, store):
            wait_for(lambda: holds(store, 1))
            cw.client().delete_log_group(logGroupName="/shop/a")
            wait_for(lambda: said)
            make(cw, "/shop/a")
            event = {"timestamp": int(time.time() * 1000), "message": "two"}
            cw.client().put_log_events(logGroupName="/shop/a", logStreamName="s", logEvents=[event])
            wait_for(lambda: holds(store, 2), DRAIN_S / 2)

    assert [text.partition(";")[0] for text in said] == ["log group '/shop/a' is gone"]


def test_a_group_that_changes_its_tags_changes_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that wanted the old tags lets go of it, and says so; the one that wants the new ones reads it on."""
    monkeypatch.setattr("logship.forward.sources.poll.poller._RELIST_S", 0.1)
    monkeypatch.setattr("logship.cloudwatch.discovery.KEPT_S", 0.1)
    said, store, readers = list[str](), MemoryStore(), dict[str, object]()
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a", "one", team="blue")
        checkpoints = SqliteCheckpoints(tmp_path)
        blue, red = (
            CloudWatchPoller(
                client_of(cw), checkpoints,
                Polled(start_ms=0, interval_s=0.05, tags={"team": team}, readers=readers), say=said.append,
            )
            for team in ("blue", "red")
        )  # fmt: skip
        with forwarding([blue, red], tmp_path, store):
            wait_for(lambda: holds(store, 1))
            arn = "arn:aws:logs:us-east-1:123456789012:log-group:/shop/a"
            cw.client().tag_resource(resourceArn=arn, tags={"team": "red"})
            wait_for(lambda: "/shop/a" in red.groups)
            event = {"timestamp": int(time.time() * 1000), "message": "two"}
            cw.client().put_log_events(logGroupName="/shop/a", logStreamName="s", logEvents=[event])
            wait_for(lambda: holds(store, 2))
            left = dict(blue.groups)

    assert (left, [text.partition(";")[0] for text in said]) == (
        {},
        [
            "no log group that is named has the tags team=red in us-east-1",
            "log group '/shop/a' no longer has the tags that are wanted",
        ],
    )


def test_a_listing_that_cannot_be_had_keeps_nothing_else_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups are shared and checkpoints saved, and events stored, while no log group can be listed."""
    monkeypatch.setattr("logship.forward.sources.poll.poller._RELIST_S", 0.05)
    shared: list[float] = []

    class Checkpoints(SqliteCheckpoints):
        share_interval_s = 0.1

        def share(self, keys: Collection[str]) -> set[str]:
            shared.append(time.monotonic())
            return super().share(keys)

    store = MemoryStore()
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a", "one")
        poller = CloudWatchPoller(client_of(cw), Checkpoints(tmp_path), Polled(start_ms=0, interval_s=0.05))
        with forwarding([poller], tmp_path, store):
            wait_for(lambda: holds(store, 1))
            cw.faults = Faults(operations=frozenset({"DescribeLogGroups"}), error_503_rate=1.0)
            wait_for(lambda: cw.injected)
            before = len(shared)
            event = {"timestamp": int(time.time() * 1000), "message": "two"}
            cw.client().put_log_events(logGroupName="/shop/a", logStreamName="s", logEvents=[event])
            wait_for(lambda: holds(store, 2) and len(shared) > before + 5)


@pytest.mark.parametrize("kept", [0, 1])
def test_positions_that_cannot_be_saved_are_no_success(
    tmp_path: Path, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `once` there is no later: where not even its begin is kept, a group is not read; else all is read again."""
    monkeypatch.setattr("logship.forward.sources.poll.poller._OTHERS_S", 0.2)

    class Full(SqliteCheckpoints):
        def save(self, key: str, value: str, version: int) -> int:
            if version < kept:
                return super().save(key, value, version)
            raise ConnectError(f"no room for version {version} of {key!r}: {len(value)} characters")

    with LocalCloudWatch() as cw:
        make(cw, "/shop/a", "one")
        poller = CloudWatchPoller(client_of(cw), Full(tmp_path), Polled(start_ms=0, once=True))
        with pytest.raises(ConnectError, match="no room"):
            forward([poller], tmp_path, MemoryStore())


def holds(store: MemoryStore, records: int) -> bool:
    store.refresh()
    return store.count(All()) == records


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


def test_a_named_group_that_has_gone_since_keeps_the_next_process_from_nothing(tmp_path: Path) -> None:
    """It was read before, so its name is no mistake; a supervisor would not begin again after an error of settings."""
    with LocalCloudWatch() as cw:
        make(cw, "/shop/a", "one")
        make(cw, "/shop/b", "two")
        forwarded(cw, tmp_path, Polled(groups=["/shop/a", "/shop/b"], start_ms=0, once=True))
        client = cw.client()
        client.delete_log_group(logGroupName="/shop/a")
        event = {"timestamp": int(time.time() * 1000), "message": "three"}
        client.put_log_events(logGroupName="/shop/b", logStreamName="s", logEvents=[event])
        store = forwarded(cw, tmp_path, Polled(groups=["/shop/a", "/shop/b"], start_ms=0, once=True))
        with pytest.raises(UnknownGroupError, match="/shop/d"):
            forwarded(cw, tmp_path, Polled(groups=["/shop/b", "/shop/d"], start_ms=0, once=True))

    assert [record.body for record in store.scan(All())] == ["three"]


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
