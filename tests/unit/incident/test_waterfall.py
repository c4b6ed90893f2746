"""Spans of one trace in the order people read them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from logship.incident.waterfall import arrange
from logship.record import Record

TRACE = "5b27baf9c1d24a0e8f3b6d7e9a012345"


def record(service: str, span: str, parent: str, start_ms: float, duration_ms: float | None, **more: Any) -> Record:
    attributes = {"http.route": f"/{service}", **more}
    if duration_ms is not None:
        attributes |= {"logship.kind": "request", "duration_ms": duration_ms}
    end_us = round((start_ms + (duration_ms or 0)) * 1000)
    identity = f"{end_us:012x}{abs(hash((service, span, parent))):020x}"[:32]
    return Record(
        identity, end_us, f"{service} says", "INFO", 0, TRACE, span, parent, {"service.name": service}, attributes
    )


def test_parents_come_before_children_and_lines_under_their_span() -> None:
    """Children are ordered by their start; own time is what no child covers, and the longest is marked."""
    made = arrange(
        TRACE,
        [
            record("inventory", "c", "b", 20, 70),
            record("orders", "b", "a", 10, 90),
            record("edge", "a", "", 0, 110),
            record("payment", "d", "b", 12, 5),
            record("inventory", "c", "b", 30, None),
            record("cron", "", "", 40, None),
        ],
    )

    assert [(step.span.service, step.depth, step.own_ms, step.longest) for step in made.steps] == [
        ("edge", 0, 20, False),
        ("orders", 1, 15, False),
        ("payment", 2, 5, False),
        ("inventory", 2, 70, True),
    ]
    assert ([line.body for line in made.steps[3].lines], [line.body for line in made.lines]) == (
        ["inventory says"],
        ["cron says"],
    )
    assert (made.start_ms, made.end_ms) == (0, 110)


TIMES = st.floats(0, 100)
SPANS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["", "a", "b", "c", "d", "x"]), TIMES, TIMES), max_size=12
)


@given(spans=SPANS)
def test_no_span_is_lost_whatever_its_parents_are(spans: list[tuple[str, str, float, float]]) -> None:
    """Spans that are each other's parents, that share an id, or whose parent is missing stand there once each."""
    records = [
        record(f"s{number}", span, parent, start, took) for number, (span, parent, start, took) in enumerate(spans)
    ]
    made = arrange(TRACE, records)

    assert sorted(step.span.service for step in made.steps) == sorted(item.service for item in records)
    assert sum(step.longest for step in made.steps) == bool(records)
