"""What is offered at a position of a query."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logship.errors import QuerySyntaxError
from logship.query import parse
from logship.query.completion import complete, from_reader, none
from logship.query.explain import escaped_pattern
from logship.query.match import wildcard
from logship.query.stages import parse_pipeline
from logship.testing import MemoryStore
from tests.contract.store_cases import QUERIES, record

FIELDS = ["service.name", "severity", "@timestamp", "body", "http.route", "duration_ms", "user.id", 'a Z:b"c', "tenant"]
VALUES = [("orders", 7), ("edge proxy", 5), ('a"b', 3), ("10.0.0.0/8", 2), ("5s", 2), ("", 1), ("AND", 1)]


def values(rest: str, field: str) -> list[tuple[str, int]]:
    parse(rest)
    return VALUES if field == "service.name" else []


def offered(text: str, kind: str | None = None) -> list[str]:
    """What the text would be with each candidate put at the `¦`, or at its end."""
    position = text.index("¦") if "¦" in text else len(text)
    text = text.replace("¦", "")
    found = complete(text, position, fields=FIELDS, values=values)
    return [text[: c.start] + c.text + text[c.end :] for c in found if kind in (None, c.kind)]


def test_fields_come_by_their_short_names() -> None:
    """A short name stands for its field, however the field is begun; what only contains the word comes last."""
    assert offered("") == [
        "time:", "message:", "level:", "service:", "route:", "duration:", 'a\\ Z\\:b\\"c:', "tenant:", "user.id:",
        "NOT ",
    ]  # fmt: skip
    assert offered("ser", "field") == ["service:"]
    assert offered("http.r", "field") == ["route:"]
    assert offered("timeout AND id", "field") == ["timeout AND user.id:"]
    assert offered("-serv", "field") == ["-service:"]
    assert offered("serv¦i:orders", "field") == ["service:orders"]


def test_operators_come_where_they_may_stand() -> None:
    """AND and OR follow a condition; what is ordered may be compared."""
    assert offered("timeout ", "operator") == ["timeout AND ", "timeout OR ", "timeout NOT "]
    assert offered("timeout AND ", "operator") == ["timeout AND NOT "]
    assert offered("a O", "operator") == ["a OR "]
    assert offered("duration", "operator") == ["duration>=", "duration<"]
    assert offered("service:", "operator") == ["service:*"]
    assert offered("level:[INFO ") == ["level:[INFO TO "]
    assert offered("level:[INFO TO E") == ["level:[INFO TO ERROR"]


def test_values_come_with_their_counts_and_quoted_where_they_need_it() -> None:
    """A value that might be read as something else stands in quotes."""
    found = complete("service:", 8, fields=FIELDS, values=values)

    assert [(c.text, c.detail) for c in found if c.kind == "value"] == [
        ("orders", "7"), ('"edge proxy"', "5"), ('"a\\"b"', "3"), ('"10.0.0.0/8"', "2"), ('"5s"', "2"), ('""', "1"),
        ('"AND"', "1"),
    ]  # fmt: skip
    assert offered("service: ED") == ['service: "edge proxy"']
    assert offered('service:"ed') == ['service:"edge proxy"']
    assert offered('service:"ed¦x" a') == ['service:"edge proxy" a']
    assert offered("service:(orders OR ed") == ['service:(orders OR "edge proxy"']


def test_levels_kinds_and_times_need_no_store() -> None:
    """What is the same in every store is offered without one."""
    texts = [
        [c.text for c in complete(text, len(text), fields=[], values=none)]
        for text in ("level:e", "level>=w", "kind:re", "time>1", "time:t", "duration>=1", "level:[in")
    ]

    assert texts == [["ERROR"], ["WARN"], ["request"], ["15m", "1h"], ["today"], ["100ms", "1s", "10s", "1m"], ["INFO"]]


def test_stages_are_completed() -> None:
    """Behind a bar stand the names of stages, then their functions and fields."""
    assert offered("level:ERROR | s") == ["level:ERROR | stats", "level:ERROR | sort"]
    assert offered("a | stats p9") == ["a | stats p95(", "a | stats p99("]
    assert offered("a | stats count() by ser") == ["a | stats count() by service"]
    assert offered("a | where ser") == ["a | where service:"]
    assert offered('"a | s') == []
    for name in offered("a | "):
        try:
            parse_pipeline(name)
        except QuerySyntaxError as error:
            assert "no stage" not in error.problem  # noqa: PT017 - incomplete is fine, unknown is not


def test_values_are_those_of_what_else_is_asked() -> None:
    """A store counts the values of the records that the rest of the query finds; an OR asks for all."""
    store = MemoryStore()
    store.add(
        [record(n, resource={"service.name": f"s{n % 3}"}, severity="ERROR" if n % 3 else "INFO") for n in range(9)]
    )
    store.commit()
    store.refresh()
    counted = [
        [(c.text, c.detail) for c in complete(text, text.index(":") + 1, fields=[], values=from_reader(store))][:-1]
        for text in ("service: level:error", "service: OR level:error", "(service:) -level:error")
    ]

    assert counted == [[("s1", "3"), ("s2", "3")], [("s0", "3"), ("s1", "3"), ("s2", "3")], [("s0", "3")]]


ENDINGS = [
    "x]",
    "",
    "x",
    "*",
    ' "x"',
    '"',
    'x"',
    "5",
    " x",
    ":x",
    "1 TO 2]",
    " TO x]",
    "x)",
    ")",
    "*)",
    " x)",
    "5)",
    "))",
    "x))",
    "today",
    "1s",
]


def may_become_a_query(text: str) -> bool:
    """Whether some ending makes a query of the text."""
    for ending in ENDINGS:
        try:
            parse(text + ending)
        except QuerySyntaxError:
            continue
        return True
    return False


@given(
    st.sampled_from(QUERIES),
    st.integers(0, 40),
    st.sampled_from(["", " ", " AND ", " -", " (", " ser", " level:", " time>"]),
)
def test_every_candidate_leads_to_a_query(query: str, cut: int, more: str) -> None:
    """What is put into the beginning of a query is the beginning of a query."""
    text = query[:cut] + more
    for candidate in complete(text, len(text), fields=FIELDS, values=values):
        made = text[: candidate.start] + candidate.text + text[candidate.end :]

        assert not may_become_a_query(text) or may_become_a_query(made), (text, made)


@given(
    st.text(alphabet=st.sampled_from('ab:"()[]{}<>=~-*?\\ |.TOANDRleve'), max_size=24) | st.text(max_size=20),
    st.integers(-2, 30),
)
def test_no_text_is_too_broken(text: str, position: int) -> None:
    """Whatever stands there, candidates lie in the text around the position, and nothing is raised."""
    for candidate in complete(text, position, fields=FIELDS, values=values):
        assert 0 <= candidate.start <= max(0, min(position, len(text))) <= candidate.end <= len(text)


@given(st.text(max_size=8))
def test_a_pattern_can_be_of_any_text(value: str) -> None:
    """Escaped text as a pattern matches itself alone."""
    assert wildcard(escaped_pattern(value)).fullmatch(value) is not None
    assert wildcard(escaped_pattern(value)).fullmatch(value + "x") is None
