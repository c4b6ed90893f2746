"""Messages of `application/vnd.amazon.eventstream`: what streaming operations answer with.

A message is its length and that of its headers (4 bytes each, big-endian), a CRC-32 of these eight bytes, the
headers, the payload, and a CRC-32 of everything before. A header is the length of its name in one byte, the name,
the type 7 (text), the length of the value in two bytes, the value.
Source: "Event stream encoding" in the developer guide of Amazon Transcribe, and of Smithy.
"""

from __future__ import annotations

import struct
from binascii import crc32
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"
_JSON: Final = "application/x-amz-json-1.1"
_TEXT: Final = 7
_CRC_BYTES: Final = 4
_PRELUDE_BYTES: Final = 12


def event(kind: str, value: Any) -> bytes:
    """A message that carries an event of the operation, such as ``sessionUpdate``."""
    return message(
        {":message-type": "event", ":event-type": kind, ":content-type": _JSON},
        orjson.dumps(value),
    )


def exception(kind: str, text: str) -> bytes:
    """A message that ends the stream with an error, such as ``SessionTimeoutException``."""
    return message(
        {":message-type": "exception", ":exception-type": kind, ":content-type": _JSON},
        orjson.dumps({"message": text}),
    )


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A message with its lengths and checksums."""
    packed = b"".join(map(_header, headers, headers.values()))
    prelude = struct.pack("!II", _PRELUDE_BYTES + len(packed) + len(payload) + _CRC_BYTES, len(packed))
    checked = prelude + struct.pack("!I", crc32(prelude)) + packed + payload
    return checked + struct.pack("!I", crc32(checked))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack("!B", len(key)) + key + struct.pack("!BH", _TEXT, len(text)) + text
