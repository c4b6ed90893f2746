"""What is said about text that is no query: the wrong character, and what to write instead."""

from __future__ import annotations

import re
from typing import Final

import lark

from logship.errors import QuerySyntaxError

_OPERATOR_BEFORE: Final = re.compile(r"(?:^|[\s(])(AND|OR|NOT|&&|\|\||-|!)\Z")
_OPERATOR: Final = re.compile(r"AND|OR|&&|\|\|")
_NAME: Final = r"[\w.@\-]+"
_ASKED: Final = re.compile(rf"({_NAME})\s*[:<>=~]+\Z")
_NAMED: Final = re.compile(rf"({_NAME})\s*\Z")
_BEHIND_EQUALS: Final = re.compile(r'=+\s*("(?:\\.|[^"\\])*"|[^\s()]+)')
_NESTED: Final = re.compile(rf"({_NAME})\s*:\s*\Z")
_INNER: Final = re.compile(rf"\{{\s*({_NAME})\s*:")


def check_quotes(query: str) -> None:
    """Fails for a quote that is never closed, pointing at the one that opens."""
    opened = None
    escaped = False
    for position, char in enumerate(query):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            opened = position if opened is None else None
    if opened is not None:
        raise QuerySyntaxError(
            query, opened, "this quote is never closed", suggestion='add a " at the end of the phrase'
        )


def explain(query: str, error: lark.exceptions.UnexpectedInput) -> QuerySyntaxError:
    """The parser's complaint in the words of the language."""
    ended = isinstance(error, lark.exceptions.UnexpectedToken) and error.token.type == "$END"
    position = len(query.rstrip()) if ended else int(getattr(error, "pos_in_stream", None) or 0)
    return (
        _of_operators(query, position)
        or _of_ranges(query, position)
        or _of_values(query, position)
        or _of_brackets(query, position, ended=ended)
        or _of_signs(query, position)
    )


def _of_operators(query: str, position: int) -> QuerySyntaxError | None:
    """An operator that has nothing behind it."""
    before, char = query[:position].rstrip(), query[position : position + 1]
    if char == ")" and before.endswith("("):
        return QuerySyntaxError(
            query, position, "nothing stands between ( and )", suggestion="add a word, or remove them"
        )
    operator = _OPERATOR_BEFORE.search(before)
    if operator and char != ":":
        return QuerySyntaxError(
            query,
            operator.start(1),
            f"{operator[1]} needs something behind it",
            length=len(operator[1]),
            suggestion=f'add a word, or quote "{operator[1]}" to search for it',
        )
    return None


def _of_ranges(query: str, position: int) -> QuerySyntaxError | None:
    before, char = query[:position], query[position : position + 1]
    nested = _NESTED.search(before) if char == "{" else None
    if nested and (inner := _INNER.match(query, position)):
        return QuerySyntaxError(
            query, position, "fields are not nested", suggestion=f"write {nested[1]}.{inner[1]}:value"
        )
    if char in ("[", "{") or re.search(r"[\[{][^\]}]*\Z", before.rstrip()):
        return QuerySyntaxError(query, position, "this range is not complete", suggestion="write field:[1 TO 5]")
    return None


def _of_values(query: str, position: int) -> QuerySyntaxError | None:
    """A field without a value, or one compared with `=`."""
    before, char = query[:position].rstrip(), query[position : position + 1]
    named = _NAMED.search(query[:position])
    if char == "=" and named and (behind := _BEHIND_EQUALS.match(query, position)):
        return QuerySyntaxError(
            query,
            position,
            "= does not compare",
            length=len(query[position:]) - len(query[position:].lstrip("=")),
            suggestion=f"write {named[1]}:{behind[1]}",
        )
    if before.endswith(":") or re.search(r"[<>~]=?\Z", before):
        field = _ASKED.search(before)
        name = field[1] if field else "the field"
        return QuerySyntaxError(
            query, max(position - 1, 0), f"{name} needs a value", suggestion=f"write {name}:* for any value"
        )
    return None


def _of_brackets(query: str, position: int, *, ended: bool) -> QuerySyntaxError | None:
    if query[position : position + 1] == ")":
        return QuerySyntaxError(query, position, "this ) was never opened", suggestion="remove it, or quote it")
    if ended and (opened := _open_bracket(query)) is not None:
        return QuerySyntaxError(
            query, opened, f"this {query[opened]} is never closed", suggestion="close it at the end"
        )
    return None


def _of_signs(query: str, position: int) -> QuerySyntaxError:
    char = query[position : position + 1]
    if word := _OPERATOR.match(query, position):
        return QuerySyntaxError(
            query,
            position,
            f"{word[0]} needs something before it",
            length=len(word[0]),
            suggestion=f'add a word, or quote "{word[0]}" to search for it',
        )
    if char and char in ":<>=":
        return QuerySyntaxError(query, position, f"{char} needs a field before it", suggestion="write field:value")
    return QuerySyntaxError(
        query, position, f"{char or 'the end'!r} is not expected here", suggestion="put it in quotes"
    )


def _open_bracket(query: str) -> int | None:
    stack: list[int] = []
    quoted = False
    for position, char in enumerate(query):
        if char == '"' and query[position - 1 : position] != "\\":
            quoted = not quoted
        elif not quoted and char == "(":
            stack.append(position)
        elif not quoted and char == ")" and stack:
            stack.pop()
    return stack[-1] if stack else None
