"""`logship forward`."""

from __future__ import annotations

import signal
import threading
from typing import Any

import click

from logship.cli import diagnostics, options


@click.command()
@options.store_option
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="PATTERN",
    shell_complete=options.complete_group,
    help="Log group or pattern; may be repeated.",
)
@click.option("--start", metavar="TIME", help="Where a group without checkpoint begins: 1h back if not set.")
@click.option("--state", metavar="DIR", help="Folder of checkpoints and dead letters; ./state if not set.")
@click.option("--region", help="AWS region.")
@click.option("--once", is_flag=True, help="Stop when everything that is visible now is stored.")
def command(
    store: str | None,
    groups: tuple[str, ...],
    start: str | None,
    state: str | None,
    region: str | None,
    *,
    once: bool,
) -> None:
    """Stream log groups of CloudWatch Logs into the store, losing nothing and storing nothing twice.

    Stops cleanly on SIGTERM and Ctrl-C, and goes on where it stopped, also after being killed.
    """
    from logship import naming
    from logship.cloudwatch.client import logs_client
    from logship.forward.run import Forwarder, ForwardOptions
    from logship.parse import Parser
    from logship.settings import Source
    from logship.timerange import parse_time
    from logship.wiring import open_writer

    diagnostics.expect_many_objects()
    settings = options.settings()
    source = settings.forward.source[0] if settings.forward.source else Source()
    wanted = ForwardOptions(
        groups=groups or tuple(source.groups),
        start_ms=parse_time(start or source.start, now_us=options.now_us()) // 1000,
        state=state or settings.forward.state,
        interval_s=settings.forward.interval_s,
        once=once,
    )
    stop = _stop_on_signals()
    client = logs_client(region=region or source.region)
    writer = open_writer(options.chosen_store(store), "forward", long_running=True)
    try:
        forwarder = Forwarder(client, writer, Parser(naming.service_of_group), wanted, stop=stop, say=diagnostics.say)
        status = forwarder.run()
    finally:
        writer.close()
    counts = status.counts
    diagnostics.say(
        f"{counts.stored:,} records stored from {len(status.groups)} log groups"
        + (f"; {counts.existing:,} were there already" if counts.existing else "")
        + (f"; {counts.rejected:,} in dead-letters.ndjson" if counts.rejected else "")
    )


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def handle(number: int, frame: Any) -> None:
        del number, frame
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
