"""A store reader whose scans end when nobody waits for them any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from logship.store.port import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from logship.query.tree import Node
    from logship.record import Record
    from logship.store.port import StoreReader
    from logship.timerange import TimeRange

_EVERY: Final = 256


class StoppableReader:
    """Passes everything on to a reader; `scan` raises `Cancelled` soon after `stop` answers true."""

    def __init__(self, reader: StoreReader, stop: Callable[[], bool]) -> None:
        self._reader, self._stop = reader, stop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def scan(self, query: Node, within: TimeRange | None = None, *, newest_first: bool = False) -> Iterator[Record]:
        """All matching records in order."""
        for number, record in enumerate(self._reader.scan(query, within, newest_first=newest_first)):
            if number % _EVERY == 0 and self._stop():
                raise Cancelled
            yield record
