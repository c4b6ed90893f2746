"""The query language: what text means, and what is said about text that means nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.errors import QuerySyntaxError
from logship.query import parse, parse_with_hints
from logship.query.tree import (
    All,
    And,
    Exists,
    Fuzzy,
    Network,
    Node,
    Not,
    Or,
    Pattern,
    Range,
    Regex,
    Term,
    Wildcard,
    Words,
)

NOW_US = 1_700_000_000_000_000

TODAY_US = NOW_US - NOW_US % 86_400_000_000

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
    ("time:today", Range("@timestamp", TODAY_US, TODAY_US + 86_400_000_000, include_high=False)),
    ("time:[now-1h TO now]", Range("@timestamp", NOW_US - 3_600_000_000, NOW_US)),
    ("time:2023-11-14T22", Range("@timestamp", NOW_US - 800_000_000, NOW_US + 2_800_000_000, include_high=False)),
    ("conection~1", Fuzzy("conection", 1)),
    ("Conection~", Fuzzy("conection", 2)),
    ("message:lok~2", Fuzzy("lok", 2)),
    ("word~0", Words(("word",))),
    ("client.address:10.1.2.3/8", Network("client.address", "10.0.0.0/8")),
    ("client.address:2001:db8::/32", Network("client.address", "2001:db8::/32")),
    ('client.address:"10.0.0.0/8"', Term("client.address", "10.0.0.0/8")),
    ("path:/a/8", Term("url.path", "/a/8")),
    ("path:10.0.0.0/8", Term("url.path", "10.0.0.0/8")),
    ("10.0.0.0/8", Words(("10", "0", "0", "0", "8"))),
    ("http.response.body.size>=1.5kb", Range("http.response.body.size", 1500, None)),
    ("bytes:1MiB", Term("bytes", "1048576")),
    ("bytes:[1kb TO 2gb}", Range("bytes", 1000, 2_000_000_000, include_high=False)),
    ("duration:2m", Term("duration_ms", "120000")),
    ("duration>500us", Range("duration_ms", 0.5, None, include_low=False)),
    ("version:2m", Term("version", "2m")),
    ("service: orders", Term("service.name", "orders")),
    ("service : orders", Term("service.name", "orders")),
    (
        "service: (orders or edge)",
        And((Term("service.name", "orders"), Term("service.name", "or"), Term("service.name", "edge"))),
    ),
    ("a && b || c", Or((And((Words(("a",)), Words(("b",)))), Words(("c",))))),
    ("!a", Not(Words(("a",)))),
    ("!service:(a || b)", Not(Or((Term("service.name", "a"), Term("service.name", "b"))))),
    ("+must -not", And((Words(("must",)), Not(Words(("not",)))))),
    ("+service:orders", Term("service.name", "orders")),
    ("timeout^2", Words(("timeout",))),
    ('"a b"^2 service:orders^0.5', And((Words(("a", "b")), Term("service.name", "orders")))),
    ("(a OR b)^3", Or((Words(("a",)), Words(("b",))))),
    ("_exists_:user.id", Exists("user.id")),
    ("_exists_:(service OR trace)", Or((Exists("service.name"), Exists("traceId")))),
    ("NOT trace:*", Not(Exists("traceId"))),
    ("a\\ b\\:c:5", Term("a b:c", "5")),
    ("tenant: >=5", Range("tenant", 5, None)),
    ("tenant:{5 TO 6.5]", Range("tenant", 5, 6.5, include_low=False)),
    ("status:5??", Wildcard("http.response.status_code", "5??")),
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
    ("status = 500", 7, "write status:500"),
    ("status!=500", 0, "write -status:500"),
    ("status == 500", 7, "write status:500"),
    ("status != 500", 7, "write -field:value"),
    ("word~3", 0, "1 or 2"),
    ("word~0.5", 0, "1 or 2"),
    ("wo*d~1", 0, "one word"),
    ("a-b~1", 0, "one word"),
    ("service:orders~1", 8, "words of the message"),
    ('"a b"~3', 5, "near each other"),
    ("client.address:10.0.0.0/33", 15, "no network"),
    ("tenant>5kb", 7, "no unit of size"),
    ("bytes>5s", 6, "no such unit of size"),
    ("duration>5kb", 9, "no such unit of time"),
    ("/lock.*/", 0, 'write =~"lock.*"'),
    ("path:/^a.*b$/", 5, 'write path=~"^a.*b$"'),
    ('user:{ first: "A" }', 5, "user.first"),
    ("a &&", 2, "behind it"),
    ("|| a", 0, "before it"),
    ("_exists_:a*", 0, "names of fields"),
    ("-trace:", 6, "needs a value"),
]

HINTS = [
    ("a and b", [(2, "write AND")]),
    ("service:a or service:b", [(10, "write OR")]),
    ("not service:orders", [(0, "write NOT")]),
    ("service:(a or b)", [(11, "write OR")]),
    ("timeout^2", [(0, "boosts")]),
    ('"wait* for"', [(0, "plain sign")]),
    ("http.*:500", [(0, "no wildcards")]),
    ("a||b", [(0, "spaces around")]),
    ("this and that or", [(5, "write AND")]),
    ("user.id=42", [(0, "user.id:42")]),
    ("service:(a, b)", [(9, "write OR")]),
    ("rid=5b27", []),
    ("(first, second) OR x", []),
    ("disk not found", []),
    ('"a and b" OR =~"x*"', []),
    ("and", []),
]


@pytest.mark.parametrize(("query", "said"), HINTS, ids=[query for query, _ in HINTS])
def test_what_is_probably_meant_otherwise_is_said(query: str, said: list[tuple[int, str]]) -> None:
    """A query from another search bar runs, and a hint points at what it does not mean here."""
    tree, found = parse_with_hints(query, now_us=NOW_US)

    assert tree == parse(query, now_us=NOW_US)
    assert [(hint.position, word in str(hint)) for hint, (_, word) in zip(found, said, strict=True)] == [
        (position, True) for position, _ in said
    ]


@pytest.mark.parametrize(("query", "position", "said"), MISTAKES, ids=[query for query, _, _ in MISTAKES])
def test_a_mistake_is_pointed_at(query: str, position: int, said: str) -> None:
    """The caret stands under the wrong character, and the message says what to do."""
    with pytest.raises(QuerySyntaxError) as error:
        parse(query, now_us=NOW_US)

    assert (error.value.position, said in error.value.pointed()) == (position, True)


@given(st.text(alphabet=st.sampled_from('ab:"()[]{}<>=~-*?\\ /.TOANDR1s!&|+^#'), max_size=24) | st.text(max_size=20))
def test_any_text_is_a_query_or_a_pointed_mistake(query: str) -> None:
    """Nothing but `QuerySyntaxError` comes out, and its position lies in the text."""
    position = 0
    try:
        parse(query, now_us=NOW_US)
    except QuerySyntaxError as error:
        position = error.position

    assert 0 <= position <= len(query)
