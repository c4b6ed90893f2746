"""The Lambda entry point: what it stores, what it answers, and where poison goes."""

from __future__ import annotations

import base64
import gzip
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from logship import serverless
from logship.cloudwatch.session import open_client, open_session
from logship.errors import BrokenFileError, ConnectError, SettingsError, UsageError
from logship.forward.between.prepare import Preparer
from logship.forward.files import FileOptions, read_events
from logship.forward.importing import import_paths
from logship.forward.letters.letter_lines import LetterBucket, print_letters
from logship.parse import Parser
from logship.query.tree import All
from logship.record import Cloud, LogEvent, to_document
from logship.serverless import LambdaForwarder
from logship.store.port import AddResult, Rejected
from logship.store.tantivy.reader import Reader
from logship.testing import MemoryStore
from tests import fake_aws
from tests.forwarding import CONTROL, messages, payload, records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from logship.forward.letters.dead_letters import DeadLetter
    from logship.record import Record

ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/logs"


def data(*numbers: int, text: str = "event") -> bytes:
    return payload([LogEvent("/shop/a", "x", 1_795_443_665_871, f"{text} {number}", f"{number}") for number in numbers])


def kinesis(*contents: bytes) -> dict[str, Any]:
    """What an event source mapping hands over; the sequence numbers are 1, 2, …"""
    return {
        "Records": [
            {
                "eventSource": "aws:kinesis",
                "eventID": f"shardId-000000000006:{number}",
                "eventSourceARN": ARN,
                "kinesis": {
                    "sequenceNumber": str(number),
                    "approximateArrivalTimestamp": 1_795_443_666.5,
                    "data": base64.b64encode(content).decode(),
                },
            }
            for number, content in enumerate(contents, 1)
        ]
    }


def direct(content: bytes) -> dict[str, Any]:
    """What a log group's subscription hands over."""
    return {"awslogs": {"data": base64.b64encode(content).decode()}}


class Trouble(MemoryStore):
    """A store that is away for some adds, and never takes what says poison."""

    def __init__(self, *away: int) -> None:
        super().__init__()
        self.adds, self.away = 0, set(away)

    def add(self, records: Sequence[Record]) -> AddResult:
        self.adds += 1
        if self.adds in self.away:
            raise ConnectError("the store is away")
        bad = tuple(Rejected(record, "it is poison") for record in records if "poison" in record.body)
        good = super().add([record for record in records if "poison" not in record.body])
        return AddResult(good.accepted, good.existing, bad)


def forwarder(store: MemoryStore, letters: list[DeadLetter] | None = None) -> LambdaForwarder:
    return LambdaForwarder(store, Preparer(Parser()), (letters if letters is not None else []).extend)


def failures(answer: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_a_batch_of_kinesis_is_stored() -> None:
    """Each event once, also when the batch comes again; control messages are nothing."""
    store = MemoryStore()
    lambda_ = forwarder(store)
    answers = [failures(lambda_.handle(kinesis(data(0, 1), CONTROL, data(2)))) for _ in range(2)]

    assert (answers, messages(store)) == ([[], []], ["event 0", "event 1", "event 2"])
    assert failures(lambda_.handle({"Records": []})) == []


def test_a_direct_subscription_is_stored() -> None:
    """The same record as by Kinesis."""
    store = MemoryStore()
    lambda_ = forwarder(store)
    answer = lambda_.handle(direct(data(0, 1)))
    lambda_.handle(kinesis(data(1)))

    assert (answer, messages(store)) == ({}, ["event 0", "event 1"])


def test_one_bad_record_repeats_nothing() -> None:
    """What is no payload, and what the store rejects, are dead letters; the batch is done."""
    letters: list[DeadLetter] = []
    store = Trouble()
    batch = kinesis(data(0), b"no payload", data(1, text="poison"), data(2))
    batch["Records"][0]["kinesis"]["data"] += "%"
    answer = forwarder(store, letters).handle(batch)
    found = {(letter.event.group, letter.event.stream, letter.event.event_id, letter.reason) for letter in letters}

    assert (failures(answer), messages(store)) == ([], ["event 2"])
    assert found == {
        ("kinesis:logs", "shardId-000000000006", "1-0", "it is no base64"),
        ("kinesis:logs", "shardId-000000000006", "2-0", "it is no JSON (Expecting value)"),
        ("/shop/a", "x", "1", "it is poison"),
    }


@pytest.mark.parametrize("event", [kinesis(data(0)), direct(data(0))])
def test_a_store_that_is_away_has_the_batch_sent_again(event: dict[str, Any]) -> None:
    """Nothing is stored, so the error is raised, whatever calls; when it comes again all is there."""
    store = Trouble(1)
    lambda_ = forwarder(store)
    with pytest.raises(ConnectError):
        lambda_.handle(event)
    before = messages(store)
    lambda_.handle(event)

    assert (before, messages(store)) == ([], ["event 0"])


def test_what_is_stored_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer names the first record that is not stored; Lambda goes on from there."""
    monkeypatch.setattr(serverless, "_PART_EVENTS", 2)
    store = Trouble(2)
    lambda_ = forwarder(store)
    batch = kinesis(data(0, 1), data(2), data(3), data(4))
    first = failures(lambda_.handle(batch))
    stored = messages(store)
    again = failures(lambda_.handle({"Records": batch["Records"][1:]}))

    assert (first, stored) == (["2"], ["event 0", "event 1"])
    assert (again, len(messages(store))) == ([], 5)


def test_continuation_lines_are_linked_also_after_a_failure() -> None:
    """What the parser remembers of a failed batch is forgotten with it."""
    lines = ["2026-11-23 14:21:05 ERROR it broke", '  File "a.py", line 1', "2026-11-23 14:21:06 INFO next"]
    events = [LogEvent("/shop/a", "x", 5 + number, line, f"{number}") for number, line in enumerate(lines)]
    store = Trouble(2)
    lambda_ = forwarder(store)
    lambda_.handle(kinesis(payload(events[:1])))
    with pytest.raises(ConnectError):
        lambda_.handle(kinesis(payload(events[1:])))
    lambda_.handle(kinesis(payload(events[1:])))
    store.refresh()
    records = list(store.scan(All()))

    assert records[1].attributes["logship.continues"] == records[0].id


def test_objects_that_a_queue_tells_of_are_stored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A message fails alone: what can be read and the others are done, and Lambda gives that one back to the queue."""

    def of(*keys: str) -> dict[str, Any]:
        about = [{"bucket": {"name": "logs"}, "object": {"key": key}} for key in keys]
        bodies = [json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": one}]}) for one in about]
        return {
            "Records": [
                {"eventSource": "aws:sqs", "messageId": k, "body": b} for k, b in zip(keys, bodies, strict=True)
            ]
        }

    with fake_aws.moto(monkeypatch):
        session = open_session(region="us-east-1")
        client = open_client("s3", session)
        client.create_bucket(Bucket="logs")
        client.put_object(Bucket="logs", Key="good.log", Body=b"2026-11-23T14:00:00Z it is good\n")
        client.put_object(Bucket="logs", Key="bad.gz", Body=gzip.compress(b"2026-11-23T14:00:00Z cut\n")[:-4])
        store = MemoryStore()
        lambda_ = forwarder(store)
        answer = failures(lambda_.handle(of("bad.gz", "good.log", "gone.log")))
        with pytest.raises(BrokenFileError):
            lambda_.handle(of("bad.gz"))
    said = capsys.readouterr().err

    assert (answer, [message.rpartition(" ")[2] for message in messages(store)]) == (["bad.gz"], ["cut", "good"])
    assert "message bad.gz goes back to its queue" in said
    assert "s3://logs/gone.log has been deleted" in said


def test_an_event_of_something_else_is_said() -> None:
    """With what it has, and what should call the function."""
    with pytest.raises(UsageError, match="detail-type, source is none"):
        forwarder(MemoryStore()).handle({"source": "aws.ec2", "detail-type": "x"})


def test_letters_are_lines_of_bounded_length(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a bucket a letter is in the function's own log, whole, in lines that Lambda does not cut."""
    message = "\x01" * 100_000
    lambda_ = LambdaForwarder(MemoryStore(), Preparer(Parser()), print_letters)
    lambda_.handle(kinesis(message.encode()))
    lines = capsys.readouterr().err.splitlines()
    found = [json.loads(line) for line in lines]

    assert max(map(len, lines)) < 256_000
    assert "".join(part["message"] for part in found) == message
    assert [part["logship.part"] for part in found] == ["1/4", "2/4", "3/4", "4/4"]


def test_letters_are_objects_that_import_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One object a letter, however often it comes; it is the event, with its id."""
    with fake_aws.moto(monkeypatch):
        import boto3

        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="letters")
        lambda_ = LambdaForwarder(Trouble(), Preparer(Parser()), LetterBucket("s3://letters/dead/", client).keep)
        for _ in range(2):
            lambda_.handle(kinesis(data(7, text="poison")))
        listed = [item["Key"] for item in client.list_objects_v2(Bucket="letters")["Contents"]]
        content = client.get_object(Bucket="letters", Key=listed[0])["Body"].read()
    path = tmp_path / "letter.ndjson"
    path.write_bytes(content)
    [event] = [found.event for found in read_events(path, FileOptions())]

    assert [key.partition("/")[0] for key in listed] == ["dead"]
    assert event == LogEvent("/shop/a", "x", 1_795_443_665_871, "poison 7", "7", cloud=Cloud("123456789012"))
    with pytest.raises(SettingsError, match="s3://BUCKET/PREFIX"):
        LetterBucket("letters")


def documents(*stores: MemoryStore) -> list[str]:
    """All that some stores have, as text, sorted."""
    return sorted(json.dumps(to_document(record)) for store in stores for record in records(store))


def test_letters_that_are_imported_are_what_would_have_been_stored_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids, accounts, regions, and links to the event that a line continues; payloads become their events."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    texts = [
        "2026-11-23 14:21:05 ERROR it broke",
        "  File poison, line 1",
        '{"severity_text":"INFO","body":"poison","logship.id":"7f3c9a1e5b204d68-42"}',
        "  continues the poison",
    ]
    events = [LogEvent("/shop/a", "x", 1_795_443_665_871 + n, text, f"{n}") for n, text in enumerate(texts)]
    cut = json.loads(gzip.decompress(data(7, 8)))
    cut["logEvents"][1]["timestamp"] = "wrong"
    batches = [kinesis(payload(events)), direct(json.dumps(cut).encode())]
    letters, refusing, at_once, imported = tmp_path / "letters.ndjson", Trouble(), MemoryStore(), MemoryStore()
    with letters.open("w") as file:
        for batch in batches:
            LambdaForwarder(refusing, Preparer(Parser()), partial(print_letters, write=file.write)).handle(batch)
    letters.write_text(letters.read_text().replace('\\"wrong\\"', "1795443665871"))
    cut["logEvents"][1]["timestamp"] = 1_795_443_665_871
    for batch in [batches[0], direct(json.dumps(cut).encode())]:
        forwarder(at_once).handle(batch)
    result = import_paths([str(letters)], imported, Parser(), FileOptions())

    assert (result.accepted, result.unread) == (4, 0)
    assert documents(refusing, imported) == documents(at_once)
    assert {"cloud.account.id", "cloud.region"} <= records(imported)[0].resource.keys()


def test_a_letter_in_several_lines_is_imported_as_one(tmp_path: Path) -> None:
    """In whichever order they come, and however often; where one is missing the file is said to lack it."""
    batch = kinesis(payload([LogEvent("/shop/a", "x", 1_795_443_665_871, "poison" * 20_000, "1")]))
    lines: list[str] = []
    LambdaForwarder(Trouble(), Preparer(Parser()), partial(print_letters, write=lines.append)).handle(batch)
    at_once, imported = MemoryStore(), MemoryStore()
    forwarder(at_once).handle(batch)
    whole, cut = tmp_path / "whole.ndjson", tmp_path / "cut.ndjson"
    whole.write_text("".join([lines[2], *lines[::-1]]))
    cut.write_text("".join(lines[1:]))
    results = [import_paths([str(path)], imported, Parser(), FileOptions()) for path in (cut, whole)]

    assert [(len(lines), result.accepted) for result in results] == [(4, 0), (4, 1)]
    assert [str(error).partition("cannot be ")[2] for error in results[0].errors] == [
        "read on: dead letters of which a part is missing: 1; what came before it is stored"
    ]
    assert (documents(imported), results[1].errors) == (documents(at_once), [])


def test_a_letter_that_is_not_kept_is_not_done() -> None:
    """While the place of letters is away, the batch comes again."""

    def away(letters: Sequence[DeadLetter]) -> None:
        raise ConnectError(f"{len(letters)} letters cannot be kept")

    with pytest.raises(ConnectError, match="1 letters"):
        LambdaForwarder(MemoryStore(), Preparer(Parser()), away).handle(kinesis(b"poison"))


def test_the_handler_takes_its_store_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it needs is made once for all events of a container; secrets are taken out, and rules are applied."""
    (tmp_path / "logship.toml").write_text('[[forward.rule]]\nquery = "dull"\naction = "drop"\n')
    monkeypatch.setenv("LOGSHIP_CONFIG", str(tmp_path / "logship.toml"))
    monkeypatch.setenv("LOGSHIP_STORE", str(tmp_path / "store"))
    serverless._forwarder.cache_clear()
    texts = ["password=hunter22", "dull"]
    answers = [serverless.handler(kinesis(data(number, text=text)), None) for number, text in enumerate(texts)]
    serverless.handler(kinesis(b"password=hunter22 no payload"), None)
    said = capsys.readouterr().err
    kept = serverless._forwarder.cache_info().misses
    serverless._forwarder()._writer.close()
    serverless._forwarder.cache_clear()

    assert (answers, kept) == ([{"batchItemFailures": []}] * 2, 1)
    [record] = Reader(str(tmp_path / "store")).scan(All())
    assert record.body.startswith("password=[redacted:")
    assert "password=[redacted:password] no payload" in said


@pytest.mark.parametrize("content", ["", 'store = "./data"\n'])
def test_a_store_that_would_go_with_the_container_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    """Nothing is written there, and the error says what to set; Lambda sends the events again."""
    (tmp_path / "logship.toml").write_text(content)
    monkeypatch.chdir(tmp_path)
    serverless._forwarder.cache_clear()
    with pytest.raises(SettingsError, match=r"'\./data' would go with .*; set LOGSHIP_STORE"):
        serverless.handler(kinesis(data(0)), None)

    assert not (tmp_path / "data").exists()
