"""Reading a data stream: every record once, through resharding, expired iterators, throttling and poison."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from logship.cloudwatch.session import open_client, open_session
from logship.errors import AccessError, ConnectError, DataError, UsageError
from logship.forward import storing
from logship.forward.checkpoints.port import LeaseLost
from logship.forward.checkpoints.sqlite import SqliteCheckpoints
from logship.forward.letters.dead_letters import DeadLetters
from logship.forward.sources.kinesis.consumed import Consumed
from logship.forward.sources.kinesis.source import KinesisSource
from logship.forward.sources.poll.poller import CloudWatchPoller, Polled
from logship.record import LogEvent
from logship.testing import LocalCloudWatch, MemoryStore
from tests import fake_aws
from tests.fake_kinesis import FakeKinesis
from tests.forwarding import CONTROL, Ticking, forward, forwarding, full_disk, messages, payload, records, wait_for

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from logship.forward.checkpoints.port import Checkpoints
    from logship.forward.port import Batch

NOW_MS = 1_795_443_665_871


def data(*numbers: int) -> bytes:
    """The payload of some events."""
    return payload(
        [LogEvent("/shop/a", "x", NOW_MS + number, f"event {number}", f"{number:056d}") for number in numbers]
    )


def said(*numbers: int) -> list[str]:
    return sorted(f"event {number}" for number in numbers)


def source(
    kinesis: FakeKinesis, checkpoints: Checkpoints, state: Path, lines: list[str] | None = None, **wanted: Any
) -> KinesisSource:
    usual: dict[str, Any] = {"stream": "logs", "start_ms": 0, "once": True, "list_interval_s": 0.5}
    consumed = Consumed(**usual | wanted)
    keep = DeadLetters(state).keep
    return KinesisSource(
        kinesis.client(), checkpoints, consumed, keep=keep, say=(lines if lines is not None else []).append
    )


def test_every_record_of_every_shard_is_stored(tmp_path: Path) -> None:
    """Once, up to the tip; the next run begins behind them, and control messages are nothing."""
    with FakeKinesis(3, page_size=2) as kinesis:
        for number, shard in enumerate(sorted(kinesis.shards) * 50):
            kinesis.put(shard, data(2 * number, 2 * number + 1))
        kinesis.put("shardId-000000000000", CONTROL)
        store = MemoryStore()
        first = forward([source(kinesis, SqliteCheckpoints(tmp_path), tmp_path)], tmp_path, store)
        kinesis.asked.clear()
        kinesis.put("shardId-000000000001", data(900))
        second = forward([source(kinesis, SqliteCheckpoints(tmp_path), tmp_path)], tmp_path, store)

    assert (first, second) == ((300, []), (1, []))
    assert messages(store) == said(*range(300), 900)
    kinds = {asked["ShardIteratorType"] for name, asked in kinesis.asked if name == "GetShardIterator"}
    assert kinds == {"AFTER_SEQUENCE_NUMBER"}


def test_a_source_tells_when_it_has_listed_its_shards_and_how_far_behind_it_is(tmp_path: Path) -> None:
    """Before it runs it has listed none, and knows of no lag."""
    with FakeKinesis() as kinesis:
        kinesis.put("shardId-000000000000", data(0))
        one = source(kinesis, SqliteCheckpoints(tmp_path), tmp_path, once=False, interval_s=0.1)
        before = one.describes()
        with forwarding([one], tmp_path, MemoryStore()):
            wait_for(lambda: one.describes().ready and one.describes().lag_s is not None)
            after = one.describes()

    assert (before.name, before.ready, before.lag_s) == ("kinesis logs", False, None)
    assert (after.name, after.ready, after.lag_s, after.retried) == ("kinesis logs", True, 0.0, 0)


def test_children_wait_for_their_parents(tmp_path: Path) -> None:
    """After splits and a merge a stream's events are delivered in their order, and closed shards are left alone."""
    with FakeKinesis() as kinesis:
        kinesis.put("shardId-000000000000", data(0))
        left, right = kinesis.add("shardId-000000000000"), kinesis.add("shardId-000000000000")
        kinesis.put(left, data(1))
        kinesis.put(right, data(2))
        merged = kinesis.add(left, right)
        kinesis.put(merged, data(3))
        delivered: list[str] = []
        store = MemoryStore()
        one = source(kinesis, SqliteCheckpoints(tmp_path), tmp_path)
        run = one.run

        def watched(deliver: Any, stop: threading.Event) -> None:
            def see(batch: Batch) -> None:
                delivered.extend(event.message for event in batch.events)
                deliver(batch)

            run(see, stop)

        one.run = watched  # type: ignore[method-assign]
        forward([one], tmp_path, store)
        kinesis.asked.clear()
        forward([source(kinesis, SqliteCheckpoints(tmp_path), tmp_path)], tmp_path, store)

    assert (delivered[0], sorted(delivered[1:3]), delivered[3]) == ("event 0", said(1, 2), "event 3")
    assert {asked["ShardId"] for name, asked in kinesis.asked if name == "GetShardIterator"} == {merged}


def test_shards_that_appear_while_running_are_read_whole(tmp_path: Path) -> None:
    """A split during the run costs nothing, although the first shard began at a time."""
    with FakeKinesis() as kinesis:
        kinesis.put("shardId-000000000000", data(0), at_s=time.time() - 7200)
        kinesis.put("shardId-000000000000", data(1))
        store = MemoryStore()
        wanted: dict[str, Any] = {"once": False, "interval_s": 0.1, "start_ms": int((time.time() - 3600) * 1000)}
        one = source(kinesis, SqliteCheckpoints(tmp_path), tmp_path, **wanted)
        with forwarding([one], tmp_path, store):
            wait_for(lambda: messages(store) == said(1))
            children = [kinesis.add("shardId-000000000000") for _ in range(2)]
            for number, child in enumerate(children):
                kinesis.put(child, data(2 + number), at_s=time.time() - 9000)
            wait_for(lambda: messages(store) == said(1, 2, 3))
            wait_for(lambda: set(one.lags_ms) == set(children))

    assert set(one.lags_ms.values()) == {0}


def test_what_cannot_be_read_is_a_dead_letter(tmp_path: Path) -> None:
    """Poison neither stops its shard nor is it lost, also where it is delivered twice."""
    with FakeKinesis() as kinesis:
        for content in (data(0), b"\x1f\x8bpoison", b"no payload", data(1)):
            kinesis.put("shardId-000000000000", content)
        store = MemoryStore()
        stored, letters = forward([source(kinesis, SqliteCheckpoints(tmp_path), tmp_path)], tmp_path, store)
        again = forward([source(kinesis, SqliteCheckpoints(tmp_path / "b"), tmp_path)], tmp_path, store)

    assert (stored, messages(store)) == (2, said(0, 1))
    assert [group for group, _ in letters] == ["kinesis:logs"] * 2
    assert {reason.partition(" (")[0].partition(":")[0] for _, reason in letters} == {
        "it is no JSON",
        "its gzip is broken",
    }
    assert again == (0, letters)


def test_room_for_what_cannot_be_read_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard does not move past poison that could not be kept; once there is room, it goes on."""
    monkeypatch.setattr(storing, "_STORE_WAIT_S", 0.01)
    monkeypatch.setattr(storing, "_LONGEST_STORE_WAIT_S", 0.02)
    lines: list[str] = []
    with FakeKinesis() as kinesis, closing(DeadLetters(tmp_path)) as kept:
        for content in (data(0), b"no payload " * 10_000, data(1)):
            kinesis.put("shardId-000000000000", content)
        store = MemoryStore()
        one = KinesisSource(
            kinesis.client(),
            SqliteCheckpoints(tmp_path),
            Consumed(stream="logs", start_ms=0, interval_s=0.1),
            keep=kept.keep,
            say=lines.append,
        )
        with ExitStack() as full:
            full.enter_context(full_disk(kept))
            with forwarding([one], tmp_path, store):
                wait_for(lambda: lines)
                before = messages(store), kept.count()
                full.close()
                wait_for(lambda: messages(store) == said(0, 1))

        assert (before, kept.count()) == (([], 0), 1)
    assert lines[0].endswith("is full; free some space; nothing is lost, the forwarder waits for room for dead letters")


def test_refusals_are_tried_again(tmp_path: Path) -> None:
    """Throttling waits, an expired iterator is asked for anew behind what was read; nothing is read twice."""
    with FakeKinesis() as kinesis:
        for number in range(300):
            kinesis.put("shardId-000000000000", data(number))
        kinesis.refusals += [
            ("GetRecords", "ProvisionedThroughputExceededException"),
            ("GetShardIterator", "ProvisionedThroughputExceededException"),
            ("ListShards", "LimitExceededException"),
            ("GetRecords", "ExpiredIteratorException"),
        ]
        store, checkpoints = MemoryStore(), SqliteCheckpoints(tmp_path)
        one = source(kinesis, checkpoints, tmp_path)
        stored, _ = forward([one], tmp_path, store)

    assert (stored, one.retried, kinesis.refusals) == (300, 2, [])


def test_a_position_that_expired_is_said(tmp_path: Path) -> None:
    """A record that the stream no longer has is not waited for: reading begins at the oldest, and that is said."""
    with FakeKinesis() as kinesis:
        kinesis.put("shardId-000000000000", data(0))
        store, lines = MemoryStore(), list[str]()
        forward([source(kinesis, SqliteCheckpoints(tmp_path), tmp_path)], tmp_path, store)
        kinesis.shards["shardId-000000000000"].records.clear()
        kinesis.put("shardId-000000000000", data(1))
        forward([source(kinesis, SqliteCheckpoints(tmp_path), tmp_path, lines)], tmp_path, store)

    assert (messages(store), len(lines)) == (said(0, 1), 1)
    assert "no longer has the record" in lines[0]


def test_a_shard_that_expires_unread_is_said(tmp_path: Path) -> None:
    """Nothing can be done about its records any more; that they are missing must not go without a word."""
    with FakeKinesis() as kinesis:
        store, lines = MemoryStore(), list[str]()
        kinesis.put("shardId-000000000000", data(0))
        one = source(
            kinesis, SqliteCheckpoints(tmp_path), tmp_path, lines, once=False, interval_s=0.1, list_interval_s=0.1
        )
        with forwarding([one], tmp_path, store):
            wait_for(lambda: messages(store) == said(0))
            kinesis.add()
            del kinesis.shards["shardId-000000000000"]
            wait_for(lambda: lines)

    assert [line.partition(" is no longer listed: ")[0] for line in lines] == [
        "Kinesis stream 'logs', shardId-000000000000"
    ]


def test_a_position_moves_only_when_all_before_it_is_stored(tmp_path: Path) -> None:
    """What was delivered and not acknowledged is read again by the next run."""
    with FakeKinesis() as kinesis:
        for number in range(5):
            kinesis.put("shardId-000000000000", data(number))
        held: list[Batch] = []
        checkpoints = SqliteCheckpoints(tmp_path)
        one = source(kinesis, checkpoints, tmp_path)
        one.run(held.append, threading.Event())
        one.save(now=True)
        again: list[Batch] = []
        source(kinesis, checkpoints, tmp_path).run(again.append, threading.Event())
        for batch in again:
            batch.stored()
        one.save(now=True)

    assert [event.message for batch in again for event in batch.events] == said(*range(5))
    assert held


@pytest.mark.parametrize("is_read", [True, False], ids=["read", "never written to"])
def test_a_stream_that_was_made_anew_is_read_whole(tmp_path: Path, is_read: bool) -> None:
    """Its shards have the names of the old one's: where those ended, or stood, means nothing, and that is said."""
    with FakeKinesis() as kinesis:
        if is_read:
            kinesis.put("shardId-000000000000", data(0))
        kinesis.put(kinesis.add("shardId-000000000000"), data(1))
        checkpoints, store, lines = SqliteCheckpoints(tmp_path), MemoryStore(), list[str]()
        forward([source(kinesis, checkpoints, tmp_path)], tmp_path, store)
        kinesis.put(kinesis.make_anew(), data(2))
        child = kinesis.add("shardId-000000000000") if is_read else ""
        if child:
            kinesis.put(child, data(3))
        forward([source(kinesis, checkpoints, tmp_path, lines)], tmp_path, store)
        forward([source(kinesis, checkpoints, tmp_path, lines)], tmp_path, store)

    assert messages(store) == (said(0, 1, 2, 3) if is_read else said(1, 2))
    assert [line.partition(" is not")[0] for line in lines] == [
        f"Kinesis stream 'logs', {shard}" for shard in ("shardId-000000000000", child) if shard
    ]


def test_a_shard_that_has_ended_is_believed_where_the_listing_lags(tmp_path: Path) -> None:
    """It is the same one by its sequence numbers, so it is not read again although it is listed as open."""
    with FakeKinesis() as kinesis:
        kinesis.put("shardId-000000000000", data(0))
        child = kinesis.add("shardId-000000000000")
        checkpoints, lines = SqliteCheckpoints(tmp_path), list[str]()
        forward([source(kinesis, checkpoints, tmp_path)], tmp_path, MemoryStore())
        kinesis.shards["shardId-000000000000"].closed = False
        kinesis.asked.clear()
        forward([source(kinesis, checkpoints, tmp_path, lines)], tmp_path, MemoryStore())

    assert lines == []
    assert {asked["ShardId"] for name, asked in kinesis.asked if name == "GetShardIterator"} == {child}


@pytest.mark.parametrize("code", ["InvalidArgumentException", "ResourceNotFoundException"])
def test_a_stream_that_is_gone_for_a_while_is_waited_for(tmp_path: Path, code: str) -> None:
    """Deleted and made anew while it is read, it is said once to be gone, and then read whole; nothing ends."""
    with FakeKinesis() as kinesis:
        kinesis.put("shardId-000000000000", data(0))
        kinesis.put(kinesis.add("shardId-000000000000"), data(1))
        store, lines = MemoryStore(), list[str]()
        one = source(
            kinesis, SqliteCheckpoints(tmp_path), tmp_path, lines, once=False, interval_s=0.1, list_interval_s=0.2
        )
        with forwarding([one], tmp_path, store):
            wait_for(lambda: messages(store) == said(0, 1))
            kinesis.deleted = True
            wait_for(lambda: lines)
            asked = len(kinesis.asked)
            wait_for(lambda: len(kinesis.asked) > asked + 6)
            kinesis.refusals.append(("GetRecords", code))
            kinesis.put(kinesis.make_anew(), data(2))
            wait_for(lambda: messages(store) == said(0, 1, 2))

    assert len(lines) == 2
    assert lines[0].startswith("there is no Kinesis stream 'logs' in eu-west-1; ")
    assert "the stream was deleted and made anew" in lines[1]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceInUseException"])
def test_an_empty_shard_that_ends_while_shards_cannot_be_listed_is_no_other_one(tmp_path: Path, code: str) -> None:
    """The last listing calls it open; it is not read again from its oldest record, and nobody asks without end."""
    with FakeKinesis() as kinesis:
        lines, now_ms = list[str](), int(time.time() * 1000)
        checkpoints, store = SqliteCheckpoints(tmp_path), MemoryStore()
        one = source(
            kinesis, checkpoints, tmp_path, lines, once=False, interval_s=0.1, list_interval_s=0.2, start_ms=now_ms
        )
        with forwarding([one], tmp_path, store):
            wait_for(lambda: any(name == "GetRecords" for name, _ in kinesis.asked))
            kinesis.refusals += [("ListShards", code)] * 10_000
            kinesis.add("shardId-000000000000")
            wait_for(lambda: lines)
            asked = len(kinesis.asked)
            threading.Event().wait(1.0)  # for what must not happen
            more = len(kinesis.asked) - asked

    assert [line for line in lines if "made anew" in line] == []
    assert more < 20


def test_a_stream_that_goes_ends_what_would_end_with_it(tmp_path: Path) -> None:
    """With `once` it is an error, since nobody says when it comes back."""
    with FakeKinesis() as kinesis:
        kinesis.put("shardId-000000000000", data(0))
        kinesis.refusals += [("GetRecords", "ProvisionedThroughputExceededException")] * 10_000
        one = source(kinesis, SqliteCheckpoints(tmp_path), tmp_path, list_interval_s=0.2)
        threading.Timer(1.0, setattr, (kinesis, "deleted", True)).start()
        with pytest.raises(UsageError, match="there is no Kinesis stream 'logs'"):
            one.run(lambda _: None, threading.Event())


def test_credentials_that_cannot_be_renewed_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What gives them out may be away for a while: shards are read on when it is back."""
    with FakeKinesis() as kinesis, fake_aws.container(monkeypatch) as container:
        kinesis.put("shardId-000000000000", data(0))
        client = open_client("kinesis", open_session(region="eu-west-1"), endpoint_url=kinesis.url)
        monkeypatch.setattr(kinesis, "client", lambda: client)
        store, lines = MemoryStore(), list[str]()
        one = source(kinesis, SqliteCheckpoints(tmp_path), tmp_path, lines, once=False, interval_s=0.1)
        with forwarding([one], tmp_path, store):
            wait_for(lambda: messages(store) == said(0))
            container.is_down = True
            wait_for(lambda: lines)
            container.is_down = False
            kinesis.put("shardId-000000000000", data(1))
            wait_for(lambda: messages(store) == said(0, 1))

    assert "Error when retrieving credentials from container-role" in lines[0]


class Shares:
    """Checkpoints of which this process has some keys at a time."""

    save_interval_s = 0.0
    share_interval_s = 10.0
    place = "a test"

    def __init__(self, inner: Checkpoints, *ours: str) -> None:
        self.inner, self.ours, self.lost = inner, set(ours), set[str]()
        self.down = False

    def load(self, key: str) -> tuple[str, int] | None:
        return self.inner.load(key)

    def save(self, key: str, value: str, version: int) -> int:
        if key in self.lost:
            raise LeaseLost
        if self.down:
            raise ConnectError("no answer")
        return self.inner.save(key, value, version)

    def share(self, keys: Collection[str]) -> set[str]:
        return {key for key in keys if key.rpartition(":")[2] in self.ours}

    def release(self, key: str) -> None:
        self.inner.release(key)

    def close(self) -> None:
        self.inner.close()


def test_processes_share_the_shards(tmp_path: Path) -> None:
    """Each reads its own; a child waits for a parent that another process reads; a lost lease writes nothing."""
    with FakeKinesis(2) as kinesis:
        a, b = sorted(kinesis.shards)
        kinesis.put(a, data(0))
        kinesis.put(b, data(1))
        child = kinesis.add(a)
        kinesis.put(child, data(2))
        kept = SqliteCheckpoints(tmp_path)
        ours, theirs = Shares(kept, b, child), Shares(kept, a)
        store, others = MemoryStore(), MemoryStore()
        one = source(kinesis, ours, tmp_path, once=False, interval_s=0.1)
        with forwarding([one], tmp_path, store):
            wait_for(lambda: messages(store) == said(1))
            before = messages(store)
            forward([source(kinesis, theirs, tmp_path)], tmp_path, others)
            wait_for(lambda: messages(store) == said(1, 2))
            key = f"kinesis//eu-west-1/logs:{b}"
            place = kept.load(key)
            ours.lost.add(key)
            kinesis.put(b, data(3))
            wait_for(lambda: b not in one.lags_ms)
            ours.ours.discard(b)
            wait_for(lambda: "event 3" in messages(store))

    assert (before, messages(others)) == (said(1), said(0))
    assert place == kept.load(key)


def test_checkpoints_out_of_reach_are_saved_later(tmp_path: Path) -> None:
    """While they cannot be saved, shards are read on; the places are saved when there is an answer again."""
    with FakeKinesis() as kinesis:
        shard = next(iter(kinesis.shards))
        key, kept, store = f"kinesis//eu-west-1/logs:{shard}", SqliteCheckpoints(tmp_path), MemoryStore()
        shared = Shares(kept, shard)
        with forwarding([source(kinesis, shared, tmp_path, once=False, interval_s=0.1)], tmp_path, store):
            kinesis.put(shard, data(0))
            wait_for(lambda: messages(store) == said(0))
            shared.down = True
            kinesis.put(shard, data(1))
            wait_for(lambda: messages(store) == said(0, 1))
            before = kept.load(key)
            shared.down = False
            kinesis.put(shard, data(2))
            wait_for(lambda: messages(store) == said(0, 1, 2))
        after = kept.load(key)

    assert before
    assert after
    assert after[1] > before[1]


def test_a_slow_save_keeps_no_other_source_waiting(tmp_path: Path) -> None:
    """Checkpoints over a network are saved beside the storing, never ahead of it, and all of them at the end."""
    asked, answers = threading.Event(), threading.Event()

    class Slow(Shares):
        save_interval_s, is_slow = 0.05, False

        def save(self, key: str, value: str, version: int) -> int:
            if self.is_slow:
                asked.set()
                answers.wait(20)
            return super().save(key, value, version)

    with FakeKinesis() as kinesis:
        shard = next(iter(kinesis.shards))
        key, store, other = f"kinesis//eu-west-1/logs:{shard}", MemoryStore(), Ticking()
        kept = SqliteCheckpoints(tmp_path)
        shared = Slow(kept, shard)
        with forwarding([source(kinesis, shared, tmp_path, once=False, interval_s=0.1), other], tmp_path, store):
            wait_for(lambda: kept.load(key))
            shared.is_slow = True
            kinesis.put(shard, data(0))
            assert asked.wait(10)
            begun = kept.load(key)
            other.goes_on()
            kinesis.put(shard, data(1))
            wait_for(lambda: "event 1" in messages(store))
            answers.set()
        left: list[Batch] = []
        source(kinesis, kept, tmp_path).run(left.append, threading.Event())

    assert begun
    assert begun[1] == 1
    assert [event for batch in left for event in batch.events] == []


def test_what_ends_the_source_is_said_in_words(tmp_path: Path) -> None:
    """No such stream, no permission and a broken checkpoint have their exit codes and remedies."""
    with FakeKinesis() as kinesis:
        checkpoints = SqliteCheckpoints(tmp_path)
        with pytest.raises(UsageError, match="aws kinesis list-streams"):
            source(kinesis, checkpoints, tmp_path, stream="other").run(print, threading.Event())
        kinesis.refusals.append(("GetRecords", "AccessDeniedException"))
        with pytest.raises(AccessError, match="role's policy"):
            source(kinesis, checkpoints, tmp_path).run(print, threading.Event())
        key = "kinesis//eu-west-1/logs:shardId-000000000000"
        kept = checkpoints.load(key)
        assert kept
        checkpoints.save(key, "{", kept[1])
        with pytest.raises(DataError, match="shardId-000000000000"):
            source(kinesis, checkpoints, tmp_path).run(print, threading.Event())


def test_a_stream_that_may_not_be_read_ends_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once, with the statement that the policy lacks, and tried again; what runs beside it goes on."""
    monkeypatch.setattr("logship.forward.sources.kinesis.source.REFUSED_S", 0.2)
    with FakeKinesis() as kinesis:
        lines, store = list[str](), MemoryStore()
        kinesis.put("shardId-000000000000", data(0))
        kinesis.refusals += [("GetRecords", "AccessDeniedException")] * 3
        one = source(kinesis, SqliteCheckpoints(tmp_path), tmp_path, lines, once=False, interval_s=0.1)
        with forwarding([one], tmp_path, store):
            wait_for(lambda: messages(store) == said(0))

    statement = json.loads(lines[0][lines[0].index("{") : lines[0].rindex("}") + 1])
    assert (len(lines), statement["Action"], statement["Resource"]) == (
        1, "kinesis:GetRecords", "arn:aws:kinesis:eu-west-1:*:stream/logs",
    )  # fmt: skip


def test_a_group_may_be_read_by_both_lanes(tmp_path: Path) -> None:
    """What FilterLogEvents gives and what the subscription delivers is one record."""
    with LocalCloudWatch() as cw, FakeKinesis() as kinesis:
        client = cw.client()
        client.create_log_group(logGroupName="/shop/a")
        client.create_log_stream(logGroupName="/shop/a", logStreamName="x")
        now_ms = int(time.time() * 1000)
        client.put_log_events(
            logGroupName="/shop/a",
            logStreamName="x",
            logEvents=[{"timestamp": now_ms, "message": f"event {n % 10}"} for n in range(20)],
        )
        kinesis.put("shardId-000000000000", payload(cw.events("/shop/a")))
        checkpoints, store = SqliteCheckpoints(tmp_path), MemoryStore()
        polled = CloudWatchPoller(client, checkpoints, Polled(start_ms=now_ms - 60_000, once=True))
        stored, _ = forward([polled, source(kinesis, checkpoints, tmp_path)], tmp_path, store)

    assert (stored, len(records(store))) == (20, 20)


def test_moto_delivers_a_subscription(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group, its filter and a stream of another make: what is put arrives, with the ids that polling gives."""
    with fake_aws.moto(monkeypatch):
        session = open_session()
        logs, kinesis = open_client("logs", session), open_client("kinesis", session)
        kinesis.create_stream(StreamName="logs", ShardCount=1)
        logs.create_log_group(logGroupName="/shop/a")
        logs.create_log_stream(logGroupName="/shop/a", logStreamName="x")
        arn = kinesis.describe_stream_summary(StreamName="logs")["StreamDescriptionSummary"]["StreamARN"]
        logs.put_subscription_filter(
            logGroupName="/shop/a",
            filterName="f",
            filterPattern="",
            destinationArn=arn,
            roleArn="arn:aws:iam::1:role/x",
        )
        now_ms = int(time.time() * 1000)
        for number in range(3):
            logs.put_log_events(
                logGroupName="/shop/a",
                logStreamName="x",
                logEvents=[{"timestamp": now_ms, "message": f"event {number}"}],
            )
        wanted = Consumed(stream=arn, start_ms=now_ms - 60_000, once=True)
        checkpoints, store = SqliteCheckpoints(tmp_path), MemoryStore()
        one = KinesisSource(kinesis, checkpoints, wanted, keep=DeadLetters(tmp_path).keep)
        polled = CloudWatchPoller(logs, checkpoints, Polled(start_ms=now_ms - 60_000, once=True))
        stored, letters = forward([one], tmp_path, store)
        again, _ = forward([polled], tmp_path, store)

    assert (stored, letters, again, messages(store)) == (3, [], 0, said(0, 1, 2))


def test_a_shard_that_another_process_asks_for_is_given_where_it_stands(tmp_path: Path) -> None:
    """Its place is saved, however seldom that is done, and it is released at once: nobody waits for it."""

    class Asked(Shares):
        save_interval_s, share_interval_s = 600.0, 0.1
        released: ClassVar[list[str]] = []

        def release(self, key: str) -> None:
            self.released.append(key)

    with FakeKinesis(1) as kinesis:
        shard = next(iter(kinesis.shards))
        kinesis.put(shard, data(0))
        kept, store = SqliteCheckpoints(tmp_path), MemoryStore()
        checkpoints = Asked(kept, shard)
        with forwarding([source(kinesis, checkpoints, tmp_path, once=False, interval_s=0.1)], tmp_path, store):
            wait_for(lambda: messages(store) == said(0))
            kinesis.put(shard, data(1))  # the first one was saved at once
            wait_for(lambda: messages(store) == said(0, 1))
            before = kept.load(f"kinesis//eu-west-1/logs:{shard}")
            checkpoints.ours.clear()
            wait_for(lambda: checkpoints.released)
            after = kept.load(f"kinesis//eu-west-1/logs:{shard}")

    assert before
    assert after
    assert before[1] + 1 == after[1]
    assert checkpoints.released == [f"kinesis//eu-west-1/logs:{shard}"]
