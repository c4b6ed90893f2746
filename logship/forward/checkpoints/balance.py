"""Who should work on which key: what to take, what to ask for, what to give. Nothing here talks to anybody.

Keys that nobody works on are taken; keys of others are asked for, and given by whoever works on them. A key is
asked for only where its owner has at least two more than the asker, and given only while more than the fair share
(rounded down) is left, so that no key goes back and forth.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

FEW: Final = 8
"""So many keys are asked for at once, or half of those that are missing if these are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How things stand, as one worker sees them."""

    me: str
    keys: Collection[str]
    """All keys that are to be worked on."""
    owners: Mapping[str, str]
    """The live worker of a key, where it has one; this worker's keys included."""
    live: Collection[str]
    """All workers that are alive, this one included."""

    @property
    def mine(self) -> int:
        """How many keys this worker has."""
        return sum(owner == self.me for owner in self.owners.values())

    @property
    def fair(self) -> int:
        """The most that a worker has when all have their share."""
        return -(-len(self.keys) // len(self.live))


def to_take(view: View, overdue: Collection[str] = ()) -> list[str]:
    """Keys without an owner up to the fair share, in an order of this worker's own, so that few take the same.

    What is left when keys are shared evenly is taken last: else whoever gave a key could be quicker than who asked.

    Args:
        view: how things stand.
        overdue: keys that nobody has taken for long: they are taken whatever the share, since those whose share
            they were do not want them.
    """
    free = _ordered(view.me, (key for key in view.keys if key not in view.owners))
    late = [key for key in free if key in overdue]
    others = [key for key in free if key not in overdue]
    even = len(view.keys) // len(view.live)
    loads = Counter(view.owners.values())
    share = view.fair if all(loads[worker] >= even for worker in view.live if worker != view.me) else even
    return late + others[: max(0, share - view.mine - len(late))]


def to_ask(view: View) -> list[str]:
    """Keys that others should give to this worker; none while there are keys without an owner."""
    if any(key not in view.owners for key in view.keys):
        return []
    missing = view.fair - view.mine
    loads = Counter(owner for owner in view.owners.values() if owner != view.me)
    theirs = {owner: _ordered(view.me, (key for key, by in view.owners.items() if by == owner)) for owner in loads}
    asked: list[str] = []
    while loads and len(asked) < min(missing, max(FEW, -(-missing // 2))):
        owner, load = min(loads.items(), key=lambda item: (-item[1], item[0]))
        if load < view.mine + len(asked) + 2:
            break
        asked.append(theirs[owner].pop(0))
        loads[owner] -= 1
    return asked


def to_give(mine: Collection[str], *, keys: int, live: int, asked: Iterable[str]) -> list[str]:
    """Keys of this worker that others asked for, as long as more than its share is left.

    Args:
        mine: keys that this worker has and has not given yet.
        keys: how many keys are to be worked on.
        live: how many workers are alive, this one included.
        asked: what others asked for.
    """
    spare = len(mine) - keys // live
    wanted = [key for key in dict.fromkeys(asked) if key in mine]
    return wanted[: max(0, spare)]


def _ordered(me: str, keys: Iterable[str]) -> list[str]:
    return sorted(keys, key=lambda key: blake2b(f"{me}\n{key}".encode(), digest_size=8).digest())
