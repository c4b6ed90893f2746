"""Values as keys of one sorted keyword field, so that terms, ranges and wildcards on any name are exact.

A key is the field's name, a mark for the kind of value, and the value. Since each name has its own stretch of
keys, no mapping grows with the number of names, and no two names can conflict.
"""

from __future__ import annotations

import math
import struct
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from logship.query import addresses
from logship.query.match import value_text
from logship.query.text import MAX_VALUE_BYTES, clip
from logship.store import storable

TEXT: Final = "\x1f"
NUMBER: Final = "\x1e"
PRINTED: Final = "\x1d"
"""Numbers, booleans and objects as people read them: for wildcards, and `true` for booleans."""
ADDRESS: Final = "\x1c"
LONG_RUN: Final = "\x1b"
"""Alone in `names`: the body has a run of over 256 characters, which no index knows."""
ODD: Final = "\x1a"
"""Before a name in `names`: a value of that record does not fit the name's own field."""
SHORTEST_LONG_RUN: Final = 256
_NAME_BYTES: Final = 400
"""Longer names are cut and told apart by a digest: a key may have 32,766 bytes, the engine's limit."""
_SURELY_SHORT: Final = MAX_VALUE_BYTES // 4
"""Text of fewer ASCII characters has no more bytes than take part in comparisons."""
_SIGN: Final = 1 << 63
_ALL_BITS: Final = (1 << 64) - 1
_EXACT_DOUBLE: Final = 2**53
_HALF: Final = 0x8000
_PACK: Final = struct.Struct(">d").pack
_UNPACK: Final = struct.Struct(">Q").unpack


@lru_cache(maxsize=65_536)
def name_key(name: str) -> str:
    """A name as the beginning of its keys."""
    raw = name.encode("utf-8", "replace")
    if len(raw) <= _NAME_BYTES:
        return raw.decode()
    return raw[:_NAME_BYTES].decode("utf-8", "ignore") + blake2b(raw, digest_size=8).hexdigest()


def number_key(value: float) -> str:
    """20 hex digits that sort as the numbers do, exact for 64-bit whole numbers and doubles alike."""
    try:
        double = value + 0.0  # -0.0 becomes 0.0
    except OverflowError:
        double = float("inf") if value > 0 else float("-inf")
    bits: int = _UNPACK(_PACK(double))[0]
    bits = ~bits & _ALL_BITS if bits & _SIGN else bits | _SIGN
    if -_EXACT_DOUBLE <= value <= _EXACT_DOUBLE or type(value) is float:
        return f"{bits:016x}8000"
    rest = 0 if math.isinf(double) else min(max(value - int(double), -_HALF), _HALF - 1)
    return f"{bits:016x}{rest + _HALF:04x}"


def of_value(name: str, value: Any) -> tuple[list[str], str]:
    """The keys of one value that is no list, and the value as text; `name` is a `name_key`."""
    if isinstance(value, str):
        text = value if len(value) < _SURELY_SHORT and value.isascii() else clip(storable.text(value))
        found = [f"{name}{TEXT}{text}"]
        if value[:1] in _ADDRESS_STARTS and (address := addresses.key(value)):
            found.append(f"{name}{ADDRESS}{address}")
        return found, text
    if type(value) is int and -_EXACT_DOUBLE < value < _EXACT_DOUBLE:
        text = str(value)
        return [f"{name}{NUMBER}{number_key(value)}", f"{name}{PRINTED}{text}"], text
    text = clip(storable.text(value_text(value)))
    if storable.is_number(value):
        return [f"{name}{NUMBER}{number_key(value)}", f"{name}{PRINTED}{text}"], text
    if isinstance(value, int) and not isinstance(value, bool):
        return [f"{name}{TEXT}{text}"], text
    return [f"{name}{PRINTED}{text}"], text


_ADDRESS_STARTS: Final = frozenset("0123456789abcdefABCDEF:")
