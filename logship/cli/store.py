"""`logship store`: what it holds, and deleting by age."""

from __future__ import annotations

import click

from logship.cli import diagnostics, options
from logship.cli.setup import setup


@click.group()
def command() -> None:
    """What the store holds."""


command.add_command(setup)


@command.command()
@options.store_option
@click.option("--format", "wanted", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(store: str | None, wanted: str) -> None:
    """Size, counts by service, and how far behind the store is."""
    from logship.cli import output
    from logship.query.tree import All
    from logship.record import SERVICE, format_time
    from logship.timerange import human_span

    reader = options.open_store(store)
    facts = reader.status()
    extent = reader.extent()
    facts["services"] = dict(reader.terms(All(), SERVICE, size=1000))
    facts["oldest"] = format_time(extent.start_us) if extent else None
    facts["newest"] = format_time(extent.end_us - 1) if extent else None
    facts["fields"] = reader.field_names()
    if wanted == "json":
        output.write_line(output.dumps(facts, indent=True))
        return
    behind = human_span(max(options.now_us() - extent.end_us, 0)) if extent else "–"
    lines = [
        f"store     {facts['location']} ({facts.get('engine', '')})",
        f"records   {facts['records']:,} in {facts['size_bytes'] / 1e6:,.1f} MB",
        f"from      {facts['oldest'] or '–'}",
        f"to        {facts['newest'] or '–'} ({behind} behind)",
        "services  " + (", ".join(f"{name} {count:,}" for name, count in facts["services"].items()) or "–"),
        f"fields    {', '.join(facts['fields'])}",
    ]
    for line in lines:
        output.write_line(output.printable(line).encode("utf-8", "replace"))


@command.command()
@options.store_option
@click.option("--older-than", required=True, metavar="SPAN", help="Age of the records to delete: 30d, 12h.")
def prune(store: str | None, older_than: str) -> None:
    """Delete records by age."""
    from logship.errors import StoreLockedError
    from logship.timerange import parse_span
    from logship.wiring import open_writer

    before = options.now_us() - parse_span(older_than)
    writer = open_writer(options.chosen_store(store), "prune")
    try:
        if not hasattr(writer, "prune"):
            raise StoreLockedError("the store is being written; stop `logship forward` and prune again")
        diagnostics.say(f"deleted {writer.prune(before):,} records")
    finally:
        writer.close()
