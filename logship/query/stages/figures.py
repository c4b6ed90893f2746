"""`count()`, `p95(duration) as slow`, `by service, bin(1m)`: the figures of stages and what they are grouped by."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

from logship.errors import TimeRangeError
from logship.query import names
from logship.query.stages.tree import Column, Figure, Function, Key
from logship.timerange import parse_span

if TYPE_CHECKING:
    from logship.query.stages.lexer import Cursor, Token
    from logship.query.stages.shape import Shape
    from logship.query.stages.tree import Kind

_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)\Z")
_FUNCTIONS: Final = tuple(name for name in get_args(Function) if name != "percentile")
_OTHER_NAMES: Final = {
    "count_distinct": "distinct", "dc": "distinct", "distinct_count": "distinct", "cardinality": "distinct",
    "uniq": "distinct", "mean": "avg", "average": "avg", "total": "sum", "median": "p50", "percentile": "p95",
    "pct": "p95", "quantile": "p95", "perc": "p95", "perc95": "p95", "earliest": "min(time)", "latest": "max(time)",
    "first": "min", "last": "max", "stdev": "p95", "rate": "count() by bin(1m)",
}  # fmt: skip
_TAKEN: Final = frozenset(short for short, long in names.SHORT_NAMES.items() if long in names.TOP_LEVEL)
"""Names that mean a part of every record, so that no figure may have them."""
_EXAMPLE: Final = "stats count(), p95(duration) by service"


class Grouping(NamedTuple):
    """What stands behind `by`."""

    keys: tuple[Key, ...]
    bin_us: int
    bin_name: str


def is_function(token: Token) -> bool:
    """Whether a token is the name of a function."""
    return token.is_word(*_FUNCTIONS) or (not token.quoted and bool(_PERCENTILE.match(token.text.lower())))


def figures(cursor: Cursor, shape: Shape) -> tuple[Figure, ...]:
    """The figures up to `by` or the end; commas between them may be left out."""
    found: list[Figure] = []
    while cursor.peek is not None and not cursor.peek.is_word("by"):
        token = cursor.peek
        found.append(figure(cursor, shape))
        if any(other.column.name == found[-1].column.name for other in found[:-1]):
            cursor.fail(f"two columns are named {found[-1].column.name!r}", "name one of them with `as`", token)
        cursor.accept(",")
    return tuple(found)


def figure(cursor: Cursor, shape: Shape) -> Figure:
    """One figure, with its name."""
    made = measure(cursor, shape)
    return Figure(made.function, made.field, made.percent, Column(_alias(cursor, made.column.name), made.column.kind))


def measure(cursor: Cursor, shape: Shape) -> Figure:
    """A function and its field, named after both."""
    token = cursor.name("a function", _EXAMPLE)
    function = token.text.lower()
    if not is_function(token):
        cursor.fail(f"there is no function {token.text!r}", _near(function), token)
    key = _argument(cursor, shape, function, token)
    percentile = _PERCENTILE.match(function)
    name: Function = "percentile" if percentile else function  # type: ignore[assignment]
    kind = _kind(name, key)
    if kind is None:
        cursor.fail(f"{function} has no meaning for times", "min and max have", token)
    label = f"{function}_{key.name}" if key else function
    return Figure(name, key.field if key else "", float(percentile[1]) if percentile else 0.0, Column(label, kind))


def _argument(cursor: Cursor, shape: Shape, function: str, token: Token) -> Key | None:
    key = None
    if cursor.accept("(") and not cursor.accept(")"):
        key = shape.key(cursor, cursor.name("a field", f"{function}(duration)"))
        if not cursor.accept(")"):
            cursor.fail("this needs a closing )", f"write {function}({key.name})")
    if key is None and function != "count":
        cursor.fail(f"{function} needs a field", f"write {function}(duration)", token)
    return key


def _kind(function: Function, key: Key | None) -> Kind | None:
    """What a figure's cells hold; None for a figure that means nothing."""
    if function in ("count", "distinct") or key is None:
        return "count"
    if key.kind == "time":
        return "time" if function in ("min", "max") else None
    if key.kind == "count":
        return "number" if function in ("avg", "percentile") else "count"
    return "duration_ms" if key.kind == "duration_ms" else "number"


def _near(function: str) -> str:
    known = _OTHER_NAMES.get(function) or next(iter(get_close_matches(function, _FUNCTIONS, 1, 0.5)), "")
    return (f"did you mean {known}? " if known else "") + f"functions are {', '.join(_FUNCTIONS)} and p50, p95, p99.9"


def grouping(cursor: Cursor, shape: Shape) -> Grouping:
    """What stands behind `by`, up to the end of the stage."""
    keys: list[Key] = []
    bin_us, bin_name = 0, "time"
    while True:
        token = cursor.name("a field", "by service, bin(1m)")
        if token.is_word("bin"):
            if bin_us:
                cursor.fail("a second bin", "one bin is enough", token)
            bin_us = _bin(cursor)
            bin_name = _alias(cursor, "time")
        else:
            keys.append(_key(cursor, shape, token))
        if cursor.peek is None:
            return Grouping(tuple(keys), bin_us, bin_name)
        cursor.accept(",")


def _key(cursor: Cursor, shape: Shape, token: Token) -> Key:
    key = shape.key(cursor, token)
    if key.kind == "time":
        cursor.fail("times are grouped by bins", "write by bin(1m)", token)
    if cursor.peek is not None and cursor.peek.text == "(":
        cursor.fail(f"{token.text!r} is no way to group", "write by service, bin(1m)", token)
    return Key(key.field, _alias(cursor, key.name), key.kind)


def _alias(cursor: Cursor, name: str) -> str:
    if not cursor.accept("as"):
        return name
    token = cursor.name("a name", f"{name} as other")
    if token.text in _TAKEN and token.text != name:
        cursor.fail(f"{token.text!r} already means a part of every record", "choose another name", token)
    return token.text


def _bin(cursor: Cursor) -> int:
    if not cursor.accept("("):
        cursor.fail("bin needs a length", "write bin(1m)")
    found = span(cursor)
    if not cursor.accept(")"):
        cursor.fail("this needs a closing )", "write bin(1m)")
    return found


def span(cursor: Cursor) -> int:
    """The microseconds of a span such as 1m."""
    token = cursor.name("a length of time", "1m, 90s or 1h")
    try:
        found = parse_span(token.text)
    except TimeRangeError as error:
        cursor.fail(str(error), token=token)
    if found < 1:
        cursor.fail(f"{token.text!r} is no length", "write 1m, 90s or 1h", token)
    return found
