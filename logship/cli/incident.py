"""`logship incident`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from logship.cli import diagnostics, options
from logship.errors import TimeRangeError

if TYPE_CHECKING:
    from logship.store.port import StoreReader
    from logship.timerange import TimeRange


@click.command()
@options.store_option
@click.option(
    "--from", "from_time", metavar="TIME", help="When it became slow; 15 minutes before the newest record if not set."
)
@click.option("--to", "to_time", metavar="TIME", help="When it was over; the newest record if not set.")
@click.option("--baseline-from", multiple=True, metavar="TIME", help="Start of a quiet time; repeatable, in pairs.")
@click.option("--baseline-to", multiple=True, metavar="TIME", help="Its end. Without: the 30 minutes before.")
@click.option("--query", default="", metavar="Q", help="Only records that match.")
@click.option("--format", "wanted", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    *,
    store: str | None,
    from_time: str | None,
    to_time: str | None,
    baseline_from: tuple[str, ...],
    baseline_to: tuple[str, ...],
    query: str,
    wanted: str,
) -> None:
    """What is slow, and which service causes it: a window compared with quiet times before it.

    Exit status 0 whatever is found; `alarm` in the JSON says whether something is wrong.
    """
    from logship.cli import output
    from logship.incident import analyse
    from logship.query.tree import fields

    diagnostics.expect_many_objects()
    now = options.now_us()
    tree = options.read_query([query], now=now)
    reader = options.open_store(store)
    window = _window(reader, from_time, to_time, now)
    baseline = _baseline(reader, window, baseline_from, baseline_to, now)
    progress = diagnostics.Progress()
    finding = analyse(reader, window, baseline, query=tree, progress=progress.show)
    progress.clear()
    diagnostics.say(f"time: {window}; {finding.records:,} records against {finding.baseline_records:,}")
    for note in finding.notes:
        diagnostics.say(f"note: {note}")
    options.say_unknown_fields(reader, fields(tree))
    if wanted == "json":
        output.write_line(output.dumps(finding.to_json()))
    else:
        text = "\n".join(output.printable(line) for line in finding.to_text().split("\n"))
        output.write_line(text.encode("utf-8", "replace"))


def _window(reader: StoreReader, from_time: str | None, to_time: str | None, now: int) -> TimeRange:
    from logship.incident import default_window
    from logship.timerange import TimeRange, ordered, parse_time

    usual = default_window(reader) or TimeRange(now - 1, now)
    end = parse_time(to_time, now_us=now) if to_time else usual.end_us
    start = parse_time(from_time, now_us=now) if from_time else end - usual.span_us
    return ordered(start, end)


def _baseline(
    reader: StoreReader, window: TimeRange, starts: tuple[str, ...], ends: tuple[str, ...], now: int
) -> list[TimeRange]:
    from logship.incident import default_baseline
    from logship.timerange import ordered, parse_time

    if len(starts) != len(ends):
        raise TimeRangeError(
            f"{len(starts)} --baseline-from and {len(ends)} --baseline-to were given; they belong together in pairs"
        )
    if not starts:
        return default_baseline(reader, window)
    pairs = zip(starts, ends, strict=True)
    quiet = []
    for asked in (ordered(parse_time(a, now_us=now), parse_time(b, now_us=now)) for a, b in pairs):
        parts = asked.without(window)  # compared with itself, a window is never unusual
        if not parts:
            raise TimeRangeError(f"the quiet time {asked} lies within the window {window}; name one before it")
        if parts != [asked]:
            diagnostics.say(f"note: the quiet time {asked} overlaps the window; only what lies outside of it counts")
        quiet += parts
    return quiet
