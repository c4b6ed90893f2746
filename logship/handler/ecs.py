"""The same line with the names of the Elastic Common Schema."""

from __future__ import annotations

from typing import Any, Final

from logship.record import DURATION_MS, SERVICE

VERSION: Final = "8.11.0"
_NAMES: Final = {
    "timestamp": "@timestamp",
    "severity_text": "log.level",
    "body": "message",
    "trace_id": "trace.id",
    "span_id": "span.id",
    "parent_span_id": "parent.id",
    "logger": "log.logger",
    "exception.type": "error.type",
    "exception.message": "error.message",
    "exception.stacktrace": "error.stack_trace",
    "deployment.environment.name": "service.environment",
    "host.name": "host.hostname",
}
_NANOSECONDS: Final = 1_000_000


def renamed(document: dict[str, Any]) -> dict[str, Any]:
    """Our line's document as ECS has it: `event.duration` in nanoseconds beside `duration_ms`, levels in lower case."""
    found = {_NAMES.get(name, name): value for name, value in document.items()}
    found["log.level"] = str(found["log.level"]).lower()
    duration_ms = document.get(DURATION_MS)
    if isinstance(duration_ms, int | float):
        found["event.duration"] = int(duration_ms * _NANOSECONDS)
    found["ecs.version"] = VERSION
    assert SERVICE in found
    return found
