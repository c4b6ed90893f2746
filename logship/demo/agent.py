"""A stand-in for the CloudWatch Agent: ships the lines of files as they are written."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from logship.cloudwatch.paging import Retry

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class FileAgent:
    """Tails files, each into a log group of its own, until `stop`; counts the lines it shipped."""

    client: Any
    files: dict[str, Path]
    """Log group → file."""
    shipped: dict[str, int] = field(default_factory=dict)
    _positions: dict[str, int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Creates the groups and begins."""
        for group in self.files:
            self.client.create_log_group(logGroupName=group)
            self.client.create_log_stream(logGroupName=group, logStreamName="host-1")
            self.shipped[group] = 0
        self._thread = threading.Thread(target=self._run, name="file-agent", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ships what is left and ends."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            self._ship_all()
        self._ship_all()

    def _ship_all(self) -> None:
        for group, path in self.files.items():
            lines = self._new_lines(group, path)
            for start in range(0, len(lines), 1000):
                self._put(group, lines[start : start + 1000])

    def _new_lines(self, group: str, path: Path) -> list[str]:
        """The complete lines behind the last position."""
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._positions.get(group, 0))
            content = file.read()
        complete = content[: content.rfind(b"\n") + 1]
        self._positions[group] = self._positions.get(group, 0) + len(complete)
        return complete.decode("utf-8", "replace").splitlines()

    def _put(self, group: str, lines: list[str]) -> None:
        now_ms = int(time.time() * 1000)
        events = [{"timestamp": now_ms, "message": line} for line in lines if line]
        Retry().call(group, self.client.put_log_events, logGroupName=group, logStreamName="host-1", logEvents=events)
        self.shipped[group] += len(events)
