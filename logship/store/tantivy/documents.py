"""Record → tantivy document, and the stored source → record, or a line of JSON."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from logship.query import addresses, names, text
from logship.query.match import value_text
from logship.record import HANDLER_ID, SEVERITY_NUMBERS, Record, format_time
from logship.store import storable
from logship.store.tantivy import schema
from logship.timerange import LATEST_US

if TYPE_CHECKING:
    import tantivy

_TEXT_FIELDS: Final = {name: column for name, column in schema.TEXT_COLUMNS.items() if name not in names.TOP_LEVEL}
"""Columns of attributes: one that is called like a part of the record, such as `_id`, is not that part."""
_ADDRESS_STARTS: Final = "0123456789abcdefABCDEF:"
_SURELY_SHORT: Final = text.MAX_VALUE_BYTES // 4
"""Text of fewer characters than that has no more bytes than take part in comparisons."""


def tie_of(record_id: str) -> int:
    """The leading 60 bits of an id as a number: orders records of one time nearly as their ids do.

    A shorter id counts as filled up with zeros: cursors use "" for "before all ids of that time".
    """
    return int(record_id[:15].ljust(15, "0"), 16)


def encode(record: Record) -> bytes:
    """The record as stored: a JSON array without keys."""
    parts = [
        record.id,
        record.time_us,
        record.body,
        record.severity,
        record.observed_ms,
        record.trace_id,
        record.span_id,
        record.parent_span_id,
        record.resource,
        record.attributes,
    ]
    try:
        return orjson.dumps(parts)
    except (TypeError, orjson.JSONEncodeError):
        return orjson.dumps(storable.clean(parts), default=str)


def decode(source: Any) -> Record:
    """The inverse of `encode`."""
    return Record(*orjson.loads(bytes(source)))


class Stored(msgspec.Struct, array_like=True, gc=False):
    """A stored source of which only what orders records is read; the rest stays bytes of JSON."""

    id: str
    time_us: int
    body: msgspec.Raw
    severity: str
    observed_ms: int
    trace_id: msgspec.Raw
    span_id: msgspec.Raw
    parent_span_id: msgspec.Raw
    resource: msgspec.Raw
    attributes: msgspec.Raw

    @property
    def order(self) -> tuple[int, str]:
        """The key that every listing is ordered by."""
        return self.time_us, self.id

    def line(self) -> bytes:
        """The record as `to_document` has it, as JSON; its parts are copied, not read and written again."""
        head = f'{{"_id":"{self.id}","@timestamp":"{_iso(self.time_us)}"'
        if self.observed_ms:
            head += f',"observedTime":"{_iso(self.observed_ms * 1000)[:-4]}Z"'
        parts: list[Any] = [head.encode(), b',"body":', self.body]
        if self.severity:
            level = f',"severity":{{"text":"{self.severity}","number":{SEVERITY_NUMBERS[self.severity]}}}'
            parts.append(level.encode())
        for name, value in (
            (b',"traceId":', self.trace_id),
            (b',"spanId":', self.span_id),
            (b',"parentSpanId":', self.parent_span_id),
        ):
            if bytes(value) != b'""':
                parts += (name, value)
        parts += (b',"resource":{"attributes":', self.resource, b'},"attributes":', self.attributes, b"}")
        return b"".join(parts)


_STORED: Final = msgspec.json.Decoder(Stored)


def stored(source: Any) -> Stored:
    """A stored source on its way out, all but unread."""
    return _STORED.decode(bytes(source))


def _iso(time_us: int) -> str:
    """What `format_time` gives, most of it remembered."""
    if not 0 <= time_us < LATEST_US:
        return format_time(time_us)
    return f"{_second(time_us // 1_000_000)}.{time_us % 1_000_000:06d}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return format_time(seconds * 1_000_000)[:19]


def document(record: Record) -> tantivy.Document:
    """Everything that makes the record findable, and its source."""
    import tantivy

    made = tantivy.Document()
    made.add_text("id", record.id)
    made.add_integer("time", record.time_us)
    made.add_integer("tie", tie_of(record.id))
    made.add_text("body", text.indexable(record.body))
    if text.has_long_run(record.body):
        made.add_text("names", schema.LONG_RUN)
    if record.severity:
        made.add_integer("level", SEVERITY_NUMBERS[record.severity])
    if record.observed_ms:
        made.add_integer("observed", record.observed_ms * 1000)
    if record.trace_id:
        made.add_text("trace", _clipped(made, "traceId", record.trace_id))
    if record.span_id:
        made.add_text("span", _clipped(made, "spanId", record.span_id))
    if record.parent_span_id:
        made.add_text("parent", _clipped(made, "parentSpanId", record.parent_span_id))
    made.add_bytes("source", encode(record))
    columns: dict[str, Any] = {}
    _add_fields(made, record.resource, columns)
    _add_fields(made, record.attributes, columns)
    if columns:
        made.add_json("attrs", orjson.dumps(columns).decode())
    return made


def _add_fields(made: tantivy.Document, fields: dict[str, Any], columns: dict[str, Any]) -> None:
    for name, value in fields.items():
        if value is None:
            continue
        if not name.isascii():
            name = storable.text(name)  # noqa: PLW2901 - the name that can be stored
        kind = type(value)
        if kind is str and (column := _TEXT_FIELDS.get(name)):
            if value:
                made.add_text(column, value if len(value) < _SURELY_SHORT else _clipped(made, name, value))
                if value[0] in _ADDRESS_STARTS:
                    _add_address(made, name, value)
            else:
                _add_empty(made, name, column)
        elif kind in (int, float) and (column := schema.NUMBER_COLUMNS.get(name)) and math.isfinite(value):
            made.add_float(column, value)
        elif kind is list:
            _add_list(made, name, value, columns)
        else:
            made.add_text("names", name)
            _add_value(made, name, value, columns)


def _add_empty(made: tantivy.Document, name: str, column: str) -> None:
    """Empty text is a value, too, though its column does not show it."""
    made.add_text("names", name)
    made.add_text(column, "")


def _add_list(made: tantivy.Document, name: str, items: list[Any], columns: dict[str, Any]) -> None:
    present = [item for item in items if item is not None]
    if present:
        made.add_text("names", name)
        made.add_text("names", schema.LIST_MARK + name)
    if len(present) > 1 and len({text.clip(value_text(item)) for item in present}) < len(present):
        made.add_text("names", schema.REPEAT_MARK + name)
    for item in present:
        _add_value(made, name, item, columns)


def _add_value(made: tantivy.Document, name: str, value: Any, columns: dict[str, Any]) -> None:
    if name in schema.UNINDEXED:
        return
    as_text = _clipped(made, name, value_text(value))
    is_number = storable.is_number(value)
    made.add_text("kv", f"{name}{schema.NUMBER_MARK if is_number else schema.TEXT_MARK}{as_text}")
    if isinstance(value, str) and value[:1] in _ADDRESS_STARTS:
        _add_address(made, name, value)
    if name == HANDLER_ID:
        return
    cell = value if is_number else schema.COLUMN_TEXT + as_text
    column = storable.column_name(name)
    if column not in columns:
        columns[column] = cell
    else:
        held = columns[column]
        columns[column] = [*(held if isinstance(held, list) else [held]), cell]


def _clipped(made: tantivy.Document, name: str, value: str) -> str:
    """What indexes hold of a text; that there is more of it is noted."""
    held = text.clip(value)
    if len(value) >= _SURELY_SHORT and len(held) < len(value):
        made.add_text("names", schema.CLIPPED_MARK + name)
    return held


def _add_address(made: tantivy.Document, name: str, value: str) -> None:
    """What finds an IP address by its network."""
    found = addresses.key(value) if "." in value or ":" in value else None
    if found:
        made.add_text("kv", f"{name}{schema.ADDRESS_MARK}{found}")
