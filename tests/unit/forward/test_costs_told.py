"""People hear what forwarding costs before it starts and while it runs, and nothing where it costs nothing."""

from __future__ import annotations

from dataclasses import replace

from logship.cli.costs import foreseen, running, starting
from logship.forward.outside.rates import Rate
from logship.forward.outside.status import SourceStatus
from logship.settings import Forward, Source
from tests.forward_status import STATUS

POLL = Source(region="us-east-1")
STREAM = Source(type="kinesis", stream="logs")


def test_the_start_tells_only_of_what_costs_money() -> None:
    """Polling is free; Live Tail is told of with its sum and where the details are."""
    tailed = Forward(source=[POLL, Source(live_tail=True)])

    assert starting(Forward(source=[POLL])) == ""
    assert starting(tailed).startswith("this costs from about 420.00 $ a month, most of it for minutes of Live Tail")
    assert starting(tailed).endswith("logship forward --dry-run has the details")


def test_a_dry_run_counts_groups_before_it_adds_up() -> None:
    """Its lines are made when all groups are known, not before."""
    counts: list[int] = []
    lines = foreseen(Forward(source=[Source(live_tail=True)]), counts)
    counts.append(25)

    assert next(lines).startswith("cost: about 1,296.00 $ a month")


def test_the_running_cost_follows_the_rate() -> None:
    """Events that no call has read came through the stream: 1,000 a second are 5.2 GB a day of compressed lines."""
    sources = [SourceStatus(name="cloudwatch us-east-1"), SourceStatus(name="kinesis logs")]
    status = replace(STATUS, sources=sources)
    rate = Rate(events=1_500.0, groups={("cloudwatch us-east-1", "/a"): (500.0, 1e6)})
    shown = running(Forward(source=[POLL, STREAM]), status, rate)

    assert shown == "about 48.12 $ a month at this rate (0.066 $ an hour)"
    assert running(Forward(source=[POLL]), status, rate) == ""
