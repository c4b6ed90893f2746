"""Several configs made one, by the agent's own rules, with the file that each value came from.

Source: the agent's documentation of `append-config`, and what it was measured to do: files are taken in the order of
their names; a scalar is equal in all files that have it; lists of entries are joined, equal entries once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from logship.agent.document import pointer
from logship.agent.lint.entries import entries
from logship.agent.lint.rules import retention

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEEP: Final = frozenset({
    "", "/agent", "/logs", "/logs/logs_collected", "/logs/logs_collected/files", "/logs/logs_collected/windows_events",
    "/logs/metrics_collected", "/logs/metrics_collected/kubernetes", "/logs/metrics_collected/ecs",
    "/logs/metrics_collected/prometheus", "/metrics", "/metrics/metrics_collected", "/traces",
    "/traces/traces_collected", "/opentelemetry", "/opentelemetry/collect", "/opentelemetry/collect/files",
    "/opentelemetry/collect/windows_events",
})  # fmt: skip
"""Objects that are merged key by key; all others have to be equal."""
_JOINED: Final = frozenset({
    "/logs/logs_collected/files/collect_list", "/logs/logs_collected/windows_events/collect_list",
    "/opentelemetry/collect/files/collect_list", "/opentelemetry/collect/windows_events/collect_list",
    "/metrics/metrics_collected/procstat",
})  # fmt: skip
"""Lists that are joined."""
_GATHERED: Final = frozenset({
    "/metrics/metrics_collected/jmx", "/metrics/metrics_collected/otlp", "/logs/metrics_collected/otlp",
    "/traces/traces_collected/otlp",
})  # fmt: skip
"""An object or a list of objects; those of several files become one list."""


@dataclass(frozen=True)
class Conflict:
    """A value that is not the same in two files."""

    path: str
    """JSON pointer."""
    files: tuple[str, str]
    values: tuple[Any, Any]
    about: str = ""
    """What it is about, where the key alone does not say it."""

    def __str__(self) -> str:
        first, second = (json.dumps(value, ensure_ascii=False) for value in self.values)
        key = self.path.rpartition("/")[2]
        of = f" of {self.about}" if self.about else ""
        return f"{key}{of} ({self.path}): {self.files[0]} says {_cut(first)}, {self.files[1]} says {_cut(second)}"


@dataclass
class Merged:
    """The config, and where it came from."""

    config: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    """JSON pointer → file."""
    conflicts: list[Conflict] = field(default_factory=list)


def merge(configs: Sequence[tuple[str, dict[str, Any]]]) -> Merged:
    """Merges configs by name; they are taken in the order given.

    Args:
        configs: (name of the file, its config).
    """
    merged = Merged()
    for name, config in configs:
        _into(merged, merged.config, config, "", name)
    _check_groups(merged)
    return merged


def _into(merged: Merged, target: dict[str, Any], source: dict[str, Any], path: str, name: str) -> None:
    for key, value in source.items():
        place = path + pointer(key)
        if key not in target:
            target[key] = json.loads(json.dumps(value))
            _note(merged, value, place, name)
            continue
        held = target[key]
        if place in _DEEP and isinstance(held, dict) and isinstance(value, dict):
            _into(merged, held, value, place, name)
        elif place in _JOINED and isinstance(held, list) and isinstance(value, list):
            _join(merged, held, value, place, name)
        elif place in _GATHERED and held != value:
            target[key] = held if isinstance(held, list) else [held]
            _join(merged, target[key], value if isinstance(value, list) else [value], place, name)
        elif held != value or isinstance(held, bool) != isinstance(value, bool):
            merged.conflicts.append(Conflict(place, (merged.origins.get(place, "?"), name), (held, value)))


def _join(merged: Merged, held: list[Any], more: list[Any], path: str, name: str) -> None:
    for value in more:
        if value not in held:
            merged.origins[f"{path}/{len(held)}"] = name
            held.append(json.loads(json.dumps(value)))


def _note(merged: Merged, value: Any, path: str, name: str) -> None:
    merged.origins[path] = name
    if isinstance(value, dict):
        for key, item in value.items():
            _note(merged, item, path + pointer(key), name)
    elif isinstance(value, list):
        for number in range(len(value)):
            merged.origins[f"{path}/{number}"] = name


def _check_groups(merged: Merged) -> None:
    """One log group with two retentions or classes is refused after the merge."""
    known = {entry.path: entry for entry in entries(merged.config)}
    for finding in retention(merged.config):
        path, _, key = finding.path.rpartition("/")
        entry = known[path]
        other = next(
            one
            for one in known.values()
            if one.path != path
            and (one.group or "").lower() == (entry.group or "").lower()
            and one.value.get(key) not in (None, entry.value[key])
        )
        files = merged.origins.get(other.path, "?"), merged.origins.get(path, "?")
        values = other.value[key], entry.value[key]
        merged.conflicts.append(Conflict(finding.path, files, values, f"log group {entry.group!r}"))


def _cut(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"  # noqa: PLR2004 - a line's half
