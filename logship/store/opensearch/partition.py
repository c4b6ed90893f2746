"""Which index a record belongs to: the UTC month or day of its event time, which no parser changes.

Records of the same event therefore always meet in the same index, where their id makes them one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

OUTSIDE: Final = "other"
"""The one index for all times outside 2000-2100, so that wrong clocks do not make thousands."""
_FIRST_MS: Final = 946_684_800_000  # 2000-01-01
_LAST_MS: Final = 4_102_444_800_000  # 2100-01-01
_END_MS: Final = 2**48
_MOST_DAYS: Final = 31


class Span(NamedTuple):
    """The event times of one index: [start_ms, end_ms)."""

    start_ms: int
    end_ms: int
    suffix: str
    """What follows the alias in the index's name, such as ``2026.11``."""


def span(time_ms: int, partition: str) -> Span:
    """The index of an event time; `partition` is ``month`` or ``day``."""
    if time_ms < _FIRST_MS:
        return Span(0, _FIRST_MS, OUTSIDE)
    if time_ms >= _LAST_MS:
        return Span(_LAST_MS, _END_MS, OUTSIDE)
    day = datetime.fromtimestamp(time_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if partition == "day":
        return Span(_ms(day), _ms(day + timedelta(days=1)), day.strftime("%Y.%m.%d"))
    first = day.replace(day=1)
    return Span(_ms(first), _ms((first + timedelta(days=_MOST_DAYS)).replace(day=1)), first.strftime("%Y.%m"))


def _ms(at: datetime) -> int:
    return int(at.timestamp()) * 1000
