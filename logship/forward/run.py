"""`logship forward`: sources deliver in threads of their own, this one stores and acknowledges."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from logship.cloudwatch.backoff import AWAY_S, REFUSED_S
from logship.cloudwatch.service_clock import steady_s
from logship.errors import AccessError, ConnectError, LogshipError, Stopped
from logship.forward.between.prepare import Preparer
from logship.forward.checkpoints.sqlite import SqliteCheckpoints
from logship.forward.letters.dead_letters import DeadLetters
from logship.forward.outside.status import Describes
from logship.forward.pipeline import Counts, Pipeline
from logship.forward.sources.poll.poller import CloudWatchPoller, Polled
from logship.forward.storing import ONCE_S
from logship.forward.trouble import Trouble
from logship.parse import Parser

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.forward.port import Source
    from logship.forward.storing import Prepare
    from logship.store.port import StoreWriter


@dataclass(frozen=True, kw_only=True)
class ForwardOptions:
    """What to forward of one account and region, in one process."""

    groups: Sequence[str] = ()
    """Names and patterns; none means every group."""
    start_ms: int
    """Where a group that has no checkpoint begins."""
    state: str
    """Folder of checkpoints and dead letters."""
    interval_s: float = 1.0
    """Pause between two readings of a group's newest events."""
    once: bool = False
    """Stop when everything that is visible now is stored."""
    tps: float | None = None
    """Calls a second that may be spent; None takes the quota of the region."""
    live_tail: bool = False
    """Whether Live Tail tells when to read a group; charged by the minute."""
    store: str = ""
    """Which store, in words: checkpoints of another one are refused."""


class Forwarder:
    """Moves events from sources into a store until `stop` is set, or until every source has ended.

    Args:
        sources: where events come from; each runs in a thread of its own.
        writer: the store.
        prepare: makes records of events.
        dead_letters: keeps what cannot be stored.
        stop: ends everything.
        say: told what people should know, a line each.
        once: whether the run ends by itself, and gives up a store that takes nothing for minutes.

    A source that may not be read from its start on, or does not answer, is left out, said and tried again, as long as
    there are others: a role that is gone in one account, or a region that is away, is no reason to read none.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        writer: StoreWriter,
        prepare: Prepare,
        dead_letters: DeadLetters,
        *,
        stop: threading.Event | None = None,
        say: Callable[[str], None] = lambda _: None,
        once: bool = False,
    ) -> None:
        self.stop = stop or threading.Event()
        self.sources = sources
        self.dead_letters = dead_letters
        self.pipeline = Pipeline(
            writer,
            prepare,
            keep=dead_letters.keep,
            stop=self.stop,
            after_round=self._save,
            say=say,
            patience_s=ONCE_S if once else float("inf"),
        )
        self._say, self._once = say, once
        self._failure: BaseException | None = None
        self._lock = threading.Lock()
        self._unread: dict[Source, LogshipError] = {}
        """Sources that could not be begun at first, and why; some of them may be read by now."""

    @property
    def counts(self) -> Counts:
        """What became of the events so far."""
        return self.pipeline.counts

    @property
    def queued_bytes(self) -> int:
        """What is read and not acknowledged."""
        return self.pipeline.queued_bytes

    @property
    def left_out(self) -> list[Source]:
        """Sources that cannot be read; they are tried again."""
        return [source for source in list(self._unread) if _has_not_begun(source)]

    def run(self) -> Counts:
        """Forwards until stopped, or until all is stored.

        Raises:
            LogshipError: a source or the store fails for good; with `once` also if a source was left out.
        """
        threads = [
            threading.Thread(target=self._read, args=(source,), name=f"logship-source-{source.name}")
            for source in self.sources
        ]
        closer = threading.Thread(target=self._close_after, args=(threads,), name="logship-sources")
        for thread in (*threads, closer):
            thread.start()
        try:
            self.pipeline.run()
            for source in self.sources:
                source.save(now=True)
        finally:
            self.stop.set()
            closer.join()
        if self._failure:
            raise self._failure
        if self._once and self._unread:
            raise next(iter(self._unread.values()))
        return self.counts

    def _read(self, source: Source) -> None:
        """Runs a source; one that is left out begins again now and then, since what keeps it may pass."""
        unread = Trouble(self._say, f"{source.name} is left out and tried again later, other sources go on")
        while not self.stop.is_set():
            try:
                source.run(self.pipeline.deliver, self.stop)
            except Stopped:
                return
            except BaseException as error:  # handed to the thread that runs the forwarder
                if not isinstance(error, LogshipError) or not self._leaves_out(source, error):
                    self._failure = self._failure or error
                    self.stop.set()
                    return
                unread.met(error)
                wait_s = AWAY_S if isinstance(error, ConnectError) else REFUSED_S
            else:
                return
            if self._once:
                return
            self.stop.wait(wait_s)

    def _leaves_out(self, source: Source, error: LogshipError) -> bool:
        """Whether the others go on without a source that was never read.

        Once it is left out, whatever else keeps it from beginning is no reason to end them either.
        """
        if not _has_not_begun(source):
            return False
        with self._lock:
            if source not in self._unread:
                if not isinstance(error, AccessError if self._once else (AccessError, ConnectError)):
                    return False
                self._unread[source] = error
            return len(self.left_out) < len(self.sources)

    def _close_after(self, threads: Sequence[threading.Thread]) -> None:
        for thread in threads:
            thread.join()
        self.pipeline.close()

    def _save(self) -> None:
        for source in self.sources:
            source.save()


def _has_not_begun(source: Source) -> bool:
    return isinstance(source, Describes) and source.describes().ready is False


@dataclass(slots=True)
class Forwarded:
    """What one run came to."""

    counts: Counts
    groups: list[str]
    """Log groups that were read."""


def forward_groups(
    client: Any,
    writer: StoreWriter,
    prepare: Parser | Prepare,
    options: ForwardOptions,
    *,
    stop: threading.Event | None = None,
    say: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = steady_s,
) -> Forwarded:
    """Forwards the log groups of one account and region with checkpoints in the state folder; see `Forwarder.run`.

    A parser in place of `prepare` makes records of all events, as no rules do.
    """
    prepare = Preparer(prepare) if isinstance(prepare, Parser) else prepare
    checkpoints = SqliteCheckpoints(options.state, store=options.store, say=say)
    dead_letters = DeadLetters(options.state, store=options.store)
    wanted = Polled(
        groups=options.groups,
        start_ms=options.start_ms,
        interval_s=options.interval_s,
        once=options.once,
        tps=options.tps,
        live_tail=options.live_tail,
    )
    try:
        poller = CloudWatchPoller(client, checkpoints, wanted, say=say, clock=clock)
        counts = Forwarder([poller], writer, prepare, dead_letters, stop=stop, say=say, once=options.once).run()
    finally:
        checkpoints.close()
        dead_letters.close()
    return Forwarded(counts, sorted(poller.groups))
