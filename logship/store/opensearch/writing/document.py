"""Record → the document that OpenSearch keeps: what fits stands under its own name, the rest is made findable."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship.query.names import TOP_LEVEL
from logship.query.text import MAX_VALUE_BYTES, clip, has_long_run
from logship.record import SEVERITY_NUMBERS, Record
from logship.store import storable
from logship.store.opensearch import keys
from logship.store.opensearch.layout import CORE, IDENTITIES, LONG_TEXT, NO_COLUMN, UNINDEXED, Layout, Leaf
from logship.store.opensearch.shapes import SHAPES
from logship.store.opensearch.writing.document_code import EXACT_DOUBLE, maker
from logship.store.opensearch.writing.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from logship.store.opensearch.writing.document_code import Make
    from logship.table import Shape, Table

_isfinite = math.isfinite
_PLACEABLE: Final = re.compile(r"[^.\s]+(?:\.[^.\s]+)*\Z")
_CORE_HEADS: Final = frozenset(
    ".".join(name.split(".")[:depth]) for name in CORE for depth in range(1, name.count(".") + 1)
)
"""Names that are objects in the mapping, so that no value may stand there."""
_LONGEST_NAME: Final = 255
_USUAL: Final = 8
"""Names that were seen together so often get a template: making one costs as much as a hundred documents."""
_MOST_TEMPLATES: Final = 4_096
"""Counts of names included; when there are more, all are forgotten and those in use come back."""
_MOST_SHAPES: Final = 512
_MOST_NAMES: Final = 64
_SURELY_SHORT: Final = MAX_VALUE_BYTES // 4


class Templates:
    """How to make documents of records with names that come again and again; at most so many, for one layout."""

    def __init__(self, layout: Layout, *, usual: int = _USUAL) -> None:
        self._layout, self._usual = layout, usual
        self._of_shape: dict[Shape, Rows | None] = {}
        self._made: dict[tuple[str | None, ...], Make | int | None] = {}

    def of(self, record: Record) -> Make | None:
        """The template for a record's names, if they are usual."""
        names = (*record.resource, None, *record.attributes)
        made = self._made.get(names, 0)
        return self._count(names, made) if type(made) is int else made  # type: ignore[return-value]

    def of_shape(self, shape: Shape) -> Rows | None:
        """The template for tables of a shape; None where there can be none."""
        if shape in self._of_shape:
            return self._of_shape[shape]
        if len(self._of_shape) >= _MOST_SHAPES:
            self._of_shape.clear()
        may_have = self._may_have_template((*shape.resource, *shape.attributes))
        made = self._of_shape[shape] = Rows.of(shape, self._layout) if may_have else None
        return made

    def _may_have_template(self, names: tuple[str, ...]) -> bool:
        if self._layout.output != "otel" or len(names) > _MOST_NAMES:
            return False
        others = [name for name in names if name not in self._layout.attributes]
        return all(type(name) is str and _may_stand(name) for name in others)

    def _count(self, names: tuple[str | None, ...], seen: int) -> Make | None:
        if seen + 1 < self._usual:
            if len(self._made) >= _MOST_TEMPLATES:
                self._made.clear()
            self._made[names] = seen + 1
            return None
        middle = names.index(None)
        resource, attributes = names[:middle], names[middle + 1 :]
        made = self._made[names] = self._template(resource, attributes)  # type: ignore[arg-type]
        return made

    def _template(self, resource: tuple[str, ...], attributes: tuple[str, ...]) -> Make | None:
        if not self._may_have_template((*resource, *attributes)):
            return None
        return maker(resource, attributes, self._layout.attributes)


class Builder:
    """Makes documents; remembers the columns that it would have liked to fill and that are not admitted."""

    def __init__(self, layout: Layout, columns: Mapping[str, object], templates: Templates | None = None) -> None:
        self._layout, self._columns = layout, columns
        self._templates = templates or Templates(layout)
        self._leaves = layout.attributes
        self._has_identities = all(name in layout.leaves for name in IDENTITIES)
        self._shape = SHAPES[layout.output]
        self.missing: set[str] = set()

    def lines(self, records: Sequence[Record], action: bytes) -> list[bytes]:
        """What a bulk request says of many records: for each its action and its document, a line each.

        Args:
            records: all of one index.
            action: the line before a document, up to its id.
        """
        made: list[bytes] = []
        for record in records:
            make = self._templates.of(record)
            document = (make and make(record, self._find, _Terms)) or self.build_general(record)
            made.append(b"".join((action, record.id.encode(), b'"}}\n', dumps(document), b"\n")))
        return made

    def table_lines(self, table: Table, index: str) -> bytes | None:
        """The lines of all records of a table, one after another; None where they have to be made one by one.

        Args:
            table: all of it of one index.
            index: its name.
        """
        rows = self._templates.of_shape(table.shape)
        return rows.lines(table, index, self._terms_of) if rows else None

    def _terms_of(self, names: Sequence[str], values: Sequence[Any]) -> _Terms:
        terms = _Terms()
        for name, value in zip(names, values, strict=True):
            self._find(name, value, terms)
        return terms

    def build_general(self, record: Record) -> dict[str, Any]:
        """The same, name by name: what a template is made from."""
        ours: dict[str, Any] = {"time_us": record.time_us, "id": record.id}
        if record.severity and self._layout.level == "logship.level":
            ours["level"] = SEVERITY_NUMBERS[record.severity]
        if record.observed_ms:
            ours["observed_us"] = record.observed_ms * 1000
        terms = _Terms()
        if len(record.body) > keys.SHORTEST_LONG_RUN and has_long_run(record.body):
            terms.names.append(keys.LONG_RUN)
        if not self._plain_identities(record):
            self._find_identities(record, terms)
        rest: dict[str, Any] = {}
        resource = self._placed(record.resource, "resource", terms, rest)
        attributes = self._placed(record.attributes, "attributes", terms, rest)
        terms.fill(ours)
        return self._shape(record, ours, resource, attributes, rest)

    def _plain_identities(self, record: Record) -> bool:
        """Whether the ids of trace and spans surely fit their own fields."""
        joined = record.trace_id + record.span_id + record.parent_span_id
        return self._has_identities and len(joined) < _SURELY_SHORT and joined.isascii()

    def _find_identities(self, record: Record, terms: _Terms) -> None:
        for name, value in zip(IDENTITIES, (record.trace_id, record.span_id, record.parent_span_id), strict=True):
            own = name in self._layout.leaves
            if value and not (own and _is_short(value)):
                terms.add(name, [value], odd=own)

    def _placed(self, fields: dict[str, Any], part: str, terms: _Terms, rest: dict[str, Any]) -> dict[str, Any]:
        """What of a map may stand under its own names; the rest goes to `rest`, and all is made findable."""
        unplaced = []
        for name, value in fields.items():
            leaf = self._leaves.get(name)
            if leaf is not None and _fits(leaf, value):
                continue
            if value is not None:
                self._find(name, value, terms, odd=leaf is not None)
            if leaf is not None or not _may_stand(name) or (name in LONG_TEXT and type(value) is not str):
                unplaced.append(name)
        if not unplaced:
            return fields
        rest[part] = {name: fields[name] for name in unplaced}
        return {name: value for name, value in fields.items() if name not in rest[part]}

    def _find(self, name: str, value: Any, terms: _Terms, *, odd: bool = False) -> None:
        if name in TOP_LEVEL:
            return  # an attribute that is called like a part of the record, such as `_id`, is not that part
        key = keys.name_key(name)
        if name in UNINDEXED:
            terms.names.append(key)
            return
        items = [item for item in value if item is not None] if type(value) is list else (value,)
        if not items:
            return
        texts = terms.add(key, items, odd=odd)
        if name not in NO_COLUMN and not odd and len(name) <= _LONGEST_NAME:
            self._fill(name, items, texts, terms)

    def _fill(self, name: str, items: Sequence[Any], texts: list[str], terms: _Terms) -> None:
        column, text, number = _column_names(name)
        if text in self._columns:
            terms.text[column] = _one_or_all(texts)
        else:
            self.missing.add(text)
        numbers = [item for item in items if storable.is_number(item)]
        if not numbers:
            return
        if number in self._columns:
            terms.number[column] = _one_or_all(numbers)
        else:
            self.missing.add(number)


@lru_cache(maxsize=65_536)
def _column_names(name: str) -> tuple[str, str, str]:
    column = storable.column_name(storable.text(name))
    return column, f"text.{column}", f"number.{column}"


class _Terms:
    """What makes one record findable beyond its own fields: names, keys, and cells of columns."""

    __slots__ = ("keys", "names", "number", "text")

    def __init__(self) -> None:
        self.names: list[str] = []
        self.keys: list[str] = []
        self.text: dict[str, Any] = {}
        self.number: dict[str, Any] = {}

    def fill(self, ours: dict[str, Any]) -> None:
        """Puts into a document what there is."""
        if self.names:
            ours["names"] = self.names
        if self.keys:
            ours["keys"] = self.keys
        if self.text:
            ours["text"] = self.text
        if self.number:
            ours["number"] = self.number

    def add(self, key: str, items: Sequence[Any], *, odd: bool) -> list[str]:
        """Adds a field's values; each of them as text."""
        self.names.append(key)
        if odd:
            self.names.append(keys.ODD + key)
        texts = []
        for item in items:
            found, text = keys.of_value(key, item)
            self.keys += found
            texts.append(text)
        return texts


def _one_or_all(cells: list[Any]) -> Any:
    return cells if len(cells) > 1 else cells[0]


def _is_short(value: str) -> bool:
    """Whether the whole of a text takes part in comparisons, and UTF-8 can hold it."""
    if len(value) < _SURELY_SHORT and value.isascii():
        return True
    return bool(clip(storable.text(value)) == value)


def _fits(leaf: Leaf, value: Any) -> bool:
    kind = type(value)
    if kind is list:
        return bool(value) and all(_fits(leaf, item) for item in value if item is not None)
    if leaf.kind == "text":
        return kind is str and _is_short(value)
    if kind is int:
        return bool(-EXACT_DOUBLE < value < EXACT_DOUBLE)
    return kind is float and leaf.kind == "number" and _isfinite(value)


@lru_cache(maxsize=65_536)
def _may_stand(name: str) -> bool:
    """Whether a value may stand under its name without meeting the mapping of another name."""
    if name in LONG_TEXT:
        return True
    if name in CORE or name in _CORE_HEADS or len(name) > _LONGEST_NAME or not _PLACEABLE.match(name):
        return False
    heads = name.split(".")
    return not any(".".join(heads[:depth]) in CORE for depth in range(1, len(heads)))


def dumps(document: dict[str, Any]) -> bytes:
    """The document as one line of JSON, whatever a record holds."""
    try:
        return orjson.dumps(document)
    except (TypeError, orjson.JSONEncodeError):
        return orjson.dumps(storable.clean(document), default=str, option=orjson.OPT_NON_STR_KEYS)
