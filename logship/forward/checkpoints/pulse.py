"""The life of one worker in the shared table: its counter moves, it sees whose counter does not, and buries those."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from logship.errors import ConnectError
from logship.forward.checkpoints.leases import BEAT_S, LEASE_S, MARGIN_S, Watch
from logship.forward.news import News

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.forward.checkpoints.leases import LeaseTable


def steady_clock() -> float:
    """Seconds that also pass while the machine sleeps, where the system tells."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Pulse:
    """Keeps a worker alive.

    Args:
        table: shared with the others.
        new_name: gives a name that nobody has had before.
        on_name: called with each name before the worker is alive under it: what it had under another is lost.
        say: told what people should know.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        table: LeaseTable,
        new_name: Callable[[], str],
        on_name: Callable[[str], None],
        *,
        say: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self.clock = clock
        self.watch = Watch()
        self.asks: list[str] = []
        """Keys that others should give to this worker; told with the next beat."""
        self._table, self._new_name, self._on_name, self._say = table, new_name, on_name, say
        self._beating = threading.Lock()  # one beat at a time: the counter must not go back
        self._silent = False
        self._looked_s = float("-inf")
        self._enter()

    def _enter(self) -> None:
        self._beaten_s = float("-inf")
        began_s, name = self.clock(), self._new_name()
        self._table.enter(name)
        self.name, self._beats = name, 0
        self._on_name(name)
        self._beaten_s = began_s

    @property
    def is_alive(self) -> bool:
        """Whether nobody can have taken this worker for dead yet."""
        return self.clock() - self._beaten_s < LEASE_S - MARGIN_S

    @property
    def live(self) -> frozenset[str]:
        """Everybody who is alive, as seen last, this worker included."""
        return self.watch.live | {self.name}

    @property
    def pause_s(self) -> float:
        """How long to wait for the next beat and look: until somebody may have to be buried at the latest."""
        return min(BEAT_S if self.is_alive else BEAT_S / 5, self.watch.next_death_s() - self.clock())

    def beat(self) -> None:
        """Moves the counter on. When somebody has buried this worker, it begins anew under another name."""
        with self._beating:
            began_s = self.clock()
            self._beats += 1
            try:
                if self._table.beat(self.name, self._beats, self.asks):
                    self._beaten_s = began_s
                else:
                    self._enter()
                    self._say(f"others took this process for dead after {LEASE_S:g} s and do its work; it restarts")
            except ConnectError as error:
                self._fall_silent(error)
            else:
                if self._silent:
                    self._silent = False
                    self._say(News("checkpoints can be reached again; work goes on"))

    def _fall_silent(self, error: ConnectError) -> None:
        if not self.is_alive and not self._silent:
            self._silent = True
            self._say(f"{error}; work rests until checkpoints can be reached, nothing is lost")

    def look(self, *, age_s: float = 0.0) -> None:
        """Sees how the others are, and buries the dead.

        Args:
            age_s: a look that is no older will do, unless somebody may have died since.
        """
        asked_s = self.clock()
        if asked_s - self._looked_s < age_s and asked_s < self.watch.next_death_s():
            return
        self._looked_s = asked_s
        rows = self._table.workers()
        rows.pop(self.name, None)
        for worker, beat in self.watch.observe(rows, asked_s, self.clock()).items():
            if self._table.bury(worker, beat):
                self.watch.forget(worker)
                self._say(f"worker {worker!r} has not been heard of for {LEASE_S:g} s; its keys are taken over")

    def leave(self) -> None:
        """Ends: the keys of this worker are free at once, or when the others take it for dead."""
        if not self._silent:
            self._table.leave(self.name)
