"""`logship search --follow`: what the store gets that matches, as it gets it.

The rule: two snapshots of the store are held, the one shown last and the next. What matches in the next and did
not in the last is new, wherever its time stands, so a record that arrives late is printed, and none is printed
twice. Counts by time tell where the two differ; only those stretches are read.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from logship.query.match import matches
from logship.query.tree import All, And, Exists, Node, Not, Nothing, OneOf, Or, Range, Term, Words, both
from logship.timerange import LATEST_US, TimeRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from logship.record import Record
    from logship.store.port import StoreReader

_BARS: Final = 500
"""Into so many stretches a time range is cut to see where records have come."""
_READ: Final = 2_000
"""Stretches with no more matches are read; longer ones are cut again."""
_SHORTEST_US: Final = 1_000
_ROUND_S: Final = 0.5
_TOUCH_ROUNDS: Final = 120
"""A server forgets a snapshot that nobody asks for some minutes, so the one shown last is asked each minute."""


def follow(
    readers: tuple[StoreReader, StoreReader],
    query: Node,
    start_us: int,
    *,
    first: int,
    idle: Callable[[], None],
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Record]:
    """The last matches that are there, then new ones without end.

    Args:
        readers: two of one store; the first one's snapshot is not newer than the second's.
        query: what to look for.
        start_us: records before that time are not shown.
        first: how many of the last matches come first.
        idle: called before each pause, when everything found has been given out.
        pause: waits that many seconds.
    """
    last, following = readers
    within = TimeRange(start_us, LATEST_US)
    yield from reversed(last.search(query, within, limit=first))
    while True:
        yield from new_records(last, following, query, within)
        idle()
        last, following = following, last
        rounds = 0
        while not following.refresh():
            idle()
            pause(_ROUND_S)
            rounds += 1
            if rounds % _TOUCH_ROUNDS == 0:
                last.count(query, TimeRange(start_us, start_us + 1))


def new_records(last: StoreReader, following: StoreReader, query: Node, within: TimeRange) -> Iterator[Record]:
    """What matches in the following snapshot and is not in the last, in order of time."""
    held = following.extent()
    if held is None:
        return
    bounds = TimeRange(max(within.start_us, held.start_us), min(within.end_us, held.end_us))
    if bounds.span_us <= 0:
        return
    counted = countable(query)
    for record in _differing(last, following, counted, bounds):
        if counted == query or matches(query, record):
            yield record


def _differing(last: StoreReader, following: StoreReader, query: Node, bounds: TimeRange) -> Iterator[Record]:
    interval = max(bounds.span_us // _BARS, _SHORTEST_US)
    before = {bar.start_us: bar.count for bar in last.histogram(query, bounds, interval)}
    for bar in following.histogram(query, bounds, interval):
        known = before.get(bar.start_us, 0)
        if bar.count <= known:
            continue  # nothing new; fewer when old records were deleted
        stretch = TimeRange(max(bar.start_us, bounds.start_us), min(bar.start_us + interval, bounds.end_us))
        if known and bar.count > _READ and interval > _SHORTEST_US:
            yield from _differing(last, following, query, stretch)
        else:
            seen = {record.id for record in last.scan(query, stretch)} if known else set()
            yield from (record for record in following.scan(query, stretch) if record.id not in seen)


def countable(node: Node) -> Node:
    """The part of a query that every engine counts without reading records; what matches the whole matches it."""
    if isinstance(node, And):
        return both(*(countable(part) for part in node.parts))
    return node if _is_countable(node) else All()


def _is_countable(node: Node) -> bool:
    match node:
        case And(parts) | Or(parts):
            return all(_is_countable(part) for part in parts)
        case Not(part):
            return _is_countable(part)
        case Range(_, low, high):
            return not isinstance(low, str) and not isinstance(high, str)
        case All() | Nothing() | Words() | Term() | OneOf() | Exists():
            return True
        case _:
            return False
