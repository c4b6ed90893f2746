"""What `logship forward` does: a forwarder, made anew when the settings change, until it is told to end."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from contextlib import closing
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from logship.cli import diagnostics, options
from logship.cli.forward_plan import Plan, Wanted, check_reload, plan_of
from logship.errors import AccessError, ConnectError, DiskFullError, ExitCode, LogshipError, SettingsError, UsageError
from logship.settings import Source, in_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from logship.cli.forward_progress import Telling
    from logship.cloudwatch.discovery import FoundGroup
    from logship.cloudwatch.paging import Retry
    from logship.forward.between.dry_run import GroupSample
    from logship.forward.between.prepare import Preparer
    from logship.forward.outside.rates import Rate
    from logship.forward.outside.status import ForwardStatus
    from logship.forward.run import Forwarder
    from logship.settings import Settings, Store
    from logship.store.port import StoreWriter

_PASSING: Final = (ConnectError, DiskFullError)
"""What may be over in a while."""
_LAST_S: Final = 8.0
"""So long after it was told to stop, the process ends whatever it waits for: supervisors kill soon after 10 s."""


def run(wanted: Wanted, target: Store) -> int:
    """Forwards until told to stop."""
    from logship.cli import costs
    from logship.cli.forward_progress import telling
    from logship.cloudwatch.backoff import AWAY_S
    from logship.forward.news import News
    from logship.forward.trouble import Trouble
    from logship.wiring import open_writer

    signals = _Signals(wanted, target)
    signals.plan = plan = plan_of(wanted, options.settings())  # complains before anything is opened
    writer = open_writer(target, "forward", long_running=True, say=diagnostics.say)

    def cost(status: ForwardStatus, rate: Rate) -> str:
        return costs.running(plan.settings.forward, status, rate)

    try:
        with signals, closing(writer), telling(once=wanted.once, cost=cost) as people:
            signals.say, signals.leave = people.say, people.leave
            if not wanted.once and (said := costs.starting(plan.settings.forward)):
                people.say(News(said))
            before: Settings | None = None  # what to go back to, should the settings turn out to be of no use
            away = Trouble(people.say, "trying again")
            while True:
                failure = _forward(wanted, plan, target, writer, signals, people)
                renewed = signals.renewed()
                if renewed is not None:
                    before = plan.found if plan.has_begun or plan.waits else before
                    signals.plan = plan = renewed
                    people.say(News("the settings were read again; going on where it stood"))
                elif failure is None or signals.ending.is_set():
                    signals.notifier.stopping()
                    return ExitCode.DONE
                elif before is not None:
                    people.say(f"{failure}; going on with the settings as they were")
                    signals.plan = plan = plan_of(wanted, before, waits=True, before=plan)
                    before = None
                elif isinstance(failure, _PASSING) and plan.waits:  # it has run with these: nothing is wrong with them
                    away.met(failure)
                    signals.rest(AWAY_S)
                else:
                    raise failure
                gc.collect()  # clients of the SDK are cycles, and the collector hardly ever comes by itself
    except _PASSING:
        if signals.ending.is_set():  # a store that is away at the end has kept nobody from ending
            return ExitCode.DONE
        raise


def _forward(
    wanted: Wanted, plan: Plan, target: Store, writer: StoreWriter, signals: _Signals, people: Telling
) -> LogshipError | None:
    """One forwarder, from its checkpoints to its end; the failure of one that could not begin.

    Raises:
        LogshipError: it had begun, and cannot go on.
    """
    from logship.forward.letters.dead_letters import DeadLetters
    from logship.forward.outside.http import serving
    from logship.forward.outside.notify import notifying
    from logship.forward.outside.status import status_of
    from logship.forward.run import Forwarder
    from logship.wiring import SourcePorts, name_of, open_checkpoints

    settings, prepare, store = plan.settings.forward, plan.prepare, name_of(target)
    try:
        with (
            closing(open_checkpoints(settings, store, say=people.say)) as checkpoints,
            closing(DeadLetters(settings.state, store=store)) as letters,
        ):
            ports = SourcePorts(checkpoints=checkpoints, keep=letters.keep, redact=prepare.redact, say=people.say)
            forwarder = Forwarder(
                plan.sources(ports),
                writer,
                prepare,
                letters,
                stop=signals.stop_of_next(),
                say=people.say,
                once=wanted.once,
            )
            status = partial(status_of, forwarder, prepared=prepare.counts)
            with (
                serving(status, "" if wanted.once else settings.listen, say=people.say),
                notifying(signals.notifier, status, signals.ending),
            ):
                people.follow(status)
                try:
                    forwarder.run()
                finally:
                    left_out = {source.name for source in forwarder.left_out}
                    told = [source for source in status().sources if source.name not in left_out]
                    plan.has_begun = bool(told) and all(source.ready is not False for source in told)
                waiting = letters.count()
    except LogshipError as error:
        if signals.has_told and isinstance(error, _PASSING):
            people.say(f"{error}; the next forwarder reads again what is not stored")
            return None
        if plan.has_begun:
            if isinstance(error, UsageError):  # what was good to begin with is nobody's mistake: it may be good again
                raise ConnectError(str(error)) from error
            raise
        return error
    _report(forwarder, prepare, waiting, people)
    return None


def _report(forwarder: Forwarder, prepare: Preparer, letters: int, people: Telling) -> None:
    from logship.forward.news import News

    counts, done = forwarder.counts, prepare.counts()
    waiting = diagnostics.counted(letters, "dead letter")
    left_out, redacted = sum(rule.dropped + rule.sampled_out for rule in done.rules), sum(done.redacted.values())
    said = (
        f"{counts.stored:,} records stored from {', '.join(source.name for source in forwarder.sources)}"
        + (f"; {counts.existing:,} were there already" if counts.existing else "")
        + (f"; {diagnostics.counted(redacted, 'secret')} redacted" if redacted else "")
        + (f"; rules left out {left_out:,}" if left_out else "")
        + (f"; {waiting} waiting, see: logship dead-letters list" if letters else "")
    )
    people.say(said if letters else News(said))


class _Signals:
    """SIGTERM and SIGINT end everything; SIGHUP ends the forwarder that runs, if the new settings are good.

    A terminal that is closed sends SIGHUP, too: that ends everything, or it would run on where nobody sees it.

    Before the first forwarder nothing has been read: whatever is waited for then is given up at once. After it a
    store may take its time over a request, and the process ends without it: that loses nothing, as `kill -9` does not.
    """

    plan: Plan
    """What runs: settings that are read again are held against it."""

    def __init__(self, wanted: Wanted, target: Store) -> None:
        from logship.forward.outside.notify import Notifier

        self.notifier = Notifier()
        self.say: Callable[[str], None] = diagnostics.say
        self.leave: Callable[[str], None] = diagnostics.say
        """Says a last word while everything else may be stuck."""
        self.ending = threading.Event()
        """Set when everything is to end."""
        self._wanted, self._target = wanted, target
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._began = False
        self._renewed: Plan | None = None
        # Whatever a handler interrupts may hold the lock of an event; a simple queue has none.
        self._ends, self._hangups = SimpleQueue[None](), SimpleQueue[None]()
        self._context = options.context()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        self._in_terminal = diagnostics.interactive()
        signal.signal(signal.SIGHUP, self._hang_up)
        self._ended = threading.Event()
        threading.Thread(target=self._end_at_last, name="logship-end", daemon=True).start()

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="logship-reload", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def stop_of_next(self) -> threading.Event:
        """What the next forwarder is stopped by; it is set already if that has been told meanwhile."""
        with self._lock:
            self._stop, self._began = threading.Event(), True
            if self.has_told:
                self._stop.set()
            return self._stop

    def rest(self, wait_s: float) -> None:
        """Waits, unless everything is to end or to go on with other settings."""
        self._stop.wait(wait_s)

    @property
    def has_told(self) -> bool:
        """Whether everything is to end, or to go on with other settings."""
        return self.ending.is_set() or self._renewed is not None

    def renewed(self) -> Plan | None:
        """What to go on with; None where that is nothing new, or everything is to end."""
        with self._lock:
            found, self._renewed = self._renewed, None
            return None if self.ending.is_set() else found

    def _end(self, *_: Any) -> None:
        self._ends.put(None)
        if not self._began:
            sys.exit(ExitCode.DONE)

    def _hang_up(self, *_: Any) -> None:
        if self._in_terminal and diagnostics.has_lost_terminal():
            self._end()
        else:
            self._hangups.put(None)

    def _end_at_last(self) -> None:
        self._ends.get()
        self.ending.set()
        with self._lock:
            self._stop.set()
        if not self._ended.wait(_LAST_S):
            self.leave("stopped before all that was read is stored; the next forwarder reads it again")
            os._exit(ExitCode.DONE)

    def _watch(self) -> None:
        while True:
            self._hangups.get()
            try:
                plan = self._read_again()
            except Exception as found:  # whatever is wrong with them, those of now are good
                error = in_file(found, self._context.find_root().obj) if isinstance(found, SettingsError) else found
                self.say(f"{error}; going on with the settings as they were")
                continue
            self.notifier.reloading()
            with self._lock:
                self._renewed = plan
                self._stop.set()

    def _read_again(self) -> Plan:
        with self._context:
            found = options.settings()
            check_reload(found, self.plan, self._wanted, self._target)
            return plan_of(self._wanted, found, before=self.plan)


def show(wanted: Wanted, target: Store, *, first: int, form: str) -> int:
    """Prints what would become of the first events of each group, and what forwarding would cost.

    Raises:
        AccessError: a source may not be read; the others were shown all the same.
    """
    from logship.cli import costs, dry_run
    from logship.timerange import parse_time
    from logship.wiring import place_of

    plan, now_us, place = plan_of(wanted, options.settings()), options.now_us(), place_of(target)
    settings, prepare = plan.settings, plan.prepare
    start_ms = parse_time(wanted.start, now_us=now_us) // 1000 if wanted.start else None
    counts: list[int] = []
    denied: list[AccessError] = []

    def samples() -> Iterator[GroupSample]:
        from logship.cloudwatch.paging import Retry
        from logship.cloudwatch.quotas import Governors
        from logship.cloudwatch.session import account_of
        from logship.forward.between.dry_run import foresee

        governors = Governors()
        for source in settings.forward.source:
            try:
                client, groups = _groups_of(source, Retry(tries=4))
            except AccessError as error:  # the forwarder goes on with the others, too
                denied.append(error)
                client, groups = None, []
            counts.append(len(groups))
            if client is None:
                continue
            retry = Retry(tries=4, governor=governors.of(account_of(source.role), client.meta.region_name, source.tps))
            yield from foresee(
                client, groups, prepare, place, first=first, start_ms=start_ms, now_ms=now_us // 1000, retry=retry
            )

    cost = costs.foreseen(settings.forward, counts)
    found = dry_run.write(samples(), settings.forward.rule, form, cost)
    diagnostics.say(f"dry run: {diagnostics.counted(found, 'event')} looked at, nothing stored")
    for error in denied[1:]:
        diagnostics.say(f"logship: {error}")
    if denied:
        raise denied[0]
    return ExitCode.DONE


def _groups_of(source: Source, retry: Retry) -> tuple[Any, list[FoundGroup]]:
    """A client, and the log groups that a source reads; none of one that is sent what it reads."""
    from logship.cloudwatch.client import logs_client
    from logship.cloudwatch.discovery import Discovery

    if source.type != "cloudwatch":
        place = source.stream or source.queue or source.listen
        diagnostics.say(f"{source.type} {place}: a dry run looks at log groups alone; nothing is read from there")
        return None, []
    client = logs_client(region=source.region, role=source.role, external_id=source.external_id)
    discovery = Discovery(
        client,
        source.groups,
        exclude=source.exclude_groups,
        tags=source.tags,
        linked=source.linked_accounts,
        say=diagnostics.say,
    )
    return client, [*discovery.list(retry).values()]
