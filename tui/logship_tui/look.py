"""How records look: one line each, whatever they hold, and a whole one for the detail pane."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson
from rich.text import Text

from logship.record import DURATION_MS, format_time, to_document
from logship.timerange import human_span

if TYPE_CHECKING:
    from logship.record import Record

LEVEL_STYLES: Final = {
    "FATAL": "bold red",
    "ERROR": "red",
    "WARN": "yellow",
    "INFO": "",
    "DEBUG": "dim",
    "TRACE": "dim",
}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SHOWN_CHARS: Final = 2_000
_DETAIL_CHARS: Final = 20_000
_NARROW: Final = 100
_SERVICE_CELLS: Final = 20
_SERVICE_CELLS_NARROW: Final = 14


def one_line(text: str, limit: int = _SHOWN_CHARS) -> str:
    """The text without anything a terminal would obey, in one line."""
    return _CONTROL.sub(lambda match: " " if match[0] in "\n\r\t" else "·", text[:limit])


def summary(record: Record) -> str:
    """What a record says: the request for completion records, else its body."""
    attributes = record.attributes
    route = attributes.get("http.route") or attributes.get("url.path")
    if record.kind in ("request", "call") and route:
        method, status = attributes.get("http.request.method", ""), attributes.get("http.response.status_code", "")
        return f"{method} {route} {status}".strip()
    return record.body


def cut(text: str, cells: int, style: str = "") -> Text:
    """Exactly so many cells of a text, with an ellipsis where it is longer."""
    made = Text(one_line(text, 4 * cells), style, no_wrap=True, end="")
    made.truncate(cells, overflow="ellipsis", pad=True)
    return made


def row(record: Record, width: int) -> Text:
    """One line of the list; columns drop out when there is little room."""
    duration = record.attributes.get(DURATION_MS)
    took = human_span(float(duration) * 1000) if isinstance(duration, (int, float)) else ""
    stamp = format_time(record.time_us)
    clock = stamp[11:23] if width < _NARROW else f"{stamp[5:10]} {stamp[11:23]}"
    style = LEVEL_STYLES.get(record.severity, "")
    text = Text(no_wrap=True, end="")
    text.append(f" {clock} ", "dim")
    text.append(f"{record.severity or '–':<5}  ", style or "green")
    room = _SERVICE_CELLS if width >= _NARROW else _SERVICE_CELLS_NARROW
    text.append_text(cut(record.service, room, "cyan")).append("  ")
    text.append(f"{took:>7}  ", "bold" if took.endswith((" s", " m", " h")) else "dim")
    error = record.attributes.get("exception.type")
    if error:
        text.append(f"⟨{one_line(str(error), 40)}⟩ ", "magenta")
    text.append(one_line(summary(record)), style)
    return text


def detail(record: Record) -> Text:
    """Everything of a record, in the shape that `--format ndjson` prints."""
    document: dict[str, Any] = to_document(record)
    try:
        pretty = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONEncodeError:
        pretty = repr(document)
    lines = [one_line(line, _DETAIL_CHARS) for line in pretty[:_DETAIL_CHARS].split("\n")]
    return Text("\n".join(lines))
