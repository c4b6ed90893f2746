"""The port every source of events stands behind: it delivers batches, and hears when each of them is safe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from logship.events import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event

    from logship.record import LogEvent


def nothing() -> None:
    """For batches whose source need not hear of them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in the order of each stream, and whom to tell when they are safe."""

    events: Sequence[LogEvent]
    stored: Callable[[], None] = nothing
    """Called once, when every event is in the store or among the dead letters: the source may move its mark on.

    Called by the pipeline's thread, in the order in which batches were delivered; it must be quick and may
    raise `LogshipError` alone, which ends the forwarder. Never called when the forwarder ends before.
    """

    @property
    def size(self) -> int:
        """Characters of all messages: what the limits of memory count, with a fixed cost an event and a batch."""
        return sum(map(len, messages_of(self.events))) + EVENT_COST * len(self.events) + _BATCH_COST


EVENT_COST = 600
"""Bytes that an event takes at most beside its message: its tuple, its id and stream as texts, two numbers."""
_BATCH_COST = 1_500
"""Bytes that a batch takes beside its events: those without any wait for the store, too."""


class Source(Protocol):
    """Where events come from."""

    name: str
    """For people and metrics: ``cloudwatch eu-west-1``, ``kinesis shop-logs``."""

    def run(self, deliver: Callable[[Batch], None], stop: Event) -> None:
        """Delivers batches until stopped, or until there are no more.

        `deliver` waits while the store is behind (back-pressure) and raises `Stopped` when the forwarder ends.

        Raises:
            LogshipError: the source cannot go on; the forwarder ends with it.
        """

    def save(self, *, now: bool = False) -> None:
        """Writes down how far `stored` has moved it. Called after each round of acknowledgements, by one thread.

        Args:
            now: also where the source would wait, since nothing follows.
        """
