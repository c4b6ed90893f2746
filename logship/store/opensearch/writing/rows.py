"""Table → the lines of a bulk request, put together as text: what all lines share, and of each column its values.

Nothing is made for a record by itself. What the lines say is what `document` says of the table's records, one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import msgspec

from logship.query.names import TOP_LEVEL
from logship.query.text import MAX_VALUE_BYTES, has_long_run
from logship.record import second_text
from logship.store.opensearch import keys
from logship.store.opensearch.layout import LONG_TEXT, UNINDEXED
from logship.store.opensearch.shapes import NANOS_LIMIT_US, SEVERITIES, observed_text
from logship.table import PLAIN_CHARS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logship.store.opensearch.layout import Layout, Leaf
    from logship.table import Shape, Table

assert PLAIN_CHARS <= MAX_VALUE_BYTES
_SECOND_US: Final = 1_000_000
_FITTING: Final = {"text": (str,), "whole": (int,), "number": (int, float)}
_MICROS: Final = 6
_NO_RUN: Final[tuple[str, ...]] = ()
_LONG_RUN: Final[tuple[str, ...]] = (keys.LONG_RUN,)
_encoder: Final = msgspec.json.Encoder()
_Value = TypeVar("_Value")


class Terms(Protocol):
    """What makes one record findable beyond its own fields."""

    names: list[str]
    keys: list[str]
    text: dict[str, Any]
    number: dict[str, Any]


TermsOf = Callable[[Sequence[str], Sequence[Any]], Terms]
"""Of names without a field of their own, and their values."""


class Rows:
    """How to make the lines of tables of one shape, all of whose values fit."""

    def __init__(self, shape: Shape, leaves: Mapping[str, Leaf]) -> None:
        self._resource = [f"{_json(name)}:" for name in shape.resource]
        self._attributes = [f"{_json(name)}:" for name in shape.attributes]
        names = [*shape.resource, *shape.attributes]
        others = [name for name in names if name not in leaves and name not in TOP_LEVEL]
        self._columns = [(name, names.index(name)) for name in others]
        own = [keys.name_key(name) for name in others]
        known = {run: _optional("names", [*run, *own]) for run in (_NO_RUN, _LONG_RUN)}
        self._names = known if UNINDEXED.issuperset(others) else None
        """What is findable of each record is the same but for its body: that it has these. By `_long_runs`."""

    @classmethod
    def of(cls, shape: Shape, layout: Layout) -> Rows | None:
        """For one shape of tables; None where its values may not fit."""
        leaves = layout.attributes
        types = [*shape.resource.items(), *shape.attributes.items()]
        fit = all(kind in _FITTING[leaves[name].kind] for name, kind in types if name in leaves)
        if not fit or not all(kind is str for name, kind in types if name in LONG_TEXT):
            return None
        return cls(shape, leaves)

    def lines(self, table: Table, index: str, terms_of: TermsOf) -> bytes | None:
        """For each record its action and its document, a line each; None where a value has to be looked at again."""
        if not _are_usual(table):
            return None
        lines = _Lines(len(table))
        seconds, micros = _parted(table.times_us)
        lines.all(f'{{"create":{{"_index":{_json(index)},"_id":"')
        lines.each(table.ids)
        lines.all('"}}\n{"@timestamp":"')
        lines.each_of(second_text, seconds)
        lines.each(micros)
        lines.all('Z"')
        lines.each_of(_observed_time, table.observed_ms)
        lines.all(',"body":')
        lines.values(table.bodies)
        lines.each_of(_severity, table.severities)
        lines.texts("traceId", table.trace_ids)
        lines.texts("spanId", table.span_ids)
        lines.texts("parentSpanId", table.parent_span_ids)
        lines.all(',"resource":{"attributes":{')
        lines.fields(self._resource, table.resource)
        lines.all('}},"attributes":{')
        lines.fields(self._attributes, table.attributes)
        lines.all('},"logship":{"time_us":')
        lines.each_of(str, seconds)
        lines.each(micros)
        lines.all(',"id":"')
        lines.each(table.ids)
        lines.all('"')
        lines.each_of(_observed_us, table.observed_ms)
        of_body = _long_runs(table.bodies)
        if self._names is not None:
            lines.each_of(self._names.__getitem__, of_body)
        else:
            self._find(table, of_body, terms_of, lines)
        lines.all("}}\n")
        return lines.joined()

    def _find(self, table: Table, of_body: Sequence[tuple[str, ...]], terms_of: TermsOf, lines: _Lines) -> None:
        """Adds what makes records findable that have fields without a place of their own."""
        columns = [*table.resource, *table.attributes]
        names = [name for name, _ in self._columns]
        found = [terms_of(names, row) for row in zip(*(columns[place] for _, place in self._columns), strict=True)]
        both = zip(of_body, found, strict=True)
        lines.each([_optional("names", [*run, *terms.names]) for run, terms in both])
        lines.each([_optional("keys", terms.keys) for terms in found])
        lines.each([_optional("text", terms.text) for terms in found])
        lines.each([_optional("number", terms.number) for terms in found])


class _Lines:
    """Lines in the making, from left to right; each has the same parts."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._line: list[str] = [""]
        """What all of them say, with a gap after each part but the last."""
        self._columns: list[Iterable[str]] = []
        """What each of them says in a gap."""

    def all(self, text: str) -> None:
        """All of them say that."""
        self._line[-1] += text

    def each(self, texts: Iterable[str]) -> None:
        """Each of them says its own."""
        self._columns.append(texts)
        self._line += ("", "")

    def each_of(self, make: Callable[[_Value], str], values: Sequence[_Value]) -> None:
        """Each says what is made of its own value; mostly few are different."""
        texts = {value: make(value) for value in set(values)}
        if len(texts) == 1:
            self.all(*texts.values())
        else:
            self.each(map(texts.__getitem__, values))

    def values(self, column: Sequence[Any]) -> None:
        """Each says its own value, as JSON."""
        first = column[0]
        # Of numbers 1 and 1.0 are equal, and not the same.
        if type(first) is str and first == column[-1] and column.count(first) == len(column):
            self.all(_json(first))
        else:
            self.each(_jsons(column))

    def texts(self, name: str, column: Sequence[str]) -> None:
        """A member of an object that is not its first, left out where the text is empty."""
        if all(column):
            self.all(f',"{name}":')
            self.values(column)
        elif any(column):
            self.each([_optional(name, text) for text in column])

    def fields(self, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
        """The members of an object.

        Args:
            names: as JSON, each with its colon.
            columns: the values of each.
        """
        comma = ""
        for name, column in zip(names, columns, strict=True):
            self.all(comma + name)
            self.values(column)
            comma = ","

    def joined(self) -> bytes:
        """All lines, one after another."""
        pieces = self._line * self._count
        for place, texts in enumerate(self._columns):
            pieces[2 * place + 1 :: len(self._line)] = texts
        return "".join(pieces).encode()


def _json(value: Any) -> str:
    return _encoder.encode(value).decode()


def _jsons(column: Sequence[Any]) -> list[str]:
    """Each value as JSON, which has no line breaks."""
    texts = _encoder.encode_lines(column).decode().split("\n")
    texts.pop()
    return texts


def _parted(times_us: Sequence[int]) -> tuple[Sequence[int], Sequence[str]]:
    """Times' seconds, and the six digits after them; mostly they are of one second."""
    text = _encoder.encode_lines(times_us).decode()
    second = text[: text.index("\n") - _MICROS]
    micros = text[len(second) : -1].split("\n" + second)
    if len(micros) == len(times_us) and set(map(len, micros)) == {_MICROS}:
        return [int(second)] * len(times_us), micros
    return [time_us // _SECOND_US for time_us in times_us], [digits[-_MICROS:] for digits in text.split()]


def _optional(name: str, value: Any) -> str:
    """A member of an object that is not its first; nothing where there is no value."""
    return f',"{name}":{_json(value)}' if value else ""


def _long_runs(bodies: Sequence[str]) -> Sequence[tuple[str, ...]]:
    """For each body the name that tells that it has a word which no index knows, if it has one; hardly any has."""
    if max(map(len, bodies)) <= keys.SHORTEST_LONG_RUN:
        return [_NO_RUN] * len(bodies)
    return [_LONG_RUN if len(body) > keys.SHORTEST_LONG_RUN and has_long_run(body) else _NO_RUN for body in bodies]


def _observed_time(at_ms: int) -> str:
    return f',"observedTime":"{observed_text(at_ms)}"' if at_ms else ""


def _observed_us(at_ms: int) -> str:
    return _optional("observed_us", at_ms * 1000)


def _severity(level: str) -> str:
    return _optional("severity", SEVERITIES[level]) if level else ""


def _are_usual(table: Table) -> bool:
    """Whether all times are in the range that OpenSearch's dates have."""
    times_us, observed_ms = table.times_us, table.observed_ms
    if min(times_us) < _SECOND_US or max(times_us) >= NANOS_LIMIT_US:
        return False
    return min(observed_ms) >= 0 and max(observed_ms) * 1000 < NANOS_LIMIT_US
