"""Live Tail over any number of log groups: a session and a thread for every ten of them, as far as sessions reach."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch import limits
from logship.cloudwatch.live_tail import LiveTail, Update
from logship.cloudwatch.quotas import Governor
from logship.errors import LogshipError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_AGAIN_S: Final = 300.0
"""Groups that cannot be tailed are tried again after that long."""
_CLOSED_WITHIN_S: Final = 1.0
MOST_GROUPS: Final = limits.LIVE_TAIL_GROUPS * limits.LIVE_TAIL_SESSIONS


class LiveTails:
    """Tails log groups of one account and region.

    Args:
        client: of CloudWatch Logs, which tries each request once.
        take: given each update and its session; called by the thread of the session, and must be quick.
        failed: told that a session's groups cannot be tailed; it is tried again after some minutes.
        say: told of sessions that keep failing, a line each time.
        starts: spaces the calls that open sessions.
        again_s: that many seconds.
    """

    def __init__(
        self,
        client: Any,
        take: Callable[[LiveTail, Update], None],
        *,
        failed: Callable[[LiveTail, LogshipError], None],
        say: Callable[[str], None] = lambda _: None,
        starts: Governor | None = None,
        again_s: float = _AGAIN_S,
    ) -> None:
        self._client, self._take, self._failed, self._say = client, take, failed, say
        self._starts, self._again_s = starts or Governor(limits.LIVE_TAIL_TPS), again_s
        self._tails: dict[LiveTail, threading.Thread] = {}
        self._lock = threading.Lock()
        self._ended_s = 0.0

    @property
    def seconds(self) -> float:
        """How long sessions were open so far, added up: what is charged for."""
        with self._lock:
            return self._ended_s + sum(tail.seconds for tail in self._tails)

    @property
    def groups(self) -> list[str]:
        """The groups that have a session, or wait for one."""
        return [group for tail in [*self._tails] for group in tail.groups]

    @property
    def sessions(self) -> int:
        """How many are open, or wait to be."""
        return len(self._tails)

    def cover(self, groups: Sequence[str]) -> list[str]:
        """Tails these groups from now on, and no others; those that sessions do not reach are returned.

        Sessions whose groups are still wanted go on. Called by one thread.
        """
        wanted = dict.fromkeys(groups)
        for tail in [*self._tails]:
            if not any(group in wanted for group in tail.groups):
                self._end(tail)
        known = {*self.groups}
        fresh = [group for group in wanted if group not in known]
        if fresh:
            fresh = self._fill(fresh, wanted)
        while fresh and len(self._tails) < limits.LIVE_TAIL_SESSIONS:
            some, fresh = fresh[: limits.LIVE_TAIL_GROUPS], fresh[limits.LIVE_TAIL_GROUPS :]
            self._begin(some)
        return fresh

    def close(self) -> None:
        """Ends all sessions, within a second."""
        for tail in self._tails:
            tail.close()
        for tail in [*self._tails]:
            self._end(tail)

    def _fill(self, fresh: list[str], wanted: dict[str, None]) -> list[str]:
        """Begins a session anew that has room, rather than one more; what did not fit is returned."""
        for tail in [*self._tails]:
            kept = [group for group in tail.groups if group in wanted]
            if fresh and (room := limits.LIVE_TAIL_GROUPS - len(kept)) > 0:
                self._end(tail)
                self._begin(kept + fresh[:room])
                fresh = fresh[room:]
        return fresh

    def _begin(self, groups: Sequence[str]) -> None:
        tail = LiveTail(self._client, groups, say=self._say, starts=self._starts)
        thread = threading.Thread(target=self._run, args=(tail,), name=f"logship-live-tail-{groups[0]}", daemon=True)
        with self._lock:
            self._tails[tail] = thread
        thread.start()

    def _end(self, tail: LiveTail) -> None:
        tail.close()
        self._tails[tail].join(_CLOSED_WITHIN_S)
        with self._lock:
            del self._tails[tail]
            self._ended_s += tail.seconds

    def _run(self, tail: LiveTail) -> None:
        while True:
            try:
                for update in tail:
                    self._take(tail, update)
            except LogshipError as error:
                self._failed(tail, error)
            if tail.wait(self._again_s):
                return
