"""Deliveries of Firehose over HTTP: 200 means stored, and everything else is sent again."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from logship.errors import ConnectError, UsageError
from logship.forward.letters.dead_letters import DeadLetters
from logship.forward.sources.firehose import app
from logship.forward.sources.firehose.request import MAX_BODY_BYTES
from logship.forward.sources.firehose.source import FirehoseSource, is_loopback
from logship.record import LogEvent
from logship.testing import MemoryStore
from tests.forwarding import CONTROL, forwarding, messages, payload

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping, Sequence
    from pathlib import Path

    from logship.forward.port import Batch

KEY = "example-key"
HEAD = {
    "X-Amz-Firehose-Request-Id": "r-1",
    "X-Amz-Firehose-Protocol-Version": "1.0",
    "X-Amz-Firehose-Source-Arn": "arn:aws:firehose:eu-west-1:123456789012:deliverystream/logs",
    "X-Amz-Firehose-Access-Key": KEY,
    "X-Amz-Firehose-Common-Attributes": '{"commonAttributes":{"a":"b"}}',
    "Content-Type": "application/json",
}


def data(*numbers: int) -> bytes:
    return payload([LogEvent("/shop/a", "x", 1_795_443_665_871, f"event {number}", f"{number}") for number in numbers])


def body(*records: bytes) -> bytes:
    listed = [{"data": base64.b64encode(record).decode()} for record in records]
    return json.dumps({"requestId": "r-1", "timestamp": 1_795_443_665_871, "records": listed}).encode()


@contextmanager
def served(state: Path, store: Any, *, access_key: str = KEY) -> Iterator[str]:
    """The source in a forwarder; gives its URL."""
    source = FirehoseSource("127.0.0.1", 0, keep=DeadLetters(state).keep, access_key=access_key)
    with forwarding([source], state, store):
        assert source.listening.wait(10)
        yield f"http://127.0.0.1:{source.port}/"


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("state"), MemoryStore()) as url:
        yield url


def test_a_source_tells_when_it_takes_connections(tmp_path: Path) -> None:
    """Not before."""
    source = FirehoseSource("127.0.0.1", 0, keep=DeadLetters(tmp_path).keep)
    before = source.describes().ready
    with forwarding([source], tmp_path, MemoryStore()):
        assert source.listening.wait(10)

        assert (before, source.describes().ready) == (False, True)


class Held(MemoryStore):
    """A store that takes nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.asked = threading.Event()

    def commit(self) -> None:
        self.asked.set()
        if not self.open.is_set():
            raise ConnectError("the store is away")
        super().commit()


def test_a_delivery_is_stored_before_it_is_answered(tmp_path: Path) -> None:
    """Every packing that Firehose has, control messages included; the answer is the one it wants."""
    store = MemoryStore()
    with served(tmp_path, store) as url:
        records = (data(0) + data(1), gzip.decompress(data(2)) + b"\n", CONTROL)
        answered = httpx.post(url, headers=HEAD, content=body(*records))
        found = messages(store)
        packed = httpx.post(
            url, headers=HEAD | {"Content-Encoding": "gzip"}, content=gzip.compress(body(data(3), data(0)))
        )

    assert (answered.status_code, answered.headers["content-type"]) == (200, "application/json")
    assert answered.json() == {"requestId": "r-1", "timestamp": answered.json()["timestamp"]}
    assert (found, packed.status_code) == (["event 0", "event 1", "event 2"], 200)
    assert messages(store) == [f"event {number}" for number in range(4)]


def test_nothing_is_answered_while_the_store_is_away(tmp_path: Path) -> None:
    """The request waits, and gets its 200 only when the store has taken what it brought."""
    store, answers = Held(), list[int]()
    with served(tmp_path, store) as url:
        thread = threading.Thread(
            target=lambda: answers.append(httpx.post(url, headers=HEAD, content=body(data(0)), timeout=30).status_code)
        )
        thread.start()
        assert store.asked.wait(10)
        before = list(answers)
        store.open.set()
        thread.join(20)

    assert (before, answers, messages(store)) == ([], [200], ["event 0"])


def test_an_ending_forwarder_stores_or_refuses(tmp_path: Path) -> None:
    """When the forwarder is told to end while the store is away, the delivery is not said to be stored."""
    store, answers = Held(), list[int | str]()

    def send(url: str) -> None:
        try:
            answers.append(httpx.post(url, headers=HEAD, content=body(data(0)), timeout=30).status_code)
        except httpx.TransportError as error:
            answers.append(type(error).__name__)

    def serve_one() -> None:
        with served(tmp_path, store) as url:
            threads.append(threading.Thread(target=send, args=(url,)))
            threads[0].start()
            assert store.asked.wait(10)

    threads: list[threading.Thread] = []
    with pytest.raises(ConnectError):
        serve_one()
    threads[0].join(20)

    assert len(answers) == 1
    assert answers != [200]


def test_what_cannot_be_read_is_kept_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Poison is answered with 200: sent again it would be no better. Sent twice it is one letter."""
    store = MemoryStore()
    sent = json.loads(body(data(0), b"poison", data(1)))
    sent["records"] += [{"data": "%%%"}, {"nothing": 1}, 7]
    with served(tmp_path, store) as url:
        answers = [httpx.post(url, headers=HEAD, content=json.dumps(sent)).status_code for _ in range(2)]
    letters = DeadLetters(tmp_path).letters()

    assert (answers, messages(store)) == ([200, 200], ["event 0", "event 1"])
    assert {letter.event.group for letter in letters} == {"firehose:logs"}
    assert sorted((letter.event.message, letter.reason.partition(" (")[0]) for letter in letters) == [
        ("%%%", "its data is no base64"),
        ("7", "it has no data"),
        ("poison", "it is no JSON"),
        ('{"nothing":1}', "it has no data"),
    ]


@pytest.mark.parametrize(
    ("head", "content", "status"),
    [
        ({"X-Amz-Firehose-Access-Key": "other"}, body(), 401),
        ({"X-Amz-Firehose-Access-Key": "\u00e9"}, body(), 401),
        ({"X-Amz-Firehose-Request-Id": "r-2"}, body(), 400),
        ({"Content-Encoding": "gzip"}, b"no gzip", 400),
        ({"Content-Encoding": "gzip"}, gzip.compress(body(), mtime=0)[:-9], 400),
        ({"Content-Encoding": "br"}, body(), 400),
        ({}, b"{", 400),
        ({}, b"[]", 400),
        ({}, b'{"requestId":"r-1"}', 400),
        ({"Content-Encoding": "gzip"}, gzip.compress(b" " * (MAX_BODY_BYTES + 1), mtime=0), 413),
    ],
)
def test_what_is_no_delivery_is_refused(anywhere: str, head: dict[str, str], content: bytes, status: int) -> None:
    """With the status and the message that Firehose shows in its log, and the id of the request."""
    sent = {**HEAD, **head}
    answered = httpx.post(
        anywhere, headers=[(k.encode(), v.encode("latin-1")) for k, v in sent.items()], content=content
    )

    assert answered.status_code == status
    assert (answered.json()["requestId"], bool(answered.json()["errorMessage"])) == (
        sent["X-Amz-Firehose-Request-Id"],
        True,
    )


def test_a_body_that_is_too_large_is_refused_before_it_is_read(anywhere: str) -> None:
    """By its length, or where it has none, once it is longer than allowed."""
    host, port = anywhere.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in HEAD.items())
        connection.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {2**40}\r\n\r\n".encode())
        first = connection.recv(4096)

    def chunks() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 2**20 + 1):
            yield b" " * 2**20

    second = httpx.post(anywhere, headers=HEAD, content=chunks(), timeout=30).status_code

    assert (first[:12], second) == (b"HTTP/1.1 413", 413)


def stalled(url: str, head: str, content: bytes) -> socket.socket:
    """A connection that sends a part of a body and then nothing."""
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    fields = "".join(f"{name}: {value}\r\n" for name, value in HEAD.items())
    connection.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{fields}{head}\r\n\r\n".encode() + content)
    return connection


@pytest.mark.parametrize(
    ("head", "content"),
    [
        ("Content-Encoding: gzip\r\nContent-Length: 1000", b"\x1f\x8b"),
        ("Transfer-Encoding: chunked", b"2\r\n{}\r\n"),
        (f"Content-Length: {MAX_BODY_BYTES}", b"{"),
    ],
    ids=["packed", "of no length", "large"],
)
def test_a_body_that_stalls_keeps_nobody_else_waiting(tmp_path: Path, head: str, content: bytes) -> None:
    """Whatever it says of its size; others are stored and answered, packed or not."""
    store = MemoryStore()
    with served(tmp_path, store) as url, stalled(url, head, content):
        time.sleep(0.1)  # until it is being read
        answers = [
            httpx.post(url, headers=HEAD, content=body(data(0)), timeout=5).status_code,
            httpx.post(
                url, headers=HEAD | {"Content-Encoding": "gzip"}, content=gzip.compress(body(data(1))), timeout=5
            ).status_code,
        ]

    assert (answers, messages(store)) == ([200, 200], ["event 0", "event 1"])


def test_a_body_that_does_not_arrive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its time, with the answer that Firehose reads; then there is room for the next of its kind."""
    monkeypatch.setattr(app, "BODY_S", 0.3)
    store, large = MemoryStore(), f"Content-Length: {MAX_BODY_BYTES}"
    with served(tmp_path, store) as url:
        with stalled(url, large, b"{") as first, stalled(url, large, b"{") as second:
            answers = [connection.makefile("rb").read().partition(b"\r\n\r\n") for connection in (first, second)]
        after = httpx.post(url, headers=HEAD, content=iter([body(data(0))]), timeout=5).status_code

    assert {start.partition(b"\r\n")[0] for start, _, _ in answers} == {b"HTTP/1.1 408 Request Timeout"}
    assert {json.loads(told)["errorMessage"] for _, _, told in answers} == {
        "the body has not arrived within 0.3 s; send again"
    }
    assert (after, messages(store)) == (200, ["event 0"])


async def held_at_most(requests: Sequence[bytes], packed: bool) -> tuple[int, int]:
    """The most bytes of bodies that an endpoint held of requests at once while it worked on them; and its answers."""
    held, most, answers = [0], [0], list[int]()

    def deliver(batch: Batch) -> None:
        batch.stored()

    one = app.FirehoseApp(deliver, print)

    async def send_one(content: bytes) -> None:
        async def receive() -> dict[str, Any]:
            held[0] += len(content)
            most[0] = max(most[0], held[0])
            await asyncio.sleep(0)
            return {"type": "http.request", "body": content}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answers.append(message["status"])
                held[0] -= len(content)

        fields = [(b"content-length", str(len(content)).encode())] + [(b"content-encoding", b"gzip")] * packed
        await one({"type": "http", "method": "POST", "path": "/", "headers": fields}, receive, send)

    await asyncio.gather(*(send_one(content) for content in requests))
    return most[0], answers.count(200)


@pytest.mark.parametrize("packed", [False, True])
def test_however_many_deliver_at_once_memory_is_bounded(packed: bool) -> None:
    """What is not worked on waits where it is, and all is answered in the end."""
    empty = body() + b" " * (6 * 2**20)
    content = gzip.compress(empty, 0) if packed else empty
    most, answered = asyncio.run(held_at_most([content] * 40, packed))

    assert (most <= 96 * 2**20, answered) == (True, 40)


def test_packed_deliveries_wait_for_the_store_together() -> None:
    """What they unpack to is soon known, and that is the room they take while the store works."""
    waiting: list[Batch] = []
    there = threading.Event()

    def take(batch: Batch) -> None:
        waiting.append(batch)
        if len(waiting) == 20:
            there.set()

    one = app.FirehoseApp(take, print)

    async def deliver(number: int) -> None:
        content = gzip.compress(body(data(number)))

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content}

        async def send(message: MutableMapping[str, Any]) -> None:
            """Nobody looks."""

        head = [(b"content-length", str(len(content)).encode()), (b"content-encoding", b"gzip")]
        await one({"type": "http", "method": "POST", "path": "/", "headers": head}, receive, send)

    async def deliver_all() -> int:
        tasks = [asyncio.create_task(deliver(number)) for number in range(20)]
        await asyncio.to_thread(there.wait, 10)
        found = len(waiting)
        for batch in waiting:
            batch.stored()
        if found == len(tasks):
            await asyncio.gather(*tasks)
        return found

    assert asyncio.run(deliver_all()) == 20


def test_a_delivery_that_is_cut_short_is_refused_in_its_format() -> None:
    """A server whose time to end is over cancels what it works on; Firehose reads the answer all the same."""
    answers: list[MutableMapping[str, Any]] = []
    one = app.FirehoseApp(lambda _: None, print)
    content = body(data(0))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content}

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(message)

    async def cut() -> None:
        head = [(b"content-length", str(len(content)).encode()), (b"x-amz-firehose-request-id", b"r-1")]
        scope = {"type": "http", "method": "POST", "path": "/", "headers": head}
        task = asyncio.create_task(one(scope, receive, send))
        await asyncio.sleep(0.1)
        task.cancel()
        await task

    asyncio.run(cut())

    told = json.loads(answers[1]["body"])
    assert (answers[0]["status"], told["requestId"], told["errorMessage"]) == (
        503, "r-1", "the forwarder is ending; send again",
    )  # fmt: skip


def test_load_balancers_may_ask(anywhere: str) -> None:
    """Whether the endpoint is there, without the key; any other GET is refused."""
    answers = [httpx.get(anywhere + "healthz").status_code, httpx.get(anywhere, headers=HEAD).status_code]

    assert answers == [200, 405]


def test_many_at_once_are_all_answered(tmp_path: Path) -> None:
    """More requests than threads wait their turn; each is stored once."""
    store, answers = MemoryStore(), list[int]()
    with served(tmp_path, store) as url:

        def send(number: int) -> None:
            content = body(data(*range(10 * number, 10 * number + 10)))
            answers.append(httpx.post(url, headers=HEAD, content=content, timeout=30).status_code)

        threads = [threading.Thread(target=send, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert (answers, len(messages(store))) == ([200] * 40, 400)


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    """With the port and the key to change."""
    with served(tmp_path, MemoryStore()) as url:
        taken = FirehoseSource("127.0.0.1", int(url.rstrip("/").rpartition(":")[2]), keep=print)
        with pytest.raises(UsageError, match="name another: listen"):
            taken.run(print, threading.Event())


def test_only_this_machine_is_loopback() -> None:
    """What is open to others needs a key."""
    found = [
        host
        for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost", "0.0.0.0", "::", "logs.example.org")
        if is_loopback(host)
    ]

    assert found == ["127.0.0.1", "127.9.9.9", "::1", "localhost"]
