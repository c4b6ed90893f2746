"""Live Tail tells when a group has events, so that it is read then and hardly ever else. Nothing of it is stored.

What was told, and may not be visible yet, is looked for at once and then at growing intervals. A group of which
nothing is told is read seldom, as long as its session is open and complete: while a session is down, or gives a
sample, its groups are read as if there was none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.live_tails import LiveTails

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.cloudwatch.live_tail import LiveTail, Update
    from logship.cloudwatch.quotas import Governor
    from logship.errors import LogshipError
    from logship.forward.sources.poll.scheduler import Scheduler

SOONEST_MS: Final = 500
"""A group is not read more often than that."""
EXPECTED_MS: Final = 30_000
"""So long what was told is looked for more often than the interval wants."""
CALM_MS: Final = 10_000
"""So long after events were told a group is read at its interval: others may be late."""
FALLBACK_MS: Final = 20_000
"""A group of which nothing is told is read that seldom."""
HEARD_MS: Final = 5_000
"""An update holds that long: there is one a second."""


@dataclass(slots=True)
class Watch:
    """What Live Tail tells of one group. Times are milliseconds since 1970, by the service's clock.

    One thread writes, others read; each value is true by itself.
    """

    until_ms: int = 0
    """Everything that is taken in until then is told; 0 where there is no Live Tail."""
    told_ms: int = 0
    """When events were told of the last time."""
    newest_ms: int = 0
    """The newest of them."""

    def tell(self, newest_ms: int, now_ms: int) -> None:
        """Events have come."""
        self.newest_ms = max(self.newest_ms, min(newest_ms, now_ms))
        self.told_ms = now_ms

    def pause_ms(self, wanted_ms: int, soonest_ms: int, *, read_ms: int, began_ms: int, now_ms: int) -> int:
        """How long to wait after a reading.

        Args:
            wanted_ms: without Live Tail.
            soonest_ms: at least.
            read_ms: the newest event that was read.
            began_ms: when the reading began.
            now_ms: now.
        """
        since_ms = now_ms - self.told_ms
        if self.told_ms >= began_ms > 0:
            return min(wanted_ms, soonest_ms)  # told while it was being read
        if self.newest_ms > read_ms and since_ms < EXPECTED_MS:
            return min(wanted_ms, max(soonest_ms, since_ms))
        if now_ms < self.until_ms and since_ms > CALM_MS:
            return max(wanted_ms, FALLBACK_MS)
        return wanted_ms


class Waker:
    """Keeps sessions of Live Tail over a source's groups, and wakes their readings.

    Args:
        client: of CloudWatch Logs, which tries each request once.
        scheduler: whose groups are woken.
        now_ms: the service's time.
        say: told what people should know, a line each.
        starts: spaces the calls that open sessions.
    """

    def __init__(
        self,
        client: Any,
        scheduler: Scheduler,
        now_ms: Callable[[], int],
        *,
        say: Callable[[str], None] = lambda _: None,
        starts: Governor | None = None,
    ) -> None:
        self._scheduler, self._now_ms, self._say = scheduler, now_ms, say
        self._tails = LiveTails(client, self._take, failed=self._failed, say=self._say_failing, starts=starts)
        self._said: set[str] = set()

    @property
    def seconds(self) -> float:
        """How long sessions were open so far, added up: what is charged for."""
        return self._tails.seconds

    def cover(self, groups: Sequence[str]) -> None:
        """Watches these groups from now on."""
        beyond = self._tails.cover(groups)
        if beyond:
            self._say_once(
                "beyond",
                f"Live Tail has {len(groups) - len(beyond)} of {len(groups)} log groups, ten in each of 15 sessions; "
                "the others are read at their interval",
            )

    def close(self) -> None:
        """Ends all sessions, within a second."""
        self._tails.close()

    def _take(self, tail: LiveTail, update: Update) -> None:
        now_ms = self._now_ms()
        newest: dict[str, int] = {}
        for event in update.events:
            newest[event.group] = event.timestamp_ms  # in order of time
        for name in tail.covered:
            group = self._scheduler.groups.get(name)
            if group is None:
                continue
            group.watch.until_ms = 0 if update.sampled else now_ms + HEARD_MS
            if name in newest:
                group.watch.tell(newest[name], now_ms)
                self._scheduler.wake(group)
        if update.sampled:
            self._say_once(
                f"sampled {tail.groups}",
                f"{tail.what}: events come faster than 500 a second, so it tells of some of them; "
                "its groups are read at their interval as well, and everything is stored",
            )

    def _failed(self, tail: LiveTail, error: LogshipError) -> None:
        self._say_once(f"failed {tail.groups}", f"{error}; without Live Tail these groups are read at their interval")

    def _say_failing(self, line: str) -> None:
        self._say(f"{line}; meanwhile its groups are read at their interval")

    def _say_once(self, what: str, line: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self._say(line)
