"""Query text → syntax tree, or an error that points at the character."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import lark

from logship.query import mistakes, names, text, values
from logship.query.hints import Hint, hints
from logship.query.tree import All, And, Exists, Node, Not, Or, Regex, Term
from logship.query.values import Written

if TYPE_CHECKING:
    from collections.abc import Callable

_EQUALS: Final = re.compile(r"([\w.@]+)(!?)=+(?!~)(.+)", re.DOTALL)
_BOOST: Final = re.compile(r"(?<=.)(?<!\\)\^\d+(?:\.\d+)?\Z", re.DOTALL)
_SLASHED: Final = re.compile(r"/(.*(?:[.][*+]|[\[\]\\^$|]).*)/\Z", re.DOTALL)
_EXISTS: Final = "_exists_"


def parse(query: str, *, now_us: int | None = None, is_duration: Callable[[str], bool] = names.is_duration_ms) -> Node:
    """The tree of a query.

    Args:
        query: the text as typed; empty means every record.
        now_us: what times like `15m` count back from; the clock's time when None.
        is_duration: whether a field (canonical name) holds milliseconds, so that units may be compared with it.

    Raises:
        QuerySyntaxError: with the position of the first wrong character and a suggestion.
    """
    mistakes.check_quotes(query)
    try:
        parsed = _lark().parse(query)
    except lark.exceptions.UnexpectedInput as error:
        raise mistakes.explain(query, error) from None
    try:
        now = time.time_ns() // 1000 if now_us is None else now_us
        found: Node = _ToTree(query, now, is_duration).transform(parsed)
    except lark.exceptions.VisitError as error:
        raise error.orig_exc from None
    return found


def parse_with_hints(query: str, *, now_us: int | None = None) -> tuple[Node, list[Hint]]:
    """The tree of a query, as `parse` gives it, and what to tell its writer.

    Raises:
        QuerySyntaxError: as `parse` does.
    """
    return parse(query, now_us=now_us), hints(query)


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
        position = token.start_pos or 0
        if token.type == "STRING":
            end = token.rindex('"')
            made = Written(token[1:end], True, position, self._query, self._now_us, self._is_duration)
            if token[end + 1 : end + 2] == "~":
                raise replace(made, position=position + end + 1, raw=token[end + 1 :], quoted=False).fail(
                    "words near each other cannot be asked for", "write the phrase alone, or its words with AND"
                )
            return made
        raw = _BOOST.sub("", token)
        return Written(raw, False, position, self._query, self._now_us, self._is_duration)

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
            raise piece.fail(f"{equals[2]}= does not compare", f"write {equals[2] and '-'}{equals[1]}:{equals[3]}")
        if piece.raw in ("!=", "!=="):
            raise piece.fail("!= does not compare", "write -field:value")
        if slashed := _SLASHED.match(piece.raw):
            raise piece.fail("/…/ is no regular expression here", f'write =~"{slashed[1]}"')
        return All() if piece.raw == "*" else values.words(piece)

    def body_regex(self, token: lark.Token) -> Node:
        return self._regex(names.BODY, token)

    def regex(self, field: lark.Token, token: lark.Token) -> Node:
        return self._regex(_name(field), token)

    def _regex(self, field: str, token: lark.Token) -> Node:
        piece = self._written(token)
        pattern = piece.raw.replace('\\"', '"')
        try:
            text.compile_re2(pattern)
        except Exception as error:  # re2 raises its own type, which loads with it
            reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
            raise piece.fail(f"this is no regular expression: {reason}", "RE2 syntax; no lookaround") from None
        return Regex(field, pattern)

    def comparison(self, field: lark.Token, operator: lark.Token, token: lark.Token) -> Node:
        return values.comparison(_name(field), operator, self._written(token))

    def field(self, field: lark.Token, of_field: Callable[[str], Node]) -> Node:
        if field == _EXISTS:
            return self._existing(of_field(_EXISTS), field)
        return of_field(_name(field))

    def _existing(self, node: Node, field: lark.Token) -> Node:
        """What Lucene writes as `_exists_:name`."""
        match node:
            case Term(_, name):
                return Exists(names.canonical(name))
            case And(parts):
                return And(tuple(self._existing(part, field) for part in parts))
            case Or(parts):
                return Or(tuple(self._existing(part, field) for part in parts))
            case Not(part):
                return Not(self._existing(part, field))
            case _:
                raise self._written(field).fail(
                    "_exists_ takes names of fields", "write _exists_:user.id, or user.id:*"
                )

    def v_value(self, token: lark.Token) -> Callable[[str], Node]:
        return lambda field: self._value(field, self._written(token))

    v_string = v_value

    def _value(self, field: str, piece: Written) -> Node:
        if not piece.quoted and (slashed := _SLASHED.match(piece.raw)):
            raise piece.fail("/…/ is no regular expression here", f'write {names.short(field)}=~"{slashed[1]}"')
        return values.value(field, piece)

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


def _name(token: lark.Token) -> str:
    """The canonical name of a field as written; a backslash takes any sign into a name."""
    return names.canonical(values.unescaped(token))
