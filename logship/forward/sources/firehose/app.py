"""The endpoint as an ASGI app: each request becomes batches, and is answered when they are safe."""

from __future__ import annotations

import asyncio
import hmac
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from logship.errors import LogshipError, Stopped
from logship.forward.port import Batch
from logship.forward.sources import subscription
from logship.forward.sources.firehose import request as http
from logship.forward.sources.firehose.request import MAX_BODY_BYTES, Refused
from logship.forward.sources.unpacking import BadPayload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence

    from logship.forward.letters.dead_letters import DeadLetter
    from logship.forward.sources.firehose.request import Delivery
    from logship.record import LogEvent

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

PATIENCE_S: Final = 150.0
"""How long a request waits for the store: Firehose itself waits three minutes, then sends again."""
BODY_S: Final = 30.0
"""How long a body may take to arrive once there is room for it."""
_USUAL_BYTES: Final = 8 * 2**20
"""Bodies up to this size share the room of those that arrive; the how-to has Firehose send 4 MiB at most."""
_ARRIVING_BYTES: Final = 32 * 2**20
_BATCH_CHARACTERS: Final = 2 * 2**20


class FirehoseApp:
    """Takes deliveries of subscription payloads at every path; ``GET /healthz`` is for load balancers.

    Memory is bounded: bodies of `MAX_BODY_BYTES` in all are worked on at a time, as large as they are unpacked. Half as
    much may arrive meanwhile, and one body that is unusually large or does not tell its length; so one that stalls, on
    its way for `BODY_S` at most, keeps the usual ones from nothing. The others wait in their connections.

    Args:
        deliver: takes batches; see the port of sources.
        keep: takes payloads that cannot be read; returns when they are safe.
        access_key: what deliveries must carry; "" asks for nothing.
        patience_s: how long a request waits for the store before it is told to come again.
        say: told what people should know, a line each.
    """

    def __init__(
        self,
        deliver: Callable[[Batch], None],
        keep: Callable[[Sequence[DeadLetter]], object],
        *,
        access_key: str = "",
        patience_s: float = PATIENCE_S,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._deliver, self._keep, self._say = deliver, keep, say
        self._access_key, self._patience_s = access_key.encode(), patience_s
        self._usual, self._unusual = _Room(_ARRIVING_BYTES), _Room(MAX_BODY_BYTES)
        """For bodies that arrive."""
        self._room = _Room(MAX_BODY_BYTES)
        """For deliveries that are worked on."""
        self._reading = asyncio.Lock()
        """One body is unpacked at a time: nobody knows how large it will be."""
        self._working: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = headers.get("x-amz-firehose-request-id", "")
        if scope["method"] == "GET" and scope["path"] == "/healthz":
            await _respond(send, HTTPStatus.OK, b"ok\n", "text/plain")
            return
        status, error = HTTPStatus.OK, ""
        try:
            self._check(scope["method"], headers)
            await self._take(headers, receive)
        except Refused as refusal:
            status, error = refusal.status, str(refusal)
        except (Stopped, asyncio.CancelledError):  # the latter once the server's time to end is over
            status, error = HTTPStatus.SERVICE_UNAVAILABLE, "the forwarder is ending; send again"
        except LogshipError as failure:
            status, error = HTTPStatus.SERVICE_UNAVAILABLE, str(failure)
            self._say(f"a delivery of Firehose was refused: {failure}")
        except _GoneError:
            return
        except Exception as failure:  # Firehose sends again, and a person is told
            status, error = HTTPStatus.INTERNAL_SERVER_ERROR, "internal error"
            self._say(f"a delivery of Firehose failed: {type(failure).__name__}: {failure}")
        await _respond(send, status, http.answer(request_id, error), "application/json")

    def _check(self, method: str, headers: Mapping[str, str]) -> None:
        """Refuses what need not be read."""
        given = headers.get("x-amz-firehose-access-key", "").encode("latin-1")
        if self._access_key and not hmac.compare_digest(given, self._access_key):
            raise Refused(HTTPStatus.UNAUTHORIZED, "the access key is not the one of this endpoint")
        if method != "POST":
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "deliveries are POST requests")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY_BYTES:,} bytes")

    async def _take(self, headers: Mapping[str, str], receive: Receive) -> None:
        """Waits until a delivery is stored. One that takes too long goes on, and will be there when it comes again."""
        work = asyncio.create_task(self._work(headers, receive))
        self._working.add(work)
        work.add_done_callback(self._working.discard)
        done, _ = await asyncio.wait({work}, timeout=self._patience_s)
        if not done:
            # What nobody waits for any longer is nobody's failure.
            work.add_done_callback(lambda task: task.cancelled() or task.exception())
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the store has not answered yet; send again")
        await work

    async def _work(self, headers: Mapping[str, str], receive: Receive) -> None:
        delivery = await self._received(headers, receive)
        size = delivery.size
        try:
            stored = _Stored()
            await asyncio.to_thread(self._hand_over, delivery, headers, stored)
            del delivery
            await stored.wait()
        finally:
            self._room.give_back(size)

    async def _received(self, headers: Mapping[str, str], receive: Receive) -> http.Delivery:
        """The delivery, once there is room to work on it, which it has got. Its body holds its first room till then.

        Raises:
            Refused: it is too large, has not arrived in time, or is no delivery.
        """
        told = "content-length" in headers and "transfer-encoding" not in headers
        size = int(headers["content-length"]) if told else MAX_BODY_BYTES
        arriving = self._usual if size <= _USUAL_BYTES else self._unusual
        await arriving.take(size)
        try:
            body = await _body_in_time(receive)
            async with self._reading:
                delivery = await asyncio.to_thread(http.read, body, headers)
                await self._room.take(delivery.size)
        finally:
            arriving.give_back(size)
        return delivery

    def _hand_over(self, delivery: http.Delivery, headers: Mapping[str, str], stored: _Stored) -> None:
        """Delivers what a body holds, in batches; the last of them tells that all are stored. Runs in a thread."""
        events: list[LogEvent] = []
        held = 0
        for number, (data, problem) in enumerate(delivery.payloads()):
            found = subscription.read(data) if not problem else subscription.Payload(bad=[BadPayload(problem, data)])
            if found.bad:
                self._keep(_letters(found.bad, delivery, number, http.source_name(headers)))
            events += found.events
            held += sum(len(event.message) for event in found.events)
            if held >= _BATCH_CHARACTERS:
                self._deliver(Batch(events))
                events, held = [], 0
        self._deliver(Batch(events, stored.set))


class _Stored:
    """Set in the thread that stores, waited for in the loop of the server."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def set(self) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        await self._event.wait()


class _Room:
    """So many bytes at a time, in the order of asking; what is larger than all goes alone."""

    def __init__(self, size: int) -> None:
        self._size, self._held = size, 0
        self._changed = asyncio.Condition()
        self._turn = asyncio.Lock()

    async def take(self, size: int) -> None:
        async with self._turn, self._changed:
            await self._changed.wait_for(lambda: not self._held or self._held + size <= self._size)
            self._held += size

    def give_back(self, size: int) -> None:
        self._held -= size
        self._telling = asyncio.ensure_future(self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class _GoneError(Exception):
    """The client has gone away."""


async def _body_in_time(receive: Receive) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            return await _body(receive)
    except TimeoutError:
        text = f"the body has not arrived within {BODY_S:g} s; send again"
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, text) from None


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _GoneError
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY_BYTES:,} bytes")
        if not message.get("more_body"):
            return bytes(body)


async def _respond(send: Send, status: HTTPStatus, body: bytes, kind: str) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    if status is HTTPStatus.REQUEST_TIMEOUT:  # what still comes is of no use
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _letters(bad: Sequence[BadPayload], delivery: Delivery, number: int, name: str) -> list[DeadLetter]:
    return [
        subscription.letter(
            part,
            group=f"firehose:{name}",
            stream="",
            timestamp_ms=delivery.timestamp_ms,
            event_id=f"{delivery.request_id}-{number}-{piece}",
        )
        for piece, part in enumerate(bad)
    ]
