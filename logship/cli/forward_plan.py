"""Flags and settings → what `logship forward` runs with; and whether settings that are read again will do."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from logship.cli import options
from logship.cloudwatch.tags import Tags
from logship.errors import SettingsError
from logship.settings import Source, file_of, load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.forward.between.prepare import Preparer
    from logship.forward.port import Source as ForwardSource
    from logship.settings import Settings, Store
    from logship.wiring import SourcePorts


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
class Plan:
    """Settings that a forwarder can run with, and what it will run with: one forwarder, once."""

    found: Settings
    """As they were read, without the flags."""
    settings: Settings
    prepare: Preparer
    sources: Callable[[SourcePorts], Sequence[ForwardSource]]
    waits: bool
    """Whether a forwarder has run with these settings before."""
    heard: Tags = field(default_factory=Tags)
    """Tags of log groups that sources have heard: the next plan begins with them."""
    has_begun: bool = False
    """Whether all sources were ready that may be read: then the settings are good."""


def plan_of(wanted: Wanted, found: Settings, *, waits: bool = False, before: Plan | None = None) -> Plan:
    """Looks whether settings can be used, as far as that is known without asking anybody.

    Args:
        wanted: the flags.
        found: the settings, as they were read.
        waits: whether named groups that are gone are waited for, since they have been read before.
        before: what has run until now.

    Raises:
        LogshipError: they cannot be used.
    """
    from logship.forward.between.prepare import prepare_of
    from logship.forward.outside.http import address_of
    from logship.wiring import SourceOptions, sources_of, table_of

    settings = wanted.over(found)
    table_of(settings.forward)
    if settings.forward.listen and not wanted.once:
        address_of(settings.forward.listen)
    heard = before.heard if before else Tags()
    reading = SourceOptions(
        now_us=options.now_us(), interval_s=settings.forward.interval_s, once=wanted.once, heard=heard, waits=waits
    )
    sources = sources_of(settings.forward.source, reading)
    return Plan(found=found, settings=settings, prepare=prepare_of(settings), sources=sources, waits=waits, heard=heard)


def check_reload(found: Settings, plan: Plan, wanted: Wanted, target: Store) -> None:
    """Looks whether a forwarder that runs can go on with settings that were read again.

    A file is empty for a moment while it is written, without sources every log group would be read, and where
    checkpoints are looked for in another place, what is not stored yet and older than `start` would be lost.

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
    from logship.wiring import checkpoints_of

    store = options.chosen_store(wanted.store, found)
    changed = [key for key in store.__struct_fields__ if getattr(store, key) != getattr(target, key)]
    if changed:
        raise SettingsError(
            f"store {store.location!r} differs in {', '.join(changed)} from {target.location!r}, which is open; "
            "restart to change the store"
        )
    place, new = checkpoints_of(plan.settings.forward), checkpoints_of(wanted.over(found).forward)
    if place != new:
        raise SettingsError(
            f"checkpoints would be kept in {new}, and {place} has them: every log group would begin at start; "
            "restart to begin there"
            + (", or name the source of the region they are in first" if found.forward.checkpoints else "")
        )
