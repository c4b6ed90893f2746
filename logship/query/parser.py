"""Query text → syntax tree, or an error that points at the character."""

from __future__ import annotations

import re
import time
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import lark

from logship.errors import QuerySyntaxError
from logship.query import names, text, values
from logship.query.tree import All, And, Node, Not, Or, Regex
from logship.query.values import Written

if TYPE_CHECKING:
    from collections.abc import Callable

_ValueTree = tuple[str, Any]
_EQUALS: Final = re.compile(r"([\w.@]+)=(?!~)(.+)", re.DOTALL)


def parse(
    query: str, *, now_us: int | None = None, is_duration: Callable[[str], bool] = names.is_duration_ms
) -> Node:
    """The tree of a query.

    Args:
        query: the text as typed; empty means every record.
        now_us: what times like `15m` count back from; the clock's time when None.
        is_duration: whether a field (canonical name) holds milliseconds, so that units may be compared with it.

    Raises:
        QuerySyntaxError: with the position of the first wrong character and a suggestion.
    """
    _check_quotes(query)
    try:
        parsed = _lark().parse(query)
    except lark.exceptions.UnexpectedInput as error:
        raise _explain(query, error) from None
    try:
        now = time.time_ns() // 1000 if now_us is None else now_us
        found: Node = _ToTree(query, now, is_duration).transform(parsed)
    except lark.exceptions.VisitError as error:
        raise error.orig_exc from None
    return found


@cache
def _lark() -> lark.Lark:
    grammar = files("logship.query").joinpath("grammar.lark").read_text(encoding="utf-8")
    return lark.Lark(grammar, parser="lalr", lexer="contextual", maybe_placeholders=False)


@lark.v_args(inline=True)
class _ToTree(lark.Transformer[lark.Token, Node]):
    """Bottom-up: values of a field wait as closures until the field's name is known."""

    def __init__(self, query: str, now_us: int, is_duration: Callable[[str], bool]) -> None:
        super().__init__()
        self._query, self._now_us, self._is_duration = query, now_us, is_duration

    def _written(self, token: lark.Token) -> Written:
        quoted = token.type == "STRING"
        raw = token[1:-1] if quoted else str(token)
        return Written(raw, quoted, token.start_pos or 0, self._query, self._now_us, self._is_duration)

    def start(self, *found: Node) -> Node:
        return found[0] if found else All()

    def or_(self, *parts: Node) -> Node:
        return Or(parts)

    def and_(self, *parts: Node) -> Node:
        return And(parts)

    def negation(self, part: Node) -> Node:
        return Not(part)

    def phrase(self, token: lark.Token) -> Node:
        return values.words(self._written(token))

    def word(self, token: lark.Token) -> Node:
        piece = self._written(token)
        equals = _EQUALS.match(piece.raw)
        if equals and equals[1] in names.SHORT_NAMES:
            raise piece.fail("= does not compare", f"write {equals[1]}:{equals[2]}")
        return All() if piece.raw == "*" else values.words(piece)

    def body_regex(self, token: lark.Token) -> Node:
        return self._regex(names.BODY, token)

    def regex(self, field: lark.Token, token: lark.Token) -> Node:
        return self._regex(names.canonical(str(field)), token)

    def _regex(self, field: str, token: lark.Token) -> Node:
        pattern = token[1:-1].replace('\\"', '"')
        try:
            text.compile_re2(pattern)
        except Exception as error:  # re2 raises its own type, which loads with it
            piece = self._written(token)
            reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
            raise piece.fail(f"this is no regular expression: {reason}", "RE2 syntax; no lookaround") from None
        return Regex(field, pattern)

    def comparison(self, field: lark.Token, operator: lark.Token, token: lark.Token) -> Node:
        return values.comparison(names.canonical(str(field)), operator, self._written(token))

    def field(self, field: lark.Token, of_field: Callable[[str], Node]) -> Node:
        return of_field(names.canonical(str(field)))

    def v_value(self, token: lark.Token) -> Callable[[str], Node]:
        return lambda field: values.value(field, self._written(token))

    v_string = v_value

    def v_comparison(self, operator: lark.Token, token: lark.Token) -> Callable[[str], Node]:
        return lambda field: values.comparison(field, operator, self._written(token))

    def bound(self, token: lark.Token) -> lark.Token:
        return token

    def v_range(self, opening: str, low: lark.Token, high: lark.Token, closing: str) -> Callable[[str], Node]:
        return lambda field: values.between(
            field,
            self._written(low),
            self._written(high),
            include_low=opening == "[",
            include_high=closing == "]",
        )

    def v_or(self, *parts: Callable[[str], Node]) -> Callable[[str], Node]:
        return lambda field: Or(tuple(part(field) for part in parts))

    def v_and(self, *parts: Callable[[str], Node]) -> Callable[[str], Node]:
        return lambda field: And(tuple(part(field) for part in parts))

    def v_negation(self, part: Callable[[str], Node]) -> Callable[[str], Node]:
        return lambda field: Not(part(field))


def _check_quotes(query: str) -> None:
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


def _explain(query: str, error: lark.exceptions.UnexpectedInput) -> QuerySyntaxError:
    """The parser's complaint in the words of the language."""
    ended = isinstance(error, lark.exceptions.UnexpectedToken) and error.token.type == "$END"
    position = len(query.rstrip()) if ended else int(getattr(error, "pos_in_stream", None) or 0)
    before = query[:position].rstrip()
    char = query[position : position + 1]
    if char == ")" and before.endswith("("):
        return QuerySyntaxError(
            query, position, "nothing stands between ( and )", suggestion="add a word, or remove them"
        )
    operator = re.search(r"(?:^|[\s(])(AND|OR|NOT|-)\Z", before)
    if operator and char != ":":
        start = operator.start(1)
        return QuerySyntaxError(
            query,
            start,
            f"{operator[1]} needs something behind it",
            length=len(operator[1]),
            suggestion=f'add a word, or quote "{operator[1]}" to search for it',
        )
    if char in ("[", "{") or re.search(r"[\[{][^\]}]*\Z", before):
        return QuerySyntaxError(query, position, "this range is not complete", suggestion="write field:[1 TO 5]")
    if before.endswith(":") or re.search(r"[<>~]=?\Z", before):
        field = re.search(r"([\w.@\-]+)\s*[:<>=~]+\Z", before)
        name = field[1] if field else "the field"
        return QuerySyntaxError(
            query, max(position - 1, 0), f"{name} needs a value", suggestion=f"write {name}:* for any value"
        )
    if char == ")":
        return QuerySyntaxError(query, position, "this ) was never opened", suggestion="remove it, or quote it")
    if ended and (opened := _open_bracket(query)) is not None:
        return QuerySyntaxError(
            query, opened, f"this {query[opened]} is never closed", suggestion="close it at the end"
        )
    word = re.match(r"AND|OR", query[position:])
    if word:
        return QuerySyntaxError(
            query,
            position,
            f"{word[0]} needs something before it",
            length=len(word[0]),
            suggestion=f'add a word, or quote "{word[0]}" to search for it',
        )
    if char in ":<>=":
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
