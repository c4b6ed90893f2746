"""What a pipeline gives: records in order, or rows of figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from logship.query import names
from logship.query.match import value_text, values
from logship.query.values import NUMBER, number
from logship.record import SEVERITY_NUMBERS, Record, format_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from logship.query.stages import Column
    from logship.query.stages.tree import Kind
    from logship.query.tree import Node

Cell: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class Records:
    """Records in order, read as they are asked for."""

    records: Iterator[Record]
    columns: tuple[Column, ...] = ()
    """What `fields` chose to show; empty means the usual."""
    query: Node | None = None
    """The query all of whose matches these are, up to the limit; None where stages chose among them."""

    def rows(self) -> Iterator[tuple[Cell, ...]]:
        """The chosen columns of each record."""
        for record in self.records:
            yield tuple(cell_of(record, column) for column in self.columns)


@dataclass(frozen=True, slots=True)
class Rows:
    """A table of figures. Times are microseconds since 1970, durations milliseconds."""

    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]]

    def place(self, name: str) -> int | None:
        """Where a column stands; None when it is not there."""
        return next((place for place, column in enumerate(self.columns) if column.name == name), None)


def json_cell(cell: Cell, kind: Kind) -> Cell:
    """A cell as data for other programs: times as ISO 8601, everything else as it is."""
    return format_time(int(cell)) if kind == "time" and isinstance(cell, (int, float)) else cell


def cell_of(record: Record, column: Column) -> Cell:
    """A record's value in a column; several are joined by commas."""
    found = values(record, names.canonical(column.name))
    if len(found) == 1 and isinstance(found[0], (str, int, float)) and not isinstance(found[0], bool):
        return found[0]
    return ", ".join(value_text(value) for value in found) if found else None


def key_cell(text: str, kind: Kind) -> Cell:
    """The value of a group as a cell: a number where its column holds numbers."""
    return number(text) if kind != "text" and NUMBER.match(text) else text


def figure_cell(value: float | None, kind: Kind) -> Cell:
    """A figure as a cell: durations with their fraction, other whole numbers without."""
    if value is None or kind == "duration_ms":
        return value if value is None else float(value)
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else value


def as_record(columns: Sequence[Column], row: Sequence[Cell], *, numeric_text: bool) -> Record:
    """A row as a record whose fields are the columns, so that queries and statistics read it as they read records.

    Args:
        columns: the columns.
        row: their cells.
        numeric_text: whether text that spells a number counts as that number, too.
    """
    made = Record("", 0, "")
    for column, cell in zip(columns, row, strict=True):
        if cell is not None:
            _set(made, names.canonical(column.name), cell, numeric_text=numeric_text)
    return made


def _set(made: Record, field: str, cell: str | float, *, numeric_text: bool) -> None:
    match field:
        case names.TIME if not isinstance(cell, str):
            made.time_us = int(cell)
        case names.BODY:
            made.body = str(cell)
        case names.SEVERITY:
            made.severity = str(cell) if cell in SEVERITY_NUMBERS else ""
        case names.ID:
            made.id = str(cell)
        case "traceId":
            made.trace_id = str(cell)
        case "spanId":
            made.span_id = str(cell)
        case "parentSpanId":
            made.parent_span_id = str(cell)
        case _:
            both = numeric_text and isinstance(cell, str) and NUMBER.match(cell)
            made.attributes[field] = [cell, number(str(cell))] if both else cell
