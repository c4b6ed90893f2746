"""The poller: a few threads that carry out the readings of all groups within the quota."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.discovery import Discovery, FoundGroup
from logship.cloudwatch.paging import Retry
from logship.cloudwatch.quotas import Governor, Governors
from logship.cloudwatch.service_clock import ServiceClock, steady_s
from logship.cloudwatch.tags import Tags
from logship.errors import AccessError, ConnectError, LogshipError, Stopped
from logship.forward.news import News
from logship.forward.outside.status import SourceStatus
from logship.forward.sources.poll.group import GroupReader
from logship.forward.sources.poll.holdings import Holdings
from logship.forward.sources.poll.known import KnownIds, Memory
from logship.forward.sources.poll.marks import NEAR, Marks, loads
from logship.forward.sources.poll.pages import Pages
from logship.forward.sources.poll.scheduler import Scheduler
from logship.forward.sources.poll.status import group_status
from logship.forward.sources.poll.waking import Waker
from logship.forward.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from logship.forward.checkpoints.port import Checkpoints
    from logship.forward.port import Batch

_RELIST_S: Final = 10.0
_TEND_S: Final = 1.0
_OTHERS_S: Final = 30.0
"""So long `once` waits for groups that another process has: one that was killed has given them back by then."""
_FIRST_TRIES: Final = 4
"""Before the first answer an endpoint counts as out of reach after that many tries."""
_CALLS_PER_THREAD_S: Final = 3.0
_MOST_THREADS: Final = 6


@dataclass(frozen=True, kw_only=True)
class Polled:
    """What to read, and how often."""

    groups: Sequence[str] = ()
    """Names and patterns; none means every group."""
    exclude: Sequence[str] = ()
    """Names and patterns of groups that are not read."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags that a group must have; values may be patterns."""
    heard: Tags = field(default_factory=Tags)
    """Tags of groups that this process knows from before."""
    linked: bool = False
    """Whether groups of accounts linked to this monitoring account are read, too."""
    start_ms: int
    """Where a group that has no checkpoint begins."""
    interval_s: float = 1.0
    """Pause between two readings of a group's newest events."""
    once: bool = False
    """End when everything that is visible now has been read."""
    waits: bool = False
    """Whether a group that is named and not there, or an endpoint that does not answer, is waited for from the start
    on, instead of being an error: reading has begun before."""
    account: str = ""
    """Sets the checkpoints of an account apart, where one process reads several."""
    memory: Memory = field(default_factory=Memory)
    tps: float | None = None
    """Calls a second; None takes the documented quota of the region."""
    governors: Governors = field(default_factory=Governors)
    """Of all sources of a forwarder."""
    readers: dict[str, object] = field(default_factory=dict)
    """Which source reads a group, by its checkpoint's key: the first that finds it. Shared by all of a forwarder."""
    live_tail: bool = False
    """Whether Live Tail tells when to read a group; charged by the minute. Not with `once`."""


class CloudWatchPoller:
    """Reads log groups of one account and region by FilterLogEvents.

    Args:
        client: of CloudWatch Logs, which tries each request once.
        checkpoints: where reading stands.
        wanted: what to read.
        say: told what people should know, a line each.
        clock: our clock, seconds since 1970; one that is never set.
    """

    def __init__(
        self,
        client: Any,
        checkpoints: Checkpoints,
        wanted: Polled,
        *,
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = steady_s,
    ) -> None:
        region = self._region = client.meta.region_name
        self.name = f"cloudwatch {wanted.account + ' ' if wanted.account else ''}{region}"
        self._client, self._checkpoints, self._wanted, self._say = client, checkpoints, wanted, say
        self._clock = ServiceClock(clock)
        self._ended = threading.Event()
        """Ends the threads of this source; the `stop` of `run` ends everything."""
        self._scheduler = Scheduler(self._governor(wanted.account), self._clock.now_ms, self._ended)
        self._discovery = Discovery(
            client,
            wanted.groups,
            exclude=wanted.exclude,
            tags=wanted.tags,
            linked=wanted.linked,
            observe=self._clock.observe,
            say=say,
            waits=wanted.waits,
            heard=wanted.heard,
            known=lambda name: checkpoints.load(self._key(name)) is not None,
        )
        self._found: dict[str, FoundGroup] = {}
        self._pages = Pages(
            client,
            self._scheduler,
            self._clock,
            self._found,
            lost=self._lost,
            refused=(lambda _: None) if wanted.once else say,  # with `once` that is said at the end
            say=say,
        )
        self._listed: Sequence[str] = ()
        """The names of those that this source reads, unless another process does."""
        self._prefix = f"{wanted.account}/{region}"
        self._gone: set[str] = set()
        self._unlisted = Trouble(say, "new log groups are not found meanwhile")
        self._failure: BaseException | None = None
        self._holdings: Holdings | None = None
        self._waker: Waker | None = None

    @property
    def live_tail_s(self) -> float:
        """How long sessions of Live Tail were open so far, added up, in seconds: what is charged for."""
        return self._waker.seconds if self._waker else 0.0

    @property
    def groups(self) -> dict[str, GroupReader]:
        """The readers of the groups that are read now, by name."""
        return dict(self._scheduler.groups)

    def run(self, deliver: Callable[[Batch], None], stop: threading.Event) -> None:
        """Reads until stopped, or until all is read with `once`; see the port.

        Raises:
            ConnectError, AccessError, UnknownGroupError: before the first page.
            AccessError: credentials that are no longer good; with `once`, a group that the role may not read.
        """
        scheduler = self._scheduler
        self._list(Retry(stop, say=self._say) if self._wanted.waits else Retry(stop, tries=_FIRST_TRIES))
        if self._wanted.live_tail and not self._wanted.once:
            self._waker = Waker(self._client, scheduler, self._clock.now_ms, say=self._say)
        holdings = self._holdings = Holdings(self._checkpoints, scheduler, self._key, self._reader, say=self._say)
        holdings.open(self._listed)
        threads = [
            threading.Thread(target=self._run, args=(self._work, deliver), name=f"logship-poll-{number}", daemon=True)
            for number in range(self._threads())
        ]
        threads.append(threading.Thread(target=self._run, args=(self._relist,), name="logship-list", daemon=True))
        for thread in threads:
            thread.start()
        try:
            self._tend(holdings, stop)
        finally:
            scheduler.end()
            if self._waker:
                self._waker.close()
            for thread in threads:
                thread.join()
        refused = [group.refused for group in scheduler.groups.values() if group.refused and self._wanted.once]
        failure = self._failure or (AccessError(refused.pop()) if refused else None)
        for text in refused:
            self._say(text)
        if failure:
            raise failure

    def save(self, *, now: bool = False) -> None:
        """Keeps the marks of the groups that have moved. Called by the thread that stores."""
        if self._holdings is None:
            return
        if now:
            self._holdings.save()
            if self._wanted.once and self._holdings.unsaved.reason:  # there is no later
                raise ConnectError(self._holdings.unsaved.reason)
        elif not self._checkpoints.save_interval_s:  # else it takes its time, and is not for the thread that stores
            self._holdings.save_when_due()

    def describes(self) -> SourceStatus:
        """How the groups are doing that are read now."""
        now_ms, groups = self._clock.now_ms(), self.groups
        return SourceStatus(
            name=self.name,
            ready=self._holdings is not None,
            calls=self._scheduler.taken,
            throttled=self._pages.throttled,
            retried=self._pages.retried,
            rate=self._scheduler.governor.rate,
            quota=self._scheduler.governor.quota,
            live_tail_s=self.live_tail_s if self._waker else None,
            groups=tuple(group_status(groups[name], now_ms) for name in sorted(groups)),
        )

    def _governor(self, account: str) -> Governor:
        return self._wanted.governors.of(account, self._region, self._wanted.tps)

    def _key(self, group: str) -> str:
        return f"{self._prefix}:{group}"

    def _list(self, retry: Retry) -> None:
        """Finds out which groups there are, and which of them this source reads: those that no other one has."""
        listed, readers, read = self._discovery.list(retry), self._wanted.readers, set(self.groups)
        if self._holdings is not None:
            read |= self._holdings.leaving
        for name in self._found.keys() - listed.keys() - read:
            if readers.get(self._key(name)) is self:
                del readers[self._key(name)]
        self._scheduler.governor = self._governor(self._wanted.account or self._discovery.account)
        self._found |= listed
        self._listed = [name for name in listed if readers.setdefault(self._key(name), self) is self]

    def _relist(self) -> None:
        """Lists again and again. Tags of many groups take minutes, and an outage takes hours: nothing waits for it."""
        while not self._ended.wait(_RELIST_S):
            try:
                self._list(Retry(self._ended, say=self._say))
            except LogshipError as error:
                self._unlisted.met(error)
            else:
                self._unlisted.over()
                self._gone.clear()

    def _reader(self, name: str, found: tuple[str, int] | None) -> GroupReader:
        now_ms = self._clock.now_ms()
        marks = (
            loads(found[0], self._key(name), self._checkpoints.place)
            if found
            else Marks.begin(self._wanted.start_ms, now_ms)
        )
        return GroupReader(
            name,
            marks,
            KnownIds(self._wanted.memory),
            interval_ms=max(1, int(self._wanted.interval_s * 1000)),
            now_ms=now_ms,
            version=found[1] if found else 0,
            # One that ends is not there for what a later sweep would find.
            after_gap=NEAR + 1 if self._wanted.once else NEAR,
        )

    def _tend(self, holdings: Holdings, stop: threading.Event) -> None:
        """Shares the groups with other processes, opens new ones, and sees whether all is done, until the end."""
        began_s = time.monotonic()
        share_s = self._checkpoints.share_interval_s
        pause_s = 0.02 if self._wanted.once else min(share_s, _TEND_S)
        next_share_s, listed = began_s + share_s, self._listed
        self._watch()
        while not self._ended.is_set():
            now_s = time.monotonic()
            if now_s >= next_share_s or listed is not self._listed:
                next_share_s, listed = now_s + share_s, self._listed
                self._let_go_of_unwanted(holdings)
                holdings.open([name for name in listed if name not in self._gone])
                self._watch()
            holdings.finish()
            if self._checkpoints.save_interval_s:
                holdings.save_when_due()
            if stop.wait(pause_s) or (self._wanted.once and self._is_done(listed, now_s - began_s)):
                return

    def _let_go_of_unwanted(self, holdings: Holdings) -> None:
        """A group may lose the tags that are wanted; one that is gone is told of where it is read."""
        groups = self.groups
        for name in self._discovery.untagged & groups.keys():
            if holdings.let_go(groups[name]):
                self._say(
                    News(f"log group {name!r} no longer has the tags that are wanted; what was read of it is stored")
                )

    def _watch(self) -> None:
        """Has Live Tail tell of the groups that are read now."""
        if self._waker:
            # Sessions are over groups of this account; those of linked ones are read at their interval.
            self._waker.cover([name for name in self.groups if name == self._found[name].name])

    def _is_done(self, listed: Sequence[str], running_s: float) -> bool:
        """Whether everything that was visible is read, and what other processes had has come to us, or will not."""
        now_ms, groups = self._clock.now_ms(), self.groups
        if not all(group.is_caught_up(now_ms) for group in groups.values()):
            return False
        others = [name for name in listed if name not in groups and name not in self._gone]
        if others and running_s >= _OTHERS_S:
            if self._holdings and self._holdings.unopened.reason:  # there is no later
                raise ConnectError(self._holdings.unopened.reason)
            self._say(
                News(f"{len(others)} of {len(listed)} log groups are read by other processes, such as {others[0]!r}")
            )
        return not others or running_s >= _OTHERS_S

    def _work(self, deliver: Callable[[Batch], None]) -> None:
        scheduler = self._scheduler
        while (reading := scheduler.take()) is not None:
            page = self._pages.fetch(reading)
            if page is None:
                continue
            batch = reading.group.take(reading, *page, self._clock.now_ms(), spare=scheduler.spare(self._threads()))
            del page  # delivering may wait long, and there may be more in it than is new
            if batch is not None:
                deliver(batch)
            scheduler.give_back(reading)

    def _run(self, work: Callable[..., None], *arguments: Any) -> None:
        """A thread of this source: if one fails, all end."""
        try:
            work(*arguments)
        except Stopped:
            pass
        except BaseException as error:  # handed to the thread that runs the source
            self._failure = self._failure or error
        finally:
            self._scheduler.end()

    def _threads(self) -> int:
        return min(_MOST_THREADS, 2 + int(self._scheduler.governor.quota / _CALLS_PER_THREAD_S))

    def _lost(self, group: GroupReader) -> None:
        assert self._holdings is not None
        if self._holdings.let_go(group):  # else another of its readings has said so
            self._gone.add(group.name)
            self._say(News(f"log group {group.name!r} is gone; what was read of it is stored"))
