"""What `logship forward` does: settings and flags → sources → a forwarder, made anew when the settings change."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

import msgspec

from logship.cli import diagnostics, options
from logship.errors import ConnectError, DiskFullError, ExitCode, LogshipError, SettingsError, UsageError
from logship.settings import Source, file_of, in_file, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from logship.cli.forward_progress import Telling
    from logship.cloudwatch.discovery import FoundGroup
    from logship.cloudwatch.paging import Retry
    from logship.forward.between.dry_run import GroupSample
    from logship.forward.between.prepare import Preparer
    from logship.forward.outside.rates import Rate
    from logship.forward.outside.status import ForwardStatus
    from logship.forward.port import Source as ForwardSource
    from logship.forward.run import Forwarder
    from logship.settings import Settings, Store
    from logship.store.port import StoreWriter
    from logship.wiring import SourcePorts

_LAST_S: Final = 8.0
"""So long after it was told to stop, the process ends whatever it waits for: supervisors kill soon after 10 s."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The flags; what is not given leaves the word to the settings."""

    store: str | None
    groups: Sequence[str]
    start: str | None
    state: str | None
    region: str | None
    once: bool

    def over(self, found: Settings) -> Settings:
        """Settings with the flags over them."""
        forward = found.forward
        sources = [self._over(source) for source in self._sources(forward.source)]
        changed = msgspec.structs.replace(forward, state=self.state or forward.state, source=sources)
        return msgspec.structs.replace(found, forward=changed)

    def _sources(self, found: Sequence[Source]) -> Sequence[Source]:
        if not self.groups:
            return found or [Source()]
        base = next((source for source in found if source.type == "cloudwatch"), Source())
        return [msgspec.structs.replace(base, groups=list(self.groups), exclude_groups=[], tags={})]

    def _over(self, source: Source) -> Source:
        start, region = self.start or source.start, self.region or source.region
        return msgspec.structs.replace(source, start=start, region=region)


@dataclass(kw_only=True)
class _Plan:
    """Settings that a forwarder can run with, and what it will run with: one forwarder, once."""

    found: Settings
    """As they were read, without the flags."""
    settings: Settings
    prepare: Preparer
    sources: Callable[[SourcePorts], Sequence[ForwardSource]]
    has_begun: bool = False
    """Whether all sources were ready: then the settings are good."""


def _plan(wanted: Wanted, found: Settings, *, waits: bool = False) -> _Plan:
    """Looks whether settings can be used, as far as that is known without asking anybody.

    Args:
        wanted: the flags.
        found: the settings, as they were read.
        waits: whether named groups that are gone are waited for, since they have been read before.

    Raises:
        LogshipError: they cannot be used.
    """
    from logship.forward.between.prepare import prepare_of
    from logship.forward.outside.http import address_of
    from logship.wiring import SourceOptions, sources_of

    settings = wanted.over(found)
    if settings.forward.listen and not wanted.once:
        address_of(settings.forward.listen)
    reading = SourceOptions(
        now_us=options.now_us(), interval_s=settings.forward.interval_s, once=wanted.once, waits=waits
    )
    sources = sources_of(settings.forward.source, reading)
    return _Plan(found=found, settings=settings, prepare=prepare_of(settings), sources=sources)


def _check_reload(found: Settings, plan: _Plan, wanted: Wanted, target: Store) -> None:
    """Looks whether a forwarder that runs can go on with settings that were read again.

    A file is empty for a moment while it is written, and without sources every log group would be read.

    Raises:
        SettingsError: it cannot.
    """
    nothing = load(os.devnull)
    if found == nothing != plan.found:
        file = file_of(options.context().find_root().obj)
        raise SettingsError(
            f"{file}: the settings are gone or empty; write them and send SIGHUP again, or restart to do without"
        )
    if plan.found.forward.source and not found.forward.source and not wanted.groups:
        raise SettingsError(
            "no [[forward.source]] is left, and every log group would be read; name one and send SIGHUP again, or "
            "restart to read them all"
        )
    store = options.chosen_store(wanted.store, found)
    changed = [key for key in store.__struct_fields__ if getattr(store, key) != getattr(target, key)]
    if changed:
        raise SettingsError(
            f"store {store.location!r} differs in {', '.join(changed)} from {target.location!r}, which is open; "
            "restart to change the store"
        )


def run(wanted: Wanted, target: Store) -> int:
    """Forwards until told to stop."""
    from logship.cli import costs
    from logship.cli.forward_progress import telling
    from logship.wiring import open_writer

    signals = _Signals(wanted, target)
    signals.plan = plan = _plan(wanted, options.settings())  # complains before anything is opened
    writer = open_writer(target, "forward", long_running=True, say=diagnostics.say)

    def cost(status: ForwardStatus, rate: Rate) -> str:
        return costs.running(plan.settings.forward, status, rate)

    try:
        with signals, closing(writer), telling(once=wanted.once, cost=cost) as people:
            signals.say, signals.leave = people.say, people.leave
            if not wanted.once and (said := costs.starting(plan.settings.forward)):
                people.say(said)
            before: Settings | None = None  # what to go back to, should the settings turn out to be of no use
            while True:
                failure = _forward(wanted, plan, target, writer, signals, people)
                renewed = signals.renewed()
                if renewed is not None:
                    before = plan.found if plan.has_begun else before
                    signals.plan = plan = renewed
                    people.say("the settings were read again; going on where it stood")
                elif failure is None or signals.ending.is_set():
                    signals.notifier.stopping()
                    return ExitCode.DONE
                elif before is not None:
                    people.say(f"{failure}; going on with the settings as they were")
                    signals.plan = plan = _plan(wanted, before, waits=True)
                    before = None
                else:
                    raise failure
                gc.collect()  # clients of the SDK are cycles, and the collector hardly ever comes by itself
    except (ConnectError, DiskFullError):
        if signals.ending.is_set():  # a store that is away at the end has kept nobody from ending
            return ExitCode.DONE
        raise


def _forward(
    wanted: Wanted, plan: _Plan, target: Store, writer: StoreWriter, signals: _Signals, people: Telling
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
                    plan.has_begun = all(source.ready is not False for source in status().sources)
    except LogshipError as error:
        if signals.has_told and isinstance(error, (ConnectError, DiskFullError)):
            people.say(f"{error}; the next forwarder reads again what is not stored")
            return None
        if plan.has_begun:
            if isinstance(error, UsageError):  # what was good to begin with is nobody's mistake: it may be good again
                raise ConnectError(str(error)) from error
            raise
        return error
    _report(forwarder, prepare, people)
    return None


def _report(forwarder: Forwarder, prepare: Preparer, people: Telling) -> None:
    counts, done = forwarder.counts, prepare.counts()
    left_out, redacted = sum(rule.dropped + rule.sampled_out for rule in done.rules), sum(done.redacted.values())
    people.say(
        f"{counts.stored:,} records stored from {', '.join(source.name for source in forwarder.sources)}"
        + (f"; {counts.existing:,} were there already" if counts.existing else "")
        + (f"; {diagnostics.counted(redacted, 'secret')} redacted" if redacted else "")
        + (f"; rules left out {left_out:,}" if left_out else "")
        + (f"; {counts.rejected:,} cannot be stored, see: logship dead-letters list" if counts.rejected else "")
    )


class _Signals:
    """SIGTERM and SIGINT end everything; SIGHUP ends the forwarder that runs, if the new settings are good.

    Before the first forwarder nothing has been read: whatever is waited for then is given up at once. After it a
    store may take its time over a request, and the process ends without it: that loses nothing, as `kill -9` does not.
    """

    plan: _Plan
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
        self._renewed: _Plan | None = None
        # Whatever a handler interrupts may hold the lock of an event; a simple queue has none.
        self._ends, self._hangups = SimpleQueue[None](), SimpleQueue[None]()
        self._context = options.context()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGHUP, lambda *_: self._hangups.put(None))
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

    @property
    def has_told(self) -> bool:
        """Whether everything is to end, or to go on with other settings."""
        return self.ending.is_set() or self._renewed is not None

    def renewed(self) -> _Plan | None:
        """What to go on with; None where that is nothing new, or everything is to end."""
        with self._lock:
            found, self._renewed = self._renewed, None
            return None if self.ending.is_set() else found

    def _end(self, *_: Any) -> None:
        self._ends.put(None)
        if not self._began:
            sys.exit(ExitCode.DONE)

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

    def _read_again(self) -> _Plan:
        with self._context:
            found = options.settings()
            _check_reload(found, self.plan, self._wanted, self._target)
            return _plan(self._wanted, found)


def show(wanted: Wanted, target: Store, *, first: int, form: str) -> int:
    """Prints what would become of the first events of each group, and what forwarding would cost."""
    from logship.cli import costs, dry_run
    from logship.timerange import parse_time
    from logship.wiring import place_of

    plan, now_us, place = _plan(wanted, options.settings()), options.now_us(), place_of(target)
    settings, prepare = plan.settings, plan.prepare
    start_ms = parse_time(wanted.start, now_us=now_us) // 1000 if wanted.start else None
    counts: list[int] = []

    def samples() -> Iterator[GroupSample]:
        from logship.cloudwatch.paging import Retry
        from logship.cloudwatch.quotas import Governors
        from logship.cloudwatch.session import account_of
        from logship.forward.between.dry_run import foresee

        governors = Governors()
        for source in settings.forward.source:
            client, groups = _groups_of(source, Retry(tries=4))
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
    return ExitCode.DONE


def _groups_of(source: Source, retry: Retry) -> tuple[Any, list[FoundGroup]]:
    """A client, and the log groups that a source reads; none of one that is sent what it reads."""
    from logship.cloudwatch.client import logs_client
    from logship.cloudwatch.discovery import Discovery

    if source.type != "cloudwatch":
        place = source.stream or source.queue or source.listen
        diagnostics.say(f"{source.type} {place}: nothing to look at before it sends")
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
