"""`logship store`: what it holds, setting up, copying, and deleting by age."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from logship.cli import diagnostics, options
from logship.cli.copying import export
from logship.cli.setup import setup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.store.port import StoreReader

_DAY_US: Final = 86_400_000_000
_DAYS_SHOWN: Final = 14


@click.group()
def command() -> None:
    """What the store holds; setting up, copying, deleting."""


command.add_command(setup)
command.add_command(export)


@command.command()
@options.store_option
@click.option("--format", "wanted", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(store: str | None, wanted: str) -> None:
    """Size, counts by day and service, how far behind the store is, and whether it is well."""
    from logship.cli import output

    facts = _facts(options.open_store(store))
    if wanted == "json":
        output.write_line(output.dumps(facts, indent=True))
        return
    for line in _text(facts):
        output.write_line(output.printable(line).encode("utf-8", "replace"))


def _facts(reader: StoreReader) -> dict[str, Any]:
    from logship.query.tree import All
    from logship.record import SERVICE, format_time

    facts = reader.status()
    extent = reader.extent()
    facts.setdefault("health", "ok")
    facts["services"] = dict(reader.terms(All(), SERVICE, size=1000))
    facts["days"] = _days(reader)
    facts["oldest"] = format_time(extent.start_us) if extent else None
    facts["newest"] = format_time(extent.end_us - 1) if extent else None
    facts["lag_s"] = round((options.now_us() - extent.end_us) / 1e6, 1) if extent else None
    facts["fields"] = reader.field_names()
    return facts


def _days(reader: StoreReader) -> dict[str, dict[str, int]]:
    """By day (UTC) its records, by service; "" counts those that name none."""
    from logship.query.tree import All
    from logship.record import SERVICE, format_time
    from logship.store.port import Measure

    count = [Measure("count")]
    found: dict[str, dict[str, int]] = {}
    for group in reader.aggregate(All(), measures=count, bin_us=_DAY_US):
        found[format_time(group.start_us or 0)[:10]] = {"": int(group.values[0] or 0)}
    for group in reader.aggregate(All(), measures=count, by=[SERVICE], bin_us=_DAY_US):
        day, records = found[format_time(group.start_us or 0)[:10]], int(group.values[0] or 0)
        day[group.keys[0]] = day.get(group.keys[0], 0) + records if group.keys[0] else records
        day[""] -= records if group.keys[0] else 0
    return {day: {name: number for name, number in counts.items() if number} for day, counts in found.items()}


def _text(facts: dict[str, Any]) -> Iterator[str]:
    from logship.cli.tables import aligned
    from logship.query.stages import Column
    from logship.timerange import human_span

    lag = facts["lag_s"]
    behind = "–" if lag is None else f"{human_span(max(lag, 0) * 1e6)} behind"
    writer = facts.get("writer")
    yield f"store     {facts['location']} ({facts.get('engine', '')})"
    yield f"health    {facts['health']}"
    if "writer" in facts:
        yield f"writer    {writer['kind']} (pid {writer['pid']})" if writer else "writer    nobody"
    yield f"records   {facts['records']:,} in {facts['size_bytes'] / 1e6:,.1f} MB"
    yield f"from      {facts['oldest'] or '–'}"
    yield f"to        {facts['newest'] or '–'} ({behind})"
    yield f"fields    {', '.join(facts['fields'])}"
    names = list(facts["services"])[:_DAYS_SHOWN]
    columns = [Column("day"), Column("records", "count"), *(Column(name, "count") for name in names)]
    days = list(facts["days"].items())
    rows = [(day, sum(counts.values()), *(counts.get(name, 0) for name in names)) for day, counts in days]
    total = ("all", facts["records"], *(facts["services"][name] for name in names))
    yield from aligned(columns, [*rows[-_DAYS_SHOWN:], total])
    if len(rows) > _DAYS_SHOWN:
        yield f"the last {_DAYS_SHOWN} of {len(rows):,} days; --format json has all"


@command.command()
@options.store_option
@click.option("--older-than", required=True, metavar="SPAN", help="Age of the records to delete: 30d, 12h.")
@click.option("--dry-run", is_flag=True, help="Say how many records that would delete.")
def prune(store: str | None, older_than: str, *, dry_run: bool) -> None:
    """Delete records by age. While a forwarder writes the store, it is the one that deletes."""
    from logship.query.names import TIME
    from logship.query.tree import Range
    from logship.record import format_time
    from logship.timerange import parse_span
    from logship.wiring import open_writer

    before = options.now_us() - parse_span(older_than)
    reader = options.open_store(store)
    if dry_run:
        found = reader.count(Range(TIME, None, before, include_high=False))
        diagnostics.say(f"{found:,} of {reader.status()['records']:,} records are older than {format_time(before)}")
        return
    reader.close()
    writer: Any = open_writer(options.chosen_store(store), "prune")
    try:
        deleted = writer.prune(before)
    finally:
        writer.close()
    diagnostics.say(f"deleted {diagnostics.counted(deleted, 'record')} older than {format_time(before)}")
