"""Rules: the first that matches decides, and sampling is the same everywhere."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.errors import SettingsError
from logship.forward.between.rules import Decision, Rules, part_of
from logship.forward.between.services import service_of
from logship.record import CONTINUES, SAMPLE_RATE, Record, record_id
from logship.settings import Rule, Service, Settings


def record(number: int, level: str = "INFO", service: str = "orders", trace: str = "", **attributes: str) -> Record:
    made = Record(record_id(number, "/g", "s", str(number)), number * 1000, f"event {number}", level, trace_id=trace)
    made.resource["service.name"] = service
    made.attributes.update(attributes)
    return made


def test_the_first_rule_that_matches_decides() -> None:
    """Later rules are not asked; a record that no rule matches is kept; what is left out is counted by rule."""
    rules = Rules(
        [
            Rule(query="level:error", action="keep"),
            Rule(query="service:noise", action="drop"),
            Rule(query="level:debug", action="sample", rate=0.0),
        ]
    )
    found = [
        record(1, "ERROR", "noise"), record(2, "INFO", "noise"), record(3, "DEBUG"), record(4, "DEBUG", "noise"),
        record(5),
    ]  # fmt: skip

    assert [made.body for made in rules.apply(found)] == ["event 1", "event 5"]
    assert [(count.place, count.dropped, count.sampled_out) for count in rules.counts()] == [
        ("forward.rule[0]", 0, 0),
        ("forward.rule[1]", 2, 0),
        ("forward.rule[2]", 0, 1),
    ]


def test_include_is_keep_and_then_drop_the_rest() -> None:
    """Rules that keep some, then `*` dropped: nothing else is stored."""
    rules = Rules([Rule(query="level>=warn", action="keep"), Rule(query="*", action="drop")])

    assert [made.severity for made in rules.apply([record(1), record(2, "WARN"), record(3, "")])] == ["WARN"]


def test_no_rules_keep_the_list_itself() -> None:
    """Without rules nothing is copied."""
    found = [record(1)]

    assert Rules([]).apply(found) is found


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_a_sample_is_its_part(rate: float) -> None:
    """Of many records about the part is kept; each kept one says which, and a second run keeps the same ones."""
    rules = [Rule(query="*", action="sample", rate=rate)]
    first, again = (Rules(rules).apply([record(number) for number in range(4000)]) for _ in range(2))

    assert [made.id for made in first] == [made.id for made in again]
    assert abs(len(first) - 4000 * rate) <= 150
    assert {made.attributes[SAMPLE_RATE] for made in first} == ({rate} if rate else set())


@given(st.text(min_size=1), st.floats(0, 1))
def test_a_trace_is_kept_whole_or_left_out_whole(trace: str, rate: float) -> None:
    """All records of a trace meet the same fate, whatever their own ids."""
    kept = Rules([Rule(query="*", action="sample", rate=rate)]).apply([record(n, trace=trace) for n in range(20)])

    assert len(kept) in (0, 20)


def test_lines_go_where_their_first_line_goes() -> None:
    """A continuation line is sampled by the id of its event."""
    first = record(1)
    line = record(2, **{CONTINUES: first.id})

    assert part_of(first) == part_of(line)


def test_a_decision_changes_nothing() -> None:
    """What a dry run asks is what `apply` does, without counting or writing into the record."""
    rules = Rules([Rule(query="level:error", action="keep"), Rule(query="*", action="sample", rate=0.5)])
    found = [record(number) for number in range(50)]
    decided = [rules.decide(made).kept for made in found]

    assert all(SAMPLE_RATE not in made.attributes for made in found)
    assert [count.sampled_out for count in rules.counts()] == [0, 0]
    assert [made.id for made, kept in zip(found, decided, strict=True) if kept] == [m.id for m in rules.apply(found)]
    assert rules.decide(record(1, "ERROR")) == Decision(True, 0)


BAD = [
    (Rule(query="level:wran", action="drop"), "key 'forward.rule[1].query'", "did you mean WARN"),
    (Rule(query="a AND", action="drop"), "AND needs something behind it", "column 3 of 'a AND'"),
    (Rule(query="* | stats count()", action="drop"), "a rule has no stages", "remove the |"),
    (Rule(query="time>now-15m", action="drop"), "counts back from now", "ISO time"),
    (Rule(query='"open', action="drop"), "key 'forward.rule[1].query'", "never closed"),
    (Rule(query="a", action="sample", rate=1.5), "key 'forward.rule[1].rate' = 1.5", "0 to 1"),
    (Rule(query="a", action="sample", rate=float("nan")), "key 'forward.rule[1].rate' = nan", "0 to 1"),
    (Rule(query="a", action="sample"), "key 'forward.rule[1].rate' is missing", "rate = 0.1"),
    (Rule(query=" ", action="drop"), "key 'forward.rule[1].query' = ' ' says nothing", "write '*'"),
    (Rule(query="a", action="drop", rate=0.5), "key 'forward.rule[1].rate' = 0.5", "'drop'"),
]


@pytest.mark.parametrize(("rule", "problem", "remedy"), BAD)
def test_a_rule_that_cannot_be_used_is_named(rule: Rule, problem: str, remedy: str) -> None:
    """Key, value and remedy, in one line."""
    with pytest.raises(SettingsError, match=re.escape(problem)) as caught:
        Rules([Rule(query="a", action="keep"), rule])

    assert (remedy in str(caught.value), "\n" in str(caught.value)) == (True, False)


SERVICES = Settings(
    service=[
        Service(name="shop", groups=["/shop/*", "/shop/[oi]*"]),
        Service(name="orders", groups=["/shop/orders*", "/aws/lambda/orders-??"]),
        Service(name="archive", groups=["/shop/orders-old"]),
        Service(name="plain"),
    ]
)


@pytest.mark.parametrize(
    ("group", "service"),
    [
        ("/shop/edge", "shop"),
        ("/shop/orders-new", "orders"),
        ("/shop/orders-old", "archive"),
        ("/aws/lambda/orders-eu", "orders"),
        ("/aws/lambda/orders-us1", "orders-us1"),
        ("/other/edge", "edge"),
    ],
)
def test_the_most_specific_pattern_names_the_service(group: str, service: str) -> None:
    """Names before patterns, longer patterns before shorter ones, the group's last segment where none matches."""
    assert service_of(SERVICES)(group) == service


@pytest.mark.parametrize(
    ("services", "problem"),
    [
        (
            [Service(name="a", groups=["/x"]), Service(name="b", groups=["/y", "/x"])],
            "key 'service[1].groups[1]' = '/x'",
        ),
        ([Service(name="a", groups=[""])], "key 'service[0].groups[0]' is empty"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_named(services: list[Service], problem: str) -> None:
    """Two claims on one pattern, and a pattern that is none."""
    with pytest.raises(SettingsError, match=re.escape(problem)):
        service_of(Settings(service=services))
