"""The query language: what text means, and what is said about text that means nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.errors import QuerySyntaxError
from logship.query import parse
from logship.query.tree import All, And, Exists, Node, Not, Or, Pattern, Range, Regex, Term, Wildcard, Words

NOW_US = 1_700_000_000_000_000

MEANINGS: list[tuple[str, Node]] = [
    ("", All()),
    ("*", All()),
    ("Timeout", Words(("timeout",))),
    ("connection-reset", Words(("connection", "reset"))),
    ('"waiting for lock"', Words(("waiting", "for", "lock"))),
    ("a b", And((Words(("a",)), Words(("b",))))),
    ("a AND b OR c", Or((And((Words(("a",)), Words(("b",)))), Words(("c",))))),
    ("a OR NOT b", Or((Words(("a",)), Not(Words(("b",)))))),
    ("-(a OR b)", Not(Or((Words(("a",)), Words(("b",)))))),
    ("sock*et", Pattern(("sock*et",))),
    ("tim?out-re*", Pattern(("tim?out", "re*"))),
    ("path:/orders/97", Term("url.path", "/orders/97")),
    ("group:/aws/lambda/x", Term("aws.log.group.name", "/aws/lambda/x")),
    ("path:/a* x", And((Wildcard("url.path", "/a*"), Words(("x",))))),
    ("path:/a\\*b", Term("url.path", "/a*b")),
    ("service:(orders OR edge)", Or((Term("service.name", "orders"), Term("service.name", "edge")))),
    ("duration>1s", Range("duration_ms", 1000.0, None, include_low=False)),
    ("duration:[500ms TO 2s}", Range("duration_ms", 500.0, 2000.0, include_high=False)),
    ("status:>=500", Range("http.response.status_code", 500, None)),
    ("status >= 500", Range("http.response.status_code", 500, None)),
    ("level>=warn", Range("severity", 13, None)),
    ("level:warning", Term("severity", "WARN")),
    ("user.id:*", Exists("user.id")),
    ("attributes.user.id:42", Term("user.id", "42")),
    ("message:timeout", Words(("timeout",))),
    ('=~"a|b"', Regex("body", "a|b")),
    ('path=~"^/or\\"d"', Regex("url.path", '^/or"d')),
    ("time>=2026-01-01T00:00:00Z", Range("@timestamp", 1_767_225_600_000_000, None)),
    (
        "time:2026-01-01T00:00:00Z",
        Range("@timestamp", 1_767_225_600_000_000, 1_767_225_601_000_000, include_high=False),
    ),
    ("time>15m", Range("@timestamp", NOW_US - 900_000_000, None, include_low=False)),
    ("rid=5b27", Words(("rid", "5b27"))),
]


@pytest.mark.parametrize(("query", "tree"), MEANINGS, ids=[query or "empty" for query, _ in MEANINGS])
def test_a_query_means_its_tree(query: str, tree: Node) -> None:
    """Each form of the language has the tree that the reference gives it."""
    assert parse(query, now_us=NOW_US) == tree


MISTAKES = [
    ('bogus"', 5, "never closed"),
    ("(a OR b", 0, "never closed"),
    ("a)", 1, "never opened"),
    ("AND a", 0, "before it"),
    ("a AND", 2, "behind it"),
    ("a AND OR b", 2, "behind it"),
    ("NOT", 0, "behind it"),
    ("service:", 7, "needs a value"),
    ("duration>", 8, "needs a value"),
    ("duration>1parsec", 9, "no such unit"),
    ("status=500", 0, "status:500"),
    ("status>1s", 7, "no unit of time"),
    ("status>abc", 7, "no number"),
    ("level:wran", 6, "WARN"),
    ("x:[5 TO 2]", 8, "before it starts"),
    ("field:[1 TO", 6, "not complete"),
    ("[1 TO 2]", 0, "not complete"),
    ("()", 1, "nothing stands"),
    ('=~"(["', 2, "no regular expression"),
    (":x", 0, "needs a field"),
    ("time:foo", 5, "no time"),
    ("->", 0, "behind it"),
    ("!!", 0, "no letter or digit"),
]


@pytest.mark.parametrize(("query", "position", "said"), MISTAKES, ids=[query for query, _, _ in MISTAKES])
def test_a_mistake_is_pointed_at(query: str, position: int, said: str) -> None:
    """The caret stands under the wrong character, and the message says what to do."""
    with pytest.raises(QuerySyntaxError) as error:
        parse(query, now_us=NOW_US)

    assert (error.value.position, said in error.value.pointed()) == (position, True)


@given(st.text(alphabet=st.sampled_from('ab:"()[]{}<>=~-*?\\ /.TOANDR1s'), max_size=24) | st.text(max_size=20))
def test_any_text_is_a_query_or_a_pointed_mistake(query: str) -> None:
    """Nothing but `QuerySyntaxError` comes out, and its position lies in the text."""
    position = 0
    try:
        parse(query, now_us=NOW_US)
    except QuerySyntaxError as error:
        position = error.position

    assert 0 <= position <= len(query)
