"""`logship store export`: records to another store, or into a file that `logship import` reads back."""

from __future__ import annotations

import gzip
import os
import sys
import time
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from logship.cli import diagnostics, options
from logship.errors import BrokenFileError, DiskFullError, ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from logship.query.tree import Node
    from logship.settings import Store
    from logship.store.port import StoreReader
    from logship.timerange import TimeRange

_BATCH: Final = 2_000
_COMMIT_EVERY: Final = 50_000
_FAST: Final = 1
"""gzip's level: four times as fast as its usual one, for files a tenth larger."""


@click.command()
@click.argument("query", nargs=-1, shell_complete=options.complete_query)
@options.store_option
@click.option("--since", metavar="SPAN", help="Start, counted back from now: 15m, 2h, 7d.")
@click.option("--from", "from_time", metavar="TIME", help="Start: ISO 8601 (UTC if it names no zone), 2h, today.")
@click.option("--until", metavar="TIME", help="End of the time range, not included.")
@click.option("--to", "target", metavar="WHERE", help="The store to copy into, as --store names one.")
@click.option("--format", "wanted", type=click.Choice(["ndjson"]), help="Lines of JSON that `logship import` reads.")
@click.option("--output", metavar="FILE", help="Where the lines go; compressed if it ends in .gz; stdout if not set.")
def export(
    query: tuple[str, ...],
    *,
    store: str | None,
    since: str | None,
    from_time: str | None,
    target: str | None,
    until: str | None,
    wanted: str | None,
    output: str | None,
) -> int:
    """Copy records, oldest first, keeping their ids: doing it again adds only what is missing.

    \b
    logship store export --store ./data --to prod
    logship store export 'service:orders' --since 7d --format ndjson --output orders.ndjson.gz

    Exit status 5: the other store refused some records; everything else is copied.
    """
    from logship.query.tree import fields

    if bool(target) == bool(wanted or output):
        raise UsageError("say where the records go: --to WHERE for a store, or --format ndjson [--output FILE]")
    diagnostics.expect_many_objects()
    now = options.now_us()
    tree = options.read_query(query, now=now)
    within = options.time_range(since, from_time, until, now=now)
    reader = options.open_store(store)
    options.say_unknown_fields(reader, fields(tree))
    if target:
        return _to_store(reader, tree, within, options.chosen_store(store), target)
    return _to_file(reader, tree, within, output)


def _to_store(reader: StoreReader, tree: Node, within: TimeRange | None, source: Store, target: str) -> int:
    from logship.cli.exporting import Shown
    from logship.record import with_own_id
    from logship.settings import resolve_store
    from logship.wiring import open_writer

    other = resolve_store(target, options.settings())
    if other == source:
        raise UsageError(f"--to {target!r} is the store the records come from; name another one")
    began = time.monotonic()
    accepted = existing = uncommitted = 0
    refused: list[str] = []
    refusals = 0
    writer = open_writer(other, "export")
    try:
        with Shown(reader, tree, within) as shown:
            records = map(with_own_id, shown.counted(reader.scan(tree, within)))
            while batch := list(islice(records, _BATCH)):
                result = writer.add(batch)
                accepted, existing = accepted + result.accepted, existing + result.existing
                refusals += len(result.rejected)
                refused += [item.reason for item in result.rejected][: 3 - len(refused)]
                uncommitted += len(batch)
                if uncommitted >= _COMMIT_EVERY:
                    writer.commit()
                    uncommitted = 0
        writer.commit()
    finally:
        writer.close()
    also = f"; {existing:,} were there already" if existing else ""
    diagnostics.say(
        f"{diagnostics.counted(accepted, 'record')} into {other.location} in {time.monotonic() - began:.1f} s{also}"
    )
    if refusals:
        diagnostics.say(diagnostics.refused(other.location, refusals, refused))
    return ExitCode.DATA if refusals else ExitCode.DONE


def _to_file(reader: StoreReader, tree: Node, within: TimeRange | None, name: str | None) -> int:
    from logship.cli.exporting import Shown, write

    began = time.monotonic()
    with _opened(name) as out, Shown(reader, tree, within) as shown:
        written = write(reader, tree, within, "ndjson", shown, newest_first=False, out=out)
    where = f" into {name}" if name else ""
    diagnostics.say(f"{diagnostics.counted(written, 'record')}{where} in {time.monotonic() - began:.1f} s")
    return ExitCode.DONE


@contextmanager
def _opened(name: str | None) -> Iterator[BinaryIO]:
    """The file under another name until it is whole, so that a broken export never looks like one."""
    if name is None:
        yield sys.stdout.buffer
        return
    path = Path(name)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            if path.suffix == ".gz":
                with gzip.GzipFile("", "wb", _FAST, file, mtime=0) as packed:
                    yield packed  # type: ignore[misc]  # it writes as a file does
            else:
                yield file
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        kind = DiskFullError if error.errno in (28, 122) else BrokenFileError
        raise kind(f"cannot write {name!r}: {error.strerror or error}; name another --output") from None
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
