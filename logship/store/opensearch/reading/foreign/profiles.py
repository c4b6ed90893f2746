"""How other schemas name what our records name: one table a schema.

Sources: Elastic Common Schema 8.11 field reference; OpenTelemetry's log data model as Data Prepper and the
collector's OpenSearch exporter index it; the simple schema for observability (ss4o) of OpenSearch's catalog.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from logship import record
from logship.query import names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

NANOS: Final = 1e-6
"""Milliseconds in a nanosecond."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The names of one schema."""

    name: str
    fields: Mapping[str, tuple[str, ...]]
    """Our canonical name → theirs, the better one first."""
    prefixes: tuple[str, ...]
    """Where names of the sender's own stand; tried in order, then the bare name."""
    marks: tuple[str, ...]
    """Fields, or beginnings of fields, that tell this schema from others."""
    scales: Mapping[str, float]
    """Their field → what to multiply its numbers by to get ours."""

    def candidates(self, name: str, corrections: Mapping[str, str]) -> tuple[str, ...]:
        """The fields that may hold what we call `name`."""
        if name in corrections:
            return (corrections[name],)
        spelled = (name, name.replace(".", "@"))
        own = [prefix + spelling for prefix in self.prefixes for spelling in dict.fromkeys(spelled)]
        return tuple(dict.fromkeys((*self.fields.get(name, ()), *own, name)))


_SAME: Final = {
    name: (name,)
    for name in (*sorted(record.RESOURCE_NAMES), "http.request.method", "http.response.status_code", "url.path")
}
_OTEL: Final = {
    names.TIME: ("@timestamp", "time"),
    names.OBSERVED: ("observedTime", "observedTimestamp", "observed_timestamp"),
    names.BODY: ("body", "body.text", "message"),
    names.SEVERITY: ("severity.text", "severityText", "severity_text", "severity.number", "severityNumber"),
    "traceId": ("traceId", "trace_id"),
    "spanId": ("spanId", "span_id"),
    "parentSpanId": ("parentSpanId", "parent_span_id"),
    record.SERVICE: ("resource.attributes.service.name", "resource.attributes.service@name", "serviceName"),
}
_ECS: Final = {
    **_SAME,
    names.TIME: ("@timestamp",),
    names.OBSERVED: ("event.ingested", "event.created"),
    names.BODY: ("message", "event.original", "log"),
    names.SEVERITY: ("log.level", "level", "severity"),
    "traceId": ("trace.id",),
    "spanId": ("span.id", "transaction.id"),
    "parentSpanId": ("parent.id",),
    record.HOST: ("host.name", "host.hostname", "agent.hostname"),
    "deployment.environment.name": ("service.environment",),
    record.GROUP: ("aws.cloudwatch.log_group", "awscloudwatch.log_group"),
    record.STREAM: ("aws.cloudwatch.log_stream", "awscloudwatch.log_stream"),
    "url.path": ("url.path", "url.original"),
    record.DURATION_MS: ("event.duration", "duration_ms"),
    "exception.type": ("error.type",),
    "exception.message": ("error.message",),
    "exception.stacktrace": ("error.stack_trace",),
    "logger": ("log.logger",),
}

PROFILES: Final = {
    "ecs": Profile(
        "ecs",
        _ECS,
        ("labels.", "fields."),
        ("ecs.version", "log.level", "agent.type", "event.ingested", "event.dataset", "host.hostname", "log.file.path"),
        {"event.duration": NANOS},
    ),
    "ss4o": Profile(
        "ss4o",
        {**_SAME, **_OTEL},
        ("attributes.", "resource.attributes.", "resource."),
        ("instrumentationScope.", "attributes.data_stream.", "schemaUrl"),
        {},
    ),
    "otel": Profile(
        "otel",
        _OTEL,
        ("resource.attributes.", "attributes.", "log.attributes."),
        ("resource.attributes.", "severity.number", "severityNumber", "severity_text", "log.attributes.", "traceId"),
        {},
    ),
}


def decide(fields: Collection[str]) -> tuple[Profile, str]:
    """The profile whose marks an index has most of, and why; of equals the earlier in `PROFILES`."""
    found = {
        name: [mark for mark in profile.marks if any(field.startswith(mark) for field in fields)]
        for name, profile in PROFILES.items()
    }
    best = max(found, key=lambda name: len(found[name]))
    why = f"it has {', '.join(found[best])}" if found[best] else "no schema was recognised, so the commonest is tried"
    return PROFILES[best], f"profile {best}: {why}"
