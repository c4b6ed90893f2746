"""What a format makes of a line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Parsed:
    """The parts of a line, before it is known where the line came from."""

    body: str
    time_us: int | None = None
    """The line's own time, microseconds since 1970; None when it has none."""
    zoned: bool = False
    """Whether that time named its zone; without one it is UTC at a guess."""
    severity: str = ""
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    resource: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    whole: bool = False
    """Whether `body` already is the whole line, so that no original needs to be kept."""
