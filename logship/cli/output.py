"""Everything that goes to stdout: records in every format, safe for terminals."""

from __future__ import annotations

import csv
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship.query import names
from logship.query.match import value_text, values
from logship.record import DURATION_MS, KIND, ORIGINAL_BASE64, SERVICE, format_time, to_document
from logship.timerange import human_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import BinaryIO

    from logship.record import Record

FORMATS: Final = ("table", "json", "ndjson", "csv", "md", "raw")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_COLORS: Final = {"ERROR": "31", "FATAL": "1;31", "WARN": "33", "DEBUG": "2", "TRACE": "2"}
_COLUMNS: Final = ("time", "level", "service", "duration", "message")
_SHOWN: Final = (
    names.TIME, names.ID, names.SEVERITY, names.BODY, "traceId", SERVICE, DURATION_MS, KIND,
    "http.request.method", "http.route", "http.response.status_code",
)  # fmt: skip
"""What `_cells` and `summary` read."""


def printable(text: str) -> str:
    """The text in one line, without anything that a terminal would obey."""
    return _CONTROL.sub(lambda match: " " if match[0] in "\n\r\t" else "�", text)


def colored() -> bool:
    """Whether lines are coloured: on a terminal that can, unless NO_COLOR (no-color.org) is set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in ("dumb", "unknown")


def dumps(value: Any, *, indent: bool = False) -> bytes:
    """JSON; lone surrogates become U+FFFD."""
    option = orjson.OPT_INDENT_2 if indent else 0
    try:
        return orjson.dumps(value, option=option)
    except orjson.JSONEncodeError:
        import json

        text = json.dumps(value, ensure_ascii=True, default=str)
        return re.sub(r"\\ud[89a-f][0-9a-f]{2}", r"\\ufffd", text).encode()


def write_line(data: bytes) -> None:
    """One line of data."""
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()


def write_records(records: Iterable[Record], wanted: str, out: BinaryIO | None = None) -> int:
    """Writes records in a format as they come, in constant memory; how many there were. Stdout if not told."""
    target = sys.stdout.buffer if out is None else out
    written = _WRITERS[wanted](records, target)
    target.flush()
    return written


def _ndjson(records: Iterable[Record], out: BinaryIO) -> int:
    written = 0
    for written, record in enumerate(records, 1):  # noqa: B007 - returned
        out.write(dumps(to_document(record)) + b"\n")
    return written


def _json(records: Iterable[Record], out: BinaryIO) -> int:
    written = 0
    out.write(b"[")
    for written, record in enumerate(records, 1):
        out.write((b",\n" if written > 1 else b"\n") + dumps(to_document(record)))
    out.write(b"\n]\n")
    return written


def _raw(records: Iterable[Record], out: BinaryIO) -> int:
    import base64

    written = 0
    for written, record in enumerate(records, 1):  # noqa: B007 - returned
        exact = record.attributes.get(ORIGINAL_BASE64)
        line = base64.b64decode(exact) if exact else record.original.encode("utf-8", "replace")
        out.write(line + b"\n")
    return written


class Encoded:
    """Takes text for a stream of bytes."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        """Writes it at once."""
        return self._out.write(text.encode("utf-8", "replace"))


def _csv(records: Iterable[Record], out: BinaryIO) -> int:
    table = csv.writer(Encoded(out))
    table.writerow([*_COLUMNS, "trace", "id"])
    written = 0
    for written, record in enumerate(records, 1):  # noqa: B007 - returned
        time, level, service, _, text = _cells(record)
        duration = record.attributes.get(DURATION_MS)
        table.writerow([time, level, service, duration, text, record.trace_id, record.id])
    return written


def _md(records: Iterable[Record], out: BinaryIO) -> int:
    out.write(("| " + " | ".join(_COLUMNS) + " |\n" + "|---" * len(_COLUMNS) + "|\n").encode())
    written = 0
    for written, record in enumerate(records, 1):  # noqa: B007 - returned
        cells = [printable(cell).replace("|", "\\|") for cell in _cells(record)]
        out.write(("| " + " | ".join(cells) + " |\n").encode("utf-8", "replace"))
    return written


def _cells(record: Record) -> list[str]:
    duration = record.attributes.get(DURATION_MS)
    took = human_span(float(duration) * 1000) if isinstance(duration, (int, float)) else ""
    return [format_time(record.time_us), record.severity, record.service, took, summary(record)]


def summary(record: Record) -> str:
    """What a record says in one line: the request for completion records, else the body."""
    if record.kind not in ("request", "call"):
        return record.body
    parts = [
        value_text(value)
        for name in ("http.request.method", "http.route", "http.response.status_code")
        for value in values(record, name)[:1]
    ]
    if len(parts) > 1 and parts[1] not in record.body:
        return f"{' '.join(parts)}  {record.body}"
    return record.body


def _table(records: Iterable[Record], out: BinaryIO) -> int:
    import shutil

    width = shutil.get_terminal_size((160, 24)).columns if sys.stdout.isatty() else 0
    color = colored()
    written = 0
    for written, record in enumerate(records, 1):  # noqa: B007 - returned
        out.write(_row(record, width, color=color).encode("utf-8", "replace") + b"\n")
    return written


def _row(record: Record, width: int, *, color: bool) -> str:
    time, level, service, took, text = _cells(record)
    head = f"{time[:10]} {time[11:23]} {level:<5} {printable(service):<14} {took:>8}  "
    line = head + printable(text)
    if width:
        line = _cut(line, width)
    code = _COLORS.get(level)
    return f"\x1b[{code}m{line}\x1b[0m" if color and code else line


def _cut(line: str, width: int) -> str:
    """The line in so many cells of a terminal, of which a Chinese or Japanese sign takes two."""
    if line.isascii():
        return line if len(line) <= width else line[: width - 1] + "…"
    from rich.cells import cell_len, set_cell_size

    return line if cell_len(line) <= width else set_cell_size(line, width - 1) + "…"


_WRITERS: Final[dict[str, Callable[[Iterable[Record], BinaryIO], int]]] = {
    "table": _table,
    "json": _json,
    "ndjson": _ndjson,
    "csv": _csv,
    "md": _md,
    "raw": _raw,
}


def fields_of(wanted: str) -> tuple[str, ...] | None:
    """The canonical names that a format shows; None means whole records."""
    return _SHOWN if wanted in ("table", "md", "csv") else None


def unknown_fields(missing: Iterable[str], known: Sequence[str]) -> list[str]:
    """One hint for each field of a query that no record has, with near names."""
    from difflib import get_close_matches

    hints = []
    for field in sorted(missing):
        near = get_close_matches(field, [*known, *names.SHORT_NAMES], 2, 0.6)
        also = f"; did you mean {' or '.join(near)}?" if near else "; list them with: logship fields"
        hints.append(f"no record has the field {names.short(field)!r}{also}")
    return hints
