"""Millions of records out of a store: constant memory, and progress for who watches."""

from __future__ import annotations

import sys
import time
from itertools import islice
from typing import TYPE_CHECKING, Final, Self, TypeVar

from logship.cli import diagnostics, output
from logship.store.lines import lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType
    from typing import BinaryIO

    from logship.query.tree import Node
    from logship.store.port import StoreReader
    from logship.timerange import TimeRange

_Item = TypeVar("_Item")
_SHOWN_EVERY_S: Final = 0.2
_LINES: Final = 500
"""Lines written at once; fewer cost a call each, more cost memory where lines are long."""


class Shown:
    """A line on stderr that counts what passes by, and of how many; nothing is counted when nobody watches."""

    def __init__(self, reader: StoreReader, tree: Node, within: TimeRange | None) -> None:
        self._total = reader.count(tree, within) if diagnostics.interactive() else 0
        self._progress = diagnostics.Progress()
        self._began_s = self._shown_s = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.clear()

    def counted(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """The items as they pass by."""
        if not self._total:
            yield from items
            return
        for number, item in enumerate(items, 1):
            yield item
            if number % _LINES == 0:
                self.tell(number)

    def tell(self, number: int) -> None:
        """Shows how many are through, now and then."""
        now = time.monotonic()
        if self._total and now - self._shown_s >= _SHOWN_EVERY_S:
            self._shown_s = now
            rate = number / (now - self._began_s)
            self._progress.show(f"{number:,} of {self._total:,} records, {rate:,.0f} a second")


def write(
    reader: StoreReader,
    tree: Node,
    within: TimeRange | None,
    wanted: str,
    shown: Shown,
    *,
    newest_first: bool,
    out: BinaryIO | None = None,
) -> int:
    """Writes all matches in a format, to stdout if not told; how many there were."""
    target = sys.stdout.buffer if out is None else out
    if wanted == "ndjson":
        return _write_lines(lines(reader, tree, within, newest_first=newest_first), shown, target)
    found = shown.counted(reader.scan(tree, within, newest_first=newest_first))
    return output.write_records(found, wanted, target)


def _write_lines(made: Iterator[bytes], shown: Shown, out: BinaryIO) -> int:
    written = 0
    while batch := list(islice(made, _LINES)):
        batch.append(b"")
        out.write(b"\n".join(batch))
        written += len(batch) - 1
        shown.tell(written)
    out.flush()
    return written
