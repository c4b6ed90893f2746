"""Everything that `logship generate stack` writes, from one description: the settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from logship.errors import SettingsError
from logship.generate import container, policy, unit
from logship.settings import Source, resolve_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.settings import Settings, Store

_ACCOUNT: Final = re.compile(r"\d{12}|\*")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the files are used; what the settings cannot tell."""

    version: str
    """Of logship, which the container installs."""
    program: str = "/usr/local/bin/logship"
    """Of the unit."""
    account: str = "*"
    """Number of the AWS account that the forwarder runs in; ``*`` stands for any."""
    settings: str = "logship.toml"
    """Name of the settings file that the container copies."""
    folder: str = "deploy"
    """Where the files are written, seen from there."""


def stack(settings: Settings, place: Place) -> dict[str, str]:
    """The files by name: unit, container, policies.

    Raises:
        SettingsError, UsageError: the settings do not tell what is needed.
    """
    if not _ACCOUNT.fullmatch(place.account):
        raise SettingsError(f"--account {place.account!r} is no number of an AWS account; write its 12 digits")
    sources = settings.forward.source or [Source()]
    forward, store = msgspec.structs.replace(settings.forward, source=sources), _store(settings)
    folders = [forward.state, *([store.location] if store and not _is_remote(store) else [])]
    return {
        unit.FILE: unit.unit(
            forward,
            folders=folders,
            variables=sorted(set(_variables(settings, store))),
            command=[place.program, "forward", "--config", "/etc/logship/logship.toml"],
        ),
        container.FILE: container.container(
            forward,
            extras=sorted(set(_extras(settings, store))),
            version=place.version,
            settings=place.settings,
            folder=place.folder,
        ),
        **policy.policies(forward, store, place.account),
    }


def _store(settings: Settings) -> Store | None:
    """The store of the settings; None where the machine's environment names it."""
    return None if settings.store.startswith("env:") else resolve_store(None, settings, environ={})


def _is_remote(store: Store) -> bool:
    return store.location.startswith(("http://", "https://"))


def _extras(settings: Settings, store: Store | None) -> Iterator[str]:
    if store is None or not _is_remote(store):
        yield "local"
    if store is None or _is_remote(store):
        yield "opensearch"
    if settings.forward.listen:
        yield "metrics"
    if any(source.type == "firehose" for source in settings.forward.source):
        yield "firehose"


def _variables(settings: Settings, store: Store | None) -> Iterator[str]:
    """Names of the variables that references of the settings need."""
    references = [settings.store, *(source.access_key for source in settings.forward.source)]
    if store is not None:
        references.append(store.password)
    yield from (text.removeprefix("env:") for text in references if text.startswith("env:"))
