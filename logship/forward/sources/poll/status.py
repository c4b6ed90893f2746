"""What one group's reader tells of itself, for metrics and screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logship.forward.outside.status import GroupStatus

if TYPE_CHECKING:
    from logship.forward.sources.poll.group import GroupReader


def group_status(group: GroupReader, now_ms: int) -> GroupStatus:
    """How far a group is read and stored.

    Args:
        group: may be read by other threads meanwhile.
        now_ms: the service's time.
    """
    figures, behind = group.figures, group.behind(now_ms)
    fresh = figures.fresh  # before the events, so that no known event is counted below nothing
    return GroupStatus(
        name=group.name,
        lag_s=behind.lag_ms / 1000,
        backlog_s=behind.backlog_ms / 1000,
        read_age_s=None if behind.read_age_ms is None else behind.read_age_ms / 1000,
        ingestion_delay_s=figures.delay_ms / 1000,
        newest_stored_ms=figures.newest_stored_ms if figures.stored else 0,
        pages=figures.pages,
        empty_pages=figures.empty_pages,
        events=figures.events,
        fresh=fresh,
        stored=figures.stored,
        bytes=figures.bytes,
        refused=group.refused,
        failures=max(reading.failures for reading in group.readings()),
    )
