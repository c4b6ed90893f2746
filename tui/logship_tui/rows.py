"""Random access to the matches of a query, millions of them, through a port that knows cursors only.

Rows are read in blocks from the nearest anchor, a row whose cursor is known. For a far jump a histogram gives
anchors all over the range: the records of all newer bars are counted exactly, so the row where a bar begins is.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final

from logship.store.port import never

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.query.tree import Node
    from logship.record import Record
    from logship.store.port import Cursor, StoreReader
    from logship.timerange import TimeRange

BLOCK: Final = 200
_HELD_BLOCKS: Final = 60
"""12,000 records, some 25 MB."""
_FAR: Final = 5_000
_BARS: Final = 4_000


class Rows:
    """The matches of one query, newest first, as numbered rows."""

    def __init__(self, reader: StoreReader, query: Node, within: TimeRange | None) -> None:
        self._reader, self._query, self._within = reader, query, within
        self._anchors: list[tuple[int, Cursor | None]] = [(0, None)]
        self._blocks: OrderedDict[int, list[Record]] = OrderedDict()
        self._has_histogram = False
        self._reading = Lock()

    def held(self, row: int) -> Record | None:
        """The record of a row, if its block has been read."""
        block = self._blocks.get(row // BLOCK)
        place = row % BLOCK
        return block[place] if block and place < len(block) else None

    def read(self, row: int, stop: Callable[[], bool] = never) -> list[Record]:
        """Reads the block of a row; may be called from a thread.

        Raises:
            Cancelled: `stop` answered true.
        """
        with self._reading:
            return self._read(row, stop)

    def _read(self, row: int, stop: Callable[[], bool]) -> list[Record]:
        number = row // BLOCK
        start = number * BLOCK
        anchor_row, cursor = self._nearest(start)
        if start - anchor_row > _FAR and not self._has_histogram:
            self._anchor_by_time(stop)
            anchor_row, cursor = self._nearest(start)
        while True:
            wanted = start - anchor_row + BLOCK
            page = self._reader.search(self._query, self._within, limit=min(wanted, _FAR), after=cursor, stop=stop)
            if wanted <= _FAR or len(page) < _FAR:
                break
            anchor_row, cursor = anchor_row + len(page), page[-1].order
            self._add_anchor(anchor_row, cursor)
        block = page[start - anchor_row :][:BLOCK]
        if len(block) == BLOCK:
            self._add_anchor(start + BLOCK, block[-1].order)
        self._blocks[number] = block
        while len(self._blocks) > _HELD_BLOCKS:
            self._blocks.popitem(last=False)
        return block

    def _nearest(self, row: int) -> tuple[int, Cursor | None]:
        return self._anchors[bisect_right(self._anchors, row, key=lambda anchor: anchor[0]) - 1]

    def _add_anchor(self, row: int, cursor: Cursor) -> None:
        if self._nearest(row)[0] != row:
            insort(self._anchors, (row, cursor), key=lambda anchor: anchor[0])

    def _anchor_by_time(self, stop: Callable[[], bool]) -> None:
        within = self._within or self._reader.extent()
        if within is None:
            return
        interval_us = max(1, within.span_us // _BARS)
        bars = self._reader.histogram(self._query, within, interval_us, stop=stop)
        self._has_histogram = True
        row = 0
        for bar in reversed(bars):
            row += bar.count
            # Behind the first moment of a bar come all rows that are older than it.
            self._add_anchor(row, (bar.start_us, ""))
