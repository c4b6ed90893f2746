"""The log sources of a config, whichever section they stand in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Source = Literal["files", "windows_events", "journald", "otel_files", "otel_windows_events"]


@dataclass(frozen=True)
class Entry:
    """One entry of a `collect_list`."""

    source: Source
    path: str
    """JSON pointer."""
    value: dict[str, Any]
    default_stream: str | None
    """What `logs` says for entries that name no stream."""

    def text(self, key: str) -> str | None:
        """An option that is text; None where it is absent or something else."""
        found = self.value.get(key)
        return found if isinstance(found, str) else None

    @property
    def group(self) -> str | None:
        """The log group; of a file without one, its path up to the last dot."""
        named = self.text("log_group_name")
        if named is None and self.source == "files" and not self.value.get("publish_multi_logs"):
            path = self.text("file_path")
            return path.rpartition(".")[0] or path if path else None
        return named

    @property
    def stream(self) -> str | None:
        """The log stream as it is written; None where the agent makes one up."""
        return self.text("log_stream_name") or self.default_stream


def entries(config: Any) -> Iterator[Entry]:
    """All sources, in the order of the file."""
    logs = _under(config, "logs")
    default = logs.get("log_stream_name")
    stream = default if isinstance(default, str) else None
    for source in ("files", "windows_events", "journald"):
        yield from _list(_under(logs, "logs_collected", source), source, f"/logs/logs_collected/{source}", stream)
    collected = _under(config, "opentelemetry", "collect")
    yield from _list(_under(collected, "files"), "otel_files", "/opentelemetry/collect/files", None)
    yield from _list(
        _under(collected, "windows_events"), "otel_windows_events", "/opentelemetry/collect/windows_events", None
    )


def _list(section: dict[str, Any], source: Any, path: str, stream: str | None) -> Iterator[Entry]:
    found = section.get("collect_list")
    for number, value in enumerate(found if isinstance(found, list) else ()):
        if isinstance(value, dict):
            yield Entry(source, f"{path}/collect_list/{number}", value, stream)


def _under(value: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
