"""A tree → a function of a record, for whoever asks the same of every record that passes by.

`match.matches` defines the language, and what is compiled answers as it does: the forms that rules are made of
are decided once per tree instead of once per record, everything else is handed to `matches` itself.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from logship.query import addresses, names, text
from logship.query.match import field_matches, matches, value_text, wildcard, within
from logship.query.tree import (
    All,
    And,
    Exists,
    Network,
    Node,
    Not,
    Nothing,
    OneOf,
    Or,
    Range,
    Term,
    Wildcard,
    Words,
)
from logship.query.values import NUMBER, number
from logship.record import SEVERITY_NUMBERS, Record

if TYPE_CHECKING:
    from logship.query.tree import Field

Test = Callable[[Record], bool]
_ValueTest = Callable[[Any], bool]
_SHORT: Final = text.MAX_VALUE_BYTES // 4
"""ASCII texts of at most so many characters are compared whole."""
_CORE: Final[dict[str, Callable[[Record], Any]]] = {
    names.BODY: attrgetter("body"),
    names.SEVERITY: attrgetter("severity"),
    names.ID: attrgetter("id"),
    "traceId": attrgetter("trace_id"),
    "spanId": attrgetter("span_id"),
    "parentSpanId": attrgetter("parent_span_id"),
}
"""Core fields that are texts; an empty one is no value."""


def compiled(node: Node) -> Test:
    """The function that answers as `matches(node, record)` does."""
    match node:
        case All():
            return lambda _: True
        case Nothing():
            return lambda _: False
        case And(parts):
            return _all([compiled(part) for part in parts])
        case Or(parts):
            return _any([compiled(part) for part in parts])
        case Not(part):
            inner = compiled(part)
            return lambda record: not inner(record)
        case Words(tokens):
            return _words(node, tokens)
        case Term() | OneOf() | Network() | Wildcard() | Range() | Exists():
            return _field(node)
        case _:
            return lambda record: matches(node, record)


def _all(tests: list[Test]) -> Test:
    if len(tests) == 2:  # noqa: PLR2004 - the usual number, at half the time
        first, second = tests
        return lambda record: first(record) and second(record)

    def test(record: Record) -> bool:
        for part in tests:  # noqa: SIM110 - twice as fast as all()
            if not part(record):
                return False
        return True

    return test


def _any(tests: list[Test]) -> Test:
    def test(record: Record) -> bool:
        for part in tests:  # noqa: SIM110 - twice as fast as any()
            if part(record):
                return True
        return False

    return test


def _words(node: Words, tokens: tuple[str, ...]) -> Test:
    """Tokens are looked for as plain text first: most records have none of them, and are not cut into words."""

    def test(record: Record) -> bool:
        body = record.body
        if body.isascii():
            lowered = body.lower()
            for token in tokens:
                if token not in lowered:
                    return False
        return matches(node, record)

    return test


def _field(node: Field) -> Test:
    field = node.field
    if field == names.SEVERITY:
        return _severity(node)
    if field in names.TIMES:
        return lambda record: matches(node, record)
    test = _value_test(node)
    if read := _CORE.get(field):

        def of_core(record: Record) -> bool:
            value = read(record)
            return value != "" and test(value)

        return of_core

    def of_maps(record: Record) -> bool:
        value = record.attributes.get(field)
        if value is not None and _holds(test, value):
            return True
        value = record.resource.get(field)
        return value is not None and _holds(test, value)

    return of_maps


def _severity(node: Field) -> Test:
    """There are so few levels that each is decided beforehand."""
    levels = frozenset(level for level in SEVERITY_NUMBERS if field_matches(node, [level]))
    return lambda record: record.severity in levels


def _holds(test: _ValueTest, value: Any) -> bool:
    """Whether a value passes, or one of several does."""
    if type(value) is list:
        return any(test(item) for item in value if item is not None)
    return test(value)


def _value_test(node: Field) -> _ValueTest:
    match node:
        case Term(_, wanted):
            return _equals(wanted)
        case OneOf(_, several):
            tests = [_equals(wanted) for wanted in several]
            return lambda value: any(test(value) for test in tests)
        case Network(_, cidr):
            return lambda value: isinstance(value, str) and addresses.within(value, cidr)
        case Wildcard(_, pattern):
            match_whole = wildcard(pattern).fullmatch
            return lambda value: match_whole(text.clip(value_text(value))) is not None
        case Range():
            return lambda value: within(value, node)
        case _:
            return lambda value: field_matches(node, [value])


def _equals(wanted: str) -> _ValueTest:
    clipped, exact = text.clip(wanted), number(wanted) if NUMBER.match(wanted) else None

    def equals(value: Any) -> bool:
        if type(value) is str:
            if value == wanted:
                return True
            if len(value) <= _SHORT and value.isascii():
                return value == clipped
            return text.clip(value) == clipped
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return exact is not None and value == exact
        return text.clip(value_text(value)) == clipped

    return equals
