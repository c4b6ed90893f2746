"""Log events field by field: a page of a megabyte as seven lists, instead of thousands of tuples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, overload

from logship.record import LogEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.record import Cloud

_event: Final = partial(tuple.__new__, LogEvent)


class Columns(NamedTuple):
    """The fields of some events, all of them as long; see `record.LogEvent`."""

    groups: Sequence[str]
    streams: Sequence[str]
    timestamps_ms: Sequence[int]
    messages: Sequence[str]
    event_ids: Sequence[str]
    ingestions_ms: Sequence[int]
    clouds: Sequence[Cloud]

    def chosen(self, places: Sequence[int]) -> Columns:
        """Those of some events."""
        parts: list[Any] = [[column[place] for place in places] for column in self]
        return Columns(*parts)


class Events(Sequence[LogEvent]):
    """A sequence of events that makes them when it is asked for them."""

    __slots__ = ("columns",)

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    @overload
    def __getitem__(self, place: int, /) -> LogEvent: ...

    @overload
    def __getitem__(self, place: slice, /) -> Events: ...

    def __getitem__(self, place: Any, /) -> Any:
        taken = [column[place] for column in self.columns]
        return Events(Columns(*taken)) if isinstance(place, slice) else LogEvent(*taken)

    def __iter__(self) -> Iterator[LogEvent]:
        return map(_event, zip(*self.columns, strict=True))


def columns_of(events: Sequence[LogEvent]) -> Columns:
    """The fields of any events."""
    if isinstance(events, Events):
        return events.columns
    return Columns(*zip(*events, strict=True)) if events else Columns((), (), (), (), (), (), ())


def messages_of(events: Sequence[LogEvent]) -> Sequence[str]:
    """Their messages alone."""
    return events.columns.messages if isinstance(events, Events) else [event[3] for event in events]


def chosen(events: Sequence[LogEvent], places: Sequence[int]) -> Sequence[LogEvent]:
    """Some of the events."""
    if isinstance(events, Events):
        return Events(events.columns.chosen(places))
    return [events[place] for place in places]
