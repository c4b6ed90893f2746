"""Options that several commands share, and the settings they resolve to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import click

from logship import timerange
from logship.cli import diagnostics
from logship.settings import Settings, load, resolve_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.store.port import StoreReader
    from logship.timerange import TimeRange

_Command = TypeVar("_Command", bound="Callable[..., Any]")


def store_option(command: _Command) -> _Command:
    """`--store WHERE`."""
    return click.option("--store", metavar="WHERE", help="Folder of the store, or a [stores.NAME]; ./data if not set.")(
        command
    )


def time_options(command: _Command) -> _Command:
    """`--since`, `--from`, `--to`."""
    for option in (
        click.option("--to", "to_time", metavar="TIME", help="End of the time range, not included."),
        click.option(
            "--from", "from_time", metavar="TIME", help="Start: ISO 8601 (UTC if it names no zone), 2h, today."
        ),
        click.option("--since", metavar="SPAN", help="Start, counted back from now: 15m, 2h, 7d."),
    ):
        command = option(command)
    return command


def settings() -> Settings:
    """The settings of this run, from `--config`."""
    context = click.get_current_context()
    return load(context.find_root().obj)


def store_location(where: str | None) -> str:
    """The store that `--store` and the settings name."""
    return resolve_store(where, settings())


def open_store(where: str | None) -> StoreReader:
    """A reader of that store."""
    from logship.wiring import open_reader

    return open_reader(store_location(where))


def now_us() -> int:
    """The one "now" of a run."""
    return time.time_ns() // 1000


def time_range(since: str | None, from_time: str | None, to_time: str | None, *, now: int) -> TimeRange | None:
    """The resolved range, said on stderr; None means the whole store."""
    found = timerange.resolve(since, from_time, to_time, now_us=now)
    diagnostics.say(f"time: {found}" if found else "time: the whole store")
    return found
