"""Which columns hold the values of a field, and how their cells read as values of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from logship.query import names
from logship.query.match import value_text
from logship.record import HANDLER_ID, SEVERITY_NUMBERS
from logship.store import storable
from logship.store.tantivy import schema

if TYPE_CHECKING:
    import tantivy

LEVEL: Final = "level"
LEVEL_OF: Final = {number: name for name, number in SEVERITY_NUMBERS.items()}
_EXACT: Final = 2**53
"""Whole numbers from here on are not exact in columns that hold fractions, too."""


class InexactError(Exception):
    """Columns cannot give the exact answer: records have to be read."""


class Columns:
    """Knows the columns of one snapshot.

    A field may have values in several: in its own, and in `attrs` those that its own cannot hold.
    """

    def __init__(self, searcher: tantivy.Searcher) -> None:
        self._searcher = searcher

    def keys(self, field: str) -> list[str]:
        """The columns of all values of a field, for grouping.

        Raises:
            InexactError: its values are in no column, or a list holds one of them twice.
        """
        if field == names.SEVERITY:
            return [LEVEL]
        if field == "traceId":
            return [schema.TEXT_COLUMNS[field]]
        terms_alone = field in schema.TEXT_TERMS or field in names.TOP_LEVEL
        if terms_alone or field in schema.UNINDEXED or field == HANDLER_ID or self._repeats(field):
            raise InexactError
        return self._own_and_attrs(field, schema.TEXT_COLUMNS.get(field) or schema.NUMBER_COLUMNS.get(field))

    def numbers(self, field: str) -> list[str]:
        """The columns of all numbers of a field; none for fields that never hold any.

        Raises:
            InexactError: its values are in no column.
        """
        if field in schema.TIME_COLUMNS:
            return [schema.TIME_COLUMNS[field]]
        if field in names.TOP_LEVEL:
            return []
        if field in schema.UNINDEXED or field == HANDLER_ID:
            raise InexactError
        return self._own_and_attrs(field, schema.NUMBER_COLUMNS.get(field))

    def _own_and_attrs(self, field: str, own: str | None) -> list[str]:
        attrs = f"attrs.{storable.column_name(storable.text(field))}"
        # Values that a column of one's own cannot hold are told of in `names`.
        odd = own is None or self._searcher.doc_freq("names", storable.text(field)) > 0
        return [*([own] if own else []), *([attrs] if odd else [])]

    def _repeats(self, field: str) -> bool:
        return self._searcher.doc_freq("names", schema.REPEAT_MARK + storable.text(field)) > 0


def cell_text(column: str, cell: Any) -> str:
    """A cell of a column as the text of its value.

    Raises:
        InexactError: it is a number that the column may have rounded.
    """
    if column == LEVEL:
        return LEVEL_OF[int(cell)]
    if isinstance(cell, str):
        return cell.removeprefix(schema.COLUMN_TEXT) if column.startswith("attrs.") else cell
    if abs(cell) >= _EXACT:
        raise InexactError
    return value_text(cell)
