"""What a subscription filter sends → events, and what of it is no payload.

CloudWatch Logs sends JSON (``messageType``, ``owner``, ``logGroup``, ``logStream``, ``logEvents``), gzipped to Kinesis
and Firehose and as base64 to Lambda; Firehose may unpack it and join several into one record. The `id` of an event is
the `eventId` that FilterLogEvents gives it, so that its record is the same whichever way it comes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import msgspec
import orjson

from logship.forward.letters.dead_letters import DeadLetter
from logship.forward.sources.unpacking import BLANK, MAX_UNPACKED_BYTES, BadPayload, unpacked
from logship.record import Cloud, LogEvent, record_id

_LONE_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""
_BLANKS: Final = re.compile(r"[\s\x00]*")
_DECODER: Final = json.JSONDecoder(strict=False)
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


class _Event(msgspec.Struct, gc=False):
    """A usual event of a payload."""

    id: Annotated[str, msgspec.Meta(min_length=1)]
    timestamp: Annotated[int, msgspec.Meta(ge=0, le=_LAST_MS)]
    message: str


class _Usual(msgspec.Struct, gc=False, rename="camel"):
    """A usual payload; what is not read as one is looked at piece by piece."""

    message_type: Literal["DATA_MESSAGE"]
    log_group: Annotated[str, msgspec.Meta(min_length=1)]
    log_stream: str
    log_events: list[_Event]
    owner: str = ""


_USUAL: Final = msgspec.json.Decoder(_Usual)


@dataclass(slots=True)
class Payload:
    """What was found in some bytes. Both lists are empty for control messages."""

    events: list[LogEvent] = field(default_factory=list)
    bad: list[BadPayload] = field(default_factory=list)
    owner: str = ""
    """The account whose logs they are, as the last of them says."""
    region: str = ""
    """Where they lie; "" where that is not known."""


def read(data: bytes, *, region: str = "", limit_bytes: int = MAX_UNPACKED_BYTES) -> Payload:
    """The events of one Kinesis record, Firehose record or ``awslogs.data``. Never raises, whatever the bytes.

    What is good is given out also where something beside it is bad.

    Args:
        data: the bytes, packed in whichever way.
        region: where its log groups lie; "" where that is not known, as behind a stream, which a destination may
            lead to from other regions.
        limit_bytes: how much they may hold unpacked.
    """
    found = Payload(region=region)
    if not data.strip(BLANK):
        found.bad.append(BadPayload("it is empty", data))
        return found
    for part in unpacked(data, limit_bytes):
        if isinstance(part, BadPayload):
            found.bad.append(part)
        else:
            _read_documents(part, found)
    return found


def letter(
    bad: BadPayload, *, group: str, stream: str, timestamp_ms: int, event_id: str, region: str = ""
) -> DeadLetter:
    """A bad payload as a dead letter, the same one whenever it is delivered again.

    Args:
        bad: the payload.
        group: the way it came: ``kinesis:STREAM``, ``firehose:STREAM``.
        stream: the shard; "" where there is none.
        timestamp_ms: when it arrived.
        event_id: what tells it from all others of its stream.
        region: where its log groups lie, for whoever reads it again; "" where that is not known.
    """
    event = LogEvent(group, stream, timestamp_ms, bad.text, event_id, cloud=Cloud(region=region))
    # Firehose tells another time at each attempt, so the id is made without one.
    return DeadLetter(record_id(0, group, stream, event_id), event, bad.reason, kind="payload")


def _read_documents(data: bytes, found: Payload) -> None:
    """Adds what a JSON text holds; several documents may follow each other."""
    try:
        usual = _USUAL.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    else:
        group, stream, cloud = usual.log_group, usual.log_stream, Cloud(usual.owner, found.region)
        found.events += [
            LogEvent(group, stream, event.timestamp, event.message, event.id, cloud=cloud) for event in usual.log_events
        ]
        found.owner = usual.owner or found.owner
        return
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
    events, bad = len(found.events), len(found.bad)
    try:
        _read_fields(document, raw, found)
    except RecursionError:
        del found.events[events:], found.bad[bad:]
        found.bad.append(BadPayload("it is nested too deeply", raw))


def _read_fields(document: Any, raw: bytes, found: Payload) -> None:
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
    cloud = Cloud(str(document.get("owner") or ""), found.region)
    for event in document["logEvents"]:
        made = _event(group, stream, event, cloud)
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


def _event(group: str, stream: str, event: Any, cloud: Cloud) -> LogEvent | str:
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
        message = _json(message)
    return LogEvent(group, stream, at, _whole(message), str(event_id), cloud=cloud)


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # deep, or with halves of surrogate pairs
        return _ENCODER.encode(value)


def _whole(text: str) -> str:
    """Text that every store can write: halves of surrogate pairs are replaced."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)
