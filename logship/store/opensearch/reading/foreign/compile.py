"""Syntax tree → query objects for fields whose types others have chosen."""

from __future__ import annotations

import math
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from logship.query import names
from logship.query.match import regex, wildcard
from logship.query.tree import (
    Exists,
    Fuzzy,
    Network,
    Node,
    OneOf,
    Pattern,
    Range,
    Regex,
    Term,
    Wildcard,
    Words,
)
from logship.query.values import NUMBER, number
from logship.record import SEVERITY_NUMBERS, format_time, level_names
from logship.store.opensearch.reading.compile import NONE, Compiled, Query, combine, disjunction

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.store.opensearch.reading.foreign.fields import Fields, Located

_LEVEL_SPAN: Final = 3
"""OpenTelemetry gives each level four numbers: ERROR is 17 to 20."""


class ForeignCompiler:
    """Compiles trees for one index; what is asked of several fields holds if one of them has it."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def compile(self, node: Node) -> Compiled:
        """The whole tree."""
        return combine(node, self._leaf)

    def exists(self, name: str) -> Query:
        """Records that have a field."""
        return disjunction([{"exists": {"field": at.field}} for at in self._fields.locate(name)])

    def _leaf(self, node: Node) -> Compiled:  # noqa: C901 - one line a kind of node
        match node:
            case Words() | Pattern() | Fuzzy():
                return self._any(names.BODY, lambda at: _on_body(node, at))
            case Exists(field):
                return Compiled(self.exists(field))
            case Term(field, value):
                return self._any(field, lambda at: _equals(field, at, value))
            case OneOf(field, several):
                parts = [self._leaf(Term(field, value)) for value in several]
                return Compiled(disjunction([part.query for part in parts]), all(part.exact for part in parts))
            case Network(field, cidr):
                return self._any(field, lambda at: _in_network(at, cidr))
            case Range(field=field):
                return self._any(field, lambda at: _range(node, at))
            case Wildcard(names.SEVERITY, pattern):
                return self._levels(lambda name: bool(wildcard(pattern).fullmatch(name)))
            case Wildcard(field, pattern):
                return self._any(field, lambda at: _wildcard(at, pattern))
            case Regex(names.SEVERITY, pattern):
                return self._levels(lambda name: bool(regex(pattern, ignore_case=False).search(name)))
            case Regex(field):
                return Compiled(self.exists(field), exact=False)
            case _:
                raise AssertionError(node)

    def _any(self, name: str, compiled: Callable[[Located], Compiled]) -> Compiled:
        found = [compiled(at) for at in self._fields.locate(name)]
        return Compiled(disjunction([part.query for part in found]), all(part.exact for part in found))

    def _levels(self, wanted: Callable[[str], bool]) -> Compiled:
        chosen = [name for name in SEVERITY_NUMBERS if wanted(name)]
        return self._leaf(OneOf(names.SEVERITY, tuple(chosen))) if chosen else Compiled(NONE)


def _on_body(node: Words | Pattern | Fuzzy, at: Located) -> Compiled:
    match node:
        case Words(tokens) if at.kind == "text":
            return Compiled({"match_phrase": {at.field: {"query": " ".join(tokens)}}})
        case Pattern(tokens) if at.kind == "text":
            parts = [{"wildcard": {at.field: {"value": token}}} for token in tokens]
            return Compiled({"bool": {"filter": parts}}, exact=len(tokens) == 1)
        case Fuzzy(token, edits) if at.kind == "text":
            wanted = {"value": token, "fuzziness": edits, "max_expansions": 1000, "rewrite": "constant_score"}
            return Compiled({"fuzzy": {at.field: wanted}})
        case Words(tokens) | Pattern(tokens):
            # A keyword holds the whole line: each word must be in it, that it is a word is checked.
            values = [{"value": f"*{token}*", "case_insensitive": True} for token in tokens]
            return Compiled({"bool": {"filter": [{"wildcard": {at.field: value}} for value in values]}}, exact=False)
        case _:
            return Compiled({"exists": {"field": at.field}}, exact=False)


def _equals(name: str, at: Located, value: str) -> Compiled:
    if name == names.SEVERITY:
        return Compiled(_level(at, value))
    match at.kind:
        case "number":
            if not NUMBER.match(value):
                return Compiled(NONE)
            wanted = number(value)
            return Compiled({"term": {at.field: wanted if at.scale == 1.0 else wanted / at.scale}})
        case "boolean":
            return Compiled({"term": {at.field: value == "true"}} if value in ("true", "false") else NONE)
        case "ip":
            return Compiled({"term": {at.field: value}} if _is_address(value) else NONE)
        case "keyword":
            return Compiled({"term": {at.field: value}})
        case "text" if at.exact:
            return Compiled({"term": {at.exact: value}})
        case "text":
            return Compiled({"match_phrase": {at.field: {"query": value}}})
        case _:
            return Compiled({"match": {at.field: {"query": value, "operator": "and", "lenient": True}}}, exact=False)


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def _level(at: Located, level: str) -> Query:
    """A level in any spelling that anybody uses."""
    if at.kind == "number":
        first = SEVERITY_NUMBERS[level]
        return {"range": {at.field: {"gte": first, "lte": first + _LEVEL_SPAN}}}
    spellings = sorted({spelled for name in level_names(level) for spelled in (name, name.lower(), name.title())})
    return {"terms": {at.exact or at.field: spellings}}


def _in_network(at: Located, cidr: str) -> Compiled:
    if at.kind == "ip":
        return Compiled({"term": {at.field: cidr}})
    return Compiled({"exists": {"field": at.field}}, exact=False)


def _range(node: Range, at: Located) -> Compiled:
    if node.field == names.SEVERITY and at.kind != "number":
        levels = [name for name, value in SEVERITY_NUMBERS.items() if _holds(node, value)]
        return Compiled(disjunction([_level(at, name) for name in levels]))
    as_text = isinstance(node.low, str) or isinstance(node.high, str)
    if at.kind in ("date", "date_nanos"):
        return Compiled(date_range(at, node)) if not as_text else Compiled(NONE)
    if as_text != (at.kind in ("keyword", "text", "ip")):
        return Compiled(NONE)
    limits = {"gte" if node.include_low else "gt": node.low, "lte" if node.include_high else "lt": node.high}
    held = {
        end: value if isinstance(value, str) or at.scale == 1.0 else value / at.scale
        for end, value in limits.items()
        if value is not None
    }
    return Compiled({"range": {at.exact or at.field: held}})


def _holds(node: Range, value: int) -> bool:
    above = node.low is None or value > node.low or (node.include_low and value == node.low)  # type: ignore[operator]
    below = node.high is None or value < node.high or (node.include_high and value == node.high)  # type: ignore[operator]
    return bool(above and below)


def date_range(at: Located, node: Range) -> Query:
    """A range of microseconds on a field of milliseconds or nanoseconds."""
    limits: dict[str, Any] = {}
    for end, limit, inclusive in (("gt", node.low, node.include_low), ("lt", node.high, node.include_high)):
        if limit is None:
            continue
        if at.kind == "date_nanos":
            limits[end + ("e" if inclusive else "")] = format_time(int(limit))
        else:
            # Milliseconds are whole: what lies at or above a microsecond begins at the next one.
            upwards = inclusive if end == "gt" else not inclusive
            limits[end + ("e" if inclusive else "")] = (math.ceil if upwards else math.floor)(int(limit) / 1000)
    form = "strict_date_optional_time_nanos" if at.kind == "date_nanos" else "epoch_millis"
    return {"range": {at.field: {**limits, "format": form}}}


def _wildcard(at: Located, pattern: str) -> Compiled:
    if at.kind == "keyword" or (at.kind == "text" and at.exact):
        return Compiled({"wildcard": {at.exact or at.field: {"value": pattern}}})
    return Compiled({"exists": {"field": at.field}}, exact=False)
