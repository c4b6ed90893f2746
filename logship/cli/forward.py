"""`logship forward`."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
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
    from logship.cloudwatch.client import logs_client
    from logship.forward.prepare import prepare_of
    from logship.forward.run import ForwardOptions, forward_groups
    from logship.settings import Source
    from logship.timerange import parse_time
    from logship.wiring import is_remote, open_writer

    diagnostics.expect_many_objects()
    settings = options.settings()
    source = settings.forward.source[0] if settings.forward.source else Source()
    target = options.chosen_store(store)
    place = target.location if is_remote(target) else str(Path(target.location).resolve())
    wanted = ForwardOptions(
        groups=groups or tuple(source.groups),
        start_ms=parse_time(start or source.start, now_us=options.now_us()) // 1000,
        state=state or settings.forward.state,
        interval_s=settings.forward.interval_s,
        once=once,
        live_tail=source.live_tail,
        store=place,
    )
    prepare = prepare_of(settings)
    stop = _stop_on_signals()
    client = logs_client(region=region or source.region)
    writer = open_writer(target, "forward", long_running=True)
    try:
        done = forward_groups(client, writer, prepare, wanted, stop=stop, say=diagnostics.say)
    finally:
        writer.close()
    counts, left_out = done.counts, sum(rule.dropped + rule.sampled_out for rule in prepare.counts().rules)
    diagnostics.say(
        f"{counts.stored:,} records stored from {len(done.groups)} log groups"
        + (f"; {counts.existing:,} were there already" if counts.existing else "")
        + (f"; rules left out {left_out:,}" if left_out else "")
        + (f"; {counts.rejected:,} cannot be stored, see: logship dead-letters list" if counts.rejected else "")
    )


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def handle(number: int, frame: Any) -> None:
        del number, frame
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
