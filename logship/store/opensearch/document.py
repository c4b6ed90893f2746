"""Record → the document that OpenSearch keeps, and back.

The visible part is named for other tools (OpenTelemetry, or ECS); what logship itself asks stands below
`logship`. Names and values that the visible part cannot hold without a conflict go to `logship.rest`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship import record as shape
from logship.query import names
from logship.query.match import value_text
from logship.query.text import clip, has_long_run
from logship.record import SEVERITY_NUMBERS, Record, format_time
from logship.store import storable
from logship.store.opensearch import keys, template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NANOS_LIMIT_US: Final = 9_223_372_036_854_775
"""`date_nanos` holds 1970 to 2262; beyond, the order stands in `logship.time_us` alone."""
_PLACEABLE: Final = re.compile(r"[^.\s]+(?:\.[^.\s]+)*\Z")
_CORE_HEADS: Final = frozenset(
    ".".join(name.split(".")[:depth]) for name in template.CORE for depth in range(1, name.count(".") + 1)
)
"""Names that are objects in the mapping, so that no value may stand there."""
_LONGEST_NAME: Final = 255
UNINDEXED: Final = frozenset({shape.ORIGINAL, shape.ORIGINAL_BASE64, shape.EVENT_TIME})
"""Kept, and found by reading candidates."""
NO_COLUMN: Final = UNINDEXED | {shape.HANDLER_ID, shape.STREAM, "exception.stacktrace"}
"""As many values as records: a column would cost much and answer nothing."""


class _Terms:
    """What makes one record findable: names, keys, and cells of the admitted columns."""

    __slots__ = ("_columns", "keys", "names", "number", "text")

    def __init__(self, columns: Mapping[str, object]) -> None:
        self._columns = columns
        self.names: list[str] = []
        self.keys: list[str] = []
        self.text: dict[str, Any] = {}
        self.number: dict[str, Any] = {}

    def add_parts(self, record: Record) -> dict[str, str]:
        """What is no attribute: the id, whether there is a body, and the trace's ids, which are columns, too."""
        self.keys.append(f"{names.ID}{keys.TEXT}{record.id}")
        if record.body:
            self.names.append(marked(names.BODY))
            if has_long_run(record.body):
                self.names.append(keys.LONG_RUN)
        cells = {}
        for name, value in _identities(record):
            if value:
                cells[name] = clip(storable.text(value))
                self.names.append(marked(name))
                self.keys.append(f"{name}{keys.TEXT}{cells[name]}")
        return cells

    def add(self, name: str, value: Any) -> None:
        """An attribute."""
        items = [item for item in value if item is not None] if type(value) is list else [value]
        if not items:
            return
        key = keys.name_key(name)
        self.names.append(key)
        if name in UNINDEXED:
            return
        for item in items:
            self.keys.extend(keys.of_value(key, item))
        if name not in NO_COLUMN:
            self._add_cells(storable.column_name(storable.text(name)), items)

    def _add_cells(self, column: str, items: list[Any]) -> None:
        if f"text.{column}" in self._columns:
            self.text[column] = _one_or_all([clip(storable.text(value_text(item))) for item in items])
        if f"number.{column}" in self._columns:
            numbers = [item for item in items if storable.is_number(item)]
            if numbers:
                self.number[column] = _one_or_all(numbers)


def _one_or_all(cells: list[Any]) -> Any:
    return cells if len(cells) > 1 else cells[0]


def build(record: Record, columns: Mapping[str, object], output: str) -> dict[str, Any]:
    """The document of a record.

    Args:
        record: the record.
        columns: the columns that are admitted, such as ``text.tenant`` (see `columns`).
        output: ``otel`` or ``ecs``.
    """
    terms = _Terms(columns)
    ours: dict[str, Any] = {"time_us": record.time_us, "id": record.id, "names": terms.names, "keys": terms.keys}
    if record.severity:
        ours["level"] = SEVERITY_NUMBERS[record.severity]
    if record.observed_ms:
        ours["observed_us"] = record.observed_ms * 1000
    ours |= terms.add_parts(record)
    for fields in (record.resource, record.attributes):
        for name, value in fields.items():
            if value is not None:
                terms.add(name, value)
    if terms.text:
        ours["text"] = terms.text
    if terms.number:
        ours["number"] = terms.number
    return _otel(record, ours) if output == "otel" else _ecs(record, ours)


def _identities(record: Record) -> tuple[tuple[str, str], ...]:
    return ("traceId", record.trace_id), ("spanId", record.span_id), ("parentSpanId", record.parent_span_id)


def dumps(document: dict[str, Any]) -> bytes:
    """The document as one line of JSON, whatever a record holds."""
    try:
        return orjson.dumps(document)
    except (TypeError, orjson.JSONEncodeError):
        return orjson.dumps(storable.clean(document), default=str, option=orjson.OPT_NON_STR_KEYS)


def wanted_columns(record: Record) -> set[str]:
    """The columns that would let statistics, sorts and facets answer for the record's fields."""
    wanted = set()
    for fields in (record.resource, record.attributes):
        for name, value in fields.items():
            if value is None or name in NO_COLUMN or len(name) > _LONGEST_NAME:
                continue
            column = storable.column_name(storable.text(name))
            wanted.add(f"text.{column}")
            if _has_number(value):
                wanted.add(f"number.{column}")
    return wanted


def _has_number(value: Any) -> bool:
    return any(map(storable.is_number, value)) if type(value) is list else storable.is_number(value)


def marked(name: str) -> str:
    """How `names` lists a part of the record that is no attribute."""
    return f"{keys.TEXT}{name}"


def _otel(record: Record, ours: dict[str, Any]) -> dict[str, Any]:
    document = _times(record, "observedTime") | {"body": record.body}
    if record.severity:
        document["severity"] = {"text": record.severity, "number": SEVERITY_NUMBERS[record.severity]}
    document |= {name: value for name, value in _identities(record) if value}
    rest: dict[str, Any] = {}
    for part, fields in (("resource", record.resource), ("attributes", record.attributes)):
        placed = fields
        if not all(_placeable(name, value) for name, value in fields.items()):
            placed = {name: value for name, value in fields.items() if _placeable(name, value)}
            rest[part] = {name: value for name, value in fields.items() if name not in placed}
        document[part] = {"attributes": placed} if part == "resource" else placed
    if rest:
        ours["rest"] = rest
    document["logship"] = ours
    return document


def _times(record: Record, observed: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if 0 <= record.time_us < _NANOS_LIMIT_US:
        found["@timestamp"] = format_time(record.time_us)
    if 0 < record.observed_ms * 1000 < _NANOS_LIMIT_US:
        found[observed] = format_time(record.observed_ms * 1000)[:-4] + "Z"
    return found


def _placeable(name: str, value: Any) -> bool:
    """Whether a value may stand under its name without meeting the mapping of another."""
    if name in template.CORE:
        return _fits(name, value)
    if name in _CORE_HEADS or len(name) > _LONGEST_NAME or not _PLACEABLE.match(name):
        return False
    return not _below_core(name) if "." in name else True


def _below_core(name: str) -> bool:
    at = name.rfind(".")
    while at > 0:
        if name[:at] in template.CORE:
            return True
        at = name.rfind(".", 0, at)
    return False


def _fits(name: str, value: Any) -> bool:
    items = value if type(value) is list else (value,)
    if name in template.CORE_NUMBERS:
        return all(item is None or storable.is_number(item) for item in items)
    return all(item is None or type(item) in (str, int, float, bool) for item in items)


_ECS_NAMES: Final = {
    shape.SERVICE: "service.name",
    "service.version": "service.version",
    "deployment.environment.name": "service.environment",
    shape.HOST: "host.name",
    "cloud.region": "cloud.region",
    "cloud.account.id": "cloud.account.id",
    "http.request.method": "http.request.method",
    "url.path": "url.path",
    "logger": "log.logger",
    "exception.type": "error.type",
    "exception.message": "error.message",
    "exception.stacktrace": "error.stack_trace",
}
"""OpenTelemetry's names → Elastic Common Schema's (ECS reference, field sets log, error, http, service, host)."""


def _ecs(record: Record, ours: dict[str, Any]) -> dict[str, Any]:
    document = _times(record, "event.ingested") | {"ecs.version": "8.11.0", "message": record.body}
    if record.severity:
        document["log.level"] = record.severity.lower()
    for name, value in (("trace.id", record.trace_id), ("span.id", record.span_id)):
        if value:
            document[name] = value
    for fields in (record.resource, record.attributes):
        for name, value in fields.items():
            if name in _ECS_NAMES and isinstance(value, str):
                document[_ECS_NAMES[name]] = value
    status, duration = (record.attributes.get(name) for name in template.CORE_NUMBERS)
    if storable.is_number(status):
        document["http.response.status_code"] = status
    if isinstance(duration, (int, float)) and abs(duration) < _NANOS_LIMIT_US:
        document["event.duration"] = round(duration * 1e6)
    rest = {"resource": record.resource, "attributes": record.attributes, "parentSpanId": record.parent_span_id}
    ours["rest"] = {part: held for part, held in rest.items() if held}
    document["logship"] = ours
    return document


def read_otel(record_id: str, source: Mapping[str, Any]) -> Record:
    """The record of a document; parts that were not asked for are empty."""
    ours = source.get("logship", {})
    rest = ours.get("rest")
    resource = source.get("resource", {}).get("attributes", {})
    attributes = source.get("attributes", {})
    if rest:
        resource = {**resource, **rest.get("resource", {})}
        attributes = {**attributes, **rest.get("attributes", {})}
    return Record(
        record_id,
        ours["time_us"],
        source.get("body", ""),
        source.get("severity", {}).get("text", ""),
        ours.get("observed_us", 0) // 1000,
        source.get("traceId", ""),
        source.get("spanId", ""),
        source.get("parentSpanId", ""),
        resource,
        attributes,
    )


_LEVEL_OF: Final = {number: name for name, number in SEVERITY_NUMBERS.items()}


def read_ecs(record_id: str, source: Mapping[str, Any]) -> Record:
    """The same of a document whose visible part is ECS."""
    ours = source.get("logship", {})
    rest = ours.get("rest", {})
    return Record(
        record_id,
        ours["time_us"],
        source.get("message", ""),
        _LEVEL_OF.get(ours.get("level"), ""),
        ours.get("observed_us", 0) // 1000,
        source.get("trace.id", ""),
        source.get("span.id", ""),
        rest.get("parentSpanId", ""),
        rest.get("resource", {}),
        rest.get("attributes", {}),
    )


READERS: Final[dict[str, Callable[[str, Mapping[str, Any]], Record]]] = {"otel": read_otel, "ecs": read_ecs}
