"""What people are told about the cost of a forwarder: before it starts, while it runs, and after a dry run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from logship.forward.outside.cost import DAYS, Observed, estimate, lines_of, summary, total

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from logship.forward.outside.rates import Rate
    from logship.forward.outside.status import ForwardStatus
    from logship.settings import Forward

_EVENT_BYTES: Final = 300
"""What is sent to us is counted in events; a line of a log is taken to have so many bytes."""
_DAY_S: Final = 86_400


def starting(forward: Forward) -> str:
    """A line about what it will cost, as far as the settings tell; "" where that is nothing."""
    found = summary(estimate(forward))
    return f"this costs from {found}" if found else ""


def foreseen(forward: Forward, groups: Sequence[int]) -> Iterator[str]:
    """The lines of a dry run, made when they are asked for: the groups are counted by then.

    Args:
        forward: the settings.
        groups: how many log groups each source reads; 0 for one that tells nothing beforehand.
    """
    yield from lines_of(estimate(forward, [Observed(groups=number or 1) for number in groups]))


def running(forward: Forward, status: ForwardStatus, rate: Rate) -> str:
    """What this process costs at the rate of now; "" where that is nothing."""
    usd = total(estimate(forward, _observed(forward, status, rate)))
    return f"about {usd:,.2f} $ a month at this rate ({usd / DAYS / 24:,.3f} $ an hour)" if usd else ""


def _observed(forward: Forward, status: ForwardStatus, rate: Rate) -> list[Observed]:
    """What each source brings. Events of sources without groups are told in one sum, and shared out evenly."""
    polled = sum(events for events, _ in rate.groups.values())
    sent = sum(1 for source in forward.source if source.type != "cloudwatch")
    bytes_per_day = max(0.0, rate.events - polled) * _EVENT_BYTES * _DAY_S / max(sent, 1)
    found = [Observed(bytes_per_day=bytes_per_day, groups=len(source.groups)) for source in status.sources]
    return found[: len(forward.source)]
