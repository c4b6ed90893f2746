"""`logship search --follow --live`: what CloudWatch Logs gets that matches, as it gets it. Nothing is stored."""

from __future__ import annotations

import queue
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from logship.cli import diagnostics, live
from logship.cloudwatch.discovery import Discovery
from logship.cloudwatch.limits import LIVE_TAIL_GROUPS
from logship.cloudwatch.live_tails import MOST_GROUPS, LiveTails
from logship.cloudwatch.paging import Retry
from logship.errors import LogshipError, UnknownGroupError, UsageError
from logship.query.match import matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from logship.cloudwatch.live_tail import LiveTail, Update
    from logship.forward.between.prepare import Preparer
    from logship.query.stages import Stage
    from logship.query.tree import Node
    from logship.record import Record
    from logship.settings import Settings, Source

_FIRST_TRIES: Final = 4
_WAITING: Final = 20
"""Updates that wait to be printed; where stdout is slower, the oldest are left out."""
_BEAT_S: Final = 0.5


def run(
    settings: Settings,
    query: Node,
    stages: Sequence[Stage],
    *,
    patterns: Sequence[str] = (),
    wanted: str,
) -> None:
    """Prints what matches until Ctrl-C, or until the reader of stdout goes away.

    Args:
        settings: whose sources, services and redaction count.
        query: what to look for.
        stages: conditions and columns.
        patterns: names and patterns of log groups; none means those of the sources.
        wanted: the format.

    Raises:
        UsageError: a stage needs all records, or there are more groups than sessions reach.
        LogshipError: no group can be tailed.
        BrokenPipeError: nobody reads stdout any more.
    """
    from logship.forward.between.prepare import Preparer, parser_of
    from logship.secrets import from_settings

    query, columns = live.simple(query, stages)
    redactor = from_settings(settings.redact)
    prepare = Preparer(parser_of(settings), redact_many=redactor.redact_many if redactor else None)
    places = _places(settings, patterns)
    sessions = sum(-(-len(groups) // LIVE_TAIL_GROUPS) for _, groups in places)
    screen, heart = _Screen(sessions), live.Heartbeat()
    tails = [LiveTails(client, screen.take, failed=screen.fail, say=screen.say) for client, _ in places]
    try:
        for tail, (_, groups) in zip(tails, places, strict=True):
            tail.cover(groups)
        _introduce(sessions, sum(len(groups) for _, groups in places))
        live.show(_matching(screen, prepare, query, heart), columns, wanted, heart)
    finally:
        for tail in tails:
            tail.close()


def refuse_past(given: Sequence[str], *, tailed: bool, follow: bool) -> None:
    """Refuses flags that do not go together.

    Args:
        given: flags that choose something of a store.
        tailed: whether `--live` is given, and not `--group` alone.
        follow: whether `--follow` is.

    Raises:
        UsageError: they do not.
    """
    if not tailed:
        raise UsageError("--group chooses what --follow --live shows; search a store by group:NAME in the query")
    if not follow:
        raise UsageError("--live shows what comes from now on; add --follow")
    if given:
        raise UsageError(f"--live shows what comes from now on, from CloudWatch and not a store; leave out {given[0]}")


def _introduce(sessions: int, groups: int) -> None:
    diagnostics.say(
        f"live: {diagnostics.counted(groups, 'log group')} by {diagnostics.counted(sessions, 'session')} of Live Tail, "
        "each charged by the minute; nothing of it is stored"
    )


def _places(settings: Settings, patterns: Sequence[str]) -> list[tuple[Any, list[str]]]:
    """Clients, and the log groups to tail by each.

    Raises:
        UnknownGroupError: no source has a group that is asked for.
        UsageError: there are more groups than sessions reach.
    """
    from logship.settings import Source

    sources = [source for source in settings.forward.source if source.type == "cloudwatch"] or [Source()]
    found: dict[tuple[str, str], tuple[Any, dict[str, None]]] = {}
    unknown: UnknownGroupError | None = None
    for source in sources:
        client = _client(source)
        _, known = found.setdefault((client.meta.region_name, source.role), (client, {}))
        try:
            known.update(dict.fromkeys(_groups(client, source, patterns)))
        except UnknownGroupError as error:
            unknown = error
    places = [(client, [*groups]) for client, groups in found.values() if groups]
    if not places:
        raise unknown or UnknownGroupError(
            "no log group matches; name others with --group, or list them with: aws logs describe-log-groups"
        )
    for _, groups in places:
        if len(groups) > MOST_GROUPS:
            raise UsageError(f"{len(groups)} log groups match, and Live Tail reaches {MOST_GROUPS}; narrow --group")
    return places


def _client(source: Source) -> Any:
    from logship.cloudwatch.client import logs_client

    return logs_client(region=source.region, role=source.role, external_id=source.external_id)


def _groups(client: Any, source: Source, patterns: Sequence[str]) -> list[str]:
    discovery = Discovery(client, patterns or source.groups, exclude=source.exclude_groups, tags=source.tags)
    return list(discovery.list(Retry(tries=_FIRST_TRIES, say=diagnostics.say)))


def _matching(screen: _Screen, prepare: Preparer, query: Node, heart: live.Heartbeat) -> Iterator[Record]:
    numbers = count(1)
    while True:
        # Ids that tell equal lines apart, in this run.
        events = [event._replace(event_id=f"live-{next(numbers)}") for event in screen.next()]
        for record in prepare(events):
            if matches(query, record):
                yield record
        heart.beat()


class _Screen:
    """Takes what sessions tell, in their threads, for the one thread that prints."""

    def __init__(self, sessions: int) -> None:
        self._sessions = sessions
        self._waiting: queue.Queue[Update | str] = queue.Queue(_WAITING)
        self._error: LogshipError | None = None
        self._left_out = 0
        self._failed: set[LiveTail] = set()
        self._said: set[object] = set()

    def take(self, tail: LiveTail, update: Update) -> None:
        """An update, to be printed."""
        if update.sampled and tail not in self._said:
            self._said.add(tail)
            self.say(f"{tail.what}: events come faster than 500 a second, so some of them are shown")
        if update.events:
            self._put(update)

    def fail(self, tail: LiveTail, error: LogshipError) -> None:
        """A session whose groups cannot be tailed; when that is so of all, following ends."""
        self._failed.add(tail)
        if len(self._failed) == self._sessions:
            self._error = error
        elif tail not in self._said:
            self._said.add(tail)
            self.say(f"{error}; the other log groups are followed")

    def say(self, line: str) -> None:
        """A line for people, said by the thread that prints."""
        self._put(line)

    def next(self) -> list[Any]:
        """Events that have come, in order of time; none after a while in which nothing has.

        Raises:
            LogshipError: there is nothing to wait for any more.
        """
        if self._error:
            raise self._error
        try:
            found = self._waiting.get(timeout=_BEAT_S)
        except queue.Empty:
            return []
        if isinstance(found, str):
            diagnostics.say(found)
            return []
        if self._left_out and "slow" not in self._said:
            self._said.add("slow")
            diagnostics.say("the reader of stdout is slower than what comes, so some records are left out")
        return [*found.events]

    def _put(self, what: Update | str) -> None:
        while True:
            with suppress(queue.Full):
                self._waiting.put_nowait(what)
                return
            with suppress(queue.Empty):
                self._waiting.get_nowait()
                self._left_out += 1
