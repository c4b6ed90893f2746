"""What people write behind a field → typed values: numbers, units, levels, times, wildcards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from logship.errors import QuerySyntaxError, TimeRangeError
from logship.query import names, text
from logship.query.tree import Exists, Node, Nothing, Pattern, Range, Term, Wildcard, Words
from logship.record import SEVERITY_NUMBERS, severity
from logship.timerange import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.query.tree import Bound

NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\Z")
_WITH_UNIT: Final = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))([A-Za-zµ]+)\Z")
_MS_OF_UNIT: Final = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6, "d": 8.64e7}
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_WILD: Final = re.compile(r"(?<!\\)(?:\\\\)*[*?]")
_PRECISION_US: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d\Z"), 86_400_000_000),
    (re.compile(r"[^:]*\d\d:\d\d(?:Z|[+-]\d\d:?\d\d)?\Z"), 60_000_000),
    (re.compile(r"[^.]*:\d\d(?:Z|[+-]\d\d:?\d\d)?\Z"), 1_000_000),
    (re.compile(r".*[.,]\d{3}(?:Z|[+-]\d\d:?\d\d)?\Z"), 1_000),
)


@dataclass(frozen=True, slots=True)
class Written:
    """A piece of the query: its text, whether it stood in quotes, and where."""

    raw: str
    quoted: bool
    position: int
    query: str
    now_us: int
    is_duration: Callable[[str], bool] = names.is_duration_ms
    """Whether a field holds milliseconds."""

    def fail(self, problem: str, suggestion: str = "") -> QuerySyntaxError:
        """The error that points at this piece."""
        length = len(self.raw) + 2 * self.quoted
        return QuerySyntaxError(self.query, self.position, problem, length=length, suggestion=suggestion)

    @property
    def plain(self) -> str:
        """The text without its escapes."""
        return _ESCAPED.sub(r"\1", self.raw)

    @property
    def wild(self) -> bool:
        """Whether an unescaped `*` or `?` stands in it."""
        return not self.quoted and bool(_WILD.search(self.raw))


def words(piece: Written) -> Node:
    """The body holds these words side by side; `*` and `?` are wildcards unless quoted."""
    if piece.wild:
        return _pattern(piece)
    found = text.runs(text.lower(piece.plain))
    if not found:
        raise piece.fail("no letter or digit to search for", f'write =~"{re.escape(piece.plain)}" to search for signs')
    return Nothing() if any(len(token) > text.MAX_TOKEN_CHARS for token in found) else Words(tuple(found))


def _pattern(piece: Written) -> Node:
    if not piece.raw.strip("*"):
        return Exists(names.BODY)
    found = text.pattern_runs(text.lower(piece.raw))
    if all(not token.strip("*?") for token in found):
        raise piece.fail("wildcards alone find everything", "add some letters, or write message:*")
    return Pattern(tuple(found))


def value(field: str, piece: Written) -> Node:
    """The field equals, or matches, what is written behind it."""
    if piece.raw == "*" and not piece.quoted:
        return Exists(field)
    if field == names.BODY:
        return words(piece)
    if field in names.TIMES:
        return _at_time(field, piece)
    if piece.wild:
        return Wildcard(field, piece.raw.upper() if field == names.SEVERITY else piece.raw)
    if field == names.SEVERITY:
        return Term(field, level(piece))
    if piece.is_duration(field) and not piece.quoted and _WITH_UNIT.match(piece.plain):
        return Term(field, f"{bound(field, piece):.15g}")
    return Term(field, piece.plain)


def comparison(field: str, operator: str, piece: Written) -> Node:
    """`field>value` and its three sisters."""
    if field == names.BODY:
        raise piece.fail("message cannot be compared", f'write message:{piece.raw} or message=~"…"')
    limit, inclusive = bound(field, piece), operator.endswith("=")
    if operator.startswith(">"):
        return Range(field, limit, None, include_low=inclusive)
    return Range(field, None, limit, include_high=inclusive)


def between(field: str, low: Written, high: Written, *, include_low: bool, include_high: bool) -> Node:
    """`field:[low TO high]`; `*` is an open end."""
    if field == names.BODY:
        raise low.fail("message has no ranges", "write the words to search for")
    first = None if low.raw == "*" and not low.quoted else bound(field, low)
    last = None if high.raw == "*" and not high.quoted else bound(field, high)
    if first is None and last is None:
        return Exists(field)
    if first is not None and last is not None:
        if isinstance(first, str) != isinstance(last, str):
            raise high.fail("a range needs two numbers or two texts", "quote both ends to compare text")
        if first > last:  # type: ignore[operator]
            raise high.fail("the range ends before it starts", f"swap {low.raw} and {high.raw}")
    return Range(field, first, last, include_low or first is None, include_high or last is None)


def bound(field: str, piece: Written) -> Bound:
    """One end of a range, in the unit that records hold."""
    written = piece.plain
    if field in names.TIMES:
        return _time(piece)
    if field == names.SEVERITY:
        return int(written) if written.isdigit() else SEVERITY_NUMBERS[level(piece)]
    if piece.quoted:
        return text.clip(written)
    if NUMBER.match(written):
        return number(written)
    unit = _WITH_UNIT.match(written)
    if unit and piece.is_duration(field):
        return _milliseconds(unit, piece)
    if unit and unit[2] in _MS_OF_UNIT:
        raise piece.fail(f"{names.short(field)} has no unit of time", f"write {unit[1]}; units go with duration")
    if field == names.SHORT_NAMES["status"] or piece.is_duration(field):
        raise piece.fail(f"{written!r} is no number", f"write {names.short(field)}>500")
    return text.clip(written)


def number(written: str) -> int | float:
    """The number that a text spells, an int where it is whole."""
    try:
        return int(written)
    except ValueError:
        exact = float(written)
        return int(exact) if exact.is_integer() and abs(exact) < 2**53 else exact


def level(piece: Written) -> str:
    """A severity, in any case and common spelling."""
    found = severity(piece.plain)
    if found:
        return found
    near = get_close_matches(piece.plain.upper(), SEVERITY_NUMBERS, 1, 0.3) or ["ERROR"]
    raise piece.fail(f"{piece.plain!r} is no level", f"did you mean {near[0]}? levels are {' '.join(SEVERITY_NUMBERS)}")


def _milliseconds(unit: re.Match[str], piece: Written) -> float:
    if unit[2] in _MS_OF_UNIT:
        return float(unit[1]) * _MS_OF_UNIT[unit[2]]
    raise piece.fail("no such unit", f"did you mean {unit[1]}s? units are {' '.join(_MS_OF_UNIT)}")


def _time(piece: Written) -> int:
    try:
        return parse_time(piece.plain, now_us=piece.now_us)
    except TimeRangeError as error:
        raise piece.fail(str(error)) from None


def _at_time(field: str, piece: Written) -> Node:
    """A time as precise as it is written: a date is its whole day."""
    if piece.wild:
        raise piece.fail("times have no wildcards", "write time:[2026-11-23 TO 2026-11-24]")
    start = _time(piece)
    length = next((span for shape, span in _PRECISION_US if shape.match(piece.plain)), 1)
    return Range(field, start, start + length, include_high=False)
