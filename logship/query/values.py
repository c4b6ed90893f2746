"""What people write behind a field → typed values: numbers, units, levels, times, wildcards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from logship.errors import QuerySyntaxError, TimeRangeError
from logship.query import addresses, names, text
from logship.query.tree import Exists, Fuzzy, Network, Node, Nothing, Pattern, Range, Term, Wildcard, Words
from logship.record import SEVERITY_NUMBERS, severity
from logship.timerange import parse_span, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.query.tree import Bound

NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\Z")
_WITH_UNIT: Final = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))([A-Za-zµ]+)\Z")
_MS_OF_UNIT: Final = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6, "d": 8.64e7}
_BYTES_OF_UNIT: Final = {
    "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30,
}  # fmt: skip
"""Decimal, as disks and OpenTelemetry count; `kib` and its sisters are binary. Any case."""
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_WILD: Final = re.compile(r"(?<!\\)(?:\\\\)*[*?]")
_FUZZY: Final = re.compile(r"(?<!\\)~(\d*(?:\.\d+)?)\Z")
_EDITS: Final = frozenset({"0", "1", "2"})
_SEVERITY_NUMBER: Final = re.compile(r"[0-9]{1,9}\Z")
_CIDR: Final = re.compile(r"(?:\d+(?:\.\d+){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)/\d+\Z")
_FROM_NOW: Final = re.compile(r"now\s*([+-])\s*(.+)", re.DOTALL | re.IGNORECASE)
_PRECISION_US: Final = (
    (re.compile(r"today\Z|yesterday\Z|\d{4}-\d\d-\d\d\Z", re.IGNORECASE), 86_400_000_000),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d(?:Z|[+-]\d\d:?\d\d)?\Z"), 3_600_000_000),
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
        return unescaped(self.raw)

    @property
    def wild(self) -> bool:
        """Whether an unescaped `*` or `?` stands in it."""
        return not self.quoted and bool(_WILD.search(self.raw))


def unescaped(raw: str) -> str:
    """The text with each backslash's sign taken as it is."""
    return _ESCAPED.sub(r"\1", raw)


def words(piece: Written) -> Node:
    """The body holds these words side by side; `*` and `?` are wildcards, `~1` allows for mistakes, unless quoted."""
    near = None if piece.quoted else _FUZZY.search(piece.raw)
    if near:
        return _fuzzy(piece, near)
    if piece.wild:
        return _pattern(piece)
    found = text.runs(text.lower(piece.plain))
    if not found:
        raise piece.fail("no letter or digit to search for", f'write =~"{re.escape(piece.plain)}" to search for signs')
    return Nothing() if any(len(token) > text.MAX_TOKEN_CHARS for token in found) else Words(tuple(found))


def _fuzzy(piece: Written, near: re.Match[str]) -> Node:
    word = piece.raw[: near.start()]
    edits = near[1] or "2"
    found = text.runs(text.lower(unescaped(word)))
    if edits not in _EDITS:
        raise piece.fail("~ allows for 1 or 2 mistakes", f"write {word}~1 or {word}~2")
    if len(found) != 1 or found[0] != text.lower(unescaped(word)) or _WILD.search(word):
        raise piece.fail("~ goes with one word without signs", f"write {found[0] if found else 'word'}~{edits}")
    if len(found[0]) > text.MAX_TOKEN_CHARS:
        return Nothing()
    return Fuzzy(found[0], int(edits)) if int(edits) else Words((found[0],))


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
    if not piece.quoted:
        _check_plain(field, piece)
    if piece.wild:
        return Wildcard(field, piece.raw.upper() if field == names.SEVERITY else piece.raw)
    if field == names.SEVERITY:
        return Term(field, level(piece))
    if not piece.quoted and (special := _network(field, piece) or _amount(field, piece)):
        return special
    return Term(field, piece.plain)


def _check_plain(field: str, piece: Written) -> None:
    """Fails for a value that is written as in another language."""
    near = _FUZZY.search(piece.raw)
    if near:
        word = piece.raw[: near.start()]
        raise piece.fail("~ works on words of the message alone", f'write {names.short(field)}:{word}* or quote "…~"')


def _network(field: str, piece: Written) -> Node | None:
    if not _CIDR.match(piece.plain) or names.is_path(field):
        return None
    cidr = addresses.normal(piece.plain)
    if cidr is None:
        raise piece.fail(f"{piece.plain!r} is no network", "write 10.0.0.0/8 or 2001:db8::/32, or quote it as text")
    return Network(field, cidr)


def _amount(field: str, piece: Written) -> Node | None:
    if not _WITH_UNIT.match(piece.plain) or not (piece.is_duration(field) or names.is_bytes(field)):
        return None
    return Term(field, f"{bound(field, piece):.15g}")


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
        return int(written) if _SEVERITY_NUMBER.match(written) else SEVERITY_NUMBERS[level(piece)]
    if piece.quoted:
        return text.clip(written)
    if NUMBER.match(written):
        return number(written)
    unit = _WITH_UNIT.match(written)
    if unit:
        return _with_unit(field, unit, piece)
    if field == names.SHORT_NAMES["status"] or piece.is_duration(field) or names.is_bytes(field):
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


def _with_unit(field: str, unit: re.Match[str], piece: Written) -> Bound:
    """An amount in the unit that the field holds: milliseconds or bytes."""
    amount, name, short = unit[1], unit[2], names.short(field)
    if piece.is_duration(field):
        if name in _MS_OF_UNIT:
            return float(amount) * _MS_OF_UNIT[name]
        raise piece.fail("no such unit of time", f"did you mean {amount}s? units are {' '.join(_MS_OF_UNIT)}")
    if names.is_bytes(field):
        if name.lower() in _BYTES_OF_UNIT:
            exact = float(amount) * _BYTES_OF_UNIT[name.lower()]
            return int(exact) if exact.is_integer() else exact
        raise piece.fail("no such unit of size", f"did you mean {amount}kb? units are {' '.join(_BYTES_OF_UNIT)}")
    if name in _MS_OF_UNIT:
        raise piece.fail(f"{short} has no unit of time", f"write {amount}; units of time go with names in _ms")
    if name.lower() in _BYTES_OF_UNIT:
        raise piece.fail(
            f"{short} has no unit of size", f"write {amount}; units of size go with names in bytes or size"
        )
    if field == names.SHORT_NAMES["status"]:
        raise piece.fail(f"{piece.plain!r} is no number", f"write {short}>500")
    return text.clip(piece.plain)


def _time(piece: Written) -> int:
    try:
        if moved := _FROM_NOW.fullmatch(piece.plain):
            span_us = parse_span(moved[2])
            return piece.now_us + (span_us if moved[1] == "+" else -span_us)
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
