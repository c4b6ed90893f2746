"""One process among those that share keys: takes and gives its share, and saves as long as a key is its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from logship.errors import ConnectError
from logship.forward.checkpoints import balance
from logship.forward.checkpoints.leases import LEASE_S, Entry, Lease
from logship.forward.checkpoints.port import LeaseLost
from logship.forward.checkpoints.pulse import Pulse, steady_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from logship.forward.checkpoints.leases import LeaseTable

HANDOVER_S: Final = 20.0
"""A key that is to be given and is not released by then is taken from whoever works on it in this process."""
FORGOTTEN_S: Final = 60.0
"""A key that nobody has named for so long is no longer worked on."""
_LOOK_S: Final = 2.5
"""How old the last look at the other workers may be: what they ask for, and who is there."""
_LEASES_S: Final = 60.0
"""All leases are looked at that often, also when nothing seems to have changed."""
_TAKE_S: Final = 2.0
"""Keys are taken for so long in one round, then it ends: what was taken is to be worked on."""


class Worker:
    """Holds keys for as long as its row moves.

    Args:
        table: shared with the others.
        new_name: gives a name that nobody has had before.
        say: told what people should know.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        table: LeaseTable,
        new_name: Callable[[], str],
        *,
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = steady_clock,
    ) -> None:
        self._table, self._clock = table, clock
        self._lock = threading.Lock()  # of the fields, never held during a request
        self._round = threading.Lock()  # one round of sharing at a time
        self._held: dict[str, Lease] = {}
        self._giving: dict[str, float] = {}
        self._named: dict[str, float] = {}
        self._free_since: dict[str, float] = {}
        self._unreleased: dict[str, Lease] = {}
        self._unsure_takes: dict[str, Lease] = {}
        self._sent: dict[str, str] = {}
        self._settled_for: tuple[frozenset[str], frozenset[str]] | None = None
        self._settled_s = float("-inf")
        self.pulse = Pulse(table, new_name, self._begin, say=say, clock=clock)

    def beat(self) -> None:
        """Moves this worker's counter and looks at those of the others, unless a round of sharing does."""
        self.pulse.beat()
        if self._round.acquire(blocking=False):
            try:
                self.pulse.look(age_s=_LOOK_S)
            except ConnectError:
                pass  # said by the pulse
            finally:
                self._round.release()

    def leave(self) -> None:
        """Ends: all keys are free."""
        with self._lock:
            self._held.clear()
            self._giving.clear()
        self.pulse.leave()

    def _begin(self, name: str) -> None:
        """Others have what this worker had under another name."""
        with self._lock:
            self._held = {key: lease for key, lease in self._held.items() if lease.owner == name}
            self._giving.clear()
        self._settled_for = None

    # Sharing

    def share(self, keys: Collection[str]) -> set[str]:
        """The keys of the caller that are this worker's now; see the port."""
        with self._round:
            now_s = self._clock()
            self._named.update(dict.fromkeys(keys, now_s))
            if self.pulse.is_alive:
                try:
                    self.pulse.look(age_s=_LOOK_S)
                    self._release_the_rest(now_s)
                    if not self._is_settled(now_s):
                        self._settle(now_s)
                    self._give(now_s)
                except ConnectError:
                    self._settled_for = None
            with self._lock:
                ours = {key for key in keys if key in self._held and key not in self._giving}
            return ours if self.pulse.is_alive else set()

    def release(self, key: str) -> None:
        """A key is worked on no longer."""
        with self._round:
            self._release(key)

    def _release(self, key: str) -> None:
        with self._lock:
            lease = self._held.pop(key, None)
            self._giving.pop(key, None)
        if lease is not None:
            self._unreleased[key] = lease
            self._settled_for = None
            if not self.pulse.is_alive:  # the table is out of reach, and a round of sharing comes back to it
                return
            try:
                self._table.release(key, lease)
            except ConnectError:
                return
            self._unreleased.pop(key, None)

    def _release_the_rest(self, now_s: float) -> None:
        """What should have been released, could not be, or belongs to nobody who asks."""
        for key, since_s in list(self._named.items()):
            if now_s - since_s > FORGOTTEN_S:
                del self._named[key]
        with self._lock:
            late = [key for key, since_s in self._giving.items() if now_s - since_s > HANDOVER_S]
            late += [key for key in self._held if key not in self._named and key not in late]
        for key in late:
            self._release(key)
        for key, lease in list(self._unreleased.items()):
            self._table.release(key, lease)
            self._unreleased.pop(key, None)

    def _is_settled(self, now_s: float) -> bool:
        state = (frozenset(self._named), self.pulse.live)
        return self._settled_for == state and now_s - self._settled_s < _LEASES_S

    def _settle(self, now_s: float) -> None:
        """Takes what is free, and asks for what others have too much of."""
        # The leases first: whoever owns one by then had its row before, and if the row is gone after, it is dead.
        leases = self._table.leases()
        self.pulse.look()
        self._settled_s = now_s
        self._find_unsure(leases)
        view = self._view(leases)
        free = [key for key in self._named if key not in view.owners]
        self._free_since = {key: self._free_since.get(key, now_s) for key in free}
        overdue = {key for key, since_s in self._free_since.items() if now_s - since_s >= LEASE_S}
        for key in balance.to_take(view, overdue):
            if self._clock() - now_s > _TAKE_S or not self.pulse.is_alive:
                break
            self._take(key, leases.get(key))
        view = self._view(leases)
        asks = balance.to_ask(view)
        if asks != self.pulse.asks:
            self.pulse.asks = asks
            self.pulse.beat()
        if not asks and all(key in view.owners for key in self._named):
            self._settled_for = (frozenset(self._named), self.pulse.live)

    def _view(self, leases: dict[str, Lease]) -> balance.View:
        live = self.pulse.live
        with self._lock:
            owners = dict.fromkeys(self._held, self.pulse.name)
        for key, lease in leases.items():
            if lease.owner in live and key not in owners and key not in self._unreleased:
                owners[key] = lease.owner
        owners = {key: owner for key, owner in owners.items() if key in self._named}
        return balance.View(me=self.pulse.name, keys=self._named.keys(), owners=owners, live=live)

    def _take(self, key: str, seen: Lease | None) -> None:
        mine = Lease(self.pulse.name, seen.token + 1 if seen else 1)
        self._unsure_takes[key] = mine
        taken = self._table.take(key, seen, mine.owner)
        self._unsure_takes.pop(key, None)
        if taken:
            self._hold(key, mine)

    def _hold(self, key: str, lease: Lease) -> None:
        with self._lock:
            if lease.owner == self.pulse.name:  # else it was buried meanwhile
                self._held[key] = lease

    def _find_unsure(self, leases: dict[str, Lease]) -> None:
        """Takes whose answer was lost may have been made: a key must not stay with a worker that does not know."""
        for key, mine in list(self._unsure_takes.items()):
            found = leases.get(key)
            if found is not None and found.token >= mine.token:
                del self._unsure_takes[key]
                if found == mine:
                    self._hold(key, mine)

    def _give(self, now_s: float) -> None:
        asked = [key for row in self.pulse.watch.rows.values() for key in row.asks]
        with self._lock:
            mine = {key for key in self._held if key not in self._giving and key in self._named}
            live = len(self.pulse.live)
            given = balance.to_give(mine, keys=len(self._named), live=live, asked=asked)
            self._giving.update(dict.fromkeys(given, now_s))

    # Checkpoints

    def load(self, key: str) -> tuple[str, int] | None:
        """The text of a key and its version; see the port."""
        entry = self._table.load(key)
        return (entry.value, entry.version) if entry and entry.value is not None else None

    def save(self, key: str, value: str, version: int) -> int:
        """Keeps a text as long as the key is this worker's; see the port."""
        with self._lock:
            lease = self._held.get(key)
            if lease is None or not self.pulse.is_alive:
                raise LeaseLost(key)
            before, self._sent[key] = self._sent.get(key), value
        found = self._table.save(key, value, version, lease)
        if found and found.value != value and found == Entry(before, version + 1, lease):
            # The answer to the save before was lost, and it was made.
            version += 1
            found = self._table.save(key, value, version, lease)
        if found and found != Entry(value, version + 1, lease):  # that one was a try of this call
            self._lose(key, lease, found.lease)
            raise LeaseLost(key)
        with self._lock:
            self._sent.pop(key, None)
        return version + 1

    def _lose(self, key: str, lease: Lease, found: Lease) -> None:
        """Another worker has the key; where the lease is still ours, a reader of this process is out of date."""
        with self._lock:
            if found != lease and self._held.get(key) == lease:
                del self._held[key]
                self._giving.pop(key, None)
            self._sent.pop(key, None)
