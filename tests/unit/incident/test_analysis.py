"""Cause finding on small systems where the answer is known."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from logship.incident import analyse, default_baseline, default_window
from logship.incident.templates import template
from logship.record import Record, record_id
from logship.testing import MemoryStore
from logship.timerange import TimeRange

if TYPE_CHECKING:
    from collections.abc import Iterator

START_US = 1_795_442_400_000_000
MINUTE_US = 60_000_000
QUIET = TimeRange(START_US, START_US + 10 * MINUTE_US)
WINDOW = TimeRange(QUIET.end_us, QUIET.end_us + 3 * MINUTE_US)


@dataclass(frozen=True)
class Fault:
    """What is wrong within the window."""

    own_ms: float = 0.0
    """Added to inventory's own time."""
    network_ms: float = 0.0
    """Added between orders and inventory."""
    line: str = ""
    """A line that inventory writes."""
    fails: bool = False
    """Whether inventory answers 500, and everyone above it too."""
    load: int = 1
    """How many times as many requests."""


def records(fault: Fault) -> Iterator[Record]:
    """edge → orders → inventory, a request every two seconds for thirteen minutes."""
    drawn = random.Random(3)
    at_us, number = START_US, 0
    while at_us < WINDOW.end_us:
        faulty = at_us >= WINDOW.start_us
        yield from trace(number, at_us, drawn, fault if faulty else Fault())
        at_us += 2_000_000 // (fault.load if faulty else 1)
        number += 1


def trace(number: int, at_us: int, drawn: random.Random, fault: Fault) -> Iterator[Record]:
    ids = {name: f"{number:08x}{name[:4].encode().hex()}" for name in ("edge", "ecal", "orde", "ocal", "inve")}
    inventory = 10 * drawn.uniform(0.8, 1.2) + fault.own_ms
    orders_call = inventory + 1 * drawn.uniform(0.8, 1.2) + fault.network_ms
    orders = orders_call + 5 * drawn.uniform(0.8, 1.2)
    edge_call = orders + 1 * drawn.uniform(0.8, 1.2)
    edge = edge_call + 2 * drawn.uniform(0.8, 1.2)
    spans = (
        ("inventory", "request", "inve", "ocal", inventory),
        ("orders", "call", "ocal", "orde", orders_call),
        ("orders", "request", "orde", "ecal", orders),
        ("edge", "call", "ecal", "edge", edge_call),
        ("edge", "request", "edge", "", edge),
    )
    status = 500 if fault.fails else 200
    for service, kind, span, parent, took in spans:
        yield made(
            service, f"{number}-{span}", at_us + int(took * 1000), "", f"t{number}", ids[span], ids.get(parent, ""),
            {"logship.kind": kind, "duration_ms": took, "http.route": "/x", "http.response.status_code": status},
        )  # fmt: skip
    yield made("inventory", f"{number}-line", at_us, f"reserved item {number}", f"t{number}", ids["inve"])
    if fault.line:
        yield made("inventory", f"{number}-fault", at_us, fault.line, f"t{number}", ids["inve"])


def made(  # noqa: PLR0917 - one record, part by part
    service: str,
    key: str,
    time_us: int,
    body: str,
    trace_id: str,
    span: str,
    parent: str = "",
    attributes: dict[str, object] | None = None,
) -> Record:
    identity = record_id(time_us // 1000, service, "s", key)
    return Record(
        identity, time_us, body, "INFO", 0, trace_id, span, parent, {"service.name": service}, attributes or {}
    )


def store(fault: Fault) -> MemoryStore:
    memory = MemoryStore()
    memory.add(list(records(fault)))
    memory.commit()
    memory.refresh()
    return memory


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(own_ms=300), "own"),
        (Fault(network_ms=200), "gap"),
        (Fault(line="waiting for lock on row 7"), "line"),
        (Fault(fails=True), "line"),
    ],
    ids=["slow itself", "slow network", "new line", "failing"],
)
def test_the_culprit_comes_first_with_its_evidence(fault: Fault, kind: str) -> None:
    """Inventory is blamed for whatever it is that it does, with three records to look at, and raises an alarm."""
    finding = analyse(store(fault), WINDOW, [QUIET])
    first = finding.suspects[0]

    assert (finding.alarm, first.service, first.evidence[0].kind, len(first.evidence[0].examples)) == (
        True,
        "inventory",
        kind,
        3,
    )


def test_who_only_waits_is_not_blamed() -> None:
    """edge and orders are as slow as inventory makes them, and stay within their quiet spread."""
    finding = analyse(store(Fault(own_ms=300)), WINDOW, [QUIET])

    assert [suspect.score < 1 for suspect in finding.suspects[1:]] == [True, True]
    assert {slow.service for slow in finding.slowdowns} == {"edge", "orders", "inventory"}


@pytest.mark.parametrize("fault", [Fault(), Fault(load=4)], ids=["nothing", "more load"])
def test_nothing_wrong_raises_no_alarm(fault: Fault) -> None:
    """Neither an ordinary window nor one with four times the requests is an incident."""
    assert not analyse(store(fault), WINDOW, [QUIET]).alarm


def test_no_baseline_gives_no_alarm_but_says_so() -> None:
    """Without quiet time there is nothing to compare with; the note says which flags to give."""
    finding = analyse(store(Fault(own_ms=300)), WINDOW, [])

    assert (finding.alarm, "--baseline-from" in finding.notes[0]) == (False, True)


def test_lines_without_traces_count_by_time() -> None:
    """Services that log neither traces nor durations are judged by their lines."""
    memory = MemoryStore()
    plain = [made("cron", str(n), START_US + n * 1_000_000, f"job {n} done", "", "") for n in range(780)]
    broken = [made("cron", f"e{n}", WINDOW.start_us + n * 2_000_000, "disk quota exceeded", "", "") for n in range(80)]
    memory.add([*plain, *broken])
    memory.commit()
    memory.refresh()
    finding = analyse(memory, WINDOW, [QUIET])

    assert (finding.alarm, finding.suspects[0].service, finding.patterns[0].template) == (
        True,
        "cron",
        "disk quota exceeded",
    )


def test_the_json_has_the_documented_shape() -> None:
    """Names and types are those that other programs read."""
    found = analyse(store(Fault(own_ms=300)), WINDOW, [QUIET]).to_json()

    assert {"window", "baseline", "alarm", "services", "explanations", "patterns", "changes"} <= found.keys()
    assert {"service", "score", "evidence"} <= found["services"][0].keys()
    assert (type(found["alarm"]), type(found["services"][0]["score"])) == (bool, float)


def test_the_default_window_is_the_newest_quarter_of_an_hour() -> None:
    """It ends just behind the newest record; its baseline is the half hour before, cut to what is there."""
    memory = store(Fault())
    window = default_window(memory)
    assert window is not None

    assert (window.span_us, default_baseline(memory, WINDOW)[0].end_us) == (15 * MINUTE_US, WINDOW.start_us)
    assert default_baseline(memory, window) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("order 42 took 1.5 ms", "order <num> took <num> ms"),
        ("user 5b27baf9c1d24a0e8f3b6d7e9a012345 at 10.0.0.3:80", "user <hex> at <ip>"),
        ('stock of "blue shirt" is low\nsecond line', "stock of <text> is low"),
        ("service2 started", "service2 started"),
    ],
)
def test_templates_mask_what_differs(body: str, expected: str) -> None:
    """Numbers, ids, addresses and quoted text are masked; words with a digit in them are not."""
    assert template(body) == expected


def access_log(took_ms: float, failing_every: int) -> MemoryStore:
    """Two services without traces: what is said of `web` begins with the window, `other` stays as it is."""
    drawn, memory = random.Random(5), MemoryStore()
    found = []
    for number in range(1560):
        at_us, service = START_US + number * 500_000, ("web", "other")[number % 2]
        faulty = service == "web" and at_us >= WINDOW.start_us
        failed = faulty and failing_every and number // 2 % failing_every == 0
        attributes = {
            "logship.kind": "request", "url.path": f"/orders/{number}",
            "duration_ms": 20 * drawn.uniform(0.8, 1.2) + (took_ms if faulty else 0),
            "http.response.status_code": 502 if failed else 200,
        }  # fmt: skip
        found.append(made(service, str(number), at_us, f"GET /orders/{number} 200", "", "", "", attributes))
    memory.add(found)
    memory.commit()
    memory.refresh()
    return memory


@pytest.mark.parametrize(("took_ms", "failing_every", "kind"), [(200, 0, "whole"), (0, 4, "failures")])
def test_requests_without_a_trace_are_judged_by_duration_and_status(
    took_ms: float, failing_every: int, kind: str
) -> None:
    """An access log alone names the service that became slow or fails, with records that show it."""
    finding = analyse(access_log(took_ms, failing_every), WINDOW, [QUIET])
    top = finding.suspects[0]

    assert (finding.alarm, top.service, top.evidence[0].kind, len(top.evidence[0].examples)) == (True, "web", kind, 3)
    assert top.evidence[0].subject == "/orders/<num>"
    assert finding.suspects[1].score < 1


def test_an_access_log_is_not_blamed_for_what_traces_explain() -> None:
    """The proxy in front waits as long as everyone; with traced requests behind it, it is no suspect."""
    memory = store(Fault(own_ms=300))
    proxy = [
        made("proxy", f"p{n}", START_US + n * 2_000_000, "GET /x 200", "", "", "", {
            "logship.kind": "request", "url.path": "/x",
            "duration_ms": 20.0 + n % 2 + (300 if START_US + n * 2_000_000 >= WINDOW.start_us else 0),
        }) for n in range(390)
    ]  # fmt: skip
    memory.add(proxy)
    memory.commit()
    memory.refresh()
    finding = analyse(memory, WINDOW, [QUIET])

    assert finding.suspects[0].service == "inventory"
    assert {s.service: s.score for s in finding.suspects}["proxy"] == 0
