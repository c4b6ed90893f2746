"""JSON lines whose parts no table of names tells: Docker's, around a line of its own, MongoDB's and Caddy's."""

from __future__ import annotations

from typing import Any, Final

from logship.parse import json_text, times
from logship.record import DURATION_MS

_DOCKER: Final = '{"log":"'
_MONGODB: Final = '{"t":{"$date"'
_CADDY: Final = '"logger":"http.log.access'
_CADDY_WITHIN: Final = 160
_MONGODB_LEVELS: Final = {"F": "FATAL", "E": "ERROR", "W": "WARN", "I": "INFO", "D": "DEBUG"}


NAMES: Final = frozenset({"log", "t", "logger"})
"""A line of which none of these names is one is none of them."""


def is_wrapped(message: str) -> bool:
    """Whether a line may be one of these; quick, for every line of JSON."""
    return message.startswith((_DOCKER, _MONGODB)) or _CADDY in message[:_CADDY_WITHIN]


def docker(message: str) -> tuple[str, str, tuple[int, bool] | None] | None:
    """(line, stream, its time) of a line of Docker's json-file driver; None where it is none."""
    if not message.startswith(_DOCKER):
        return None
    try:
        found = json_text.loads(message)
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("time"), str) or "stream" not in found:
        return None
    return str(found["log"]).rstrip("\n"), str(found["stream"]), times.iso(found["time"])


def renamed(found: dict[str, Any]) -> dict[str, Any]:
    """A line's object with names that the tables know: MongoDB's one-letter ones, and Caddy's seconds."""
    at = found.get("t")
    if isinstance(at, dict) and "$date" in at and found.get("s") in (*_MONGODB_LEVELS, "D1", "D2", "D3", "D4", "D5"):
        known = {"t", "s", "attr"}
        more = found.get("attr") if isinstance(found.get("attr"), dict) else {}
        fields = {"time": at["$date"], "level": _MONGODB_LEVELS[found["s"][0]]}
        fields |= {name: value for name, value in found.items() if name not in known} | {"attr": more}
        duration = more.get("durationMillis") if more else None
        return fields | ({DURATION_MS: duration} if isinstance(duration, int | float) else {})
    seconds = found.get("duration")
    if str(found.get("logger", "")).startswith("http.log.access") and isinstance(seconds, int | float):
        return {name: value for name, value in found.items() if name != "duration"} | {DURATION_MS: seconds * 1000}
    return found
