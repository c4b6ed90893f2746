"""The definition of the language: whether a record matches a tree, in plain Python.

Stores compile trees to their own engines and must agree with this; where an engine can only narrow,
they finish with this.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from logship.query import addresses, names, text
from logship.query.tree import (
    All,
    And,
    Exists,
    Field,
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

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.record import Record


def matches(node: Node, record: Record) -> bool:
    """Whether the record matches."""
    match node:
        case All():
            return True
        case Nothing():
            return False
        case And(parts):
            return all(matches(part, record) for part in parts)
        case Or(parts):
            return any(matches(part, record) for part in parts)
        case Not(part):
            return not matches(part, record)
        case Words(tokens):
            return _side_by_side([token.__eq__ for token in tokens], _body_tokens(record.body))
        case Pattern(tokens):
            return _side_by_side([wildcard(token).fullmatch for token in tokens], _body_tokens(record.body))
        case Fuzzy(wanted, edits):
            return any(distance(token, wanted, edits) <= edits for token in set(_body_tokens(record.body)))
        case _:
            return field_matches(node, values(record, node.field))


def field_matches(node: Field, found: Sequence[Any]) -> bool:
    """Whether one of the values that a record has for the field matches."""
    match node:
        case Exists():
            return bool(found)
        case Term(_, wanted):
            return any(_equals(value, wanted) for value in found)
        case OneOf(_, several):
            return any(_equals(value, wanted) for value in found for wanted in several)
        case Network(_, cidr):
            return any(addresses.within(value, cidr) for value in found if isinstance(value, str))
        case Wildcard(_, pattern):
            test = wildcard(pattern).fullmatch
            return any(test(text.clip(value_text(value))) for value in found)
        case Regex(field, pattern):
            search = regex(pattern, field == names.BODY).search
            return any(search(value_text(value).encode("utf-8", "replace").decode()) for value in found)
        case Range():
            return any(within(value, node) for value in found)


def values(record: Record, field: str) -> list[Any]:
    """The values that a record has for a canonical name; lists count as several, empty core fields as none."""
    match field:
        case names.BODY:
            return [record.body] if record.body else []
        case names.SEVERITY:
            return [record.severity] if record.severity else []
        case names.TIME:
            return [record.time_us]
        case names.OBSERVED:
            return [record.observed_ms * 1000] if record.observed_ms else []
        case names.ID:
            return [record.id]
        case "traceId":
            return [record.trace_id] if record.trace_id else []
        case "spanId":
            return [record.span_id] if record.span_id else []
        case "parentSpanId":
            return [record.parent_span_id] if record.parent_span_id else []
        case _:
            return [*_each(record.resource.get(field)), *_each(record.attributes.get(field))]


def _each(value: Any) -> list[Any]:
    if value is None:
        return []
    return [item for item in value if item is not None] if isinstance(value, list) else [value]


def value_text(value: Any) -> str:
    """How a value reads as text: whole floats without a fraction, booleans as true and false."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, int):
        return str(value)
    return orjson.dumps(value, default=str).decode()


@lru_cache(maxsize=256)
def regex(pattern: str, ignore_case: bool) -> Any:
    """The compiled RE2 of a `Regex` node."""
    return text.compile_re2(pattern, ignore_case=ignore_case)


@lru_cache(maxsize=256)
def wildcard(pattern: str) -> re.Pattern[str]:
    """A pattern with `*` and `?` as a regular expression to be matched in full; a backslash takes a sign as it is."""
    return re.compile("".join(wildcard_parts(pattern)), re.DOTALL)


def wildcard_parts(pattern: str) -> list[str]:
    """The regular expression of each character of a wildcard pattern."""
    parts, escaped = [], False
    for char in pattern:
        if not escaped and char == "\\":
            escaped = True
        else:
            parts.append({"*": ".*", "?": "."}[char] if char in "*?" and not escaped else re.escape(char))
            escaped = False
    return parts


def distance(first: str, second: str, most: int) -> int:
    """Optimal string alignment distance of two texts; any number above `most` once it is more than that."""
    if abs(len(first) - len(second)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, 1):
        oldest, before, row = before, row, [i]
        for j, right in enumerate(second, 1):
            step = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == second[j - 2] and first[i - 2] == right:
                step = min(step, oldest[j - 2] + 1)
            row.append(step)
        if min(row) > most:
            return most + 1
    return row[-1]


def _body_tokens(body: str) -> list[str]:
    return text.tokens(body)


def _side_by_side(tests: Sequence[Callable[[str], Any]], found: Sequence[str]) -> bool:
    """Whether the tests hold for as many neighbours. `str.__eq__` answers NotImplemented never for two strings."""
    if len(tests) == 1:
        return any(tests[0](token) for token in found)
    return any(
        all(test(token) for test, token in zip(tests, found[start:], strict=False))
        for start in range(len(found) - len(tests) + 1)
    )


def _equals(value: Any, wanted: str) -> bool:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return bool(NUMBER.match(wanted)) and value == number(wanted)
    return text.clip(value_text(value)) == text.clip(wanted)


def within(value: Any, node: Range) -> bool:
    """Whether one value lies in a range."""
    if node.field == names.SEVERITY:
        value = SEVERITY_NUMBERS[value]
    bounds = [limit for limit in (node.low, node.high) if limit is not None]
    as_text = isinstance(bounds[0], str)
    if isinstance(value, bool) or isinstance(value, str) != as_text or not isinstance(value, (str, int, float)):
        return False
    if as_text:
        value = text.clip(str(value))
    above = node.low is None or value > node.low or (node.include_low and value == node.low)
    return above and (node.high is None or value < node.high or (node.include_high and value == node.high))
