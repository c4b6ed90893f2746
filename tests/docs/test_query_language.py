"""The examples of the reference of the query language, run over the records it shows, on two stores."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from logship.errors import QuerySyntaxError
from logship.query import matches, names, parse, parse_with_hints
from logship.record import RESOURCE_NAMES, Record, record_id
from logship.store.tantivy.reader import Reader
from logship.store.tantivy.writer import open_writer
from logship.timerange import parse_time

if TYPE_CHECKING:
    from logship.query.tree import Node

TEXT = (Path(__file__).resolve().parents[2] / "docs/reference/query-language.md").read_text()
NOW_US = parse_time("2026-11-23T14:30:00Z", now_us=0)


def rows(title: str) -> list[list[str]]:
    """The cells of the table whose header begins so."""
    lines = TEXT[TEXT.index(f"| {title} |") :].split("\n\n", maxsplit=1)[0].splitlines()
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def examples() -> list[tuple[str, str]]:
    """Each query of a first column with the numbers of the records it finds."""
    found = []
    for cells in (*rows("you write | finds"), *rows("here | finds")):
        queries, finds = re.findall(r"`([^`]+)`", cells[0]), cells[1]
        each = finds.split() if "none" in finds and len(queries) > 1 else [finds] * len(queries)
        found += [(query, "" if said == "none" else said) for query, said in zip(queries, each, strict=True)]
    return found


def records() -> dict[str, Record]:
    return {cells[0]: made(cells) for cells in rows("# | time")}


def made(cells: list[str]) -> Record:
    number, clock, level, service, message, others = cells
    time_us = parse_time(f"2026-11-23T{clock}Z", now_us=0)
    record = Record(record_id(time_us // 1000, "/shop", "s", number), time_us, message, level)
    fields = json.loads(others) | ({"service": service} if service else {})
    for name, value in fields.items():
        known = names.canonical(name)
        (record.resource if known in RESOURCE_NAMES else record.attributes)[known] = value
    return record


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    folder = tmp_path_factory.mktemp("docs") / "store"
    writer = open_writer(folder, "test", long_running=False)
    writer.add(list(records().values()))
    writer.close()
    return Reader(folder)


def test_the_reference_has_its_examples() -> None:
    """The tables are found, so that the tests below run over something."""
    assert (len(examples()) > 70, len(records()), len(MISTAKES), len(rows("you write | the hint"))) == (True, 6, 7, 7)


@pytest.mark.parametrize(("query", "finds"), examples())
def test_a_query_finds_what_the_reference_says(query: str, finds: str, embedded: Reader) -> None:
    """The definition and the embedded store agree with the column `finds`."""
    tree: Node = parse(query, now_us=NOW_US)
    numbers = {record.id: number for number, record in records().items()}
    by_definition = [number for number, record in records().items() if matches(tree, record)]
    by_engine = [numbers[record.id] for record in embedded.search(tree, limit=10, newest_first=False)]

    assert (by_definition, by_engine) == (finds.split(), finds.split())


MISTAKES = [block for block in re.findall(r"```text\n(.*?)\n```", TEXT, re.DOTALL) if "^" in block.splitlines()[1]]


@pytest.mark.parametrize("block", MISTAKES)
def test_a_mistake_is_shown_as_the_reference_says(block: str) -> None:
    """The query, the carets, the problem and what to write."""
    with pytest.raises(QuerySyntaxError) as error:
        parse(block.splitlines()[0], now_us=NOW_US)

    assert error.value.pointed() == block


@pytest.mark.parametrize("cells", rows("you write | the hint"), ids=lambda cells: cells[0])
def test_a_hint_is_given_as_the_reference_says(cells: list[str]) -> None:
    """One hint, in these words."""
    _, hints = parse_with_hints(cells[0].strip("`"), now_us=NOW_US)

    assert [f"{hint.problem}; {hint.suggestion}" for hint in hints] == [cells[1]]
