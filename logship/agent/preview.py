"""What a config would do on this machine, or on a folder that holds another one's files."""

from __future__ import annotations

import glob
import os
import platform
import re
import socket
import time
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from logship.agent.lint.entries import entries
from logship.agent.lint.rules import COMPRESSED
from logship.agent.multiline import cut, start_of
from logship.agent.patterns import compiled, complaint
from logship.agent.timestamps import FormatError, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from logship.agent.lint.entries import Entry

EVENTS: Final = 3
_LINES: Final = 200
_READ_BYTES: Final = 262_144
_DAY_S: Final = 86_400.0
PRICE_PER_GB: Final = {"STANDARD": 0.50, "INFREQUENT_ACCESS": 0.25}
"""Ingestion, US dollars a GB in us-east-1. Source: CloudWatch pricing page."""
_MONTH_DAYS: Final = 30.4
_EMF: Final = (
    "lines look like EMF: the agent takes the whole stream for metrics, and drops the oldest of 20,000 waiting lines"
)


@dataclass(frozen=True)
class Event:
    """An event as the agent would cut it."""

    text: str
    time: datetime | None
    """What it would read; None where it reads none, and takes the last one or now."""


@dataclass
class Seen:
    """One entry of a config, on this machine."""

    path: str
    """JSON pointer of the entry."""
    source: str
    group: str
    stream: str
    pattern: str = ""
    """`file_path`."""
    files: list[str] = field(default_factory=list)
    """What matches, newest first."""
    tailed: list[str] = field(default_factory=list)
    """What would be read of them."""
    events: list[Event] = field(default_factory=list)
    """Of the newest file, the first ones."""
    undated: int = 0
    """How many of the events looked at have no time."""
    looked_at: int = 0
    bytes_a_day: float = 0.0
    """From the sizes of the files and the time between their birth, or oldest sibling, and their last change."""
    dollars_a_month: float = 0.0
    notes: list[str] = field(default_factory=list)


def preview(config: Any, *, root: str = "/", names: dict[str, str] | None = None) -> Iterator[Seen]:
    """What each entry would do.

    Args:
        config: of the agent.
        root: folder that stands for ``/``.
        names: values of placeholders, by their name without braces; others are asked of this machine.
    """
    values = _host() | (names or {})
    for entry in entries(config):
        seen = Seen(
            entry.path,
            entry.source,
            filled(entry.group or "(made of the path)", values),
            filled(entry.stream or "{instance_id}", values),
            entry.text("file_path") or "",
        )
        if entry.source in ("files", "otel_files"):
            _look(entry, seen, root)
        else:
            seen.notes.append(f"{entry.source} cannot be looked at here")
        yield seen


def filled(name: str, values: dict[str, str]) -> str:
    """A name with its placeholders filled in; unknown ones stay, as they do in the agent."""
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), name)


def _host() -> dict[str, str]:
    host = socket.gethostname()
    return {
        "instance_id": os.environ.get("LOGSHIP_INSTANCE_ID", "i-UNKNOWN"), "hostname": host, "local_hostname": host,
        "ip_address": "UNKNOWN-IP", "aws_region": os.environ.get("AWS_REGION", "UNKNOWN-REGION"),
        "account_id": "UNKNOWN-ACCOUNT", "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip


def _look(entry: Entry, seen: Seen, root: str) -> None:
    seen.files = [_without(root, path) for path in _matching(seen.pattern, root)]
    blacklist = entry.text("blacklist")
    left = [path for path in seen.files if not path.lower().endswith(COMPRESSED)]
    if blacklist and not complaint(blacklist):
        refused = compiled(blacklist)
        left = [path for path in left if not refused.search(path.rpartition("/")[2])]
    published = entry.value.get("publish_multi_logs") is True
    seen.tailed = left if published else left[:1]
    if not seen.files:
        seen.notes.append("no file matches")
    elif len(left) > len(seen.tailed):
        seen.notes.append(f"{len(left) - len(seen.tailed)} older files are not read without publish_multi_logs")
    if published:
        seen.stream = f"{seen.stream}_<path with _>"
    for path in seen.tailed:
        if not os.access(_within(root, path), os.R_OK):
            seen.notes.append(f"{path} cannot be read by this account")
    if seen.tailed:
        _read(entry, seen, _within(root, seen.tailed[0]))
        seen.bytes_a_day = sum(_a_day(_within(root, path)) for path in seen.tailed)
        price = PRICE_PER_GB.get((entry.text("log_group_class") or "STANDARD").upper(), PRICE_PER_GB["STANDARD"])
        seen.dollars_a_month = seen.bytes_a_day * _MONTH_DAYS / 1e9 * price


def _matching(pattern: str, root: str) -> list[str]:
    """Files that match, newest first, as the agent takes them."""
    if not pattern:
        return []
    found = [path for path in glob.iglob(_within(root, pattern), recursive=True) if Path(path).is_file()]  # noqa: PTH207 - absolute patterns
    return sorted(found, key=lambda path: (-Path(path).stat().st_mtime, path))


def _read(entry: Entry, seen: Seen, path: str) -> None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - the first part of it
            data = file.read(_READ_BYTES)
    except OSError as error:
        seen.notes.append(f"{path}: {error.strerror}")
        return
    try:
        text = data.decode(entry.text("encoding") or "utf-8", "replace")
    except LookupError:
        seen.notes.append(f"encoding {entry.text('encoding')!r} is unknown here")
        return
    lines = text.splitlines()
    if len(data) == _READ_BYTES and lines:
        lines.pop()
    _cut_and_date(entry, seen, lines)


def _cut_and_date(entry: Entry, seen: Seen, lines: list[str]) -> None:
    timestamp_format = entry.text("timestamp_format")
    try:
        reader = Reader(timestamp_format, entry.text("timezone") or "", local=_local()) if timestamp_format else None
        start = start_of(entry.text("multi_line_start_pattern"), timestamp_format)
    except FormatError as error:
        seen.notes.append(f"timestamp_format is refused: {error}")
        return
    if start is not None and complaint(start):
        seen.notes.append("multi_line_start_pattern is refused by RE2, and the agent ends")
        return
    if start is None:
        seen.notes.append("nothing begins an event: all lines become one")
    for text_of in islice(cut(islice(lines, _LINES), start), _LINES):
        found = reader.read(text_of).time if reader else None
        seen.looked_at += 1
        seen.undated += found is None
        if len(seen.events) < EVENTS:
            seen.events.append(Event(text_of, found))
    if any(_looks_like_metrics(one) for one in lines[:_LINES]):
        seen.notes.append(_EMF)
    if reader is None:
        seen.notes.append("events take the time at which they are read")


def _looks_like_metrics(line: str) -> bool:
    return line.startswith("{") and line.rstrip().endswith("}") and '"CloudWatchMetrics"' in line


def _local() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC).astimezone().tzinfo


def _a_day(path: str) -> float:
    """Bytes a day of a file: its size by the time since it began, at least an hour."""
    stat = Path(path).stat()
    began = min(getattr(stat, "st_birthtime", stat.st_ctime), stat.st_mtime)
    older = [Path(name).stat().st_mtime for name in Path(path).parent.glob(f"{glob.escape(Path(path).name)}.*")]
    previous = max((at for at in older if at < stat.st_mtime), default=None)
    first = previous if previous is not None else began
    return stat.st_size / max(time.time() - first, 3600.0) * _DAY_S


def _within(root: str, path: str) -> str:
    if root == "/":
        return path
    return os.path.join(root, re.sub(r"^(?:[A-Za-z]:)?[\\/]+", "", path).replace("\\", "/"))  # noqa: PTH118


def _without(root: str, path: str) -> str:
    return path if root == "/" or platform.system() == "Windows" else "/" + os.path.relpath(path, root)
