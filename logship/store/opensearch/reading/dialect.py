"""How the fields of an index are named and found: what `Reader` has to know of it, and our own indices' answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from logship.errors import UsageError
from logship.query import names
from logship.query.match import value_text
from logship.record import SEVERITY_NUMBERS
from logship.store import storable
from logship.store.opensearch.layout import LAYOUTS, NO_COLUMN, PRINTED
from logship.store.opensearch.reading.compile import ALL, Compiled, Compiler
from logship.store.opensearch.shapes import READERS
from logship.store.opensearch.template import MOST_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.query.tree import Node
    from logship.record import Record
    from logship.store.opensearch.columns import Meta
    from logship.store.port import Cursor
    from logship.timerange import TimeRange

_LEVEL_OF: Final = {number: name for name, number in SEVERITY_NUMBERS.items()}
_TIMES: Final = {names.TIME: "logship.time_us", names.OBSERVED: "logship.observed_us"}
_ALWAYS: Final = ("logship.time_us", "logship.observed_us", "logship.level", "logship.rest", "severity")


class Dialect(Protocol):
    """The names of one index, or of many of one kind."""

    index: str
    """Index, alias or pattern."""
    time_field: str
    time_unit_us: float
    """How many microseconds one unit of the time field is, in sorts and histograms."""

    def compile(self, node: Node) -> Compiled:
        """The query for the server."""

    def within(self, time_range: TimeRange) -> dict[str, Any]:
        """The query for a range of time."""

    def sort(self, *, newest_first: bool) -> list[dict[str, Any]]:
        """The order of (time, id)."""

    def search_after(self, cursor: Cursor) -> list[Any]:
        """The values of that order at a cursor."""

    def source(self, fields: Sequence[str] | None) -> Any:
        """What of the documents is needed; None means everything."""

    def record(self, hit: dict[str, Any]) -> Record:
        """The record that a hit holds."""

    def text_column(self, name: str) -> str | None:
        """The column that lists a field's values."""

    def number_column(self, name: str) -> tuple[str, float] | None:
        """The column of a field's numbers, and what to multiply them by."""

    def key_text(self, name: str, key: Any) -> str:
        """A value of a column as text."""

    def scans(self, name: str) -> bool:
        """Whether a field never has a column, so that records are read for it."""

    def odd(self, name: str) -> dict[str, Any] | None:
        """The query for records with a value of the field that its column does not hold; None: there are none."""

    def exists(self, name: str) -> dict[str, Any]:
        """The query for records that have a field."""

    def bins(self, interval_us: int, *, composite: bool = False) -> dict[str, Any]:
        """The aggregation that cuts time into intervals, empty ones left out."""

    def everything(self) -> dict[str, Any]:
        """The query that every record matches."""

    def extras(self) -> dict[str, Any]:
        """What a search asks for beside the source."""

    def no_column(self, name: str) -> UsageError:
        """The error for a field that records have, and whose values cannot be listed."""

    def field_names(self) -> set[str] | None:
        """Our names of the fields; None when the records have to be asked."""

    def own_fields(self) -> dict[str, dict[str, Any]]:
        """Names whose records do not list them, with the query for records that have them."""

    def located(self) -> list[str]:
        """What the names were decided from, for people."""


class OwnDialect:
    """Indices of our own template."""

    time_field = "logship.time_us"
    time_unit_us = 1.0

    def __init__(self, meta: Meta, index: str) -> None:
        self.index, self._meta = index, meta
        self._layout = LAYOUTS[meta.output]
        self._compiler = Compiler(self._layout)
        self._read = READERS[meta.output]

    def compile(self, node: Node) -> Compiled:
        """The query for the server."""
        return self._compiler.compile(node)

    def within(self, time_range: TimeRange) -> dict[str, Any]:
        """The query for a range of time."""
        return {"range": {self.time_field: {"gte": time_range.start_us, "lt": time_range.end_us}}}

    def sort(self, *, newest_first: bool) -> list[dict[str, Any]]:
        """The order of (time, id)."""
        order = "desc" if newest_first else "asc"
        return [{self.time_field: order}, {"logship.id": order}]

    def search_after(self, cursor: Cursor) -> list[Any]:
        """The values of that order at a cursor."""
        return list(cursor)

    def source(self, fields: Sequence[str] | None) -> Any:
        """What of the documents is needed."""
        if fields is None:
            return True
        parts = {names.BODY: ("body", "message"), names.SEVERITY: ("severity",)}
        wanted = [part for name in fields for part in parts.get(name, (name, *_below(name)))]
        return [*_ALWAYS, *wanted]

    def record(self, hit: dict[str, Any]) -> Record:
        """The record that a hit holds."""
        return self._read(hit["_id"], hit["_source"])

    def text_column(self, name: str) -> str | None:
        """The column that lists a field's values."""
        if name == names.SEVERITY:
            return self._layout.level
        if leaf := self._layout.leaves.get(name):
            return leaf.path + PRINTED if leaf.kind == "whole" else leaf.path
        column = f"text.{storable.column_name(storable.text(name))}"
        return f"logship.{column}" if self._admitted(column) else None

    def number_column(self, name: str) -> tuple[str, float] | None:
        """The column of a field's numbers."""
        if name in _TIMES:
            return _TIMES[name], 1.0
        if leaf := self._layout.leaves.get(name):
            return None if leaf.kind == "text" else (leaf.path, 1.0)
        column = f"number.{storable.column_name(storable.text(name))}"
        return (f"logship.{column}", 1.0) if self._admitted(column) else None

    def key_text(self, name: str, key: Any) -> str:
        """A value of a column as text."""
        return _LEVEL_OF[int(key)] if name == names.SEVERITY else value_text(key)

    def scans(self, name: str) -> bool:
        """Whether a field never has a column."""
        return name in NO_COLUMN or name in (names.BODY, *_TIMES)

    def odd(self, name: str) -> dict[str, Any] | None:
        """Records with a value that the field's own column does not hold."""
        return self._compiler.odd(name)

    def exists(self, name: str) -> dict[str, Any]:
        """The query for records that have a field."""
        return self._compiler.exists(name)

    def bins(self, interval_us: int, *, composite: bool = False) -> dict[str, Any]:
        """The aggregation that cuts time into intervals."""
        wanted = {"field": self.time_field, "interval": interval_us}
        return {"histogram": wanted if composite else {**wanted, "min_doc_count": 1}}

    def everything(self) -> dict[str, Any]:
        """The query that every record matches."""
        return ALL

    def extras(self) -> dict[str, Any]:
        """Nothing: the source holds all."""
        return {}

    def no_column(self, name: str) -> UsageError:
        """The error for a field beyond the columns."""
        return UsageError(
            f"the store has no column for {names.short(name)!r}: beyond {MOST_COLUMNS} columns, names can be searched, "
            "but not counted, sorted or listed; narrow to other fields"
        )

    def field_names(self) -> None:
        """The records know."""

    def own_fields(self) -> dict[str, dict[str, Any]]:
        """Names whose records do not list them, with the query for records that have them."""
        return {name: self._compiler.exists(name) for name in self._layout.attributes}

    def located(self) -> list[str]:
        """Our own names need no decision."""
        return ["profile logship: our own index"]

    def _admitted(self, column: str) -> bool:
        if column not in self._meta.columns:
            self._meta.read()  # a writer may have admitted it since
        return column in self._meta.columns


def _below(name: str) -> tuple[str, str]:
    return f"attributes.{name}", f"resource.attributes.{name}"
