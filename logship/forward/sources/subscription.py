"""What a subscription filter sends → events, and what of it is no payload.

CloudWatch Logs sends JSON (``messageType``, ``owner``, ``logGroup``, ``logStream``, ``logEvents``), gzipped to Kinesis
and Firehose and as base64 to Lambda; Firehose may unpack it and join several into one record. The `id` of an event is
the `eventId` that FilterLogEvents gives it, so that its record is the same whichever way it comes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship.forward.dead_letters import DeadLetter
from logship.record import LogEvent, record_id

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_UNPACKED_BYTES: Final = 64 * 2**20
"""What one payload may hold unpacked: PutLogEvents takes batches of 1 MiB, so more than this is no log of anybody."""
_LAYERS: Final = 4
"""How often a payload may be wrapped: gzip in base64 in gzip is more than anybody sends."""
_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31
"""zlib's word for "gzip, of any window"."""
_SLICE_BYTES: Final = 16 * 2**10
"""Unpacking goes in slices: what follows a gzip member is copied, and a hostile payload has thousands of members."""
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\r\n]+={0,2}[\r\n]*\Z")
_BLANK: Final = b" \t\r\n\x00"
_LONE_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""
_BLANKS: Final = re.compile(r"[\s\x00]*")
_DECODER: Final = json.JSONDecoder(strict=False)
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class BadPayload:
    """Bytes that are no payload, and why."""

    reason: str
    data: bytes

    @property
    def text(self) -> str:
        """The bytes as they can be kept and read again: themselves if they are text, else as base64."""
        try:
            text = self.data.decode()
        except UnicodeDecodeError:
            return base64.b64encode(self.data).decode()
        return base64.b64encode(self.data).decode() if "\x00" in text else text


@dataclass(slots=True)
class Payload:
    """What was found in some bytes. Both lists are empty for control messages."""

    events: list[LogEvent] = field(default_factory=list)
    bad: list[BadPayload] = field(default_factory=list)
    owner: str = ""
    """The account whose logs they are, as the last of them says."""


def read(data: bytes, *, limit_bytes: int = MAX_UNPACKED_BYTES) -> Payload:
    """The events of one Kinesis record, Firehose record or ``awslogs.data``. Never raises, whatever the bytes.

    What is good is given out also where something beside it is bad.

    Args:
        data: the bytes, packed in whichever way.
        limit_bytes: how much they may hold unpacked.
    """
    found = Payload()
    if not data.strip(_BLANK):
        found.bad.append(BadPayload("it is empty", data))
        return found
    for part in _unpacked(data, _Limit(limit_bytes), _LAYERS):
        if isinstance(part, BadPayload):
            found.bad.append(part)
        else:
            _read_documents(part, found)
    return found


def letter(bad: BadPayload, *, group: str, stream: str, timestamp_ms: int, event_id: str) -> DeadLetter:
    """A bad payload as a dead letter, the same one whenever it is delivered again.

    Args:
        bad: the payload.
        group: the way it came: ``kinesis:STREAM``, ``firehose:STREAM``.
        stream: the shard; "" where there is none.
        timestamp_ms: when it arrived.
        event_id: what tells it from all others of its stream.
    """
    event = LogEvent(group, stream, timestamp_ms, bad.text, event_id)
    # Firehose tells another time at each attempt, so the id is made without one.
    return DeadLetter(record_id(0, group, stream, event_id), event, bad.reason, kind="payload")


@dataclass(slots=True)
class _Limit:
    """How much may still be unpacked."""

    left_bytes: int


def _unpacked(data: bytes, limit: _Limit, layers: int) -> Iterator[bytes | BadPayload]:
    """The JSON texts inside."""
    if not layers:
        yield BadPayload("it is packed too often", data)
    elif data.startswith(_GZIP):
        for part in _members(data, limit):
            if isinstance(part, BadPayload):
                yield part
            else:
                yield from _unpacked(part, limit, layers - 1)
    elif inner := _from_base64(data):
        yield from _unpacked(inner, limit, layers - 1)
    else:
        yield data


def _from_base64(data: bytes) -> bytes:
    """What base64 stands for; empty where the bytes are none, or stand for nothing that we read."""
    if not _BASE64.match(data):
        return b""
    try:
        inner = base64.b64decode(data)
    except (binascii.Error, ValueError):
        return b""
    return inner if inner.startswith((_GZIP, b"{")) else b""


def _members(data: bytes, limit: _Limit) -> Iterator[bytes | BadPayload]:
    """The contents of gzip members that follow each other, with or without blanks between."""
    view, at = memoryview(data), 0
    while at < len(data):
        begin = at
        if data[at : at + 2] != _GZIP:
            rest = data[at:].strip(_BLANK)
            if rest[:2] == _GZIP:
                at = data.index(rest[:2], at)
                continue
            if rest:
                yield rest
            return
        try:
            content, at = _member(view, at, limit)
        except zlib.error as error:
            yield BadPayload(f"its gzip is broken: {error}", data[begin:])
            return
        except EOFError:
            yield BadPayload("its gzip is cut off", data[begin:])
            return
        except OverflowError:
            yield BadPayload("it holds too much unpacked", data[begin:])
            return
        if content.strip(_BLANK):
            yield content


def _member(view: memoryview, at: int, limit: _Limit) -> tuple[bytes, int]:
    """The content of the gzip member that begins at a position, and where it ends."""
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    pieces: list[bytes] = []
    while not unpacker.eof:
        if at >= len(view):
            raise EOFError
        piece = view[at : at + _SLICE_BYTES]
        at += len(piece)
        content = unpacker.decompress(piece, limit.left_bytes + 1)
        limit.left_bytes -= len(content)
        if limit.left_bytes < 0:
            raise OverflowError
        pieces.append(content)
    return b"".join(pieces), at - len(unpacker.unused_data)


def _read_documents(data: bytes, found: Payload) -> None:
    """Adds what a JSON text holds; several documents may follow each other."""
    try:
        document: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        _read_joined(data, found)
    else:
        _read_document(document, data, found)


def _read_joined(data: bytes, found: Payload) -> None:
    """Reads documents one by one, and what the fast reader refuses: half a surrogate pair, for one."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        found.bad.append(BadPayload("it is neither gzip nor text", data))
        return
    at = _behind_blanks(text, 0)
    while at < len(text):
        try:
            document, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            reason = str(error).partition(":")[0]
            found.bad.append(BadPayload(f"it is no JSON ({reason})", text[at:].encode()))
            return
        _read_document(document, text[at:end].encode(), found)
        at = _behind_blanks(text, end)


def _behind_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _read_document(document: Any, raw: bytes, found: Payload) -> None:
    """Adds the events of one document."""
    kind = document.get("messageType") if isinstance(document, dict) else None
    if kind == "CONTROL_MESSAGE":
        return
    if kind != "DATA_MESSAGE":
        found.bad.append(BadPayload("it is JSON, but no payload of a subscription filter", raw))
        return
    group, stream, listed = (document.get(name) for name in ("logGroup", "logStream", "logEvents"))
    if not (isinstance(group, str) and group and isinstance(stream, str) and isinstance(listed, list)):
        found.bad.append(BadPayload("it lacks logGroup, logStream or logEvents", raw))
        return
    if any(isinstance(event, dict) and not isinstance(event.get("id"), str) for event in listed):
        document = _with_exact_numbers(raw)
    found.owner = str(document.get("owner") or found.owner)
    for event in document["logEvents"]:
        made = _event(group, stream, event)
        if isinstance(made, LogEvent):
            found.events.append(made)
        else:
            # The bytes are a payload again, so that the event can be read once somebody has mended it.
            lone = _ENCODER.encode({**document, "logEvents": [event]}).encode()
            found.bad.append(BadPayload(f"an event of it {made}", lone))


def _with_exact_numbers(raw: bytes) -> dict[str, Any]:
    """The document with whole numbers exact: as doubles, ids of 56 digits are no longer different."""
    document: dict[str, Any] = _DECODER.decode(raw.decode())
    return document


def _event(group: str, stream: str, event: Any) -> LogEvent | str:
    """An event of a payload, or what is wrong with it."""
    if not isinstance(event, dict):
        return "is no object"
    event_id, at, message = event.get("id"), event.get("timestamp"), event.get("message")
    if isinstance(event_id, bool) or not isinstance(event_id, (str, int)) or event_id == "":
        return "has no id"
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at <= _LAST_MS:
        return "has no timestamp in milliseconds"
    if message is None:
        return "has no message"
    if not isinstance(message, str):
        # A transformer makes objects of lines.
        message = orjson.dumps(message).decode()
    return LogEvent(group, stream, at, _whole(message), str(event_id))


def _whole(text: str) -> str:
    """Text that every store can write: halves of surrogate pairs are replaced."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)
