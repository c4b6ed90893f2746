"""StartLiveTail: sessions that are told of events as they are taken in, before they can be found otherwise."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch import limits
from logship.testing.local_cloudwatch import eventstream
from logship.testing.local_cloudwatch.faults import ApiError, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.testing.local_cloudwatch.faults import Mischief
    from logship.testing.local_cloudwatch.groups import Group

_INVALID: Final = "InvalidParameterException"
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\nx-amzn-RequestId: local\r\n\r\n"


@dataclass(eq=False, slots=True)
class Session:
    """One session: what it asked for, and what it has not been told yet."""

    number: int
    request: dict[str, Any]
    groups: frozenset[str]
    events: list[dict[str, Any]] = field(default_factory=list)
    """Taken in since the last update."""
    updates: deque[tuple[bytes, int]] = field(default_factory=deque)
    """Not sent yet, since the reader is slow: the message and how many events it has."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def wants(self, group: str, stream: str) -> bool:
        """Whether events of a stream belong to it."""
        names, prefixes = self.request.get("logStreamNames"), self.request.get("logStreamNamePrefixes")
        if group not in self.groups:
            return False
        return not (names and stream not in names) and not (prefixes and not stream.startswith(tuple(prefixes)))

    def put(self, update: bytes, events: int) -> None:
        """An update to be sent; the oldest are dropped where the reader is too slow."""
        self.updates.append((update, events))
        while (
            len(self.updates) > limits.LIVE_TAIL_WAITING_UPDATES
            or sum(count for _, count in self.updates) > limits.LIVE_TAIL_WAITING_EVENTS
        ):
            self.updates.popleft()
        self.ready.set()


class Sessions:
    """All sessions of the account.

    Args:
        mischief: what goes wrong.
        every_s: seconds between two updates.
    """

    def __init__(self, mischief: Mischief, every_s: float) -> None:
        self._mischief, self._every_s = mischief, every_s
        self._numbers = 0
        self.open: set[Session] = set()

    def start(self, request: dict[str, Any], named: Callable[[str], Group]) -> Session:
        """Begins a session.

        Args:
            request: of StartLiveTail.
            named: finds a group by its ARN.

        Raises:
            ApiError: the request is none that the service takes.
        """
        groups = frozenset(_checked(request, named))
        if len(self.open) >= limits.LIVE_TAIL_SESSIONS:
            raise ApiError("LimitExceededException", "Account has reached the maximum number of Live Tail sessions.")
        self._numbers += 1
        session = Session(self._numbers, request, groups)
        self.open.add(session)
        return session

    def took(self, group: str, stream: str, event: dict[str, Any]) -> None:
        """An event was taken in."""
        for session in self.open:
            if session.wants(group, stream):
                session.events.append(event)

    async def serve(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Sends updates until the session times out or its reader goes away.

        Raises:
            NoAnswer: the connection is to be reset.
        """
        tick = asyncio.ensure_future(self._tick(session))
        tasks = (tick, asyncio.ensure_future(_send(session, writer)), asyncio.ensure_future(reader.read(1)))
        writer.write(_HEAD % eventstream.CONTENT_TYPE.encode())
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tick.done():
                await _end(session, tick.result(), writer)
        finally:
            self.open.discard(session)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tick(self, session: Session) -> bytes:
        """Makes updates as time goes by; the message that ends the session is what it returns."""
        faults = self._mischief.faults
        loop = asyncio.get_running_loop()
        end_s = loop.time() + (faults.session_timeout_s or limits.LIVE_TAIL_SESSION_S)
        session.put(eventstream.event("initial-response", {}), 0)
        session.put(eventstream.event("sessionStart", _facts(session)), 0)
        while True:
            await asyncio.sleep(max(0.0, min(self._every_s, end_s - loop.time())))
            faults = self._mischief.faults
            if self._mischief.draw(faults.session_reset_rate):
                raise NoAnswer
            if self._mischief.draw(faults.session_error_rate):
                return eventstream.exception("SessionStreamingException", "injected")
            if loop.time() >= end_s:
                return eventstream.exception("SessionTimeoutException", "Session timed out.")
            if not faults.session_silent:
                session.put(*self._update(session))

    def _update(self, session: Session) -> tuple[bytes, int]:
        events, session.events = session.events, []
        sampled = len(events) > limits.LIVE_TAIL_EVENTS
        if sampled:
            kept = sorted(self._mischief.random.sample(range(len(events)), limits.LIVE_TAIL_EVENTS))
            events = [events[number] for number in kept]
        update = {"sessionMetadata": {"sampled": sampled}, "sessionResults": events}
        return eventstream.event("sessionUpdate", update), len(events)


async def _send(session: Session, writer: asyncio.StreamWriter) -> None:
    while True:
        await session.ready.wait()
        session.ready.clear()
        while session.updates:
            writer.write(_chunk(session.updates.popleft()[0]))
            await writer.drain()


async def _end(session: Session, last: bytes, writer: asyncio.StreamWriter) -> None:
    """The last message, after what still waits."""
    for update, _ in session.updates:
        writer.write(_chunk(update))
    writer.write(_chunk(last) + _chunk(b""))
    with suppress(ConnectionError):  # whoever listened has gone
        await writer.drain()


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def _facts(session: Session) -> dict[str, Any]:
    return {
        "requestId": f"request-{session.number}",
        "sessionId": f"session-{session.number}",
        "logGroupIdentifiers": session.request["logGroupIdentifiers"],
        "logStreamNames": session.request.get("logStreamNames") or [],
        "logStreamNamePrefixes": session.request.get("logStreamNamePrefixes") or [],
        "logEventFilterPattern": "",
    }


def _checked(request: dict[str, Any], named: Callable[[str], Group]) -> list[str]:
    """The names of the groups.

    Raises:
        ApiError: as the service's.
    """
    arns: Sequence[str] = request.get("logGroupIdentifiers") or []
    if not 1 <= len(arns) <= limits.LIVE_TAIL_GROUPS:
        raise ApiError(
            _INVALID, f"1 validation error detected: 'logGroupIdentifiers' has {len(arns)} members, not 1-10"
        )
    if request.get("logEventFilterPattern"):
        raise ApiError(_INVALID, "logEventFilterPattern is not evaluated by LocalCloudWatch; filter what it gives out")
    streams, prefixes = request.get("logStreamNames"), request.get("logStreamNamePrefixes")
    if streams and prefixes:
        raise ApiError(_INVALID, "logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.")
    if (streams or prefixes) and len(arns) > 1:
        raise ApiError(_INVALID, "Log streams can be chosen for a single log group only.")
    if wrong := [arn for arn in arns if not arn.startswith("arn:") or arn.endswith("*")]:
        raise ApiError(_INVALID, f"{wrong[0]!r} is no ARN of a log group without an asterisk")
    groups = [named(arn) for arn in arns]
    if other := [group.name for group in groups if group.log_class != "STANDARD"]:
        raise ApiError("InvalidOperationException", f"Live Tail is not supported for the log class of {other[0]}.")
    return [group.name for group in groups]
