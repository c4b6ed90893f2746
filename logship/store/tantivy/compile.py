"""Syntax tree → tantivy query objects.

No user text reaches the engine's own parser, with one exception: ranges on columns of `attrs` exist only as
text, so that text is generated here from an encoded name and a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from logship.query import addresses, names, text
from logship.query.match import regex as compiled_regex
from logship.query.match import value_text, wildcard, within
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
from logship.store import storable
from logship.store.tantivy import expressions, schema
from logship.store.tantivy.values import TooManyError, Value, Values

if TYPE_CHECKING:
    from collections.abc import Callable

    import tantivy

    from logship.timerange import TimeRange

_TRIED: Final = schema.NUMBER_COLUMNS.keys() | schema.UNINDEXED | names.TIMES
"""Fields whose values stand in no index as text."""
_HAS_VALUES: Final = frozenset({names.TIME, names.ID})


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query for the engine; when not `exact`, its matches still have to be checked with the tree."""

    query: tantivy.Query
    exact: bool = True


class Compiler:
    """Compiles trees for one index; `searcher` answers whether any record holds a list under a name."""

    def __init__(self, index: tantivy.Index, searcher: tantivy.Searcher) -> None:
        import tantivy

        self._index, self._searcher = index, searcher
        self._schema = index.schema
        self._make = tantivy.Query
        self._occur = tantivy.Occur
        self._types = tantivy.FieldType

    def compile(self, node: Node, within: TimeRange | None = None) -> Compiled:
        """The tree, and the time range if there is one."""
        found = self._node(node)
        if within is None:
            return found
        return Compiled(self.narrowed(found.query, "time", within.start_us, within.end_us - 1), found.exact)

    def narrowed(self, query: tantivy.Query, column: str, low: int | None, high: int | None) -> tantivy.Query:
        """The matches of a query whose whole-number column lies in [low, high]; None is open."""
        return self._and([query, self._times(column, low, high)])

    def _node(self, node: Node) -> Compiled:  # noqa: C901, PLR0912 - one line a kind of node
        match node:
            case All():
                return Compiled(self._make.all_query())
            case Nothing():
                return Compiled(self._make.empty_query())
            case And(parts):
                found = [self._node(part) for part in parts]
                return Compiled(self._and([part.query for part in found]), all(part.exact for part in found))
            case Or(parts):
                found = [self._node(part) for part in parts]
                return Compiled(self._or([part.query for part in found]), all(part.exact for part in found))
            case Not(part):
                inner = self._node(part)
                return (
                    Compiled(self._not(inner.query)) if inner.exact else Compiled(self._make.all_query(), exact=False)
                )
            case Words(tokens):
                return Compiled(self._words(tokens))
            case Pattern(tokens):
                return Compiled(self._pattern(tokens))
            case Fuzzy(token, edits):
                return Compiled(self._make.fuzzy_term_query(self._schema, "body", token, edits, True))
            case Exists(field):
                return self._exists(field)
            case OneOf(field, several):
                return self._one_of(field, several)
            case Network(field, cidr):
                return self._network(field, cidr)
            case Term(field, value):
                return self._one_of(field, (value,))
            case Range():
                return self._range(node)
            case Wildcard(field, pattern):
                return self._wildcard(field, pattern)
            case Regex(field, pattern):
                return self._regex(field, pattern)

    def _and(self, queries: list[tantivy.Query]) -> tantivy.Query:
        return self._make.boolean_query([(self._occur.Must, query) for query in queries])

    def _or(self, queries: list[tantivy.Query]) -> tantivy.Query:
        return self._make.boolean_query([(self._occur.Should, query) for query in queries])

    def _not(self, query: tantivy.Query) -> tantivy.Query:
        # A lone MustNot finds nothing in this engine.
        return self._make.boolean_query([(self._occur.Must, self._make.all_query()), (self._occur.MustNot, query)])

    def _is(self, field: str, value: str | float) -> tantivy.Query:
        return self._make.term_query(self._schema, field, value, "basic")

    def _matches(self, field: str, expression: str) -> tantivy.Query:
        return expressions.query(field, expression)

    def _times(self, column: str, low: float | None, high: float | None) -> tantivy.Query:
        return self._make.range_query(self._schema, column, self._types.Integer, low, high)

    def _words(self, tokens: tuple[str, ...]) -> tantivy.Query:
        if len(tokens) == 1:
            return self._is("body", tokens[0])
        return self._make.phrase_query(self._schema, "body", list(tokens))

    def _pattern(self, tokens: tuple[str, ...]) -> tantivy.Query:
        wanted = [expressions.of_wildcard(token) for token in tokens]
        if len(tokens) == 1:
            return self._matches("body", wanted[0])
        return self._make.regex_phrase_query(self._schema, "body", list(wanted))

    def _exists(self, field: str) -> Compiled:
        if field in _HAS_VALUES:
            return Compiled(self._make.all_query())
        if field == names.BODY:
            return Compiled(self._make.all_query(), exact=False)
        if field == names.SEVERITY:
            return Compiled(self._make.range_query(self._schema, "level", self._types.Integer, 0, None))
        if field == names.OBSERVED:
            return Compiled(self._times("observed", 1, None))
        if field == "traceId":
            return Compiled(self._make.exists_query(schema.TEXT_COLUMNS[field]))
        if field in ("spanId", "parentSpanId"):
            return Compiled(self._matches(schema.TEXT_TERMS[field], "(?s:.)+"))
        named = self._is("names", storable.text(field))
        if column := schema.TEXT_COLUMNS.get(field) or schema.NUMBER_COLUMNS.get(field):
            in_column = self._make.exists_query(column)
            return Compiled(self._or([named, in_column]) if self._has_odd_values(field) else in_column)
        return Compiled(named)

    def _has_odd_values(self, field: str) -> bool:
        """Whether any record has values that the field's own column does not show."""
        return self._searcher.doc_freq("names", storable.text(field)) > 0

    def _one_of(self, field: str, several: tuple[str, ...]) -> Compiled:
        if field == names.SEVERITY:
            return Compiled(self._or([self._is("level", SEVERITY_NUMBERS[value]) for value in several]))
        if field in schema.UNINDEXED:
            return self._candidates(field)
        wanted = [text.clip(value) for value in several]
        column = schema.TEXT_TERMS.get(field) or schema.TEXT_COLUMNS.get(field)
        either = [self._any_of(column, wanted)] if column else []
        if field in names.TOP_LEVEL:
            return Compiled(either[0])
        name, numbers = storable.text(field), [number(value) for value in several if NUMBER.match(value)]
        keys = [f"{name}{schema.TEXT_MARK}{value}" for value in wanted]
        keys += [f"{name}{schema.NUMBER_MARK}{value_text(exact)}" for exact in numbers]
        either.append(self._any_of("kv", keys))
        if column := schema.NUMBER_COLUMNS.get(field):
            either += [self._floats(column, exact, exact) for exact in numbers]
        return Compiled(self._or(either))

    def _any_of(self, column: str, terms: list[str]) -> tantivy.Query:
        if len(terms) == 1:
            return self._is(column, terms[0])
        return self._make.term_set_query(self._schema, column, terms)

    def _network(self, field: str, cidr: str) -> Compiled:
        if field in schema.UNINDEXED or field in names.TOP_LEVEL:
            return self._candidates(field)
        first, last = addresses.bounds(cidr)
        digits = expressions.between(first, last)
        return Compiled(
            self._matches("kv", f"{expressions.escaped(storable.text(field))}{schema.ADDRESS_MARK}{digits}")
        )

    def _tried(self, field: str, passes: Callable[[Value], bool], *, unsure: Callable[[Value], bool]) -> Compiled:
        """Records with a value that passes, or about which the index cannot tell; the latter are checked."""
        if (
            field in schema.UNINDEXED
            or field in names.TOP_LEVEL - schema.TEXT_TERMS.keys() - schema.TEXT_COLUMNS.keys()
        ):
            return self._candidates(field)
        try:
            found = Values(self._searcher).that(field, lambda value: unsure(value) or passes(value))
        except TooManyError:
            return self._candidates(field)
        terms: dict[str, list[str]] = {}
        either = []
        for value in found:
            if isinstance(value.term, str):
                terms.setdefault(value.column, []).append(value.term)
            else:
                either.append(self._floats(value.column, value.term, value.term))
        either += [self._any_of(column, several) for column, several in terms.items()]
        query = self._or(either) if either else self._make.empty_query()
        return Compiled(query, exact=not any(unsure(value) for value in found))

    def _floats(self, column: str, low: float | None, high: float | None) -> tantivy.Query:
        first, last = (None if limit is None else float(limit) for limit in (low, high))
        return self._make.range_query(self._schema, column, self._types.Float, first, last)

    def _range(self, node: Range) -> Compiled:
        low, high = node.low, node.high
        if isinstance(low, str) or isinstance(high, str):
            return self._text_range(node)
        if node.field in schema.UNINDEXED:
            return self._candidates(node.field)
        column = {names.SEVERITY: "level", **schema.TIME_COLUMNS}.get(node.field)
        if column:
            return Compiled(self._whole_numbers(column, node, low, high))
        if node.field in names.TOP_LEVEL:
            return Compiled(self._make.empty_query())
        if node.field not in schema.NUMBER_COLUMNS:
            found = self._column_range(node, low, high)
        elif self._has_odd_values(node.field):
            found = self._or([self._column_range(node, low, high), self._float_range(node, low, high)])
        else:
            return Compiled(self._float_range(node, low, high))
        # Each end is a query of its own, so a list could satisfy them with two different items.
        lists = (
            low is not None
            and high is not None
            and self._searcher.doc_freq("names", schema.LIST_MARK + storable.text(node.field))
        )
        return Compiled(found, exact=not lists)

    def _text_range(self, node: Range) -> Compiled:
        def passes(value: Value) -> bool:
            return value.is_text and within(value.text, node)

        return self._tried(node.field, passes, unsure=lambda value: value.maybe_no_text and passes(value))

    def _whole_numbers(self, column: str, node: Range, low: float | None, high: float | None) -> tantivy.Query:
        first = None if low is None else int(low) + (not node.include_low)
        last = None if high is None else int(high) - (not node.include_high)
        if first is not None and last is not None and first > last:
            return self._make.empty_query()
        return self._times(column, first, last)

    def _float_range(self, node: Range, low: float | None, high: float | None) -> tantivy.Query:
        return self._make.range_query(
            self._schema,
            schema.NUMBER_COLUMNS[node.field],
            self._types.Float,
            None if low is None else float(low),
            None if high is None else float(high),
            node.include_low,
            node.include_high,
        )

    def _column_range(self, node: Range, low: float | None, high: float | None) -> tantivy.Query:
        path = f"attrs.{storable.column_name(storable.text(node.field))}"
        ends = []
        if low is not None:
            ends.append(f"{path}:{'>=' if node.include_low else '>'}{_digits(low)}")
        if high is not None:
            ends.append(f"{path}:{'<=' if node.include_high else '<'}{_digits(high)}")
        # Two one-sided ranges: a two-sided one panics when one bound is whole and the other is not.
        return self._and([self._index.parse_query(end, ["body"]) for end in ends])

    def _wildcard(self, field: str, pattern: str) -> Compiled:
        if field == names.SEVERITY:
            return self._levels(lambda name: bool(wildcard(pattern).fullmatch(name)))
        if field in schema.UNINDEXED:
            return self._candidates(field)
        if field in schema.NUMBER_COLUMNS:
            test = wildcard(pattern).fullmatch
            return self._tried(field, lambda value: bool(test(value.text)), unsure=lambda _: False)
        return Compiled(self._or(self._values_like(field, expressions.of_wildcard(pattern))))

    def _regex(self, field: str, pattern: str) -> Compiled:
        if field == names.SEVERITY:
            return self._levels(lambda name: bool(compiled_regex(pattern, ignore_case=False).search(name)))
        if field != names.BODY:
            return self._regex_of_values(field, pattern)
        narrowed = [self._matches("body", f".*{part}.*") for part in text.required_runs(pattern)]
        if not narrowed:
            return Compiled(self._make.all_query(), exact=False)
        return Compiled(self._or([self._and(narrowed), self._is("names", schema.LONG_RUN)]), exact=False)

    def _regex_of_values(self, field: str, pattern: str) -> Compiled:
        expression = None if field in _TRIED else expressions.of_re2(pattern)
        if expression is None:
            search = compiled_regex(pattern, ignore_case=False).search
            return self._tried(field, lambda value: bool(search(value.text)), unsure=lambda value: value.clipped)
        either = self._values_like(field, expression)
        clipped = schema.CLIPPED_MARK + storable.text(field)
        if not self._searcher.doc_freq("names", clipped):
            return Compiled(self._or(either))
        return Compiled(self._or([*either, self._is("names", clipped)]), exact=False)

    def _values_like(self, field: str, expression: str) -> list[tantivy.Query]:
        """Queries of which one finds each record with such a value, in its column or in the general one."""
        column = schema.TEXT_TERMS.get(field) or schema.TEXT_COLUMNS.get(field)
        either = [self._matches(column, expression)] if column else []
        if field not in names.TOP_LEVEL:
            marks = f"[{schema.TEXT_MARK}{schema.NUMBER_MARK}]"
            either.append(self._matches("kv", f"{expressions.escaped(storable.text(field))}{marks}{expression}"))
        return either

    def _levels(self, wanted: Callable[[str], bool]) -> Compiled:
        found = [self._is("level", value) for name, value in SEVERITY_NUMBERS.items() if wanted(name)]
        return Compiled(self._or(found) if found else self._make.empty_query())

    def _candidates(self, field: str) -> Compiled:
        """Records that have the field at all; the tree decides."""
        return Compiled(self._exists(field).query, exact=False)


def _digits(value: float) -> str:
    """A number without exponent, as the engine's range syntax takes it."""
    return format(Decimal(repr(value)), "f")
