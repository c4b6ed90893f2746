"""Where a forwarder stands: one snapshot, which metrics, health and screens are made of."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from logship.forward.pipeline import QUEUE_BYTES
from logship.forward.storing import LETTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from logship.forward.between.prepare import Prepared
    from logship.forward.between.rules import RuleCount
    from logship.forward.port import Source
    from logship.forward.run import Forwarder

STUCK_S: Final = 60.0
"""A storing thread that has not gone round for so long is stuck, unless it waits for the store."""

UNREAD_S: Final = 30.0
"""A source whose calls fail, and none of whose groups was read for so long, is worth a line."""
FAILING: Final = 3
"""From so many calls on that fail one after the other, people should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStatus:
    """How far one log group is read and stored. Counts are since this process began to read it."""

    name: str
    lag_s: float
    """Age of the oldest event that is known of and not stored; 0 if all that was read is stored. Backfill is apart."""
    backlog_s: float
    """How much event time lies in ranges that are still to be read and stored: a backfill, an outage. 0 for none."""
    read_age_s: float | None
    """How long ago the newest events were last asked for; None before the first time."""
    ingestion_delay_s: float
    """Ingestion time less event time of the newest page's last event: what the way to CloudWatch took."""
    newest_stored_ms: int
    """Event time of the newest event that is stored; 0 before there is one."""
    pages: int
    empty_pages: int
    events: int
    """In all pages, those that were known included."""
    fresh: int
    """Events that had not been read before."""
    stored: int
    """Fresh events that are safe: in the store, left out by a rule, or among the dead letters."""
    bytes: int
    """Of all answers, as they came."""
    refused: str = ""
    """Why it is not read: the role may not. "" while it is read."""
    failures: int = 0
    """Calls that failed one after the other, up to now; 0 after one that was answered."""

    @property
    def known(self) -> int:
        """Events that were read before: duplicates avoided."""
        return self.events - self.fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """How one source is doing. None stands for what a source of that kind does not have."""

    name: str
    ready: bool | None = None
    """Whether it knows what there is to read; None for a source that does not tell."""
    calls: int | None = None
    """Calls under the quota."""
    throttled: int | None = None
    """Calls that the service throttled."""
    retried: int | None = None
    """Calls that failed in a way that passes, and are made again."""
    rate: float | None = None
    """Calls a second that are made at most, now."""
    quota: float | None = None
    """Calls a second that the account may make in the region."""
    live_tail_s: float | None = None
    """How long sessions of Live Tail were open, added up: what is charged for."""
    lag_s: float | None = None
    """How far it is behind its newest record, as the service says: the furthest shard of a stream."""
    groups: Sequence[GroupStatus] = ()

    @property
    def unread_s(self) -> float:
        """How long no group could be read since calls fail: what has come since is not known, and makes no lag."""
        groups = [group for group in self.groups if not group.refused]
        ages = [group.read_age_s for group in groups if group.read_age_s is not None]
        return min(ages, default=0.0) if any(group.failures for group in groups) else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardStatus:
    """Where a forwarder stands."""

    stored: int
    existing: int
    """Records that were in the store already."""
    rejected: int
    """Records that cannot be stored: dead letters of this process."""
    dead_letters: int
    """Dead letters that wait in the state folder, those of earlier processes included."""
    read: int
    """Events delivered and acknowledged, those that rules left out included."""
    queued_bytes: int
    """Read and not acknowledged."""
    queue_limit_bytes: int
    store_waits: int
    """How often the store was waited for."""
    store_reason: str
    """Why it is waited for at the moment; "" while it takes records."""
    letters_reason: str = ""
    """Why dead letters cannot be kept at the moment, which is waited for, too; "" while they can."""
    requests: int | None
    """Requests to the store under way; None where it has one writer."""
    requests_limit: int | None
    """How many there may be, now."""
    progress_age_s: float
    """How long ago the storing thread last went round, or looked whether the store has answered."""
    sources: Sequence[SourceStatus]
    rules: Sequence[RuleCount] = ()
    """What each rule left out, in the order of the rules."""
    redacted: Mapping[str, int] = field(default_factory=dict)
    """How many secrets were taken out, by the name of the redaction rule."""

    @property
    def is_moving(self) -> bool:
        """Whether the storing thread goes round, or waits for the store on purpose."""
        return self.progress_age_s < STUCK_S or bool(self.store_reason)

    @property
    def is_listed(self) -> bool:
        """Whether a source knows what there is to read; sources that do not tell are taken to."""
        return any(source.ready is not False for source in self.sources)

    @property
    def unready(self) -> str:
        """Why the forwarder is not ready; "" if it is."""
        if not self.is_listed:
            return "no source has listed what there is to read yet"
        return self.waiting

    @property
    def waiting(self) -> str:
        """What is waited for at the moment, and why; "" while all is taken."""
        if self.store_reason:
            return f"waiting for the store: {self.store_reason}"
        return f"waiting for {LETTERS}: {self.letters_reason}" if self.letters_reason else ""

    @property
    def groups(self) -> list[tuple[SourceStatus, GroupStatus]]:
        """All groups with their sources, the furthest behind first."""
        rows = [(source, group) for source in self.sources for group in source.groups]
        return sorted(rows, key=lambda row: (-row[1].lag_s, -row[1].backlog_s, row[1].name))

    @property
    def wrong(self) -> list[str]:
        """What people should know, a line each, the worst first; empty when all is well."""
        lines = [f"store: {self.store_reason}"] if self.store_reason else []
        lines += [f"dead letters: {self.letters_reason}"] if self.letters_reason else []
        if not self.is_moving:
            lines.append(f"nothing has moved for {self.progress_age_s:,.0f} s")
        lines += [f"{source.name}: has not listed what to read" for source in self.sources if source.ready is False]
        lines += [
            f"{source.name}: nothing could be read for {source.unread_s:,.0f} s, so the lag is not known"
            for source in self.sources
            if source.unread_s >= UNREAD_S
        ]
        lines += [group.refused for _, group in self.groups if group.refused]
        lines += [_failing(group) for _, group in self.groups if group.failures >= FAILING and not group.refused]
        if self.dead_letters:
            noun = "record" if self.dead_letters == 1 else "records"
            lines.append(f"{self.dead_letters:,} {noun} cannot be stored, see: logship dead-letters list")
        return lines

    @property
    def lag_s(self) -> float:
        """The lag of the group or source that is furthest behind."""
        groups = [group.lag_s for source in self.sources for group in source.groups]
        return max([0.0, *groups, *(source.lag_s or 0.0 for source in self.sources)])

    @property
    def backlog_s(self) -> float:
        """The event time that is still to be read of the group that has most of it left."""
        return max((group.backlog_s for source in self.sources for group in source.groups), default=0.0)


@runtime_checkable
class Describes(Protocol):
    """A source that tells how it is doing. Any thread may ask; figures of one answer need not be of one instant."""

    def describes(self) -> SourceStatus:
        """How it is doing."""


def status_of(
    forwarder: Forwarder,
    *,
    prepared: Callable[[], Prepared] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> ForwardStatus:
    """Where a forwarder stands. Any thread may ask, at any time.

    Args:
        forwarder: running, or about to.
        prepared: tells what rules left out and redaction took out; None leaves that empty.
        clock: monotonic seconds.
    """
    pipeline, done = forwarder.pipeline, prepared() if prepared else None
    counts, limiter = pipeline.counts, pipeline.limiter
    return ForwardStatus(
        stored=counts.stored,
        existing=counts.existing,
        rejected=counts.rejected,
        dead_letters=forwarder.dead_letters.waiting,
        read=counts.read,
        queued_bytes=pipeline.queued_bytes,
        queue_limit_bytes=QUEUE_BYTES,
        store_waits=pipeline.patience.waits,
        store_reason=pipeline.patience.reason,
        letters_reason=pipeline.letters_patience.reason,
        requests=limiter.under_way if limiter else None,
        requests_limit=int(limiter.limit) if limiter else None,
        progress_age_s=max(0.0, clock() - pipeline.moved_s),
        sources=_sources(forwarder.sources),
        rules=tuple(done.rules) if done else (),
        redacted=dict(done.redacted) if done else {},
    )


def _failing(group: GroupStatus) -> str:
    age = "" if group.read_age_s is None else f", not read for {group.read_age_s:,.0f} s"
    return f"{group.name}: {group.failures:,} calls failed in a row{age}"


def _sources(sources: Sequence[Source]) -> tuple[SourceStatus, ...]:
    """What the sources say of themselves, each under a name of its own."""
    found: dict[str, SourceStatus] = {}
    for source in sources:
        status = source.describes() if isinstance(source, Describes) else SourceStatus(name=source.name)
        name, number = status.name, 2
        while name in found:
            name, number = f"{status.name} ({number})", number + 1
        found[name] = replace(status, name=name)
    return tuple(found.values())
