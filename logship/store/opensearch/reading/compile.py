"""Syntax tree → OpenSearch's query objects, for indices of our own template.

No user text reaches the server's own query parser: every query here is a term-level one, on a name's own field
and on keys that we make.
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
from logship.store.opensearch.layout import PRINTED, UNINDEXED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.store.opensearch.layout import Layout

Query = dict[str, Any]
ALL: Final[Query] = {"match_all": {}}
NONE: Final[Query] = {"match_none": {}}
_TIME_FIELDS: Final = {names.TIME: "logship.time_us", names.OBSERVED: "logship.observed_us"}
_MOST_TERMS: Final = 60_000
"""The server refuses over 65,536 in one query (`index.max_terms_count`)."""
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
    """Compiles trees for our indices."""

    def __init__(self, layout: Layout) -> None:
        self._body, self._level, self._leaves = layout.body, layout.level, layout.leaves
        self._parts = {
            names.BODY: layout.body,
            names.SEVERITY: layout.level,
            names.OBSERVED: "logship.observed_us",
        }

    def compile(self, node: Node) -> Compiled:
        """The whole tree."""
        return combine(node, self._leaf)

    def exists(self, field: str) -> Query:
        """Records that have a field."""
        if field in (names.TIME, names.ID):
            return ALL
        own = self._parts.get(field)
        if own:
            return {"exists": {"field": own}}
        named = {"term": {"logship.names": keys.name_key(field)}}
        leaf = self._leaves.get(field)
        return disjunction([{"exists": {"field": leaf.path}}, named]) if leaf else named

    def odd(self, field: str) -> Query | None:
        """Records with a value that does not fit the field's own; None for fields without one."""
        return {"term": {"logship.names": keys.ODD + keys.name_key(field)}} if field in self._leaves else None

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
                return self._network(field, cidr)
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

    def _candidates(self, field: str) -> Compiled:
        """Records that have the field at all; the tree decides."""
        return Compiled(self.exists(field), exact=False)

    def _one_of(self, field: str, values: Sequence[str]) -> Compiled:
        if field == names.SEVERITY:
            return Compiled({"terms": {self._level: [SEVERITY_NUMBERS[value] for value in values]}})
        if field in UNINDEXED:
            return self._candidates(field)
        found = [_terms("logship.keys", [key for value in values for key in _equal_keys(field, value)])]
        if leaf := self._leaves.get(field):
            own = values if leaf.kind == "text" else [number(value) for value in values if NUMBER.match(value)]
            found.append(_terms(leaf.path, own))
        return Compiled(disjunction([query for query in found if query != NONE]))

    def _network(self, field: str, cidr: str) -> Compiled:
        if field in self._leaves:
            return self._candidates(field)
        first, last = addresses.bounds(cidr)
        return Compiled(_between(f"{keys.name_key(field)}{keys.ADDRESS}", {"gte": first, "lte": last}))

    def _range(self, node: Range) -> Compiled:
        field, low, high = node.field, node.low, node.high
        if field in UNINDEXED:
            return self._candidates(field)
        ends = {"gte" if node.include_low else "gt": low, "lte" if node.include_high else "lt": high}
        limits = {end: limit for end, limit in ends.items() if limit is not None}
        column = self._level if field == names.SEVERITY else _TIME_FIELDS.get(field)
        if column:
            return Compiled({"range": {column: limits}})
        as_text = isinstance(low, str) or isinstance(high, str)
        mark = keys.TEXT if as_text else keys.NUMBER
        found = [_between(f"{keys.name_key(field)}{mark}", {end: _bound(limit) for end, limit in limits.items()})]
        leaf = self._leaves.get(field)
        if leaf and as_text == (leaf.kind == "text"):
            found.append({"range": {leaf.path: limits}})
        return Compiled(disjunction(found))

    def _wildcard(self, field: str, pattern: str) -> Compiled:
        if field == names.SEVERITY:
            return self._levels(lambda name: bool(wildcard(pattern).fullmatch(name)))
        leaf = self._leaves.get(field)
        if field in UNINDEXED or (leaf and leaf.kind == "number"):
            return self._candidates(field)
        name = _SIGNS.sub(r"\\\1", keys.name_key(field))
        values = [("logship.keys", f"{name}{mark}{_complete(pattern)}") for mark in (keys.TEXT, keys.PRINTED)]
        if leaf:
            values.append((leaf.path + (PRINTED if leaf.kind == "whole" else ""), _complete(pattern)))
        return Compiled(disjunction([{"wildcard": {path: {"value": value}}} for path, value in values]))

    def _levels(self, wanted: Callable[[str], bool]) -> Compiled:
        found = [value for name, value in SEVERITY_NUMBERS.items() if wanted(name)]
        return Compiled({"terms": {self._level: found}} if found else NONE)

    def _regex(self, field: str, pattern: str) -> Compiled:
        if field == names.SEVERITY:
            return self._levels(lambda name: bool(regex(pattern, ignore_case=False).search(name)))
        narrowed = self.exists(field)
        if field == names.BODY and (parts := text.required_runs(pattern)):
            found = conjunction([{"wildcard": {self._body: {"value": f"*{part}*"}}} for part in parts])
            narrowed = disjunction([found, {"term": {"logship.names": keys.LONG_RUN}}])
        return Compiled(narrowed, exact=False)


def _terms(path: str, values: Sequence[Any]) -> Query:
    if len(values) == 1:
        return {"term": {path: values[0]}}
    parts = [list(values[start : start + _MOST_TERMS]) for start in range(0, len(values), _MOST_TERMS)]
    return disjunction([{"terms": {path: part}} for part in parts])


def _equal_keys(field: str, value: str) -> list[str]:
    name, wanted = keys.name_key(field), text.clip(value)
    if NUMBER.match(value):
        return [f"{name}{keys.TEXT}{wanted}", f"{name}{keys.NUMBER}{keys.number_key(number(value))}"]
    return [f"{name}{keys.TEXT}{wanted}", f"{name}{keys.PRINTED}{wanted}"]


def _bound(limit: float | str) -> str:
    return limit if isinstance(limit, str) else keys.number_key(limit)


def _between(stretch: str, ends: dict[str, str]) -> Query:
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
