"""`logship search`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from logship.cli import diagnostics, options
from logship.errors import ExitCode, SettingsError, StoreError, TimeRangeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logship.cli.saved import Asked
    from logship.query.stages import Pipeline
    from logship.query.tree import Node
    from logship.record import Record
    from logship.store.port import StoreReader
    from logship.timerange import TimeRange

_TABLE_ROWS: Final = 100
_FOLLOWED_ROWS: Final = 10
_FORMATS: Final = ("table", "json", "ndjson", "csv", "md", "raw")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """One search, resolved."""

    text: str
    """As typed, with its saved query in it."""
    tree: Node
    pipeline: Pipeline | None
    """The same with its stages; None where there are none."""
    within: TimeRange | None
    format: str
    limit: int | None
    newest_first: bool


@click.command()
@click.argument("query", nargs=-1, shell_complete=options.complete_query)
@options.store_option
@options.time_options
@click.option("--limit", type=click.IntRange(1), help="At most that many; 100 for tables, else no limit.")
@click.option("--oldest-first", is_flag=True, help="Oldest record first; newest first if not set.")
@click.option("--count", "only_count", is_flag=True, help="Print how many records match.")
@click.option("--follow", "-f", is_flag=True, help="Go on with records as they arrive, until Ctrl-C.")
@click.option("--live", is_flag=True, help="With --follow: what CloudWatch gets, by Live Tail, instead of the store.")
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="PATTERN",
    shell_complete=options.complete_group,
    help="With --live: log group or pattern; may be repeated. Those of logship.toml if not set.",
)
@click.option("--explain", is_flag=True, help="Print how the query is understood and what it touches, and end.")
@click.option("--saved", is_flag=True, help="Print the saved queries, and end.")
@click.option(
    "--format", "wanted", type=click.Choice(_FORMATS), help="table if not set; raw prints the original lines."
)
def command(
    query: tuple[str, ...],
    store: str | None,
    since: str | None,
    from_time: str | None,
    to_time: str | None,
    limit: int | None,
    groups: tuple[str, ...],
    *,
    oldest_first: bool,
    only_count: bool,
    follow: bool,
    live: bool,
    explain: bool,
    saved: bool,
    wanted: str | None,
) -> int:
    """Find records across all services.

    \b
    logship search 'service:orders status:>=500 duration>1s' --since 1h
    logship search '"waiting for lock" OR level:error -service:edge' --follow
    logship search 'kind:request | stats count(), p95(duration) by service | sort -count'
    logship search @slow service:orders
    logship search level:error --follow --live --group '/shop/*'

    Exit status 0: found; 1: no match; 2: the query or a flag is wrong.
    """
    from logship.cli.saved import expand

    settings = options.settings()
    if saved:
        return _list_saved()
    now = options.now_us()
    asked = expand(query, settings.queries)
    tree, pipeline = options.read_pipeline(asked.text, now=now)
    if live or groups:
        from logship.cli import tailing

        given = {"--store": store, "--since": since, "--from": from_time, "--to": to_time, "--limit": limit}
        tailing.refuse_past([name for name, value in given.items() if value], tailed=live, follow=follow)
        within = None
    elif since or from_time or to_time:
        within = options.time_range(since, from_time, to_time, now=now)
    else:
        within = _saved_range(asked, now)
    search = _Wanted(
        text=asked.text,
        tree=tree,
        pipeline=pipeline,
        within=within,
        format=wanted or asked.format or "table",
        limit=limit,
        newest_first=not oldest_first,
    )
    if live:
        return _tail(search, groups, only_count=only_count)
    if follow:
        return _follow(search, store, only_count=only_count, ends=to_time)
    reader = options.open_store(store)
    if explain:
        return _explain(reader, search)
    return _count(reader, search) if only_count else _print(reader, search)


def _saved_range(asked: Asked, now: int) -> TimeRange | None:
    """The time range of a saved query, or the whole store; an error in it names the key."""
    try:
        return options.time_range(asked.since, None, None, now=now)
    except TimeRangeError as error:
        raise SettingsError(f"queries.{asked.name}.since: {error}") from None


def _print(reader: StoreReader, search: _Wanted) -> int:
    limit = search.limit or (_TABLE_ROWS if search.format in ("table", "md") else None)
    if search.pipeline is not None:
        return _print_pipeline(reader, search, search.pipeline, limit)
    from logship.cli import exporting, output

    tree, within = search.tree, search.within
    if limit is None:
        diagnostics.expect_many_objects()
        with exporting.Shown(reader, tree, within) as shown:
            written = exporting.write(reader, tree, within, search.format, shown, newest_first=search.newest_first)
        _say_fields(reader, search, ())
        diagnostics.say(diagnostics.counted(written, "record"))
        return ExitCode.DONE if written else ExitCode.FINDINGS
    found = reader.search(
        tree, within, limit=limit, newest_first=search.newest_first, fields=output.fields_of(search.format)
    )
    written = output.write_records(found, search.format)
    _say_fields(reader, search, found)
    total = reader.count(tree, within) if written == limit else written
    if total > written:
        diagnostics.say(f"{written:,} of {total:,} records; --limit shows more")
    else:
        diagnostics.say(diagnostics.counted(written, "record"))
    return ExitCode.DONE if written else ExitCode.FINDINGS


def _print_pipeline(reader: StoreReader, search: _Wanted, pipeline: Pipeline, limit: int | None) -> int:
    from logship.cli import output, tables
    from logship.store.pipeline import Records, run

    _refuse_raw(search)
    result = run(
        reader,
        pipeline,
        search.within,
        limit=limit,
        newest_first=search.newest_first,
        say=diagnostics.say,
    )
    if not isinstance(result, Records):
        written = tables.write_rows(result.columns, result.rows, search.format)
    elif result.columns:
        written = tables.write_rows(result.columns, result.rows(), search.format)
    else:
        written = output.write_records(result.records, search.format)
    _say_fields(reader, search, ())
    noun = "record" if isinstance(result, Records) else "row"
    query = result.query if isinstance(result, Records) else None
    total = reader.count(query, search.within) if query is not None and written == limit else written
    if total > written:
        diagnostics.say(f"{written:,} of {total:,} {noun}s; --limit shows more")
    else:
        diagnostics.say(diagnostics.counted(written, noun))
    return ExitCode.DONE if written else ExitCode.FINDINGS


def _refuse_raw(search: _Wanted) -> None:
    """Before anything is read, since figures of many records take their time."""
    if search.format != "raw" or search.pipeline is None:
        return
    from logship.query.stages.tree import Fields

    chosen = any(isinstance(stage, Fields) and not stage.leave_out for stage in search.pipeline.stages)
    if search.pipeline.makes_rows or chosen:
        raise UsageError("--format raw prints original lines, which stages leave nothing of; use csv or ndjson")


def _count(reader: StoreReader, search: _Wanted) -> int:
    from logship.cli import output

    pipeline = search.pipeline
    if pipeline is not None and pipeline.makes_rows:
        raise UsageError("--count counts records, and the stages make rows of figures; leave out --count or the stages")
    total = _matching(reader, pipeline, search.within) if pipeline else reader.count(search.tree, search.within)
    output.write_line(str(total).encode())
    _say_fields(reader, search, ())
    return ExitCode.DONE if total else ExitCode.FINDINGS


def _matching(reader: StoreReader, pipeline: Pipeline, within: TimeRange | None) -> int:
    """How many records come out of the stages; counted by the store where it knows."""
    from logship.store.pipeline import Records, run

    result = run(reader, pipeline, within, say=diagnostics.say)
    assert isinstance(result, Records)  # stages that make rows are refused before
    if result.query is not None:
        return reader.count(result.query, within)
    return sum(1 for _ in result.records)


def _say_fields(reader: StoreReader, search: _Wanted, found: Iterable[Record]) -> None:
    from logship.query.tree import fields

    asked = search.pipeline.fields if search.pipeline else fields(search.tree)
    options.say_unknown_fields(reader, asked, found)


def _follow(search: _Wanted, store: str | None, *, only_count: bool, ends: str | None) -> int:
    from logship.cli import live

    if ends:
        raise UsageError(f"--follow goes on, so --to {ends!r} cannot end it; leave out one of them")
    _refuse_ended(search, only_count=only_count)
    readers = options.open_store(store), options.open_store(store)
    if not getattr(readers[0], "holds_snapshot", True):
        raise StoreError(
            f"{readers[0].status()['location']} offers no point in time, which --follow compares to see what is new; "
            "search again with --since"
        )
    live.run(
        readers,
        search.tree,
        search.pipeline.stages if search.pipeline else (),
        start_us=search.within.start_us if search.within else None,
        wanted=search.format,
        first=search.limit or _FOLLOWED_ROWS,
    )
    return ExitCode.DONE


def _refuse_ended(search: _Wanted, *, only_count: bool) -> None:
    if only_count:
        raise UsageError("--follow has no end, so there is nothing to --count; use one of them")
    if search.format == "json":
        raise UsageError("--follow has no end, and a JSON array needs one; use --format ndjson")
    _refuse_raw(search)


def _tail(search: _Wanted, groups: tuple[str, ...], *, only_count: bool) -> int:
    from logship.cli import tailing

    _refuse_ended(search, only_count=only_count)
    tailing.run(
        options.settings(),
        search.tree,
        search.pipeline.stages if search.pipeline else (),
        patterns=groups,
        wanted=search.format,
    )
    return ExitCode.DONE


def _explain(reader: StoreReader, search: _Wanted) -> int:
    from logship.cli import explaining, output

    for line in explaining.lines(reader, search.text, search.tree, search.within):
        output.write_line(output.printable(line).encode("utf-8", "replace"))
    return ExitCode.DONE


def _list_saved() -> int:
    from logship.cli import output

    saved = options.settings().queries
    for name, query in sorted(saved.items()):
        also = " ".join(
            f"--{key} {value}" for key, value in (("since", query.since), ("format", query.format)) if value
        )
        line = f"@{name}  {query.query}" + (f"  {also}" if also else "")
        output.write_line(output.printable(line).encode("utf-8", "replace"))
    if not saved:
        diagnostics.say('no saved queries; save one in logship.toml: [queries.NAME] with query = "…"')
    return ExitCode.DONE
