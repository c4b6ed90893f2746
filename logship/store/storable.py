"""What every engine does to names and values before it can take them in."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any, Final

_INT64: Final = 2**63
_PLAIN_NAME: Final = re.compile(r"[A-Ya-z0-9_]+\Z")


@lru_cache(maxsize=65_536)
def column_name(name: str) -> str:
    """A field name as a path segment of letters, digits and `_` alone; different names stay different."""
    if _PLAIN_NAME.match(name):
        return name
    if not name:
        return "Z"
    return "".join(
        char if char.isascii() and (char.isalnum() or char == "_") and char != "Z" else f"Z{ord(char):x}Z"
        for char in name
    )


def text(value: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot hold, replaced."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def is_number(value: Any) -> bool:
    """Whether a value compares as a number.

    Whole numbers beyond 64 bits count as text: neither JSON nor a column holds them exactly.
    """
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64


def clean(value: Any) -> Any:
    """The value as JSON can hold it: lone surrogates replaced, keys as text, greater numbers as text."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {clean(str(key)): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not is_number(value):
        return str(value)
    return value
