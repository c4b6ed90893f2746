"""Sections that an operating system has not got."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from logship.agent.findings import Finding
from logship.agent.lint.entries import entries

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEMS: Final = ("linux", "windows", "darwin")
_ONLY_ON: Final = {"windows_events": ("windows",), "journald": ("linux",), "otel_windows_events": ("windows",)}
_WINDOWS_PATH: Final = re.compile(r"[A-Za-z]:[\\/]")


def check_system(config: Any, system: str) -> Iterator[Finding]:
    """What is of another system than this one."""
    seen = set()
    for entry in entries(config):
        systems = _ONLY_ON.get(entry.source)
        section = entry.path.rpartition("/collect_list/")[0]
        if systems and system not in systems and section not in seen:
            seen.add(section)
            name = section.rpartition("/")[2]
            yield Finding(
                path=section, rule="wrong-system", severity="warning",
                message=f"{name} is for {' and '.join(systems)}, and collects nothing on {system}",
                fix="delete it, or lint with another --os",
            )  # fmt: skip
        path = entry.text("file_path")
        if path and system != "windows" and _WINDOWS_PATH.match(path):
            yield Finding(
                path=f"{entry.path}/file_path", rule="wrong-system", severity="warning",
                message=f"{path!r} is a path of Windows, and matches nothing on {system}",
                fix="write a path of this system, or lint with --os windows",
            )  # fmt: skip
