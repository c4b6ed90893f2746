"""The different values of a field, where they are few enough to be tried one by one.

Regular expressions, ranges of text and wildcards over numbers exist in no index; the values that pass do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from logship.query import text
from logship.query.match import value_text
from logship.store import storable
from logship.store.tantivy import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import tantivy

_MOST: Final = 20_000
"""More values than that take longer to try than most searches take."""
_WHOLE_FLOATS: Final = 2**53
_LONGEST_CHARACTER: Final = 4
_MAYBE_NO_TEXT: Final = ("{", "[")


@dataclass(frozen=True, slots=True)
class Value:
    """A value, and the term of the index that finds the records with it."""

    column: str
    term: str | float
    text: str
    is_text: bool

    @property
    def clipped(self) -> bool:
        """Whether the index may know only the beginning of it."""
        return len(self.text.encode()) > text.MAX_VALUE_BYTES - _LONGEST_CHARACTER

    @property
    def maybe_no_text(self) -> bool:
        """Whether a boolean, a list or an object may read so."""
        return self.column == "kv" and (self.text in ("true", "false") or self.text.startswith(_MAYBE_NO_TEXT))


class TooManyError(Exception):
    """A field has more values than can be tried."""


class Values:
    """Reads the index's dictionaries."""

    def __init__(self, searcher: tantivy.Searcher) -> None:
        self._searcher = searcher

    def that(self, field: str, passes: Callable[[Value], bool]) -> list[Value]:
        """The values of a field that pass a test.

        Raises:
            TooManyError: the field has too many.
        """
        return [value for value in self._of(field) if passes(value)]

    def _of(self, field: str) -> Iterator[Value]:
        if column := schema.TEXT_TERMS.get(field) or schema.TEXT_COLUMNS.get(field):
            yield from (Value(column, term, term, is_text=True) for term in self._terms(column, ""))
        if column := schema.NUMBER_COLUMNS.get(field):
            yield from (Value(column, number, value_text(number), is_text=False) for number in self._numbers(column))
        for mark in (schema.TEXT_MARK, schema.NUMBER_MARK):
            prefix = f"{storable.text(field)}{mark}"
            for term in self._terms("kv", prefix):
                yield Value("kv", term, term.removeprefix(prefix), is_text=mark == schema.TEXT_MARK)

    def _terms(self, column: str, prefix: str) -> list[str]:
        found = self._searcher.terms_with_prefix(column, prefix, limit=_MOST + 1)
        if len(found) > _MOST:
            raise TooManyError
        return [term for term, _ in found]

    def _numbers(self, column: str) -> list[float]:
        import tantivy

        asked = {"values": {"terms": {"field": column, "size": _MOST + 1, "segment_size": _MOST + 1}}}
        answer = self._searcher.aggregate(tantivy.Query.all_query(), asked)
        found = [float(bucket["key"]) for bucket in answer["values"]["buckets"]]
        if len(found) > _MOST or any(abs(number) >= _WHOLE_FLOATS for number in found):
            raise TooManyError
        return found
