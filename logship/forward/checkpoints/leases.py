"""Leases: what the shared table has to be able to do, and how a worker knows which of the others are alive.

A worker is one process while it runs. It has a row with a counter that it moves every few seconds; its keys carry
its name and a fencing token that grows each time a key changes hands. A key belongs to the worker it names as long
as that worker has a row. No clock of another machine is trusted: a worker counts as dead when somebody has seen
its counter stand still for `LEASE_S` by a clock of his own, and has then deleted the row on condition that the
counter still stands there. From then on the worker cannot move its counter any more and knows that it has lost
everything, while it stopped by itself `MARGIN_S` earlier, by its own clock, because no move had succeeded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEASE_S: Final = 15.0
"""A worker whose counter stands still for so long is dead."""
MARGIN_S: Final = 2.0
"""A worker stops so much earlier: clocks may run at speeds that differ by an eighth."""
BEAT_S: Final = 5.0
"""How often a worker moves its counter and looks at the others."""
BLIND_S: Final = 2 * BEAT_S
"""Who has not been able to look for so long watches all counters anew: the others may not have been able to move."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on a key."""

    owner: str
    """The worker's name; "" after it gave the key back."""
    token: int
    """Grows each time the key changes hands: who writes with an older one is refused."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a worker tells of itself."""

    beat: int
    asks: tuple[str, ...] = ()
    """Keys that it should be given."""


@dataclass(frozen=True, slots=True)
class Entry:
    """All that is kept of a key."""

    value: str | None
    """The checkpoint; None before the first."""
    version: int
    lease: Lease


class LeaseTable(Protocol):
    """A table that several processes change at the same time; each call is one atomic change, or a look.

    Every call may raise ConnectError: then nobody knows whether the change was made, or will yet be.
    Not promised: that `leases` shows the changes of the last moments.
    """

    def enter(self, worker: str) -> None:
        """Makes the row of a new worker, with the counter at 0."""

    def beat(self, worker: str, beat: int, asks: Sequence[str]) -> bool:
        """Moves a worker's counter on, never back; False when it has no row."""

    def bury(self, worker: str, beat: int) -> bool:
        """Deletes a worker's row if its counter stands there; whether it is gone."""

    def leave(self, worker: str) -> None:
        """Deletes a worker's row: its keys are free."""

    def workers(self) -> dict[str, Row]:
        """The rows of all workers, as they are now."""

    def leases(self) -> dict[str, Lease]:
        """All keys that somebody has or had."""

    def take(self, key: str, seen: Lease | None, worker: str) -> bool:
        """Makes a worker the owner, with the next token, if the lease is still the one that was seen."""

    def release(self, key: str, lease: Lease) -> None:
        """Makes a key free if the lease is still that one."""

    def load(self, key: str) -> Entry | None:
        """What is kept of a key, as it is now."""

    def save(self, key: str, value: str, version: int, lease: Lease) -> Entry | None:
        """Keeps a checkpoint if version and lease are still those; else what was found instead."""


class Watch:
    """Who is alive, by what this worker has seen with its own clock."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Row, float]] = {}
        self._answered_s = float("-inf")

    @property
    def live(self) -> frozenset[str]:
        """Everybody who has a row."""
        return frozenset(self._seen)

    @property
    def rows(self) -> dict[str, Row]:
        """The rows as they were seen last."""
        return {worker: row for worker, (row, _) in self._seen.items()}

    def observe(self, rows: Mapping[str, Row], asked_s: float, answered_s: float) -> dict[str, int]:
        """Takes in what a look showed; the workers to be buried, and where their counters stand.

        Args:
            rows: what was seen.
            asked_s: before the look.
            answered_s: after it. A counter was there by then, so the lease runs from then on.
        """
        before, self._seen = self._seen, {}
        blind = asked_s - self._answered_s > BLIND_S
        self._answered_s = answered_s
        dead = {}
        for worker, row in rows.items():
            seen = before.get(worker)
            since_s = seen[1] if seen and seen[0].beat == row.beat and not blind else answered_s
            self._seen[worker] = (row, since_s)
            if asked_s - since_s >= LEASE_S:
                dead[worker] = row.beat
        return dead

    def forget(self, worker: str) -> None:
        """That worker's row is gone."""
        self._seen.pop(worker, None)

    def next_death_s(self) -> float:
        """When the next of them dies if its counter does not move; infinity when there is nobody."""
        return min((since_s + LEASE_S for _, since_s in self._seen.values()), default=float("inf"))
