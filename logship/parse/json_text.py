"""JSON as programs write it into logs: what a strict reader refuses of it, and every reader of theirs takes."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

_HALF: Final = r"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|[c-fC-F][0-9a-fA-F]{2})"
_ODD: Final = re.compile(r"\\u[dD][89a-fA-F]|NaN|Infinity|[\x00-\x1f]")
"""What a text that is worth repairing has: no other one is read twice."""
_PART: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"|-?\b(?:NaN|Infinity)\b', re.DOTALL)
_IN_STRING: Final = re.compile(rf"(?P<half>{_HALF})|\\u[dD].{{9}}|\\.|(?P<control>[\x00-\x1f])", re.DOTALL)


def loads(text: str | bytes) -> Any:
    r"""The value of a JSON text.

    Halves of surrogate pairs (``\ud83d``, where JavaScript cut a text within an emoji) become U+FFFD, numbers that are
    none (``NaN``, ``Infinity``, by Python's own `json`) become null, and control characters may stand in strings.

    Raises:
        ValueError: it is none.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        plain = text if isinstance(text, str) else text.decode()
        if not _ODD.search(plain):
            raise
        return orjson.loads(_PART.sub(_repaired, plain))


def _repaired(part: re.Match[str]) -> str:
    return _IN_STRING.sub(_as_json, part[0]) if part[0][0] == '"' else "null"


def _as_json(found: re.Match[str]) -> str:
    if found["half"]:
        return r"\ufffd"
    return f"\\u{ord(found[0]):04x}" if found["control"] else found[0]
