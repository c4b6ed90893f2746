"""Trees as text again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from logship.query import matches, parse
from logship.query.explain import tree_lines, write
from logship.query.tree import (
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
    fields,
)
from tests.contract.store_cases import QUERIES, records

if TYPE_CHECKING:
    from logship.record import Record

NOW_US = 1_700_000_000_000_000
FIELDS = st.sampled_from(
    [
        "service.name",
        "tenant",
        "severity.text",
        'a Z:b"c',
        "service",
        "attributes.x",
        "",
        "1a",
        "-x",
        "_exists_",
        "日本",
    ]
) | st.text(max_size=6)
VALUES = st.sampled_from(
    ["5", "5s", "AND", "10.0.0.0/8", "a~1", "a^2", "/a.*b/", "*", "a*b", "\\", '"', "", "x\ny"]
) | st.text(max_size=8)
LEAVES: st.SearchStrategy[Node] = st.one_of(
    st.sampled_from([Nothing(), Words(("and",)), Words(("a", "b")), Pattern(("a*", "?b")), Fuzzy("lock", 1)]),
    st.builds(Term, FIELDS, VALUES),
    st.builds(OneOf, FIELDS, st.lists(VALUES, min_size=1, max_size=3).map(tuple)),
    st.builds(Exists, FIELDS),
    st.builds(Network, st.just("tenant"), st.sampled_from(["10.0.0.0/8", "::/0", "2001:db8::/32"])),
    st.builds(Wildcard, FIELDS, VALUES.map(lambda value: value + "*")),
    st.builds(Regex, FIELDS, st.sampled_from(["^a", 'a"b', 'a\\"b', "\\\\", '[^"]$'])),
    st.builds(
        Range, FIELDS, st.floats(allow_nan=False, allow_infinity=False) | st.integers(), st.none(), st.booleans()
    ),
    st.builds(Range, FIELDS, st.just("a"), VALUES.map(lambda value: "b" + value), st.booleans(), st.booleans()),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=6,
)


@given(st.lists(records(), max_size=8), st.sampled_from(QUERIES))
def test_a_query_written_again_finds_the_same(made: list[Record], query: str) -> None:
    """The canonical text of a parsed query matches the same records, and is its own canonical text."""
    tree = parse(query, now_us=NOW_US)
    again = parse(write(tree), now_us=NOW_US + 1)

    assert [matches(again, record) for record in made] == [matches(tree, record) for record in made]
    assert write(again) == write(tree)


@given(TREES, st.lists(records(), max_size=4))
def test_a_tree_written_is_read_as_it_was(tree: Node, made: list[Record]) -> None:
    """Hostile names and values come back through the text, whatever signs they hold."""
    again = parse(write(tree), now_us=NOW_US)

    assert fields(again) == fields(tree)
    assert [matches(again, record) for record in made] == [matches(tree, record) for record in made]


def test_a_tree_is_drawn_in_the_words_of_the_language() -> None:
    """Operators are nodes, conditions stand below them with what they ask."""
    tree = parse('service:orders (level>=warn OR "waiting for") -status:[500 TO 600}', now_us=NOW_US)

    assert tree_lines(tree) == [
        "AND, all of",
        "├─ service:orders   service.name equals",
        "├─ OR, at least one of",
        "│  ├─ level>=WARN   severity within bounds, by severity",
        '│  └─ "waiting for"   words side by side in the message',
        "└─ NOT",
        "   └─ status:[500 TO 600}   http.response.status_code within bounds, as numbers",
    ]
