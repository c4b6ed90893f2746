"""Options that several commands share, and the settings they resolve to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import msgspec

from logship import timerange
from logship.cli import diagnostics
from logship.settings import Settings, Store, load, resolve_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from logship.query.stages import Pipeline
    from logship.query.tree import Node
    from logship.record import Record
    from logship.store.port import StoreReader
    from logship.timerange import TimeRange

_INDEX: Final = "logship.index"
_Command = TypeVar("_Command", bound="Callable[..., Any]")


def complete_query(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """What may stand at the end of a query, for the shell."""
    from logship.cli.completion import query_words

    return query_words(context, parameter, incomplete)


def complete_store(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of `[stores.NAME]`, for the shell."""
    from logship.cli.completion import store_names

    return store_names(context, parameter, incomplete)


def complete_group(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of log groups, for the shell."""
    from logship.cli.completion import group_names

    return group_names(context, parameter, incomplete)


def store_option(command: _Command) -> _Command:
    """`--store WHERE` and `--index PATTERN`."""
    command = click.option(
        "--index",
        metavar="PATTERN",
        expose_value=False,
        callback=_keep_index,
        help="Index, alias or pattern of an OpenSearch store, also one that others write.",
    )(command)
    return click.option(
        "--store",
        metavar="WHERE",
        shell_complete=complete_store,
        help="Folder, URL of OpenSearch, or a [stores.NAME]; ./data if not set.",
    )(command)


def _keep_index(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    del parameter
    context.meta[_INDEX] = value


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


def read_query(query: Sequence[str], *, now: int) -> Node:
    """The tree of a query without stages; what it probably means otherwise is said on stderr."""
    text = " ".join(query)
    if "|" in text:
        from logship.query.stages import parse_conditions

        found = parse_conditions(text, now_us=now)
    else:
        from logship.query import parse  # most queries have no stages, whose parser is not loaded then

        found = parse(text, now_us=now)
    _say_hints(text)
    return found


def read_pipeline(text: str, *, now: int) -> tuple[Node, Pipeline | None]:
    """The search, and with its stages if there are any; what it probably means otherwise is said on stderr."""
    if "|" not in text:
        return read_query([text], now=now), None  # most searches have no stages, whose parser is not loaded then
    from logship.query.stages import parse_pipeline
    from logship.query.stages.lexer import split

    found = parse_pipeline(text, now_us=now)
    _say_hints(text[: split(text)[0].end])
    return found.search, found if found.stages else None


def say_unknown_fields(reader: StoreReader, asked: Iterable[str], found: Iterable[Record] = ()) -> None:
    """Hints about fields that no record has; what a record that was found has is not asked for."""
    from logship.cli import output
    from logship.query.match import values
    from logship.query.names import TOP_LEVEL
    from logship.query.tree import Exists

    asked = set(asked) - TOP_LEVEL
    for record in found:
        asked = {name for name in asked if not values(record, name)}
        if not asked:
            return
    missing = [name for name in asked if not reader.count(Exists(name))]
    if missing:
        for hint in output.unknown_fields(missing, reader.field_names()):
            diagnostics.say(hint)


def _say_hints(query: str) -> None:
    from logship.query.hints import hints

    for hint in hints(query):
        diagnostics.say(f"hint: {hint}")


def context() -> click.Context:
    """The context of the running command: another thread that reads settings enters it."""
    return click.get_current_context()


def settings() -> Settings:
    """The settings of this run, from `--config`."""
    context = click.get_current_context()
    return load(context.find_root().obj)


def chosen_store(where: str | None, found: Settings | None = None) -> Store:
    """The store that `--store`, `--index` and the settings name; None reads these."""
    store = resolve_store(where, found or settings())
    index = click.get_current_context().meta.get(_INDEX)
    return msgspec.structs.replace(store, index=index) if index else store


def open_store(where: str | None) -> StoreReader:
    """A reader of that store, which is let go when the command ends."""
    from logship.wiring import open_reader

    reader = open_reader(chosen_store(where))
    click.get_current_context().call_on_close(reader.close)
    return reader


def now_us() -> int:
    """The one "now" of a run."""
    return time.time_ns() // 1000


def time_range(since: str | None, from_time: str | None, to_time: str | None, *, now: int) -> TimeRange | None:
    """The resolved range, said on stderr; None means the whole store."""
    found = timerange.resolve(since, from_time, to_time, now_us=now)
    diagnostics.say(f"time: {found}" if found else "time: the whole store")
    return found
