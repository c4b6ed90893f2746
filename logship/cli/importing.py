"""`logship import`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from logship.cli import diagnostics, options
from logship.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.forward.importing import ImportResult
    from logship.secrets import Redactor


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@options.store_option
@click.option(
    "--group",
    shell_complete=options.complete_group,
    help="Log group of the lines; the name of the file's folder if not set.",
)
@click.option("--stream", help="Log stream; a digest of the first line if not set, so that rotation keeps it.")
@click.option("--service", help="Service of lines that do not name one.")
@click.option("--time", "at", metavar="TIME", help="Time of lines before the first dated one.")
@click.option(
    "--final", is_flag=True, help="A last line without a newline is complete; else it waits for the next import."
)
def command(
    paths: tuple[str, ...],
    store: str | None,
    group: str | None,
    stream: str | None,
    service: str | None,
    at: str | None,
    *,
    final: bool,
) -> int:
    """Files into the store; importing again changes nothing.

    Reads plain and compressed logs, NDJSON of CloudWatch events, S3 exports, the output of
    `aws logs filter-log-events`, dead letters of `logship.serverless.handler`, and what
    `logship store export --format ndjson` wrote, whose ids are kept.
    Folders are searched whole. Secrets are taken out first, as [redact] of the settings says.

    Rules and services of the settings count as they do for `logship forward`.

    Exit status 5: a file or a dead letter could not be read, or not to its end, or the store refused records;
    everything else is stored.
    """
    from logship.forward.between.prepare import parser_of, rules_of
    from logship.forward.files import FileOptions
    from logship.forward.importing import import_paths
    from logship.secrets import from_settings
    from logship.timerange import parse_time
    from logship.wiring import open_writer

    diagnostics.expect_many_objects()
    time_ms = parse_time(at, now_us=options.now_us()) // 1000 if at else None
    wanted = FileOptions(group=group, stream=stream, time_ms=time_ms, final=final)
    settings = options.settings()
    parser, rules = parser_of(settings, service=service or ""), rules_of(settings)
    redactor = from_settings(settings.redact)
    target = options.chosen_store(store)
    progress, began = diagnostics.Progress(), time.monotonic()
    writer = open_writer(target, "import", say=diagnostics.say)
    try:
        result = import_paths(
            paths,
            writer,
            parser,
            wanted,
            redact=redactor.redact if redactor else None,
            rules=rules,
            progress=lambda now: progress.show(f"{now.accepted + now.existing:,} records"),
        )
    finally:
        writer.close()
        progress.clear()
    _report(result, target.location, time.monotonic() - began)
    if redactor and redactor.lines:
        diagnostics.say(_redacted(redactor))
    if result.rejected or result.unread or any(error.exit_code == ExitCode.DATA for error in result.errors):
        return ExitCode.DATA
    return ExitCode.USAGE if result.errors else ExitCode.DONE


def _report(result: ImportResult, location: str, seconds: float) -> None:
    for error in result.errors:
        diagnostics.say(f"logship: {error}")
    if result.waiting:
        diagnostics.say(_waiting(result.waiting))
    if result.strange:
        diagnostics.say(
            f"{result.strange:,} strange lines (no UTF-8, control characters, over 1 MiB) are stored as they are"
        )
    diagnostics.say(
        f"{diagnostics.counted(result.accepted, 'record')} from {diagnostics.counted(result.files, 'file')} "
        f"into {location} in {seconds:.1f} s"
        + (f"; {result.existing:,} were there already" if result.existing else "")
        + (f"; {result.left_out:,} left out by rules" if result.left_out else "")
    )
    if result.rejected:
        diagnostics.say(diagnostics.refused(location, result.rejected, result.reasons))
    if result.unread:
        diagnostics.say(
            f"logship: {diagnostics.counted(result.unread, 'dead letter')} still cannot be read, or not whole, "
            f"so keep the files: {'; '.join(result.unread_reasons)}"
        )


def _waiting(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{names[0]!r}: its last line has no newline yet and waits; import with --final to take it"
    return f"{len(names):,} files: their last lines have no newline yet and wait; import with --final to take them"


def _redacted(redactor: Redactor) -> str:
    counts = {name: count for name, count in redactor.counts.items() if count}
    total = sum(counts.values())
    by_rule = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))
    secrets = f"{total:,} secrets" if total > 1 else "1 secret"
    lines = f"{redactor.lines:,} lines" if redactor.lines > 1 else "1 line"
    return f"{secrets} in {lines} {'were' if total > 1 else 'was'} redacted: {by_rule}"
