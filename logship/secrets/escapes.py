r"""A text with its JSON escapes undone, for reading: many encoders write ``\u003d`` for ``=`` and ``\/`` for ``/``.

Gson, .NET's System.Text.Json and PHP do so unasked. Whoever reads the JSON sees ``password=hunter2``, so rules have to.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import Final

_ESCAPE: Final = re.compile(rb"\\(?<!\\\\)\\*+(?:u00[2-7][0-9a-fA-F]|/)")
"""With all backslashes before it. Each run of them is looked at once; one stands first, which is searched for fast."""
_BACKSLASH: Final = ord("\\")
_CODE: Final = len("u0022")
_SHORT: Final = 16
"""Escapes of so many bytes are remembered."""


class Unescaped:
    r"""A text without the escapes of printable ASCII, and where its bytes stood in the text that has them.

    A quote and a backslash keep the backslashes that everybody else's JSON has before them, however deep they are in
    JSON within JSON: so ``{\u0022a\u0022:1}`` reads as ``{\"a\":1}`` does.
    """

    def __init__(self, data: bytes, found: list[re.Match[bytes]]) -> None:
        pieces: list[bytes] = []
        self._here, self._there = [0], [0]
        """Where pieces begin in this text, and in the one with the escapes; each escape is a piece of its own."""
        size = at = 0
        for escape in found:
            stays, plain = _plain(escape.group())
            start = escape.start() + stays
            for piece, end in ((data[at:start], start), (plain, escape.end())):
                pieces.append(piece)
                size += len(piece)
                self._here.append(size)
                self._there.append(end)
            at = escape.end()
        pieces.append(data[at:])
        self.data = b"".join(pieces)

    def start(self, at: int) -> int:
        """Where what begins at a place of this text begins in the other; half an escape is not taken."""
        piece = bisect_right(self._here, at) - 1
        inside = at - self._here[piece]
        return self._there[piece + 1] if piece % 2 and inside else self._there[piece] + inside

    def end(self, at: int) -> int:
        """Where what ends at a place of this text ends in the other; half an escape is not taken."""
        piece = bisect_right(self._here, at) - 1
        return self._there[piece] if piece % 2 else self._there[piece] + at - self._here[piece]


def unescaped(data: bytes) -> Unescaped | None:
    """The text without its escapes; None where it has none."""
    found = list(_ESCAPE.finditer(data)) if _may_have(data) else []
    return Unescaped(data, found) if found else None


def undone(data: bytes) -> bytes:
    """The same for who need not know where they stood; the text itself where it has none."""
    return _ESCAPE.sub(_rewritten, data) if _may_have(data) else data


def _may_have(data: bytes) -> bool:
    """Whether what is in every text with an escape is in this one: what most texts cost."""
    return _BACKSLASH in data and (b"\\u00" in data or b"\\/" in data)  # a number is searched for much faster


def _plain(escape: bytes) -> tuple[int, bytes]:
    """How many backslashes before an escape are none of it, and what is written in its place elsewhere.

    JSON within JSON doubles backslashes: as often as their number can be halved, so deep is the escape.
    """
    if escape.endswith(b"/"):
        return 0, b"/"
    backslashes = len(escape) - _CODE
    size = backslashes & -backslashes
    character = bytes.fromhex(escape[-2:].decode())
    if character == b'"':
        character = b"\\" * (2 * size - 1) + character
    elif character == b"\\":
        character *= 2 * size
    return backslashes - size, character


def _rewritten(escape: re.Match[bytes]) -> bytes:
    text = escape.group()
    return _remembered(text) if len(text) <= _SHORT else _whole(text)


def _whole(escape: bytes) -> bytes:
    stays, plain = _plain(escape)
    return escape[:stays] + plain


_remembered: Final = lru_cache(256)(_whole)
