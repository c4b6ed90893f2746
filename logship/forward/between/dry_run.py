"""What the forwarder would do to the first events of each log group. Nothing is written: no store, no checkpoint."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.paging import filter_pages
from logship.errors import AccessError, UnknownGroupError
from logship.parse.formats import format_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from logship.cloudwatch.discovery import FoundGroup
    from logship.cloudwatch.paging import Retry
    from logship.forward.between.prepare import Explained, Preparer
    from logship.record import LogEvent, Record

_FIRST_LOOK_MS: Final = 1_000
"""The newest events are looked for so far back at first, then so many times as far, and so on."""
_FURTHER: Final = 100
_MOST_PAGES: Final = 10
"""A look that has more pages than that goes too far back."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would be done to one event."""

    event: LogEvent
    explained: Explained
    format: str
    """What its line is read as."""
    place: str
    """Where its record would be stored; "" where a rule leaves it out."""


@dataclass(frozen=True, slots=True)
class GroupSample:
    """Some events of a log group, oldest first."""

    group: str
    """Its key: of a linked account ``ACCOUNT:NAME``."""
    events: list[Foreseen] = field(default_factory=list)
    problem: str = ""
    """Why there are none, where that is a problem."""


def foresee(
    client: Any,
    groups: Sequence[FoundGroup],
    prepare: Preparer,
    place_of: Callable[[Record], str],
    *,
    first: int,
    start_ms: int | None,
    now_ms: int,
    retry: Retry,
) -> Iterator[GroupSample]:
    """What would be done to some events of each group. A group that may not be read does not keep the others out.

    Args:
        client: of CloudWatch Logs.
        groups: the groups.
        prepare: as the forwarder prepares events.
        place_of: where a record would be stored.
        first: how many events of each group.
        start_ms: from this time on, milliseconds since 1970; None takes the newest that are visible.
        now_ms: the time of now.
        retry: how long to try.

    Raises:
        ConnectError: the endpoint does not answer.
    """
    for group in groups:
        try:
            events = (
                newest(client, group, first, now_ms=now_ms, retry=retry)
                if start_ms is None
                else _oldest(client, group, first, start_ms, retry)
            )
        except (AccessError, UnknownGroupError) as error:
            yield GroupSample(group.key, problem=str(error))
            continue
        yield GroupSample(group.key, [_foreseen(event, prepare, place_of) for event in events])


def newest(client: Any, group: FoundGroup, first: int, *, now_ms: int, retry: Retry) -> list[LogEvent]:
    """The newest visible events of a group, at most so many, oldest first.

    FilterLogEvents gives the oldest first and cannot turn round. So looks go ever further back until there is enough,
    and where one has too many pages, the next one begins between it and the last that had too few events.
    """
    few_ms, many_ms = now_ms + 1, None
    start_ms = now_ms - _FIRST_LOOK_MS
    while True:
        events, whole = _look(client, group, first, start_ms, retry)
        if whole and (len(events) >= first or start_ms <= 0):
            return events
        if whole:
            few_ms = start_ms
        else:
            many_ms = start_ms
        if many_ms is None:
            start_ms = max(0, now_ms - _FURTHER * (now_ms - start_ms))
        elif few_ms - many_ms > 1:
            start_ms = (few_ms + many_ms) // 2
        else:
            return events  # that many in one millisecond: any of them are the newest


def _look(client: Any, group: FoundGroup, first: int, start_ms: int, retry: Retry) -> tuple[list[LogEvent], bool]:
    """The last events from a time on, and whether these are all pages of it."""
    last: deque[LogEvent] = deque(maxlen=first)
    for number, page in enumerate(filter_pages(client, group, start_ms, None, retry), 1):
        if number > _MOST_PAGES:
            return list(last), False
        last.extend(page)
    return list(last), True


def _oldest(client: Any, group: FoundGroup, first: int, start_ms: int, retry: Retry) -> list[LogEvent]:
    found: list[LogEvent] = []
    for page in filter_pages(client, group, start_ms, None, retry):
        found += page
        if len(found) >= first:
            break
    return found[:first]


def _foreseen(event: LogEvent, prepare: Preparer, place_of: Callable[[Record], str]) -> Foreseen:
    explained = prepare.explain(event)
    place = place_of(explained.record) if explained.decision.kept else ""
    return Foreseen(event, explained, format_of(prepare.clean(event).message), place)
