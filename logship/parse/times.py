"""Timestamps as logs write them → microseconds since 1970. Fast where the format is ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import orjson

from logship.record import time_us_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(\d\d)(?:[.,](\d{1,9}))?\s?(Z|UTC|GMT|[+-]\d\d:?\d\d|[+-]\d\d)?\Z"
)
_SECOND_US: Final = 1_000_000
_LENGTH: Final = 27
_FRACTION: Final = 7
_FRACTIONS: Final = re.compile(r"(?:[0-9]{6}Z)+\Z")
"""How texts of that length end."""
# Epoch numbers are told apart by size; each unit covers 2001 to 2286.
_EPOCH_UNITS: Final = ((1e9, 1e10, 1e6), (1e12, 1e13, 1e3), (1e15, 1e16, 1.0), (1e18, 1e19, 1e-3))


def iso(text: str) -> tuple[int, bool] | None:
    """Microseconds and whether a zone was named; None when the text is no ISO 8601 date and time."""
    found = _ISO.match(text)
    if not found:
        return None
    minute, seconds, fraction, zone = found.groups()
    try:
        start = _minute(minute, zone or "")
    except ValueError:
        return None
    micros = int(fraction[:6].ljust(6, "0")) if fraction else 0
    return start + int(seconds) * _SECOND_US + micros, zone is not None


@lru_cache(maxsize=4096)
def _minute(minute: str, zone: str) -> int:
    named = zone if zone.startswith(("+", "-")) else "+00:00"
    return time_us_of(datetime.fromisoformat(minute.replace(" ", "T") + named))


def zoned_us(value: object) -> int | None:
    """Microseconds of a field's time if it names its zone; else None."""
    at = of_value(value)
    return at[0] if at and at[1] else None


def zoned_text_us(text: str) -> int | None:
    """The same of a text; `2026-11-23T14:21:05.871234Z`, as our handler writes it, is read fast."""
    if len(text) == _LENGTH and text[26] == "Z" and (fraction := text[20:26]).isdecimal():
        start = _second(text[:20])
        if start is not None:
            return start + int(fraction)
    return zoned_us(text)


def zoned_texts_us(texts: Sequence[str]) -> Sequence[int | None]:
    """The same of many texts; mostly all are of one second, or of that of the one before."""
    if (of_one := _of_one_second(texts)) is not None:
        return of_one
    found: list[int | None] = []
    second, start = "", None
    for text in texts:
        if len(text) == _LENGTH and text[26] == "Z" and (fraction := text[20:26]).isdecimal():
            if not text.startswith(second) or start is None:
                second = text[:20]
                start = _second(second)
            found.append(zoned_us(text) if start is None else start + int(fraction))
        else:
            found.append(zoned_us(text))
    return found


def _of_one_second(texts: Sequence[str]) -> list[int] | None:
    """Texts as our handler writes them, of one second; None if they are not."""
    second = texts[0][:20]
    start = _second(second)
    if start is None:
        return None
    before, *fractions = ("\n" + "\n".join(texts)).split("\n" + second)
    if before or len(fractions) != len(texts) or set(map(len, fractions)) != {_FRACTION}:
        return None
    joined = "".join(fractions)
    if not _FRACTIONS.match(joined):
        return None
    # JSON has no numbers that begin with 0, so a digit stands before each of them.
    base = start - _SECOND_US
    return [base + number for number in orjson.loads(f"[1{joined[:-1].replace('Z', ',1')}]")]


@lru_cache(maxsize=4096)
def _second(text: str) -> int | None:
    """Microseconds of a time up to the point before its fraction."""
    at = iso(text + "0Z") if text[-1:] == "." else None
    return at[0] if at else None


def epoch(number: float) -> int | None:
    """Microseconds of an epoch number in seconds, milli-, micro- or nanoseconds; None when it is none."""
    for low, high, factor in _EPOCH_UNITS:
        if low <= number < high:
            return int(number // 1000) if factor < 1 else round(number * factor)
    return None


def of_value(value: object) -> tuple[int, bool] | None:
    """The time that a field of a structured line holds."""
    if isinstance(value, str):
        return iso(value) or _epoch_text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        at = epoch(value)
        return None if at is None else (at, True)
    return None


def _epoch_text(text: str) -> tuple[int, bool] | None:
    try:
        at = epoch(float(text)) if len(text) < 24 and text[:1].isdigit() else None  # noqa: PLR2004 - longer ones are ids
    except ValueError:
        return None
    return None if at is None else (at, True)


@lru_cache(maxsize=4096)
def strptime(text: str, shape: str) -> tuple[int, bool] | None:
    """Any other shape, by the names of `datetime.strptime`."""
    try:
        at = datetime.strptime(text, shape)  # noqa: DTZ007 - a missing zone is handled in the next line
    except ValueError:
        return None
    return time_us_of(at if at.tzinfo else at.replace(tzinfo=UTC)), at.tzinfo is not None
