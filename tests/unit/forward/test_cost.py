"""What forwarding costs is arithmetic over the settings, and never more or less than the price list says."""

from __future__ import annotations

import pytest

from logship.forward.outside.cost import CostLine, Observed, estimate, lines_of, summary, total
from logship.settings import Forward, Source

POLL = Source(region="eu-west-1", groups=["/shop/*"])
TAILED = Source(region="eu-west-1", live_tail=True)
STREAM = Source(type="kinesis", stream="logs")
HTTP = Source(type="firehose")
EXPORTS = Source(type="s3", queue="https://sqs.eu-west-1.amazonaws.com/123456789012/exports")


def cents(lines: list[CostLine]) -> list[float]:
    return [round(line.usd_per_month, 2) for line in lines]


@pytest.mark.parametrize("groups", [0, 1, 1_000_000])
def test_polling_costs_nothing(groups: int) -> None:
    """Calls are counted up to the quota (10 a second there), and free; nothing is said at the start."""
    [line] = estimate(Forward(source=[POLL]), [Observed(groups=groups)])

    assert (line.usd_per_month, line.units_per_day) == (0.0, min(groups, 10) * 86_400)
    assert summary([line]) == ""


@pytest.mark.parametrize(("groups", "sessions"), [(0, 1), (1, 1), (10, 1), (11, 2), (150, 15), (9_999, 15)])
def test_live_tail_is_paid_by_the_minute_of_each_session(groups: int, sessions: int) -> None:
    """A session for every ten groups, at most fifteen, at all times, less 1,800 minutes: 420 $ for the first."""
    [_, tail] = estimate(Forward(source=[TAILED]), [Observed(groups=groups)])

    assert (tail.units_per_day, round(tail.usd_per_month, 6)) == (sessions * 1440, sessions * 438.0 - 18.0)


def test_what_is_free_is_free_once() -> None:
    """Two sources of one account share its free minutes."""
    lines = estimate(Forward(source=[TAILED, TAILED]))

    assert cents(lines) == [0.0, 420.0, 0.0, 438.0]


def test_a_stream_costs_by_the_hour_and_by_what_goes_through() -> None:
    """0.04 $ an hour, 0.08 $ a GB in and 0.04 $ a GB out, of a fifth of the lines."""
    lines = estimate(Forward(source=[STREAM]), [Observed(bytes_per_day=50e9)])

    assert cents(lines) == [29.2, 24.33, 12.17]
    assert "a provisioned one costs about 10.95 $" in lines[0].assumption


def test_shards_follow_the_volume() -> None:
    """A provisioned stream is named with as many shards as it would need: 1 MB a second each."""
    [hours, *_] = estimate(Forward(source=[STREAM]), [Observed(bytes_per_day=5 * 86_400 * 2.5e6)])

    assert "about 32.85 $" in hours.assumption


def test_what_nobody_knows_is_said() -> None:
    """Without a volume the estimate is for 1 GB a day, in words; 0 bytes a day are not "unknown"."""
    [supposed] = estimate(Forward(source=[HTTP]))
    [nothing] = estimate(Forward(source=[HTTP]), [Observed(bytes_per_day=0)])

    assert (round(supposed.usd_per_month, 4), nothing.usd_per_month) == (0.1764, 0.0)
    assert supposed.assumption.startswith("if there were 1 GB of lines a day")
    assert nothing.assumption.startswith("0 GB of lines a day")


def test_an_idle_queue_costs_nothing() -> None:
    """17,280 requests a day are half of what is free; a busy one pays for what is beyond."""
    idle = estimate(Forward(source=[EXPORTS]), [Observed(bytes_per_day=0)])
    busy = estimate(Forward(source=[EXPORTS]), [Observed(bytes_per_day=1e12)])

    assert (cents(idle), idle[1].units_per_day) == ([0.0, 0.0], 17_280)
    assert cents(busy) == [12.17, 15.02]


@pytest.mark.parametrize(
    ("processes", "groups", "writes_an_hour", "usd"),
    [(2, 10, 5_040, 2.52), (3, 200, 74_160, 34.16)],
)
def test_shared_checkpoints_cost_what_the_guide_says(
    processes: int, groups: int, writes_an_hour: int, usd: float
) -> None:
    """docs/how-to/many-forwarders.md: 720 writes a process and 360 a busy group an hour, and 1,200 reads a process."""
    forward = Forward(checkpoints="dynamodb:marks", source=[POLL])
    [_, writes, reads] = estimate(forward, [Observed(groups=groups)], processes=processes)

    assert (writes.units_per_day / 24, reads.units_per_day / 24) == (writes_an_hour, 1200 * processes)
    assert round(total([writes, reads]), 2) == pytest.approx(usd, abs=0.01)


def test_people_see_the_sum_first_and_then_the_dearest() -> None:
    """A line each, with what is counted and what that rests on; the start has it in one line."""
    lines = estimate(Forward(source=[POLL, TAILED]), [Observed(groups=2), Observed(groups=8)])
    shown = lines_of(lines)

    assert shown[0].startswith(
        "cost: about 420.00 $ a month at AWS beside store, machine and taxes (list prices of us-"
    )
    assert shown[1] == (
        "  420.00 $ a month for 1,440 minutes of Live Tail of cloudwatch eu-west-1 a day: "
        "1 session at all times; 1,800 minutes a month are free"
    )
    assert shown[2].startswith("  0.00 $ a month for 172,800 calls of FilterLogEvents of cloudwatch eu-west-1 a day")
    assert summary(lines).startswith(
        "about 420.00 $ a month, most of it for minutes of Live Tail of cloudwatch eu-west"
    )


def test_no_source_costs_nothing() -> None:
    """An empty list is an estimate, too."""
    assert (estimate(Forward()), summary([]), len(lines_of([]))) == ([], "", 1)
