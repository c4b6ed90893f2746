"""The examples of the reference of stages, run over the records it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from logship.query import names
from logship.query.stages import parse_pipeline
from logship.query.stages.tree import Column
from logship.record import RESOURCE_NAMES, Record, record_id
from logship.store.pipeline import Rows, run
from logship.store.pipeline.results import cell_of, json_cell
from logship.testing import MemoryStore
from logship.timerange import parse_time

TEXT = (Path(__file__).resolve().parents[2] / "docs/reference/stages.md").read_text()
EXAMPLES = re.findall(r"```text\n(.*)\n```\n\n((?:\|.*\n)+(?:\nSaid on stderr: .*\n)*)", TEXT)
USUAL = [Column("time", "time"), Column("service"), Column("level"), Column("message")]


def records(text: str) -> MemoryStore:
    """A store of the records in the first table behind "Over these records"."""
    lines = text.split("Over these records:\n\n")[1].split("\n\n", maxsplit=1)[0].splitlines()
    header, rows = cells(lines[0]), [cells(line) for line in lines[2:]]
    store = MemoryStore()
    store.add([made(dict(zip(header, row, strict=True)), number) for number, row in enumerate(rows)])
    store.commit()
    store.refresh()
    return store


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def made(row: dict[str, str], number: int) -> Record:
    time_us = parse_time(f"2026-11-23T{row['time']}Z", now_us=0)
    record = Record(record_id(time_us // 1000, "/shop", "s", str(number)), time_us, row["message"], row["level"])
    record.trace_id = row["trace"]
    for name in ("service", "route", "status", "duration"):
        if value := row[name]:
            known = names.canonical(name)
            holder = record.resource if known in RESOURCE_NAMES else record.attributes
            holder[known] = float(value) if name in ("status", "duration") else value
    return record


def shown(store: MemoryStore, query: str) -> str:
    """The result as a table, and what is said about it."""
    said: list[str] = []
    found = run(store, parse_pipeline(query), say=said.append)
    columns = list(found.columns) or USUAL
    if isinstance(found, Rows):
        rows = found.rows
    else:
        rows = [tuple(cell_of(record, column) for column in columns) for record in found.records]
    lines = [line([column.name for column in columns]), "|---" * len(columns) + "|"]
    lines += [
        line([text(json_cell(cell, column.kind)) for cell, column in zip(row, columns, strict=True)]) for row in rows
    ]
    return "\n".join([*lines, *(f"\nSaid on stderr: {one}" for one in said)])


def line(found: list[str]) -> str:
    return f"| {' | '.join(found)} |"


def text(cell: object) -> str:
    return "" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell)


@pytest.mark.parametrize(("query", "expected"), EXAMPLES, ids=[query for query, _ in EXAMPLES])
def test_an_example_gives_what_the_reference_shows(query: str, expected: str) -> None:
    """Columns, rows and what is said about them."""
    assert shown(records(TEXT), query) == expected.rstrip()


def test_the_reference_has_an_example_of_every_stage() -> None:
    """So that none is described without being run."""
    used = {stage for query, _ in EXAMPLES for stage in re.findall(r"\| ([a-z]+)", query)}
    listed = set(re.findall(r"^\| `([a-z]+)[^|]*\| [a-z]", TEXT.split("| figure |")[0], re.MULTILINE))

    assert (len(EXAMPLES) > 10, listed - used) == (True, set())
