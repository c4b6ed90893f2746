"""Which groups this process reads: opened from their checkpoints, saved as they move, and let go of in good order.

A group that is let go of is read no further at once. Its pages on their way to the store may arrive there for
`DRAIN_S`, then it is saved and given back; what comes later is stored all the same, but moves no checkpoint. Until
then nobody in this process opens it anew, so that a checkpoint is moved by one reader at a time.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from logship.errors import ConnectError
from logship.forward.checkpoints.port import SAVED_LATER, LeaseLost
from logship.forward.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from logship.forward.checkpoints.port import Checkpoints
    from logship.forward.sources.poll.group import GroupReader
    from logship.forward.sources.poll.scheduler import Scheduler

QUIET: Final = 4
"""The marks of a group in which nothing happens follow the clock; they are saved so many times more seldom."""
DRAIN_S: Final = 10.0
"""So long a group that is let go of may have pages on their way."""


class Holdings:
    """The groups of one poller. Any thread may call.

    Args:
        checkpoints: where reading stands, and who reads what.
        scheduler: reads what is held.
        key: the checkpoint's key of a group.
        reader: a new reader of a group, from the text and version of its checkpoint.
        say: told what people should know, a line each.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        scheduler: Scheduler,
        key: Callable[[str], str],
        reader: Callable[[str, tuple[str, int] | None], GroupReader],
        *,
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checkpoints, self._scheduler, self._key, self._reader = checkpoints, scheduler, key, reader
        self._clock = clock
        self._lock = threading.Lock()
        self._leaving: dict[str, tuple[GroupReader, float]] = {}
        self._saved_s = float("-inf")
        self._quiet_s = float("-inf")
        self.unsaved = Trouble(say, SAVED_LATER)
        self.unopened = Trouble(say, "log groups that are new here are read later")

    def open(self, names: Collection[str]) -> set[str]:
        """Begins to read those of the groups that are this process's, and lets go of those that are not.

        Returns:
            The groups that are read now.

        Raises:
            AccessError, DataError: checkpoints cannot be read.
        """
        ours = self._checkpoints.share([self._key(name) for name in names])
        with self._lock:
            for name in names:
                held = self._scheduler.groups.get(name)
                if held and self._key(name) not in ours:
                    self._let_go(held)
            for name in names:
                if name in self._scheduler.groups or name in self._leaving or self._key(name) not in ours:
                    continue
                try:
                    self._begin(name)
                except ConnectError as error:
                    self.unopened.met(error)
                    break
            else:
                self.unopened.over()
            return set(self._scheduler.groups)

    def _begin(self, name: str) -> None:
        """Reads a group from its checkpoint on.

        Where a new one begins is kept before anything of it is read: a store that is away must not hide from the next
        process that the group was there already.
        """
        found = self._checkpoints.load(self._key(name))
        group = self._reader(name, found)
        try:
            if found is None:
                self._keep(group)
        except LeaseLost:  # another process reads it by now
            return
        self._scheduler.add(group)

    @property
    def leaving(self) -> set[str]:
        """The groups that are let go of and not yet given back."""
        with self._lock:
            return set(self._leaving)

    def let_go(self, group: GroupReader) -> bool:
        """A group is read no further; whether it was read until now."""
        with self._lock:
            return self._let_go(group)

    def _let_go(self, group: GroupReader) -> bool:
        held = self._scheduler.remove(group)
        if held:
            self._leaving[group.name] = (group, self._clock() + DRAIN_S)
        return held

    def finish(self) -> None:
        """Gives back the groups that were let go of and have nothing on its way any more. To be called often."""
        with self._lock:
            for group, until_s in list(self._leaving.values()):
                if group.is_drained or self._clock() >= until_s:
                    self._give_back(group)

    def _give_back(self, group: GroupReader) -> None:
        with suppress(ConnectError):  # whoever takes it over reads from its last checkpoint on
            self._save(group)
        if self._leaving.pop(group.name, None):
            self._checkpoints.release(self._key(group.name))
            group.close()

    def save_when_due(self) -> None:
        """Saves the groups that have moved, if the last time was `save_interval_s` ago."""
        now_s, interval_s = self._clock(), self._checkpoints.save_interval_s
        if now_s - self._saved_s >= interval_s:
            quiet_too = now_s - self._quiet_s >= QUIET * interval_s
            self.save(quiet_too=quiet_too)

    def save(self, *, quiet_too: bool = True) -> None:
        """Saves the groups that have moved; those that merely followed the clock if asked."""
        self._saved_s = self._clock()
        if quiet_too:
            self._quiet_s = self._saved_s
        with self._lock:
            try:
                for group in (*self._scheduler.groups.values(), *(group for group, _ in self._leaving.values())):
                    if quiet_too or group.stored.has_news:
                        self._save(group)
            except ConnectError as error:
                self.unsaved.met(error)

    def _save(self, group: GroupReader) -> None:
        try:
            self._keep(group)
            self.unsaved.over()
        except LeaseLost:
            self._scheduler.remove(group)
            self._leaving.pop(group.name, None)
            group.close()

    def _keep(self, group: GroupReader) -> None:
        text = group.stored.to_save()
        if text is None:
            return
        try:
            group.version = self._checkpoints.save(self._key(group.name), text, group.version)
        except ConnectError:
            group.stored.dirty = True
            raise
