"""Checkpoints in DynamoDB, as moto's server evaluates our conditions."""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest
from moto.server import ThreadedMotoServer

from logship.cloudwatch.permissions import checkpoint_table
from logship.errors import AccessError, ConnectError, DataError, UsageError
from logship.forward.checkpoints.dynamodb import DynamoCheckpoints, dynamodb_client, make_table
from logship.forward.checkpoints.dynamodb_table import DynamoTable
from logship.forward.checkpoints.leases import Entry, Lease, Row
from logship.forward.checkpoints.names import Names
from logship.forward.checkpoints.port import LeaseLost
from logship.forward.checkpoints.worker import Worker
from logship.settings import Forward, Source
from logship.wiring import checkpoints_of, open_checkpoints
from tests import fake_aws
from tests.stub_server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")


@pytest.fixture
def client(moto_url: str) -> Iterator[Any]:
    made = dynamodb_client(endpoint_url=moto_url)
    yield made
    for table in made.list_tables()["TableNames"]:
        made.delete_table(TableName=table)
    made.close()


@pytest.fixture
def table(client: Any) -> DynamoTable:
    make_table(client, "checkpoints")
    return DynamoTable(client, "checkpoints")


@pytest.fixture
def opened(client: Any) -> Iterator[Callable[..., DynamoCheckpoints]]:
    """Opens checkpoints that are closed with the test."""
    every: list[DynamoCheckpoints] = []

    def open_one(**options: Any) -> DynamoCheckpoints:
        every.append(DynamoCheckpoints(client, "checkpoints", **options))
        return every[-1]

    yield open_one
    for one in every:
        one.close()


def test_the_table_is_made_once(client: Any) -> None:
    """It is charged by the request, and a second process finds it; that nothing is known from before is said."""
    said: list[str] = []
    make_table(client, "checkpoints", said.append)
    make_table(client, "checkpoints", said.append)
    found = client.describe_table(TableName="checkpoints")["Table"]

    assert found["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert [("made in eu-west-1" in line, "begin at start" in line) for line in said] == [(True, True)]


def test_another_table_is_refused(client: Any) -> None:
    """A table with other keys belongs to somebody else."""
    client.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    with pytest.raises(DataError, match=r"'orders' has the keys \{'id': 'HASH'\}"):
        make_table(client, "orders")


def test_a_row_moves_on_and_never_back(table: DynamoTable) -> None:
    """A beat repeated is a beat, an older one that arrives late is none, and without a row there is nothing to move."""
    table.enter("a")

    assert [table.beat("a", beat, ["k"]) for beat in (1, 1, 3, 2)] == [True, True, True, False]
    assert table.workers() == {"a": Row(3, ("k",))}
    assert not table.beat("b", 1, [])


def test_only_a_row_that_stands_still_is_buried(table: DynamoTable) -> None:
    """Who has moved in the meantime is left alone."""
    table.enter("a")
    table.beat("a", 1, [])

    assert (table.bury("a", 0), table.bury("a", 1), table.bury("a", 1)) == (False, True, False)
    assert table.workers() == {}


def test_one_of_two_takes_a_key(table: DynamoTable) -> None:
    """Both saw the same lease; the second is refused, and the token grows with each hand-over."""
    taken = [table.take("k", None, "a"), table.take("k", None, "b")]
    table.release("k", Lease("a", 1))
    free = table.leases()
    again = [table.take("k", free["k"], "b"), table.take("k", free["k"], "c"), table.take("k", Lease("b", 2), "c")]

    assert (taken, free, again) == ([True, False], {"k": Lease("", 1)}, [True, False, True])
    assert table.leases() == {"k": Lease("c", 3)}


def test_a_take_that_is_tried_twice_is_one(table: DynamoTable) -> None:
    """The SDK's second try finds the first one's work, and that is no refusal."""
    assert [table.take("k", None, "a"), table.take("k", None, "a")] == [True, True]


@pytest.mark.parametrize(
    ("version", "lease"), [(0, Lease("a", 1)), (1, Lease("b", 1)), (1, Lease("a", 2)), (2, Lease("a", 1))]
)
def test_a_save_needs_version_owner_and_token(table: DynamoTable, version: int, lease: Lease) -> None:
    """Whatever of the three is another one, the text stays and is told."""
    table.take("k", None, "a")
    assert table.save("k", "one", 0, Lease("a", 1)) is None
    refused = table.save("k", "two", version, lease)

    assert refused == table.load("k") == Entry("one", 1, Lease("a", 1))


def test_a_release_with_an_old_token_is_none(table: DynamoTable) -> None:
    """Whoever gives back what it has lost takes it from nobody."""
    table.take("k", None, "a")
    table.take("k", Lease("a", 1), "b")
    table.release("k", Lease("a", 1))

    assert table.leases() == {"k": Lease("b", 2)}


def test_more_keys_than_a_page_holds(table: DynamoTable) -> None:
    """All leases are seen, in as many answers as it takes."""
    keys = [f"/shop/{number}" for number in range(40)]
    for key in keys:
        table.take(key, None, "a")
        table.save(key, "x" * 60_000, 0, Lease("a", 1))

    assert sorted(table.leases()) == sorted(keys)


def test_checkpoints_survive_their_process(opened: Callable[..., DynamoCheckpoints]) -> None:
    """Whoever closes gives all back: the next one has the keys at once, and goes on from their texts."""
    first = opened(store="/data")
    assert (first.share(["a", "b"]), first.load("a")) == ({"a", "b"}, None)
    version = first.save("a", "two", first.save("a", "one", 0))
    first.close()
    second = opened(store="/data")

    assert (second.share(["a", "b"]), second.load("a")) == ({"a", "b"}, ("two", version))
    with pytest.raises(LeaseLost):
        first.save("a", "three", version)
    assert second.save("a", "three", version) == version + 1


def test_another_store_is_refused(opened: Callable[..., DynamoCheckpoints]) -> None:
    """Checkpoints say what a store holds, so they are of no use with another."""
    opened(store="https://one")
    opened(store="https://one")

    with pytest.raises(DataError, match="'https://one', not 'https://two'"):
        opened(store="https://two")


def test_a_second_process_gets_its_share(opened: Callable[..., DynamoCheckpoints]) -> None:
    """Keys are asked for and given, and are worked on by one at a time."""
    keys = [f"/shop/{number}" for number in range(6)]
    first = opened()
    assert first.share(keys) == set(keys)
    second = opened()
    began_s, held = time.monotonic(), set(keys)
    while len(theirs := second.share(keys)) < 3:
        assert theirs.isdisjoint(held)
        assert time.monotonic() - began_s < 20
        left = first.share(keys)
        for key in held - left:
            first.release(key)
        held = left
        threading.Event().wait(0.2)

    assert (len(held), held | theirs) == (3, set(keys))


def test_a_restarted_process_does_not_wait_for_itself(client: Any, tmp_path: Path) -> None:
    """Whoever finds the state folder of a process that is gone has its keys at once; a living one's are left."""
    command = (
        "import sys, boto3; from logship.forward.checkpoints.dynamodb import *;"
        "one = DynamoCheckpoints(dynamodb_client(endpoint_url=sys.argv[1]), 'checkpoints', state=sys.argv[2]);"
        "print(sorted(one.share(['a', 'b'])), flush=True); sys.stdin.read()"
    )
    arguments = [sys.executable, "-c", command, client.meta.endpoint_url, str(tmp_path)]
    running = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert running.stdout
    assert running.stdout.readline() == "['a', 'b']\n"
    beside = DynamoCheckpoints(client, "checkpoints", state=tmp_path)
    while_alive = beside.share(["a", "b"])
    beside.close()
    running.kill()
    running.communicate(timeout=10)
    after = DynamoCheckpoints(client, "checkpoints", state=tmp_path)
    found = after.share(["a", "b"])
    after.close()

    assert (while_alive, found) == (set(), {"a", "b"})


@pytest.mark.parametrize(("name", "wrong"), [("text", {"N": "1"}), ("version", {"S": "x"}), ("token", {"S": "1"})])
def test_a_damaged_item_is_named(client: Any, table: DynamoTable, name: str, wrong: dict[str, str]) -> None:
    """What is no checkpoint ends the run with table and key, and is not overwritten."""
    table.take("/shop/a", None, "a")
    item = client.scan(TableName="checkpoints")["Items"][0] | {name: wrong}
    client.put_item(TableName="checkpoints", Item=item)

    with pytest.raises(DataError, match=r"'key#/shop/a/checkpoint' of .* table 'checkpoints'.*delete the item"):
        table.load("/shop/a")


class Mischief(Server):
    """Stands before another server: throttles, fails, or breaks the connection after the change was made."""

    def __init__(self, url: str, rate: float) -> None:
        super().__init__()
        self.behind, self.rate, self.drawn = url, rate, random.Random(5)
        self.RequestHandlerClass = _Mischief
        self.faults = 0


class _Mischief(BaseHTTPRequestHandler):
    server: Mischief

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        fault = self.server.drawn.choice(["throttle", "fail", "lose"]) if self.drawn() else ""
        self.server.faults += bool(fault)
        if fault == "throttle":
            self.answer(*answering(400, "ThrottlingException"))
        elif fault == "fail":
            self.answer(*answering(500, "InternalServerError"))
        else:
            connection = http.client.HTTPConnection(self.server.behind.removeprefix("http://"), timeout=10)
            connection.request("POST", "/", body, dict(self.headers))
            answer = connection.getresponse()
            status, found = answer.status, json.loads(answer.read())
            connection.close()
            if not fault:
                self.answer(status, found)

    def drawn(self) -> bool:
        return self.server.drawn.random() < self.server.rate

    def answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Silent."""


def test_throttling_and_lost_answers_change_nothing(client: Any, moto_url: str) -> None:
    """Every second request fails, some after the change was made: each save counts once, and no lease is lost by it."""
    make_table(client, "checkpoints")
    with Mischief(moto_url, 0.5) as server:
        throttled = dynamodb_client(endpoint_url=server.url)
        worker = until_done(lambda: Worker(DynamoTable(throttled, "checkpoints"), Names(None).new))
        while worker.share(["a"]) != {"a"}:
            worker.beat()
        version = 0
        for number in range(8):
            worker.beat()
            version = until_done(partial(worker.save, "a", f"text {number}", version))
        throttled.close()

    assert DynamoTable(client, "checkpoints").load("a") == Entry("text 7", version, Lease(worker.pulse.name, 1))
    assert (version, server.faults > 10) == (8, True)


def until_done(do: Callable[[], Any]) -> Any:
    while True:
        with suppress(ConnectError):
            return do()


def answering(status: int, code: str, message: str = "no") -> tuple[int, dict[str, str]]:
    return status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (answering(400, "AccessDeniedException"), AccessError, "dynamodb:CreateTable"),
        (answering(400, "UnrecognizedClientException"), AccessError, "check the role's policy"),
        (answering(400, "ThrottlingException"), ConnectError, "tried again"),
        (answering(400, "ProvisionedThroughputExceededException"), ConnectError, "tried again"),
        (answering(500, "InternalServerError"), ConnectError, "tried again"),
        (answering(400, "ValidationException", "Invalid table name"), DataError, r"\[forward\] checkpoints"),
    ],
)
def test_refusals_are_explained(answer: tuple[int, Any], error: type[Exception], words: str) -> None:
    """Not permitted comes with the statement of the policy; what may pass is tried again; the rest names the key."""
    with Server(answer) as server, pytest.raises(error, match=words):
        make_table(dynamodb_client(endpoint_url=server.url), "checkpoints")


@pytest.mark.parametrize("code", ["TransactionConflictException", "ReplicatedWriteConflictException"])
def test_a_conflict_with_another_writer_passes(code: str) -> None:
    """What DynamoDB refuses for a moment, with a status of 400, is tried again."""
    with Server(answering(400, code)) as server, pytest.raises(ConnectError, match="tried again"):
        DynamoTable(dynamodb_client(endpoint_url=server.url), "checkpoints").enter("a")


def test_credentials_that_cannot_be_renewed_are_waited_for(
    client: Any, moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first answer they are an access error; after it the worker lives on when they are there again."""
    make_table(client, "checkpoints")
    with fake_aws.container(monkeypatch) as container:
        renewed = dynamodb_client(endpoint_url=moto_url)
        worker = Worker(DynamoTable(renewed, "checkpoints"), Names(None).new)
        container.is_down = True
        with pytest.raises(AccessError, match="attach a role"):
            make_table(renewed, "checkpoints")
        worker.beat()
        container.is_down = False
        worker.beat()
        beats = DynamoTable(renewed, "checkpoints").workers()
        renewed.close()

    assert beats == {worker.pulse.name: Row(2)}


def test_no_server_is_said() -> None:
    """An endpoint that does not answer is exit 3."""
    with pytest.raises(ConnectError, match="'checkpoints' in eu-west-1"):
        make_table(dynamodb_client(endpoint_url="http://127.0.0.1:9"), "checkpoints")


def test_the_statement_is_whole() -> None:
    """Every action that the module calls stands in the policy, and the resource is the table alone."""
    found = checkpoint_table("eu-west-1", "checkpoints", create=True)

    assert found["Resource"] == "arn:aws:dynamodb:eu-west-1:*:table/checkpoints"
    assert {"dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem", "dynamodb:DeleteItem"} < set(found["Action"])


def test_the_table_moves_with_the_first_region_alone() -> None:
    """Settings that are read again and look for it elsewhere can be told by that; another source behind is none."""
    here, there = Source(region="eu-west-1"), Source(region="us-east-1")
    places = [
        checkpoints_of(Forward(checkpoints="dynamodb:checkpoints", source=sources))
        for sources in ([here], [Source(), here, there], [there, here])
    ]

    assert places == [
        f"the DynamoDB table 'checkpoints' in {region}" for region in ("eu-west-1", "eu-west-1", "us-east-1")
    ]


def test_settings_choose_the_table(client: Any, moto_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``dynamodb:TABLE`` opens a table in the region of the sources, nothing opens the state folder."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    shared = Forward(checkpoints="dynamodb:fleet", state=str(tmp_path), source=[Source(region="eu-west-1")])
    places = []
    for forward in (shared, Forward(state=str(tmp_path))):
        checkpoints = open_checkpoints(forward, "/data")
        places.append(checkpoints.place)
        checkpoints.close()

    assert places == ["the DynamoDB table 'fleet'", f"the state folder {str(tmp_path)!r}"]
    assert "fleet" in client.list_tables()["TableNames"]


@pytest.mark.parametrize("text", ["redis:x", "dynamodb:", "dynamodb", "dynamodb:a b"])
def test_a_place_that_nobody_knows_is_refused(text: str) -> None:
    """The message names the setting and what it may be."""
    with pytest.raises(UsageError, match=r"\[forward\] checkpoints"):
        open_checkpoints(Forward(checkpoints=text), "/data")
