"""What stands behind `where`: the query language, over records or over the columns of rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from logship.errors import QuerySyntaxError
from logship.query import names
from logship.query.parser import parse
from logship.query.tree import And, Fuzzy, Node, Not, Or, Pattern, Words, fields

if TYPE_CHECKING:
    from logship.query.stages.shape import Shape

_ASKED: Final = re.compile(r'"(?:\\.|[^"\\])*"|\b([a-z][\w.]*)\(([\w.@\-]*)\)(?=(:?)\s*(?:[:<>]|=~))', re.DOTALL)


def condition(text: str, start: int, end: int, shape: Shape, now_us: int) -> Node:
    """The tree of a condition in text[start:end].

    Raises:
        QuerySyntaxError: with its position in the whole text.
    """
    piece = text[start:end] if shape.columns is None else _with_column_names(text[start:end], shape)
    try:
        found = parse(piece, now_us=now_us, is_duration=shape.is_duration)
    except QuerySyntaxError as error:
        raise QuerySyntaxError(
            text, start + error.position, error.problem, length=error.length, suggestion=error.suggestion
        ) from None
    if shape.columns is not None:
        _check(text, start, found, shape)
    return found


def _with_column_names(piece: str, shape: Shape) -> str:
    """`p95(duration) > 1s` asks about the column p95_duration; what is named keeps its place in the text."""
    known = {column.name for column in shape.columns or ()}

    def named(match: re.Match[str]) -> str:
        name = match[1] + (f"_{match[2]}" if match[2] else "") if match[1] else ""
        return name if name in known else match[0]

    return _ASKED.sub(lambda match: named(match).ljust(len(match[0])) if not match[3] else named(match), piece)


def _check(text: str, start: int, node: Node, shape: Shape) -> None:
    known = {names.canonical(column.name) for column in shape.columns or ()}
    if _asks_for_words(node) and names.BODY not in known:
        raise QuerySyntaxError(
            text,
            start + 1,
            "words are searched in messages, which these rows have not",
            suggestion="write column:value",
        )
    for field in sorted(fields(node) - known):
        if shape.values_kind is None:
            name = names.short(field)
            place = next((text.index(n, start) for n in (name, field) if n in text[start:]), start + 1)
            raise QuerySyntaxError(
                text,
                place,
                f"no column {name!r} comes out of the stages before",
                length=len(name),
                suggestion=shape.suggestion(name),
            )


def _asks_for_words(node: Node) -> bool:
    match node:
        case And(parts) | Or(parts):
            return any(_asks_for_words(part) for part in parts)
        case Not(part):
            return _asks_for_words(part)
        case _:
            return isinstance(node, (Words, Pattern, Fuzzy))
