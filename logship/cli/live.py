"""The screen side of `--follow`: formats, the heartbeat on stderr, and the end when nobody reads."""

from __future__ import annotations

import select
import sys
import time
from typing import TYPE_CHECKING, Final

from logship.cli import diagnostics, output, tables
from logship.cli.following import follow
from logship.errors import UsageError
from logship.query.stages.tree import Fields, Where
from logship.query.tree import both
from logship.store.pipeline import Records
from logship.timerange import EARLIEST_US, human_span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from logship.query.stages import Column, Stage
    from logship.query.tree import Node
    from logship.record import Record
    from logship.store.port import StoreReader

_HEARTBEAT_S: Final = 30.0
"""How often a line says that all is well where stderr is no terminal."""


def run(
    readers: tuple[StoreReader, StoreReader],
    query: Node,
    stages: Sequence[Stage],
    *,
    start_us: int | None,
    wanted: str,
    first: int,
) -> None:
    """Prints what matches until Ctrl-C, or until the reader of stdout goes away.

    Raises:
        UsageError: a stage needs all records before it can say anything.
        BrokenPipeError: nobody reads stdout any more.
    """
    query, columns = simple(query, stages)
    heart = Heartbeat()
    found = follow(readers, query, EARLIEST_US if start_us is None else start_us, first=first, idle=heart.beat)
    show(found, columns, wanted, heart)


def show(records: Iterator[Record], columns: tuple[Column, ...], wanted: str, heart: Heartbeat) -> None:
    """Prints records as they come, or the chosen columns of them."""
    found = heart.counted(records)
    try:
        if columns:
            tables.write_rows(columns, Records(found, columns).rows(), wanted, measured=0)
        else:
            output.write_records(found, wanted)
    finally:
        heart.progress.clear()


def simple(query: Node, stages: Sequence[Stage]) -> tuple[Node, tuple[Column, ...]]:
    """The query with the conditions of its stages, and the chosen columns.

    Raises:
        UsageError: a stage needs all records before it can say anything.
    """
    columns: tuple[Column, ...] = ()
    for stage in stages:
        if isinstance(stage, Where):
            query = both(query, stage.condition)
        elif isinstance(stage, Fields) and not stage.leave_out:
            columns = tuple(key.column for key in stage.keys)
        else:
            name = type(stage).__name__.lower()
            raise UsageError(f"--follow has no end, and the stage {name!r} needs all records; leave out one of them")
    return query, columns


class Heartbeat:
    """Says on stderr that following goes on, and how long ago the last record came."""

    def __init__(self) -> None:
        self.progress = diagnostics.Progress()
        self._records = 0
        self._newest_us = 0
        self._said_s = time.monotonic()
        self._closed = select.poll()
        self._closed.register(sys.stdout.fileno(), 0)

    def counted(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records as they pass by."""
        for record in records:
            self.progress.clear()
            self._records += 1
            self._newest_us = max(self._newest_us, record.time_us)
            yield record

    def beat(self) -> None:
        """Everything found is out; called before each pause."""
        sys.stdout.buffer.flush()
        if any(event & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, event in self._closed.poll(0)):
            raise BrokenPipeError
        if diagnostics.interactive():
            self.progress.show(self._text())
        elif time.monotonic() - self._said_s >= _HEARTBEAT_S:
            self._said_s = time.monotonic()
            diagnostics.say(self._text())

    def _text(self) -> str:
        if not self._records:
            return "following; no record yet"
        ago = max(time.time_ns() // 1000 - self._newest_us, 0)
        return f"following; {diagnostics.counted(self._records, 'record')}, last record {human_span(ago)} ago"
