"""`logship search`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from logship.cli import diagnostics, options
from logship.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.query.tree import Node
    from logship.record import Record
    from logship.store.port import StoreReader
    from logship.timerange import TimeRange

_TABLE_ROWS = 100


@click.command()
@click.argument("query", nargs=-1)
@options.store_option
@options.time_options
@click.option("--limit", type=click.IntRange(1), help="At most that many records; 100 for tables, else no limit.")
@click.option("--oldest-first", is_flag=True, help="Oldest record first; newest first if not set.")
@click.option("--count", "only_count", is_flag=True, help="Print how many records match.")
@click.option(
    "--format",
    "wanted",
    type=click.Choice(["table", "json", "ndjson", "csv", "md", "raw"]),
    default="table",
    show_default=True,
    help="raw prints the original lines.",
)
def command(
    query: tuple[str, ...],
    store: str | None,
    since: str | None,
    from_time: str | None,
    to_time: str | None,
    limit: int | None,
    *,
    oldest_first: bool,
    only_count: bool,
    wanted: str,
) -> int:
    """Find records across all services.

    \b
    logship search 'service:orders status:>=500 duration>1s' --since 1h
    logship search '"waiting for lock" OR level:error -service:edge'
    logship search 'trace:5b27baf9c1d24a0e8f3b6d7e9a012345' --format ndjson

    Exit status 0: found; 1: no match; 2: the query or a flag is wrong.
    """
    from logship.cli import output
    from logship.query import parse
    from logship.query.tree import fields

    now = options.now_us()
    tree = parse(" ".join(query), now_us=now)
    within = options.time_range(since, from_time, to_time, now=now)
    reader = options.open_store(store)
    for hint in output.unknown_fields(fields(tree), reader.field_names()):
        diagnostics.say(hint)
    if only_count:
        total = reader.count(tree, within)
        output.write_line(str(total).encode())
        return ExitCode.DONE if total else ExitCode.FINDINGS
    rows = limit or (_TABLE_ROWS if wanted in ("table", "md") else None)
    written = output.write_records(_found(reader, tree, within, rows, newest_first=not oldest_first), wanted)
    if rows and written == rows:
        diagnostics.say(f"{written:,} of {reader.count(tree, within):,} records; --limit shows more")
    else:
        diagnostics.say(f"{written:,} records")
    return ExitCode.DONE if written else ExitCode.FINDINGS


def _found(
    reader: StoreReader, tree: Node, within: TimeRange | None, rows: int | None, *, newest_first: bool
) -> Iterator[Record]:
    if rows is None:
        yield from reader.scan(tree, within, newest_first=newest_first)
    else:
        yield from reader.search(tree, within, limit=rows, newest_first=newest_first)
