"""What is known of the lines of one log stream, so that a continuation line finds the event that it continues.

Events of a stream may arrive as several sequences at once: the newest ones, those of an hour ago that are being
caught up with, and late ones. Within each, a line follows the line before it. So for each sequence the last event that
continues none is remembered, and an event belongs to the sequence whose end is the nearest before it in time.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from logship.record import NO_CLOUD, Cloud
from logship.table import PLAIN_CHARS

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_GAP_MS: Final = 10_000
"""Agents give the lines of one event one time, or nearly: a line that much later continues something else."""
_MOST_ENDS: Final = 16
_NEVER: Final = -(2**63)


class Stream:
    """One stream of a log group, and the service that its group names."""

    __slots__ = ("account", "first", "first_ms", "older", "plain", "region", "service")

    def __init__(self, group: str, name: str, service: str, cloud: Cloud = NO_CLOUD) -> None:
        self.service = service
        self.account, self.region = cloud
        self.plain = all(part.isascii() and len(part) <= PLAIN_CHARS for part in (group, name, service, *cloud))
        self.first = ""
        """Id of the newest event that continues none; whoever sets it sets `first_ms`."""
        self.first_ms = _NEVER
        """That event's time."""
        self.older: list[tuple[int, str]] = []
        """Times and ids of the ends of other sequences, oldest first; all are before `first_ms`."""

    def begin(self, at_ms: int, identity: str) -> None:
        """An event that continues none becomes the end of its sequence, or begins one, far behind all others."""
        if at_ms >= self.first_ms:
            if at_ms - self.first_ms > LONGEST_GAP_MS and self.first:
                self._put(len(self.older), self.first_ms, self.first)
            self.first, self.first_ms = identity, at_ms
            return
        place = bisect_right(self.older, (at_ms, "\uffff"))
        if place and at_ms - self.older[place - 1][0] <= LONGEST_GAP_MS:
            self.older[place - 1] = (at_ms, identity)
        else:
            self._put(place, at_ms, identity)

    def begin_all(self, times_ms: Sequence[int], identities: Sequence[str]) -> None:
        """The same of events in their order; mostly each follows the one before it at once."""
        first_ms, last_ms = times_ms[0], times_ms[-1]
        if (
            last_ms - first_ms <= LONGEST_GAP_MS
            and not self._ends_in(first_ms, last_ms)
            and list(times_ms) == sorted(times_ms)
        ):
            self.begin(first_ms, identities[0])
            self.begin(last_ms, identities[-1])
            return
        for at_ms, identity in zip(times_ms, identities, strict=True):
            self.begin(at_ms, identity)

    def _ends_in(self, first_ms: int, last_ms: int) -> bool:
        """Whether a sequence that does not end with the first of two times ends before or with the second."""
        if first_ms < self.first_ms <= last_ms:
            return True
        return bisect_right(self.older, (first_ms, "\uffff")) < bisect_right(self.older, (last_ms, "\uffff"))

    def _put(self, place: int, at_ms: int, identity: str) -> None:
        """Adds an end; of too many, the one before it goes, which a sequence of few events has left behind."""
        self.older.insert(place, (at_ms, identity))
        if len(self.older) > _MOST_ENDS:
            del self.older[place - 1 if place > 1 else place + 1]

    def continued(self, at_ms: int) -> str:
        """The id of the event that a continuation line of that time belongs to; "" where that is not known."""
        if at_ms >= self.first_ms:
            return self.first if at_ms - self.first_ms <= LONGEST_GAP_MS else ""
        place = bisect_right(self.older, (at_ms, "\uffff"))
        if not place:
            return ""
        end_ms, identity = self.older[place - 1]
        return identity if at_ms - end_ms <= LONGEST_GAP_MS else ""

    def mark(self) -> tuple[str, int, list[tuple[int, str]]]:
        """Where it stands, for `rewind`."""
        return self.first, self.first_ms, self.older.copy()

    def rewind(self, mark: tuple[str, int, list[tuple[int, str]]]) -> None:
        """Goes back to where it stood."""
        self.first, self.first_ms = mark[:2]
        self.older = mark[2].copy()
