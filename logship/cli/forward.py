"""`logship forward`."""

from __future__ import annotations

from typing import Any

import click

from logship.cli import diagnostics, options
from logship.errors import TimeRangeError, UsageError
from logship.timerange import parse_past


@click.command()
@options.store_option
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="PATTERN",
    shell_complete=options.complete_group,
    help="Log group or pattern; may be repeated. In place of the settings' sources.",
)
@click.option("--start", metavar="TIME", help="Where a group without checkpoint begins: 1h back if not set.")
@click.option("--state", metavar="DIR", help="Folder of checkpoints and dead letters; ./state if not set.")
@click.option("--region", help="AWS region.")
@click.option("--once", is_flag=True, help="Stop when everything that is visible now is stored.")
@click.option("--dry-run", is_flag=True, help="Show what would become of some events of each group; store nothing.")
@click.option("--first", type=click.IntRange(1, 1000), default=5, show_default=True, help="With --dry-run: so many.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="With --dry-run: how to print."
)
def command(store: str | None, *, dry_run: bool, first: int, form: str, **flags: Any) -> int:
    """Stream logs into the store, losing nothing and storing nothing twice.

    Reads the sources of logship.toml, or the log groups of --group. Stops cleanly on SIGTERM, on Ctrl-C and with its
    terminal, goes on where it stopped, also after being killed, and reads its settings again on SIGHUP.
    """
    from logship.cli import forwarding
    from logship.cli.forward_plan import Wanted

    diagnostics.expect_many_objects()
    if flags["start"] is not None:
        _check_start(flags["start"])
    wanted = Wanted(
        store=store,
        groups=flags["groups"],
        start=flags["start"],
        state=flags["state"],
        region=flags["region"],
        once=flags["once"],
    )
    target = options.chosen_store(store)
    if dry_run:
        return forwarding.show(wanted, target, first=first, form=form)
    return forwarding.run(wanted, target)


def _check_start(text: str) -> None:
    """Names the flag, which stands in for `start` of every source, where it is no time to start at."""
    try:
        parse_past(text, now_us=options.now_us())
    except TimeRangeError as error:
        raise UsageError(f"--start: {error}") from None
