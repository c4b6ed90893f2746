"""Objects that a queue tells of: read as `logship import` reads them, and forgotten only when they are stored."""

from __future__ import annotations

import gzip
import io
import json
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from logship.cloudwatch.session import open_client, open_session
from logship.errors import AccessError, ConnectError, UsageError
from logship.forward import files
from logship.forward.files import FileOptions
from logship.forward.importing import import_paths
from logship.forward.letters.dead_letters import DeadLetter
from logship.forward.letters.letter_lines import print_letters
from logship.forward.port import Batch
from logship.forward.sources.s3 import notice, queue
from logship.forward.sources.s3.notice import NoNotice, Notice
from logship.forward.sources.s3.source import S3Source
from logship.parse import Parser
from logship.record import LogEvent
from logship.testing import MemoryStore
from tests import fake_aws
from tests.forwarding import Ticking, forward, forwarding, messages, records, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path, PurePath

EXPORT = "".join(f"2026-11-23T14:21:0{n}.123Z line {n % 2}\n  more of it\n" for n in range(4)).encode()
OBJECTS = {
    "exports/5e2f/web-1/000000.gz": gzip.compress(EXPORT),
    "exports/5e2f/web-2/000000.gz": gzip.compress(EXPORT),
    "shop/app.log": b"2026-11-23 14:00:00 INFO a\n2026-11-23 14:00:01 ERROR b \xff\n",
    "top.ndjson": b'{"logGroup":"/shop/a","logStreamName":"x","timestamp":5,"eventId":"1","message":"from ndjson"}\n',
    "shop/wei rd+n\u00e4me %.log": b"2026-11-23T14:00:00Z INFO weird\n",
}


def of_s3(key: str, event: str = "ObjectCreated:Put") -> str:
    """What S3 itself writes."""
    about = {"bucket": {"name": "logs"}, "object": {"key": quote_plus(key), "size": 1}}
    return json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": event, "s3": about}]})


def of_sns(key: str) -> str:
    return json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": of_s3(key)})


def of_bridge(key: str) -> str:
    detail = {"bucket": {"name": "logs"}, "object": {"key": key, "size": 1}}
    return json.dumps({"detail-type": "Object Created", "source": "aws.s3", "detail": detail})


TEST_EVENT = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "logs"})


class Place:
    """A bucket and its queue."""

    def __init__(self) -> None:
        session = open_session()
        self.s3, self.sqs = open_client("s3", session), open_client("sqs", session)
        self.s3.create_bucket(Bucket="logs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.url = self.sqs.create_queue(QueueName="objects")["QueueUrl"]
        self.said: list[str] = []

    def put(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket="logs", Key=key, Body=content)

    def send(self, body: str) -> None:
        self.sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def left(self) -> tuple[int, int]:
        """(messages waiting, messages held)."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def source(self) -> S3Source:
        return S3Source(self.s3, self.sqs, self.url, once=True, say=self.said.append)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr("logship.forward.sources.s3.source._LAST_WAIT_S", 0)
    monkeypatch.setattr("logship.forward.sources.s3.source.WAIT_S", 1)
    with fake_aws.moto(monkeypatch):
        yield Place()


def test_objects_are_read_as_import_reads_them(place: Place, tmp_path: Path) -> None:
    """Exports, logs and NDJSON have the ids that `logship import` of a copy of the bucket gives them."""
    for key, content in OBJECTS.items():
        place.put(key, content)
        place.send(of_s3(key))
        file = tmp_path / "logs" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    store, imported = MemoryStore(), MemoryStore()
    stored, _ = forward([place.source()], tmp_path / "state", store)
    import_paths([str(tmp_path / "logs")], imported, Parser(), FileOptions())

    assert (stored, place.left(), place.said) == (20, (0, 0), [])
    assert [record.id for record in records(store)] == [record.id for record in records(imported)]


def test_a_source_tells_when_its_queue_has_answered(place: Place, tmp_path: Path) -> None:
    """Not before."""
    source = place.source()
    before = source.describes().ready
    forward([source], tmp_path, MemoryStore())

    assert (before, source.describes().ready) == (False, True)


@pytest.mark.parametrize("wrap", [of_s3, of_sns, of_bridge])
def test_every_form_of_message_is_read(wrap: Any) -> None:
    """From S3, by SNS, by EventBridge; keys are decoded where they are encoded."""
    assert notice.read(wrap("a b/c+\u00e4%.log")) == [Notice("logs", "a b/c+\u00e4%.log")]


@pytest.mark.parametrize("body", [TEST_EVENT, of_s3("a", "ObjectRemoved:Delete"), of_bridge("a").replace("Cre", "Del")])
def test_other_messages_of_buckets_are_nothing(body: str) -> None:
    """Tests and deletions tell of no new object."""
    assert notice.read(body) == []


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"Records":[{"eventName":"ObjectCreated:Put"}]}',
        '{"Records":7}',
        of_bridge("a").replace('"a"', "7"),
    ],
)
def test_what_is_no_message_of_a_bucket_says_so(body: str) -> None:
    """Whatever somebody else writes to the queue."""
    with pytest.raises(NoNotice):
        notice.read(body)


def test_bad_objects_are_left_to_the_queue_and_said_once(place: Place, tmp_path: Path) -> None:
    """A broken archive, records and letters of logship, a foreign message; what came before the break is stored."""
    place.put("a/000000.gz", gzip.compress(EXPORT * 500)[:-20])
    place.put("a/records.ndjson", b'{"_id":"%032d","@timestamp":"2026-11-23T14:21:05Z","body":"x",' % 0
              + b'"resource":{"attributes":{}},"attributes":{}}\n')  # fmt: skip
    place.put("good.log", b"2026-11-23T14:00:00Z INFO good\n")
    letter = DeadLetter("0" * 32, LogEvent("/shop/a", "x", 5, "poison", "1"), "no room")
    with io.StringIO() as file:
        print_letters([letter], file.write)
        place.put("a/letters.ndjson", file.getvalue().encode())
    for body in ("hello", of_s3("a/000000.gz"), of_s3("a/records.ndjson"), of_s3("gone.log"), TEST_EVENT):
        place.send(body)
    place.send(of_s3("a/letters.ndjson"))
    place.send(of_s3("good.log"))
    store = MemoryStore()
    source = place.source()
    forward([source], tmp_path, store)
    first, left = list(place.said), place.left()
    place.send("hello")
    place.send(of_s3("a/000000.gz"))
    forward([source], tmp_path, store)

    assert (len(first), left) == (5, (0, 4))
    assert place.said == first
    assert {
        "'objects' is left there" in line or "left in queue 'objects'" in line for line in (*first[:3], first[4])
    } == {True}
    assert first[3] == "s3://logs/gone.log has been deleted; it is left out"
    assert "s3://logs/a/letters.ndjson holds records or dead letters that logship wrote" in first[4]
    assert any("good" in message for message in messages(store))
    assert len(messages(store)) > 100


def test_what_came_before_a_break_is_stored_as_import_stores_it(place: Place, tmp_path: Path) -> None:
    """However few lines that are; the line that tells of the break names the object as `aws s3` does."""
    content = gzip.compress(b"".join(b"2026-11-23T14:00:00Z line %d\n" % number for number in range(100)))[:-10]
    place.put("shop/cut.gz", content)
    place.send(of_s3("shop/cut.gz"))
    file = tmp_path / "logs/shop/cut.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    store, imported = MemoryStore(), MemoryStore()
    stored, _ = forward([place.source()], tmp_path / "state", store)
    import_paths([str(file)], imported, Parser(), FileOptions())

    assert stored > 50
    assert [record.id for record in records(store)] == [record.id for record in records(imported)]
    assert [line.partition(": ")[0] for line in place.said] == ["'s3://logs/shop/cut.gz' cannot be read on"]


def test_a_queue_that_is_gone_for_a_while_is_waited_for(place: Place) -> None:
    """Once it has answered, it is told of when it is not there, and read when it is made anew."""
    stop, said = threading.Event(), list[str]()

    def say(line: str) -> None:
        said.append(line)
        place.sqs.create_queue(QueueName="objects")
        place.send("after")

    one = queue.Queue(place.sqs, place.url, say)
    before = one.receive(stop, wait_s=0)
    place.sqs.delete_queue(QueueUrl=place.url)
    after = one.receive(stop, wait_s=0)

    assert (before, [message.body for message in after], len(said)) == ([], ["after"], 1)
    assert said[0].startswith("SQS queue 'objects': ")
    assert said[0].endswith("; trying again")


def test_a_queue_that_goes_ends_what_would_end_with_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `once` it is an error, since nobody says when it comes back."""
    stop, answers = threading.Event(), iter(range(1))
    receive = queue.Queue.receive

    def received(self: queue.Queue, *arguments: Any, **named: Any) -> Any:
        found = receive(self, *arguments, **named)
        if next(answers, None) is not None:
            place.sqs.delete_queue(QueueUrl=place.url)
        return found

    monkeypatch.setattr(queue.Queue, "receive", received)
    with pytest.raises(UsageError, match="SQS queue 'objects'"):
        place.source().run(lambda _: None, stop)


def test_a_queue_that_never_answered_is_not_waited_for(place: Place) -> None:
    """It is a usage error, and so is one that nobody has made."""
    with pytest.raises(UsageError, match="SQS queue 'other'"):
        queue.Queue(place.sqs, f"{place.url.removesuffix('objects')}other").receive(threading.Event(), wait_s=0)


def test_messages_come_again_where_credentials_cannot_be_renewed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored is not deleted from the queue then, and nothing ends; a role that may not still ends all."""
    with fake_aws.container(monkeypatch) as container:
        one = queue.Queue(open_client("sqs", open_session()), place.url, place.said.append)
        place.send("hello")
        (message,) = one.receive(threading.Event(), wait_s=0)
        container.is_down = True
        one.finish(message)
        one.delete()
        container.is_down = False

    assert [line.rpartition("; ")[2] for line in place.said] == ["its messages come again"]
    assert place.left() == (0, 1)


def test_a_listing_without_end_is_a_broken_object(place: Place, tmp_path: Path) -> None:
    """However much it unpacks to, it is said and left to the queue; the others are read."""
    place.put("bomb.json", gzip.compress(b"{\n" + b" " * (80 * 2**20), 1))
    place.put("good.log", b"2026-11-23T14:00:00Z INFO good\n")
    for key in ("bomb.json", "good.log"):
        place.send(of_s3(key))
    store = MemoryStore()
    forward([place.source()], tmp_path, store)

    assert (messages(store), place.left()) == (["2026-11-23T14:00:00Z INFO good"], (0, 1))
    assert [("longer than 67,108,864 bytes" in line, "left in queue" in line) for line in place.said] == [(True, True)]


@pytest.mark.parametrize("error", [ValueError("odd"), TypeError("odd"), KeyError("odd")])
def test_an_object_that_nobody_foresaw_does_not_end_the_source(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It is said and left to the queue, as a broken one is; the others are read."""
    read = files.read_events

    def read_events(path: Path, options: FileOptions, *, named: PurePath, called: str) -> Iterator[files.FileEvent]:
        if named.name == "odd.log":
            raise error
        return read(path, options, named=named, called=called)

    monkeypatch.setattr(files, "read_events", read_events)
    for key in ("odd.log", "good.log"):
        place.put(key, b"2026-11-23T14:00:00Z INFO good\n")
        place.send(of_s3(key))
    store = MemoryStore()
    forward([place.source()], tmp_path, store)

    assert (messages(store), place.left()) == (["2026-11-23T14:00:00Z INFO good"], (0, 1))
    assert place.said == [
        f"s3://logs/odd.log cannot be read on: {error!r}; the message that told of it is left in queue 'objects'"
    ]


def test_an_undated_object_has_the_time_it_was_stored_at(place: Place, tmp_path: Path) -> None:
    """Rather than being refused, as a file would be that nobody gives a time."""
    place.put("shop/undated.txt", b"one\ntwo\n")
    place.send(of_s3("shop/undated.txt"))
    store = MemoryStore()
    forward([place.source()], tmp_path, store)
    ages_s = [time.time() - record.time_us / 1e6 for record in records(store)]

    assert messages(store) == ["one", "two"]
    assert max(ages_s) < 60


def test_a_message_is_deleted_only_when_all_is_stored(place: Place) -> None:
    """What was delivered and not acknowledged stays in the queue."""
    place.put("shop/app.log", OBJECTS["shop/app.log"])
    place.send(of_s3("shop/app.log"))
    source, delivered = place.source(), list[Batch]()
    source.run(delivered.append, threading.Event())
    source.save(now=True)
    before = place.left()
    for batch in delivered[:-1]:
        batch.stored()
    source.save(now=True)
    between = place.left()
    delivered[-1].stored()
    source.save(now=True)

    assert (before, between, place.left()) == ((0, 1), (0, 1), (0, 0))
    assert [len(batch.events) for batch in delivered] == [2, 0]


class Slow:
    """An SQS that does not answer deletions until it is let."""

    def __init__(self, inner: Any, failure: Exception | None = None) -> None:
        self.inner, self.failure = inner, failure
        self.asked, self.answers = threading.Event(), threading.Event()

    def delete_message_batch(self, **request: Any) -> Any:
        self.asked.set()
        self.answers.wait(20)
        if self.failure:
            raise self.failure
        return self.inner.delete_message_batch(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def test_a_slow_queue_keeps_no_other_source_waiting(place: Place, tmp_path: Path) -> None:
    """Messages are deleted beside the storing, and all of them at the end."""
    sqs, store, other = Slow(place.sqs), MemoryStore(), Ticking()
    for key in ("shop/a.log", "shop/b.log"):
        place.put(key, f"2026-11-23T14:00:00Z INFO {key}\n".encode())
    place.send(of_s3("shop/a.log"))
    source = S3Source(place.s3, sqs, place.url, say=place.said.append)
    with forwarding([source, other], tmp_path, store):
        assert sqs.asked.wait(10)
        place.send(of_s3("shop/b.log"))
        wait_for(lambda: any("b.log" in message for message in messages(store)))
        other.goes_on()
        before = place.left()
        sqs.answers.set()

    assert (before, place.left(), place.said) == ((0, 2), (0, 0), [])


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "its messages come again"),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteMessageBatch"),
            "its messages come again, and nothing of them is stored twice",
        ),
    ],
)
def test_a_message_that_cannot_be_deleted_comes_again(
    place: Place, tmp_path: Path, failure: Exception, said: str
) -> None:
    """That is said, and what came next is read, whether nobody answers or we may not."""
    sqs, store = Slow(place.sqs, failure), MemoryStore()
    sqs.answers.set()
    place.put("shop/a.log", b"2026-11-23T14:00:00Z INFO a\n")
    place.send(of_s3("shop/a.log"))
    with forwarding([S3Source(place.s3, sqs, place.url, say=place.said.append)], tmp_path, store):
        wait_for(lambda: place.said)

    assert [line.rpartition("; ")[2] for line in place.said] == [said]
    assert place.left() == (0, 1)


def test_messages_that_may_not_be_deleted_are_no_success(place: Place, tmp_path: Path) -> None:
    """With `once` nobody would delete them later."""
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteMessageBatch")
    sqs, store = Slow(place.sqs, denied), MemoryStore()
    sqs.answers.set()
    place.put("shop/a.log", b"2026-11-23T14:00:00Z INFO a\n")
    place.send(of_s3("shop/a.log"))
    with pytest.raises(AccessError, match="SQS queue 'objects'"):
        forward([S3Source(place.s3, sqs, place.url, once=True)], tmp_path, store)

    assert len(messages(store)) == 1


def test_a_message_is_held_while_it_is_worked_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else gets it, however long the store takes."""
    monkeypatch.setattr(queue, "HOLD_S", 1)
    place.put("shop/app.log", OBJECTS["shop/app.log"])
    place.send(of_s3("shop/app.log"))
    seen: list[tuple[int, int]] = []

    def slow(batch: Batch) -> None:
        if batch.events:
            time.sleep(2.2)
            seen.append(place.left())

    place.source().run(slow, threading.Event())

    assert seen == [(0, 1)]


def test_a_bucket_that_is_away_is_asked_again(place: Place, tmp_path: Path) -> None:
    """A few times; what comes then is read as if nothing had been."""
    place.put("shop/app.log", OBJECTS["shop/app.log"])
    place.send(of_s3("shop/app.log"))
    away = open_client("s3", open_session(), endpoint_url="http://127.0.0.1:9")
    asked: list[Any] = []

    class Twice:
        """Is away for two calls."""

        def get_object(self, **request: Any) -> Any:
            asked.append(request)
            return (away if len(asked) < 3 else place.s3).get_object(**request)

    store = MemoryStore()
    source = S3Source(Twice(), place.sqs, place.url, once=True, say=place.said.append)
    stored, _ = forward([source], tmp_path, store)

    assert (stored, len(asked), place.said) == (2, 3, [])


def test_a_queue_that_is_none_is_said(place: Place) -> None:
    """No such queue, and none that answers."""
    with pytest.raises(UsageError, match=r"NonExistentQueue|QueueDoesNotExist"):
        S3Source(place.s3, place.sqs, place.url + "x").run(print, threading.Event())
    away = open_client("sqs", open_session(), endpoint_url="http://127.0.0.1:9")
    with pytest.raises(ConnectError, match="SQS queue 'objects'"):
        S3Source(place.s3, away, "http://127.0.0.1:9/1/objects").run(print, threading.Event())
