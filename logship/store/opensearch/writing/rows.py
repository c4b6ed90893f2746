"""Table → the lines of a bulk request: documents are made by the column, and written in one go.

A document is made of structs of msgspec, which are made and written in half the time of dicts. What they say is what
`document` says of the records of the table, one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from msgspec import UNSET, Struct, UnsetType

from logship.query.names import TOP_LEVEL
from logship.query.text import MAX_VALUE_BYTES, has_long_run
from logship.record import SEVERITY_NUMBERS, format_times
from logship.store.opensearch import keys
from logship.store.opensearch.layout import LONG_TEXT, UNINDEXED
from logship.store.opensearch.shapes import NANOS_LIMIT_US, observed_text
from logship.table import PLAIN_CHARS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logship.store.opensearch.layout import Layout, Leaf
    from logship.table import Shape, Table

assert PLAIN_CHARS <= MAX_VALUE_BYTES
_SECOND_US: Final = 1_000_000
_FITTING: Final = {"text": (str,), "whole": (int,), "number": (int, float)}
_encoder: Final = msgspec.json.Encoder()


class Terms(Protocol):
    """What makes one record findable beyond its own fields."""

    names: list[str]
    keys: list[str]
    text: dict[str, Any]
    number: dict[str, Any]


TermsOf = Callable[[Sequence[str], Sequence[Any]], Terms]
"""Of names without a field of their own, and their values."""


class _Severity(Struct, frozen=True):
    text: str
    number: int


class _Resource(Struct, gc=False):
    attributes: Any


class _Ours(Struct, gc=False):
    time_us: int
    id: str
    observed_us: int | UnsetType = UNSET
    names: list[str] | UnsetType = UNSET
    keys: list[str] | UnsetType = UNSET
    text: dict[str, Any] | UnsetType = UNSET
    number: dict[str, Any] | UnsetType = UNSET


class _Document(Struct, gc=False, rename={"timestamp": "@timestamp"}):
    timestamp: str
    observedTime: str | UnsetType  # noqa: N815 - the document's own names
    body: str
    severity: _Severity | UnsetType
    traceId: str | UnsetType  # noqa: N815
    spanId: str | UnsetType  # noqa: N815
    parentSpanId: str | UnsetType  # noqa: N815
    resource: _Resource
    attributes: Any
    logship: _Ours


class _Action(Struct, gc=False):
    create: Any


_SEVERITIES: Final[dict[str, _Severity | UnsetType]] = {
    "": UNSET,
    **{name: _Severity(name, number) for name, number in SEVERITY_NUMBERS.items()},
}


@lru_cache(maxsize=64)
def _target(index: str) -> type[Struct]:
    """Where a document goes: its index is the same for all, its id is the only field."""
    return msgspec.defstruct("Target", [("_id", str)], tag_field="_index", tag=index, gc=False)


class Rows:
    """How to make the lines of tables of one shape, all of whose values fit."""

    def __init__(self, shape: Shape, leaves: Mapping[str, Leaf]) -> None:
        self._resource, self._attributes = _struct(shape.resource), _struct(shape.attributes)
        self._may_share = set(shape.resource.values()) == {str}  # of numbers 1 and 1.0 are equal, and not the same
        names = [*shape.resource, *shape.attributes]
        others = [name for name in names if name not in leaves and name not in TOP_LEVEL]
        self._columns = [(name, names.index(name)) for name in others]
        self._names = [keys.name_key(name) for name in others] if UNINDEXED.issuperset(others) else None
        """What is findable of each record is the same: that it has these."""

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
        documents = map(
            _Document,
            format_times(table.times_us),
            _each(_observed_text, table.observed_ms),
            table.bodies,
            map(_SEVERITIES.__getitem__, table.severities),
            _present(table.trace_ids),
            _present(table.span_ids),
            _present(table.parent_span_ids),
            self._resources(table),
            map(self._attributes, *table.attributes),
            self._ours(table, terms_of),
        )
        actions = map(_Action, map(_target(index), table.ids))
        return _encoder.encode_lines(list(chain.from_iterable(zip(actions, documents, strict=True))))

    def _resources(self, table: Table) -> Iterable[_Resource]:
        """One for all of them where they are alike, as they mostly are."""
        if self._may_share and all(column.count(column[0]) == len(column) for column in table.resource):
            return repeat(_Resource(self._resource(*(column[0] for column in table.resource))))
        return map(_Resource, map(self._resource, *table.resource))

    def _ours(self, table: Table, terms_of: TermsOf) -> map[_Ours]:
        observed_us = _each(_observed_us, table.observed_ms)
        if self._names is not None:
            return map(_Ours, table.times_us, table.ids, observed_us, repeat(self._names or UNSET))
        columns = [*table.resource, *table.attributes]
        names = [name for name, _ in self._columns]
        values = zip(*(columns[place] for _, place in self._columns), strict=True)
        found = [terms_of(names, row) for row in values]
        return map(
            _Ours,
            table.times_us,
            table.ids,
            observed_us,
            [terms.names or UNSET for terms in found],
            [terms.keys or UNSET for terms in found],
            [terms.text or UNSET for terms in found],
            [terms.number or UNSET for terms in found],
        )


def _observed_text(at_ms: int) -> str | UnsetType:
    return observed_text(at_ms) if at_ms else UNSET


def _observed_us(at_ms: int) -> int | UnsetType:
    return at_ms * 1000 or UNSET


def _each(make: Callable[[int], Any], values: Sequence[int]) -> Iterable[Any]:
    """What is made of each of many values; mostly few are different."""
    return map({value: make(value) for value in set(values)}.__getitem__, values)


def _struct(fields: dict[str, type]) -> type[Struct]:
    renamed = {f"v{place}": name for place, name in enumerate(fields)}
    return msgspec.defstruct("Fields", list(renamed), rename=renamed, gc=False)


def _present(texts: Sequence[str]) -> Iterable[str | UnsetType]:
    if all(texts):
        return texts
    return [text or UNSET for text in texts] if any(texts) else repeat(UNSET)


def _are_usual(table: Table) -> bool:
    """Whether all times are in the range that OpenSearch's dates have, and no body has a word that is too long."""
    times_us, observed_ms, bodies = table.times_us, table.observed_ms, table.bodies
    if min(times_us) < _SECOND_US or max(times_us) >= NANOS_LIMIT_US:
        return False
    if min(observed_ms) < 0 or max(observed_ms) * 1000 >= NANOS_LIMIT_US:
        return False
    return max(map(len, bodies)) <= keys.SHORTEST_LONG_RUN or not any(map(has_long_run, bodies))
