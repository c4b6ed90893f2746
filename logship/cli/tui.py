"""`logship tui`: starts the terminal, which is found by its entry point, so that no import here reaches textual."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import click

from logship.cli import options
from logship.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.settings import Store
    from logship.timerange import TimeRange


@click.command()
@click.argument("query", nargs=-1)
@options.store_option
@options.time_options
def command(
    query: tuple[str, ...], *, store: str | None, since: str | None, from_time: str | None, to_time: str | None
) -> None:
    """Search and find causes in a terminal screen; `?` shows the keys."""
    from logship import timerange

    within = timerange.resolve(since, from_time, to_time, now_us=options.now_us())
    start(options.chosen_store(store), query=" ".join(query), within=within)


def has_terminal() -> bool:
    """Whether somebody could see the screen, and press a key.

    Keys come from stdin, and Textual draws on stderr; a driver of its own, such as textual-serve's, needs neither.
    """
    return "TEXTUAL_DRIVER" in os.environ or (sys.stdin.isatty() and sys.stderr.isatty())


def start(
    store: Store | str,
    *,
    query: str = "",
    within: TimeRange | None = None,
    screen: str = "search",
    window: TimeRange | None = None,
    baseline: Sequence[TimeRange] = (),
) -> None:
    """Runs the terminal on a store until the user quits.

    Raises:
        MissingExtraError: the terminal is not installed.
        UsageError: there is no terminal.
    """
    from logship.wiring import open_reader

    reader = open_reader(store)
    location = store if isinstance(store, str) else store.location
    try:
        run: Any = next(iter(entry_points(group="logship.frontends", name="tui"))).load()
    except (StopIteration, ImportError):
        raise MissingExtraError("textual", "tui") from None
    if not has_terminal():
        raise UsageError("the screen needs a terminal to draw on and to read keys from; use ssh -t, or logship search")
    run(location, reader, query=query, within=within, screen=screen, window=window, baseline=tuple(baseline))
