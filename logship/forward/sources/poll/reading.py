"""One time range that is read page by page, and what the reading of a group came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.forward.sources.poll.group import GroupReader
    from logship.record import LogEvent

Kind = Literal["live", "ahead", "sweep", "range"]


@dataclass(slots=True, eq=False)
class Reading:
    """One time range being read page by page, and when its next page is due."""

    group: GroupReader
    kind: Kind
    number: int = 0
    """Of a sweep or range."""
    start_ms: int = 0
    end_ms: int | None = None
    cursor_ms: int = 0
    """Everything before that time has been read."""
    first_ms: int | None = None
    """Time of the first event of a range."""
    is_jumbled: bool = False
    """Whether its pages are not in order of time: then the cursor says nothing of what is still to come."""
    asked_ms: tuple[int, int | None] = (0, None)
    """The times of the request whose pages are read: a token is good for these alone."""
    began_ms: int = 0
    """The service's time at the first page; 0 between two readings."""
    token: str | None = None
    pages: int = 0
    events: int = 0
    """In its pages so far, known ones included."""
    due_s: float = 0.0
    done_s: float = 0.0
    """When its last page was done, by the scheduler's clock."""
    share: float = 0.0
    """What it has had of the calls, in units of its weight (stride scheduling)."""
    busy: bool = False
    failures: int = 0


@dataclass(slots=True)
class Figures:
    """What one group's reading came to."""

    pages: int = 0
    empty_pages: int = 0
    events: int = 0
    fresh: int = 0
    bytes: int = 0
    """Of the answers, as they came."""
    stored: int = 0
    newest_ms: int = 0
    """Newest event time read."""
    newest_stored_ms: int = 0
    delay_ms: int = 0
    """Ingestion time minus event time of the newest page's last event."""

    def count(self, events: Sequence[LogEvent]) -> None:
        """Counts a page."""
        self.pages += 1
        self.events += len(events)
        if not events:
            self.empty_pages += 1
            return
        last = events[-1]
        if last.ingestion_ms:
            self.delay_ms = max(0, last.ingestion_ms - last.timestamp_ms)


@dataclass(frozen=True, slots=True)
class Behind:
    """How far what is stored of a group is behind what is visible."""

    lag_ms: int
    """Age of the oldest event that was read, or is known to be next, and is not stored; 0 for none. Without ranges."""
    backlog_ms: int
    """Event time in ranges that are not stored yet."""
    read_age_ms: int | None
    """How long ago the last live reading that reached its end began; None before the first."""
