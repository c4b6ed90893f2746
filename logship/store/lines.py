"""Records as lines of JSON, each what `record.to_document` gives: how millions of them leave a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import orjson

from logship.record import to_document
from logship.store import storable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.query.tree import Node
    from logship.record import Record
    from logship.store.port import StoreReader
    from logship.timerange import TimeRange


@runtime_checkable
class WritesLines(Protocol):
    """A reader that gives lines without making records of them first."""

    def lines(self, query: Node, within: TimeRange | None = None, *, newest_first: bool = False) -> Iterator[bytes]:
        """All matching records in order, a line of JSON each without its newline, in constant memory."""


def lines(
    reader: StoreReader, query: Node, within: TimeRange | None = None, *, newest_first: bool = False
) -> Iterator[bytes]:
    """All matching records in order, a line of JSON each without its newline, in constant memory."""
    if isinstance(reader, WritesLines):
        return reader.lines(query, within, newest_first=newest_first)
    return map(line, reader.scan(query, within, newest_first=newest_first))


def line(record: Record) -> bytes:
    """One record as a line of JSON; lone surrogates, which JSON cannot hold, become `?` as the stores keep them."""
    document = to_document(record)
    try:
        return orjson.dumps(document)
    except (TypeError, orjson.JSONEncodeError):
        return orjson.dumps(storable.clean(document), default=str)
