"""Syntax tree → OpenSearch's query objects, for indices of our own template.

No user text reaches the server's own query parser: every query here is a term-level one on keys that we make.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from logship.query import addresses, names, text
from logship.query.match import regex, wildcard
from logship.query.tree import (
    All,
    And,
    Exists,
    Fuzzy,
    Network,
    Node,
    Not,
    Nothing,
    OneOf,
    Or,
    Pattern,
    Range,
    Regex,
    Term,
    Wildcard,
    Words,
)
from logship.query.values import NUMBER, number
from logship.record import SEVERITY_NUMBERS
from logship.store.opensearch import keys
from logship.store.opensearch.document import UNINDEXED, marked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Query = dict[str, Any]
ALL: Final[Query] = {"match_all": {}}
NONE: Final[Query] = {"match_none": {}}
_MARKED: Final = frozenset({names.BODY, "traceId", "spanId", "parentSpanId"})
_TIME_FIELDS: Final = {names.TIME: "logship.time_us", names.OBSERVED: "logship.observed_us"}
_MOST_TERMS: Final = 60_000
"""The server refuses 65,536 in one query (`index.max_terms_count`)."""
_SIGNS: Final = re.compile(r"([*?\\])")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query for the server; when not `exact`, its matches still have to be checked with the tree."""

    query: Query
    exact: bool = True


def conjunction(queries: Sequence[Query]) -> Query:
    """All of the queries; scores are never computed."""
    kept = [query for query in queries if query != ALL]
    return kept[0] if len(kept) == 1 else {"bool": {"filter": kept}} if kept else ALL


def disjunction(queries: Sequence[Query]) -> Query:
    """At least one of the queries."""
    if len(queries) == 1:
        return queries[0]
    return {"bool": {"should": list(queries), "minimum_should_match": 1}} if queries else NONE


def combine(node: Node, leaf: Callable[[Node], Compiled]) -> Compiled:
    """The logic of a tree, over whatever compiles its leaves."""
    match node:
        case All():
            return Compiled(ALL)
        case Nothing():
            return Compiled(NONE)
        case And(parts):
            found = [combine(part, leaf) for part in parts]
            return Compiled(conjunction([part.query for part in found]), all(part.exact for part in found))
        case Or(parts):
            found = [combine(part, leaf) for part in parts]
            return Compiled(disjunction([part.query for part in found]), all(part.exact for part in found))
        case Not(part):
            inner = combine(part, leaf)
            return Compiled({"bool": {"must_not": [inner.query]}}) if inner.exact else Compiled(ALL, exact=False)
        case _:
            return leaf(node)


class Compiler:
    """Compiles trees for our indices; `body` is where their text stands."""

    def __init__(self, body: str = "body") -> None:
        self._body = body

    def compile(self, node: Node) -> Compiled:
        """The whole tree."""
        return combine(node, self._leaf)

    def _leaf(self, node: Node) -> Compiled:
        match node:
            case Words() | Pattern() | Fuzzy():
                return self._on_body(node)
            case Exists(field):
                return Compiled(self.exists(field))
            case Term(field, value):
                return self._one_of(field, (value,))
            case OneOf(field, values):
                return self._one_of(field, values)
            case Network(field, cidr):
                first, last = addresses.bounds(cidr)
                return Compiled(_between(f"{keys.name_key(field)}{keys.ADDRESS}", gte=first, lte=last))
            case Range():
                return self._range(node)
            case Wildcard(field, pattern):
                return self._wildcard(field, pattern)
            case Regex(field, pattern):
                return self._regex(field, pattern)
            case _:
                raise AssertionError(node)

    def _on_body(self, node: Words | Pattern | Fuzzy) -> Compiled:
        body = self._body
        match node:
            case Words(tokens) if len(tokens) == 1:
                return Compiled({"term": {body: tokens[0]}})
            case Words(tokens):
                return Compiled({"match_phrase": {body: {"query": " ".join(tokens)}}})
            case Pattern(tokens):
                # Neighbours with wildcards: each must be there, that they stand side by side is checked.
                found = [{"wildcard": {body: {"value": token}}} for token in tokens]
                return Compiled(conjunction(found), exact=len(tokens) == 1)
            case Fuzzy(token, edits):
                return self._fuzzy(token, edits)

    def _fuzzy(self, token: str, edits: int) -> Compiled:
        wanted = {"value": token, "fuzziness": edits, "prefix_length": 0, "max_expansions": 1000}
        near: Query = {"fuzzy": {self._body: {**wanted, "transpositions": True, "rewrite": "constant_score"}}}
        if len(token) > 2 * edits:
            return Compiled(near)
        # The engine passes over words that are no longer than the distance; their lengths tell them.
        short = [{"wildcard": {self._body: {"value": "?" * length}}} for length in range(1, edits + 1)]
        return Compiled(disjunction([near, *short]), exact=False)

    def exists(self, field: str) -> Query:
        """Records that have a field."""
        if field in (names.TIME, names.ID):
            return ALL
        if field == names.SEVERITY:
            return {"exists": {"field": "logship.level"}}
        if field == names.OBSERVED:
            return {"exists": {"field": "logship.observed_us"}}
        return {"term": {"logship.names": marked(field) if field in _MARKED else keys.name_key(field)}}

    def _candidates(self, field: str) -> Compiled:
        """Records that have the field at all; the tree decides."""
        return Compiled(self.exists(field), exact=False)

    def _one_of(self, field: str, values: Sequence[str]) -> Compiled:
        if field == names.SEVERITY:
            return Compiled({"terms": {"logship.level": [SEVERITY_NUMBERS[value] for value in values]}})
        if field in UNINDEXED:
            return self._candidates(field)
        wanted = [key for value in values for key in _equal_keys(field, value)]
        parts = [wanted[start : start + _MOST_TERMS] for start in range(0, len(wanted), _MOST_TERMS)]
        return Compiled(disjunction([{"terms": {"logship.keys": part}} for part in parts]))

    def _range(self, node: Range) -> Compiled:
        field, low, high = node.field, node.low, node.high
        if field in UNINDEXED:
            return self._candidates(field)
        column = "logship.level" if field == names.SEVERITY else _TIME_FIELDS.get(field)
        if column:
            ends = {"gte" if node.include_low else "gt": low, "lte" if node.include_high else "lt": high}
            return Compiled({"range": {column: {end: value for end, value in ends.items() if value is not None}}})
        as_text = isinstance(low, str) or isinstance(high, str)
        stretch = f"{keys.name_key(field)}{keys.TEXT if as_text else keys.NUMBER}"
        first, last = (None if limit is None else _bound(limit) for limit in (low, high))
        return Compiled(
            _between(
                stretch,
                **({"gte" if node.include_low else "gt": first} if first is not None else {}),
                **({"lte" if node.include_high else "lt": last} if last is not None else {}),
            )
        )

    def _wildcard(self, field: str, pattern: str) -> Compiled:
        if field == names.SEVERITY:
            return _levels(lambda name: bool(wildcard(pattern).fullmatch(name)))
        if field in UNINDEXED:
            return self._candidates(field)
        name = _SIGNS.sub(r"\\\1", keys.name_key(field))
        return Compiled(
            disjunction(
                [
                    {"wildcard": {"logship.keys": {"value": f"{name}{mark}{_complete(pattern)}"}}}
                    for mark in (keys.TEXT, keys.PRINTED)
                ]
            )
        )

    def _regex(self, field: str, pattern: str) -> Compiled:
        if field == names.SEVERITY:
            return _levels(lambda name: bool(regex(pattern, ignore_case=False).search(name)))
        narrowed = self.exists(field)
        if field == names.BODY and (parts := text.required_runs(pattern)):
            found = conjunction([{"wildcard": {self._body: {"value": f"*{part}*"}}} for part in parts])
            narrowed = disjunction([found, {"term": {"logship.names": keys.LONG_RUN}}])
        return Compiled(narrowed, exact=False)


def _equal_keys(field: str, value: str) -> list[str]:
    name, wanted = keys.name_key(field), text.clip(value)
    if NUMBER.match(value):
        return [f"{name}{keys.TEXT}{wanted}", f"{name}{keys.NUMBER}{keys.number_key(number(value))}"]
    return [f"{name}{keys.TEXT}{wanted}", f"{name}{keys.PRINTED}{wanted}"]


def _bound(limit: float | str) -> str:
    return limit if isinstance(limit, str) else keys.number_key(limit)


def _between(stretch: str, **ends: str) -> Query:
    """Keys of one stretch between two ends; an open end is the stretch's own."""
    limits = {end: stretch + value for end, value in ends.items()}
    if not ends.keys() & {"gt", "gte"}:
        limits["gte"] = stretch
    if not ends.keys() & {"lt", "lte"}:
        limits["lt"] = stretch[:-1] + chr(ord(stretch[-1]) + 1)
    return {"range": {"logship.keys": limits}}


def _complete(pattern: str) -> str:
    """A lone backslash at the end takes nothing, in the engine as in the matcher."""
    trailing = len(pattern) - len(pattern.rstrip("\\"))
    return pattern[:-1] if trailing % 2 else pattern


def _levels(wanted: Callable[[str], bool]) -> Compiled:
    found = [value for name, value in SEVERITY_NUMBERS.items() if wanted(name)]
    return Compiled({"terms": {"logship.level": found}} if found else NONE)
