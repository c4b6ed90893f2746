"""Which names have a field of their own, and where: OpenTelemetry's names, or ECS's.

A value that fits its own field costs nothing beyond being there. Everything else, and values that do not fit,
are found by keys (see `keys`), so that no value can conflict with a field's type.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from logship import record
from logship.query import names

if TYPE_CHECKING:
    from collections.abc import Mapping

IDENTITIES: Final = ("traceId", "spanId", "parentSpanId")
LONG_TEXT: Final = ("exception.message", "exception.stacktrace")
"""Analysed for other tools; our own answers come from keys."""
PRINTED: Final = ".text"
"""Sub-field of whole numbers that holds them as text."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field of its own."""

    path: str
    kind: Literal["text", "whole", "number"]
    """Text, whole numbers that people also match as text, or any numbers."""


@dataclass(frozen=True)
class Layout:
    """The fields of one output."""

    output: str
    body: str
    level: str
    """The field of the severity number."""
    leaves: Mapping[str, Leaf]
    """Canonical name → its own field."""

    @cached_property
    def attributes(self) -> Mapping[str, Leaf]:
        """The leaves of attributes and resource alone."""
        return {name: leaf for name, leaf in self.leaves.items() if name not in names.TOP_LEVEL}


_TEXT: Final = (
    record.GROUP,
    record.STREAM,
    record.KIND,
    record.PEER,
    "http.request.method",
    "http.route",
    "url.path",
    "exception.type",
    "logger",
    record.HANDLER_ID,
)
_STATUS: Final = "http.response.status_code"
_ID: Final = {names.ID: Leaf("logship.id", "text")}

OTEL: Final = Layout(
    "otel",
    "body",
    "severity.number",
    {
        **_ID,
        **{name: Leaf(name, "text") for name in IDENTITIES},
        **{name: Leaf(f"resource.attributes.{name}", "text") for name in sorted(record.RESOURCE_NAMES)},
        **{name: Leaf(f"attributes.{name}", "text") for name in _TEXT},
        _STATUS: Leaf(f"attributes.{_STATUS}", "whole"),
        record.DURATION_MS: Leaf(f"attributes.{record.DURATION_MS}", "number"),
        record.EVENT_TIME: Leaf(f"attributes.{record.EVENT_TIME}", "number"),
    },
)
ECS: Final = Layout(
    "ecs",
    "message",
    "logship.level",
    {
        **_ID,
        "traceId": Leaf("trace.id", "text"),
        "spanId": Leaf("span.id", "text"),
        record.SERVICE: Leaf("service.name", "text"),
        "service.version": Leaf("service.version", "text"),
        "deployment.environment.name": Leaf("service.environment", "text"),
        record.HOST: Leaf("host.name", "text"),
        "cloud.region": Leaf("cloud.region", "text"),
        "cloud.account.id": Leaf("cloud.account.id", "text"),
        "http.request.method": Leaf("http.request.method", "text"),
        "url.path": Leaf("url.path", "text"),
        "logger": Leaf("log.logger", "text"),
        "exception.type": Leaf("error.type", "text"),
        _STATUS: Leaf(_STATUS, "whole"),
    },
)
"""Source: Elastic Common Schema 8.11, field sets base, log, trace, service, host, cloud, http, url, error, event."""
LAYOUTS: Final = {"otel": OTEL, "ecs": ECS}
CORE: Final = frozenset((*OTEL.attributes, *LONG_TEXT))
"""Names with a mapped field in OpenTelemetry's layout."""
UNINDEXED: Final = frozenset({record.ORIGINAL, record.ORIGINAL_BASE64})
"""Kept, and found by reading candidates."""
NO_COLUMN: Final = UNINDEXED | {record.HANDLER_ID, record.EVENT_TIME, "exception.stacktrace"}
"""As many values as records: a column would cost much and answer nothing."""
