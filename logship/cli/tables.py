"""Rows of chosen columns to stdout, in every format: what `| stats …` and `| fields …` give."""

from __future__ import annotations

import csv
import sys
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from logship.cli.output import Encoded, dumps, printable
from logship.errors import UsageError
from logship.record import format_time
from logship.store.pipeline.results import json_cell
from logship.timerange import human_span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    from logship.query.stages import Column
    from logship.store.pipeline.results import Cell

_MEASURED: Final = 1_000
"""Rows whose cells say how wide the columns of a table are."""
_TIME_WIDTH: Final = 27
_UNMEASURED_WIDTH: Final = 14
_WIDEST: Final = 80
"""A cell beyond that many characters does not move the columns behind it."""


def write_rows(
    columns: Sequence[Column], rows: Iterable[Sequence[Cell]], wanted: str, *, measured: int = _MEASURED
) -> int:
    """Writes rows in a format as they come; how many there were.

    Args:
        columns: what the cells of a row are.
        rows: the rows.
        wanted: the format.
        measured: how many rows of a table are waited for, to see how wide its columns have to be.

    Raises:
        UsageError: the format is for whole records alone.
    """
    out = sys.stdout.buffer
    match wanted:
        case "table":
            written = _table(aligned(columns, rows, measured), out)
        case "json" | "ndjson":
            written = _objects(columns, rows, out, array=wanted == "json")
        case "csv":
            written = _csv(columns, rows, out)
        case "md":
            written = _md(columns, rows, out)
        case _:
            raise UsageError(f"--format {wanted} prints original lines, and a chosen column is none; use csv or ndjson")
    out.flush()
    return written


def cell_text(cell: Cell, column: Column) -> str:
    """A cell for people."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return printable(cell)
    if column.kind == "time":
        return format_time(int(cell))
    if column.kind == "duration_ms":
        return human_span(cell * 1000)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.3f}".rstrip("0").rstrip(".")


def aligned(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], measured: int = _MEASURED) -> Iterator[str]:
    """The lines of a table under its heading, numbers at the right; widths are those of the first rows."""
    texts = (tuple(map(cell_text, row, columns)) for row in rows)
    first = list(islice(texts, measured))
    heading = tuple(column.name for column in columns)
    usual = [_TIME_WIDTH if column.kind == "time" else 0 if measured else _UNMEASURED_WIDTH for column in columns]
    widths = [min(max(least, *map(len, cells)), _WIDEST) for least, *cells in zip(usual, heading, *first, strict=True)]
    right = [column.kind not in ("text", "time") for column in columns]
    for cells in chain([heading], first, texts):
        padded = (
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(cells, widths, right, strict=True)
        )
        yield "  ".join(padded).rstrip()


def _table(made: Iterable[str], out: BinaryIO) -> int:
    lines = -1
    for lines, line in enumerate(made):  # noqa: B007 - returned
        out.write(line.encode("utf-8", "replace") + b"\n")
    return lines


def _objects(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], out: BinaryIO, *, array: bool) -> int:
    written = 0
    out.write(b"[" if array else b"")
    for written, row in enumerate(rows, 1):
        made = {column.name: json_cell(cell, column.kind) for column, cell in zip(columns, row, strict=True)}
        before = b"" if not array else b",\n" if written > 1 else b"\n"
        out.write(before + dumps(made) + (b"" if array else b"\n"))
    out.write(b"\n]\n" if array else b"")
    return written


def _csv(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], out: BinaryIO) -> int:
    table = csv.writer(Encoded(out))
    table.writerow([column.name for column in columns])
    written = 0
    for written, row in enumerate(rows, 1):  # noqa: B007 - returned
        table.writerow([json_cell(cell, column.kind) for column, cell in zip(columns, row, strict=True)])
    return written


def _md(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], out: BinaryIO) -> int:
    heads = " | ".join(printable(column.name).replace("|", "\\|") for column in columns)
    rules = "|".join("---" if column.kind in ("text", "time") else "---:" for column in columns)
    out.write(f"| {heads} |\n|{rules}|\n".encode("utf-8", "replace"))
    written = 0
    for written, row in enumerate(rows, 1):  # noqa: B007 - returned
        cells = (cell_text(cell, column).replace("|", "\\|") for cell, column in zip(row, columns, strict=True))
        out.write(f"| {' | '.join(cells)} |\n".encode("utf-8", "replace"))
    return written
