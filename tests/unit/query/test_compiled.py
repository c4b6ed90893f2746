"""Compiled trees answer as the matcher does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.query import compiled, matches, parse
from logship.record import Record
from tests.contract.store_cases import QUERIES, queries, records

NOW_US = 1_795_443_665_871_234
COMMON = [(parse(query, now_us=NOW_US), query) for query in QUERIES]
TEXTS = ["é" * 600, "é" * 600 + "x", "x" * 1100, "x" * 1024, "\ud800", "?", "5", "5.0", "", "true"]


@given(st.lists(records(), max_size=5))
def test_every_form_compiled_is_the_matcher(found: list[Record]) -> None:
    """Each query that the stores are held to, on the same records."""
    wrong = [query for tree, query in COMMON for record in found if compiled(tree)(record) != matches(tree, record)]

    assert wrong == []


@given(queries(), st.lists(records(), max_size=5))
def test_a_compiled_query_is_the_matcher(query: str, found: list[Record]) -> None:
    """Whatever the grammar can ask, of whatever records."""
    tree = parse(query, now_us=NOW_US)
    test = compiled(tree)

    assert [matches(tree, record) for record in found] == [test(record) for record in found]


@pytest.mark.parametrize("wanted", ["é" * 600, "x" * 1100, "?", "5", "5.0", '""', "true"])
@pytest.mark.parametrize("value", [*TEXTS, 5, 5.0, True, 2**70, [5, "x"], {"a": 1}, None])
def test_equality_is_the_matcher_at_its_edges(wanted: str, value: object) -> None:
    """Long texts compare over their first 1,024 bytes, half characters as question marks, numbers as numbers."""
    tree = parse(f'tenant:"{wanted}"' if wanted == "?" else f"tenant:{wanted}")
    record = Record("0" * 32, NOW_US, "x", attributes={"tenant": value})

    assert compiled(tree)(record) == matches(tree, record)


def test_a_value_may_stand_in_either_map() -> None:
    """Who and where, or everything else: a field is looked for in both, as the matcher does."""
    tree = parse("service:edge")
    made = [Record("0" * 32, 0, "x", **{side: {"service.name": "edge"}}) for side in ("resource", "attributes")]  # type: ignore[arg-type]

    assert [compiled(tree)(record) for record in made] == [True, True]
