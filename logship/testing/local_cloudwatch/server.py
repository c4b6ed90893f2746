"""The HTTP side: JSON 1.1 over asyncio, on 127.0.0.1, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

from logship.testing.local_cloudwatch.faults import ApiError, Faults, Mischief, NoAnswer
from logship.testing.local_cloudwatch.groups import REGION
from logship.testing.local_cloudwatch.live_tail import Session
from logship.testing.local_cloudwatch.operations import Operations

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from types import TracebackType

    from logship.record import LogEvent

_MOST_BODY_BYTES: Final = 64 * 2**20


class LocalCloudWatch:
    """CloudWatch Logs on a free port of 127.0.0.1.

    Args:
        port: 0 takes a free one.
        clock: seconds since 1970; the real time when None.
        visibility_delay_s: seconds between taking an event in and giving it out: one number, a range drawn
            from for each event, or what draws it.
        faults: what goes wrong; may be changed while running through `faults`.
        seed: of everything that is drawn.
        live_tail_every_s: seconds between two updates of a session of Live Tail.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        visibility_delay_s: float | tuple[float, float] | Callable[[random.Random], float] = 0.0,
        faults: Faults | None = None,
        seed: int = 0,
        live_tail_every_s: float = 1.0,
    ) -> None:
        self._mischief = Mischief(faults or Faults(), seed)
        self._operations = Operations(clock, self._mischief, _delay(visibility_delay_s), live_tail_every_s)
        self._port, self._clock = port, clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self.requests: dict[str, int] = {}
        """Requests per operation, failed ones included."""

    @property
    def faults(self) -> Faults:
        """What goes wrong at the moment."""
        return self._mischief.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._mischief.faults = faults

    @property
    def injected(self) -> dict[str, int]:
        """How many faults were injected, by kind."""
        return dict(self._mischief.injected)

    @property
    def url(self) -> str:
        """The endpoint, such as ``http://127.0.0.1:40123``."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def live_tails(self) -> list[frozenset[str]]:
        """The log groups of each session of Live Tail that is open."""
        return [
            session.groups for session in sorted(self._operations.sessions.open, key=lambda session: session.number)
        ]

    def client(self, **more: Any) -> Any:
        """A boto3 client of this endpoint, with credentials that mean nothing; `more` is passed on to boto3."""
        import boto3

        return boto3.client(
            "logs",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - means nothing
            **more,
        )

    def link(self, other: LocalCloudWatch, account: str) -> None:
        """Makes this a monitoring account of another one, whose number is given: it sees the groups there."""
        other._operations.account = account
        self._operations.linked[account] = other._operations

    def events(self, group: str) -> list[LogEvent]:
        """Everything a group has taken in, visible or not, in order; [] for an unknown group."""
        found = self._operations.groups.get(group)
        return list(found.events()) if found else []

    def groups(self) -> list[str]:
        """The names of all groups."""
        return sorted(self._operations.groups)

    def start(self) -> Self:
        """Listens; returns when it does."""
        self._thread = threading.Thread(target=self._run, name="local-cloudwatch", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failure:
            raise self._failure
        return self

    def stop(self) -> None:
        """Closes every connection and waits for the thread; safe to call twice."""
        if self._loop is not None and self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._done.set)
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await asyncio.start_server(self._connection, "127.0.0.1", self._port, limit=2**20)
        except OSError as error:
            self._failure = error
            self._started.set()
            return
        self._port = server.sockets[0].getsockname()[1]
        self._connections: set[asyncio.Task[Any]] = set()
        self._started.set()
        await self._done.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._request(reader, writer):
                pass
        except (
            ConnectionError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            asyncio.CancelledError,
            ValueError,
        ):
            pass  # the other side went away, or spoke something else
        except NoAnswer:
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serves one request; false when the connection is to be closed."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(headers.get("content-length", 0))
        if length > _MOST_BODY_BYTES:
            return False
        body = await reader.readexactly(length)
        status, answer = self._answer(headers.get("x-amz-target", ""), body)
        if isinstance(answer, Session):
            await self._operations.sessions.serve(answer, reader, writer)
            return False
        if self.faults.latency_s:
            await asyncio.sleep(self.faults.latency_s)
        writer.write(
            b"HTTP/1.1 %d %s\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n"
            b"x-amzn-RequestId: local\r\nDate: %s\r\n\r\n"
            % (status, b"OK" if status < 300 else b"Error", len(answer), self._date())  # noqa: PLR2004
        )
        writer.write(answer)
        await writer.drain()
        return headers.get("connection", "").lower() != "close"

    def _date(self) -> bytes:
        return formatdate(self._clock(), usegmt=True).encode()

    def _answer(self, target: str, body: bytes) -> tuple[int, bytes | Session]:
        operation = target.rpartition(".")[2]
        self.requests[operation] = self.requests.get(operation, 0) + 1
        try:
            request = dict(orjson.loads(body or b"{}"))
            if operation == "StartLiveTail":
                return 200, self._operations.start_live_tail(request)
            return 200, self._operations.call(operation, request)
        except (orjson.JSONDecodeError, TypeError) as error:
            failure = ApiError("SerializationException", str(error))
        except ApiError as error:
            failure = error
        return failure.status, orjson.dumps({"__type": failure.code, "message": str(failure)})


def _delay(
    wanted: float | tuple[float, float] | Callable[[random.Random], float],
) -> Callable[[Mischief], float] | None:
    if callable(wanted):
        draw = wanted
        return lambda mischief: draw(mischief.random)
    low, high = wanted if isinstance(wanted, tuple) else (wanted, wanted)
    return (lambda mischief: mischief.uniform(low, high)) if high else None
