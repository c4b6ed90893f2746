"""gzip, base64, one in the other, several behind each other → the texts inside, within a bound."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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
BLANK: Final = b" \t\r\n\x00"
"""What may stand between and around payloads."""


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


def unpacked(data: bytes, limit_bytes: int) -> Iterator[bytes | BadPayload]:
    """The texts inside, and what cannot be unpacked.

    Args:
        data: the bytes.
        limit_bytes: how much they may hold unpacked, all layers together.
    """
    yield from _unpacked(data, _Limit(limit_bytes), _LAYERS)


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
            rest = data[at:].strip(BLANK)
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
        if content.strip(BLANK):
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
