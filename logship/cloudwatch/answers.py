"""Answers of CloudWatch Logs by a shorter way than the SDK's, whose own reading of a page costs more than what follows.

The SDK reads a body in pieces of 64 KB, after each of which other threads take their turn, and then makes an object of
each event. Both ways in are seams: the session that its endpoint sends requests with, and, for FilterLogEvents, an
event of the SDK. Whoever imports this module loads the SDK.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ResponseStreamingError
from msgspec import UNSET, Struct, UnsetType
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from collections.abc import Iterator

_OK: Final = 200


def read_fast(client: Any) -> None:
    """Has a client of CloudWatch Logs read its answers that way."""
    endpoint = client._endpoint  # noqa: SLF001 - the SDK has no other way to it
    endpoint.http_session = _WholeBodies(endpoint.http_session)
    client.meta.events.register("before-parse.cloudwatch-logs.FilterLogEvents", _parse_page)


class PageEvents(Sequence[dict[str, Any]]):
    """The events of a page field by field; each of them is as the SDK has it.

    Attributes:
        streams: their streams' names; those that are equal are mostly one object.
        timestamps_ms: event times.
        messages: as they arrived.
        event_ids: CloudWatch's.
        ingestions_ms: when CloudWatch took them in; 0 where an answer does not say it.
    """

    def __init__(self, events: Sequence[_Event]) -> None:
        one_of: dict[str, str] = {}
        self.streams = [one_of.setdefault(event.log_stream_name, event.log_stream_name) for event in events]
        self.timestamps_ms = [event.timestamp for event in events]
        self.messages = [event.message for event in events]
        self.event_ids = [event.event_id for event in events]
        self.ingestions_ms = [event.ingestion_time for event in events]

    @classmethod
    def of(cls, events: Sequence[dict[str, Any]]) -> PageEvents:
        """The same of events as the SDK has them, which reads halves of surrogate pairs, too: no store takes those.

        Raises:
            ValueError: they are none.
        """
        if isinstance(events, cls):
            return events
        try:
            found = msgspec.convert(events, list[_Event])
        except msgspec.ValidationError as error:
            raise ValueError(f"no events of FilterLogEvents: {error}") from None
        for event in found:
            event.message, event.log_stream_name = _whole(event.message), _whole(event.log_stream_name)
        return cls(found)

    def __len__(self) -> int:
        return len(self.messages)

    def __getitem__(self, place: Any, /) -> Any:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        event = {
            "logStreamName": self.streams[place],
            "timestamp": self.timestamps_ms[place],
            "message": self.messages[place],
            "eventId": self.event_ids[place],
        }
        return event | ({"ingestionTime": self.ingestions_ms[place]} if self.ingestions_ms[place] else {})


class _Event(Struct, gc=False, rename="camel"):
    log_stream_name: str
    timestamp: int
    message: str
    event_id: str
    ingestion_time: int = 0
    """AWS does not call it required."""


def _whole(text: str) -> str:
    """The text with a mark instead of each half of a surrogate pair."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Page(Struct, rename="camel"):
    events: list[_Event]
    next_token: str | UnsetType = UNSET
    searched_log_streams: list[Any] | UnsetType = UNSET


_decode_page: Final = msgspec.json.Decoder(_Page).decode


def read_page(body: bytes) -> dict[str, Any]:
    """A page of FilterLogEvents as the SDK reads it, but for its `PageEvents`, in a tenth of the time.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError: it is no such page, or no JSON at all.
    """
    page = _decode_page(body)
    more = {"nextToken": page.next_token, "searchedLogStreams": page.searched_log_streams}
    return {"events": PageEvents(page.events)} | {name: value for name, value in more.items() if value is not UNSET}


def _parse_page(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Reads a page for the SDK, which then has nothing left to read; what is none it reads itself, and complains of."""
    if response_dict["status_code"] == _OK:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            customized_response_dict.update(read_page(response_dict["body"]))
            response_dict["body"] = b"{}"


class _WholeBodies:
    """The SDK's session for HTTP, but for bodies: they are read in one go. A stream stays one."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def send(self, request: Any) -> Any:
        """The answer to a request; its body, too, is there.

        Raises:
            BotoCoreError: as the SDK does, also where the body ends before its length.
        """
        if request.stream_output:
            return self._session.send(request)
        request.stream_output = True  # else all of the body is read before we see it
        answer = self._session.send(request)
        try:
            body = answer.raw.read()
        except (HTTPError, OSError) as error:
            raise ResponseStreamingError(error=error) from error
        return AWSResponse(answer.url, answer.status_code, answer.headers, _Body(body))

    def close(self) -> None:
        """Lets go of the connections."""
        self._session.close()


class _Body:
    """What the SDK wants to read a body from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        """All of it."""
        yield self._body
