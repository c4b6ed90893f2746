"""Records in order of a field's value, reading little more than those that are wanted.

First come numbers: the value that cuts off enough of them is looked for with histograms of fewer and fewer
numbers, since counting is cheap. Then texts, value by value, then the records without a value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from logship.query import names
from logship.query.tree import All, Exists, Not, Range, Term, both
from logship.record import SEVERITY_NUMBERS
from logship.store import plain
from logship.store.port import Measure
from logship.store.tantivy import schema
from logship.store.tantivy.columns import InexactError
from logship.store.tantivy.statistics import Statistics

if TYPE_CHECKING:
    from collections.abc import Callable

    import tantivy

    from logship.query.tree import Node
    from logship.record import Record
    from logship.store.port import StoreReader
    from logship.store.tantivy.compile import Compiler
    from logship.timerange import TimeRange

_SPARE: Final = 200
"""Records read beyond those wanted cost less than looking closer."""
_MOST_ROUNDS: Final = 80
_BARS: Final = 500
_MOST_VALUES: Final = 200
_EXACT: Final = 2**53


class Ordering:
    """One question: the first matches in order of a field."""

    def __init__(
        self,
        reader: StoreReader,
        engine: tuple[tantivy.Searcher, Compiler],
        query: Node,
        field: str,
        within: TimeRange | None,
        *,
        descending: bool,
        stop: Callable[[], bool],
    ) -> None:
        self._reader, self._engine, self._query, self._within = reader, engine, query, within
        self._field, self._descending, self._stop = field, descending, stop
        self._whole = field == names.SEVERITY or field in schema.TIME_COLUMNS

    def first(self, limit: int) -> list[Record]:
        """The first `limit` records.

        Raises:
            InexactError: columns do not tell; all matches have to be read.
        """
        if not self._engine[1].compile(self._query).exact:
            raise InexactError
        found = self._numbers(limit)
        if len(found) < limit and self._field != names.SEVERITY:
            having = self._count(Exists(self._field))
            found += self._texts(limit - len(found), found) if having > len(found) else []
        if len(found) < limit:
            found += self._search(Not(Exists(self._field)), limit - len(found))
        return found

    def _numbers(self, limit: int) -> list[Record]:
        ends = self._ends(All())
        if ends is None:
            return []
        if max(map(abs, ends)) >= _EXACT:
            raise InexactError
        worst, best = least, _ = ends
        for _ in range(_MOST_ROUNDS):
            for guess in self._guesses(worst, best, limit):
                total = self._count(self._from(guess))
                if total <= limit + _SPARE and (total >= limit or guess == least):
                    return self._ranked(self._search(self._from(guess), total), limit)
                if total < limit:
                    best = guess
                else:
                    worst = self._nearest(guess, best)
            if self._count(self._from(worst, beyond=True)) < limit:
                return self._with_ties(worst, limit)
        raise InexactError

    def _ends(self, node: Node) -> tuple[float, float] | None:
        """The last and the first number in the order, among the records that match the node; None without any."""
        if self._field == names.SEVERITY:
            low, high = 1.0, float(max(SEVERITY_NUMBERS.values()))
        else:
            measures = [Measure("min", self._field), Measure("max", self._field)]
            statistics = Statistics(*self._engine, both(self._query, node), self._within)
            first, last = statistics.groups(measures, (), 0)[0].values
            if first is None or last is None:
                return None
            low, high = first, last
        return (low, high) if self._descending else (high, low)

    def _guesses(self, worst: float, best: float, limit: int) -> list[float]:
        """Numbers between which the one of rank `limit` lies, the one nearer to the worst first."""
        if self._field == names.SEVERITY:
            return [worst, self._middle(worst, best)]
        step = abs(best - worst) / _BARS or 1.0
        step = max(1, math.ceil(step)) if self._whole else step
        bars = Statistics(*self._engine, both(self._query, self._from(worst)), self._within).bars(self._field, step)
        if sum(bars.values()) <= limit + _SPARE:
            return [worst]
        seen = 0
        for edge in sorted(bars, reverse=self._descending):
            seen += bars[edge]
            if seen >= limit:
                guesses = [edge, edge + step] if self._descending else [edge + step, edge - step / 2]
                return [self._inside(guess, worst, best) for guess in guesses]
        return [self._middle(worst, best)]

    def _middle(self, worst: float, best: float) -> float:
        middle = worst + (best - worst) / 2
        if self._whole:
            middle = math.ceil(middle) if self._descending else math.floor(middle)
        return best if middle == worst else middle

    def _inside(self, guess: float, worst: float, best: float) -> float:
        """The guess, but better than the worst so that each round gets nearer, and not beyond the best."""
        if self._whole:
            guess = math.ceil(guess) if self._descending else math.floor(guess)
        if self._is_before(guess, best):
            return best
        return guess if self._is_before(guess, worst) else self._middle(worst, best)

    def _nearest(self, guess: float, best: float) -> float:
        """The last number in the order that does not stand behind the guess; lists may hide it."""
        ends = self._ends(self._from(guess))
        if ends is None or self._is_before(guess, ends[0]) or self._is_before(ends[0], best):
            return guess
        return guess if self._field == names.SEVERITY else ends[0]

    def _is_before(self, first: float, second: float) -> bool:
        return first > second if self._descending else first < second

    def _from(self, value: float, *, beyond: bool = False) -> Range:
        """Numbers up to this one in the order, or only those before it."""
        if self._descending:
            return Range(self._field, value, None, include_low=not beyond)
        return Range(self._field, None, value, include_high=not beyond)

    def _with_ties(self, value: float, limit: int) -> list[Record]:
        """The fewer than `limit` records before a number, filled up with the newest that have it."""
        before = self._search(self._from(value, beyond=True), limit)
        ties = self._search(Range(self._field, value, value), limit + len(before))
        return self._ranked(list({record.id: record for record in (*before, *ties)}.values()), limit)

    def _texts(self, limit: int, known: list[Record]) -> list[Record]:
        """Those that have text alone, value by value."""
        found: list[Record] = []
        seen = {record.id for record in known}
        terms = self._reader.terms(self._query, self._field, self._within, size=_MOST_VALUES + 1)
        if len(terms) > _MOST_VALUES:
            raise InexactError
        for text in sorted((text for text, _ in terms), reverse=self._descending):
            page = self._search(Term(self._field, text), limit - len(found) + len(seen))
            new = [record for record in page if record.id not in seen]
            seen |= {record.id for record in new}
            found += new[: limit - len(found)]
            if len(found) == limit:
                break
        return found

    def _ranked(self, records: list[Record], limit: int) -> list[Record]:
        return plain.ordered(records, self._field, limit=limit, descending=self._descending)

    def _count(self, node: Node) -> int:
        return self._reader.count(both(self._query, node), self._within, stop=self._stop)

    def _search(self, node: Node, limit: int) -> list[Record]:
        return self._reader.search(both(self._query, node), self._within, limit=limit, stop=self._stop)
