"""The visible part of a document, named after OpenTelemetry or ECS, and the record that it is.

Names and values that the visible part cannot hold without a conflict stand in `logship.rest`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from logship import record as shape
from logship.record import SEVERITY_NUMBERS, Record, format_time
from logship.store.opensearch.layout import ECS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NANOS_LIMIT_US: Final = 9_223_372_036_854_775
"""`date_nanos` holds 1970 to 2262; beyond, the order stands in `logship.time_us` alone."""
SEVERITIES: Final = {name: {"text": name, "number": number} for name, number in SEVERITY_NUMBERS.items()}
"""The part of a document that tells the level; all records of a level share it."""


def _times(record: Record, observed: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if 0 <= record.time_us < NANOS_LIMIT_US:
        found["@timestamp"] = format_time(record.time_us)
    if 0 < record.observed_ms * 1000 < NANOS_LIMIT_US:
        found[observed] = observed_text(record.observed_ms)
    return found


@lru_cache(maxsize=1024)
def observed_text(observed_ms: int) -> str:
    """When CloudWatch took a record in; all that came in one request share it."""
    return format_time(observed_ms * 1000)[:-4] + "Z"


def _otel(
    record: Record, ours: dict[str, Any], resource: dict[str, Any], attributes: dict[str, Any], rest: dict[str, Any]
) -> dict[str, Any]:
    document = _times(record, "observedTime")
    if record.body:
        document["body"] = record.body
    if record.severity:
        document["severity"] = SEVERITIES[record.severity]
    if record.trace_id:
        document["traceId"] = record.trace_id
    if record.span_id:
        document["spanId"] = record.span_id
    if record.parent_span_id:
        document["parentSpanId"] = record.parent_span_id
    document["resource"] = {"attributes": resource}
    document["attributes"] = attributes
    if rest:
        ours["rest"] = rest
    document["logship"] = ours
    return document


def _ecs(
    record: Record, ours: dict[str, Any], resource: dict[str, Any], attributes: dict[str, Any], rest: dict[str, Any]
) -> dict[str, Any]:
    """ECS has no place for every name, so the record's own maps are kept whole beside it."""
    del rest
    document = _times(record, "event.ingested") | {"ecs.version": "8.11.0"}
    for place, value in (
        ("message", record.body),
        ("log.level", record.severity.lower()),
        ("trace.id", record.trace_id),
        ("span.id", record.span_id),
        ("error.message", record.attributes.get("exception.message")),
        ("error.stack_trace", record.attributes.get("exception.stacktrace")),
    ):
        if value and isinstance(value, str):
            document[place] = value
    for fields in (resource, attributes):
        document |= {ECS.attributes[name].path: value for name, value in fields.items() if name in ECS.attributes}
    duration = record.attributes.get(shape.DURATION_MS)
    if isinstance(duration, (int, float)) and abs(duration) < NANOS_LIMIT_US:
        document["event.duration"] = round(duration * 1e6)
    kept = {"resource": record.resource, "attributes": record.attributes, "parentSpanId": record.parent_span_id}
    ours["rest"] = {part: held for part, held in kept.items() if held}
    document["logship"] = ours
    return document


def read_otel(record_id: str, source: Mapping[str, Any]) -> Record:
    """The record of a document; parts that were not asked for are empty."""
    ours = source["logship"]
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
    ours = source["logship"]
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
SHAPES: Final[dict[str, Callable[..., dict[str, Any]]]] = {"otel": _otel, "ecs": _ecs}
