"""How records look: one line each, whatever they hold, and a whole one for the detail pane."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson
from rich.cells import cell_len
from rich.text import Text

from logship.record import DURATION_MS, format_time, to_document
from logship.timerange import human_span

if TYPE_CHECKING:
    from logship.record import Record

BAD: Final = "#e06c75"
WARN: Final = "#d9a343"
GOOD: Final = "#6f9f6f"
SERVICE: Final = "#7fb0cf"
"""Few and muted, so that what is wrong stands out."""

LEVEL_STYLES: Final = {
    "FATAL": f"bold {BAD}",
    "ERROR": BAD,
    "WARN": WARN,
    "INFO": "",
    "DEBUG": "dim",
    "TRACE": "dim",
}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SHOWN_CHARS: Final = 2_000
_DETAIL_CHARS: Final = 20_000
_LONG_CHARS: Final = 120
_IN_THE_HEAD: Final = frozenset({"body", "severity", "@timestamp", "attributes", "resource"})
_NAME_CELLS: Final = 28
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


def took(record: Record) -> str:
    """How long it took, for people; "" where the record does not say."""
    duration = record.attributes.get(DURATION_MS)
    return human_span(float(duration) * 1000) if isinstance(duration, (int, float)) else ""


def cut(text: str, cells: int, style: str = "") -> Text:
    """Exactly so many cells of a text, with an ellipsis where it is longer."""
    made = Text(one_line(text, 4 * cells), style, no_wrap=True, end="")
    made.truncate(cells, overflow="ellipsis", pad=True)
    return made


def row(record: Record, width: int) -> Text:
    """One line of the list; columns drop out when there is little room."""
    duration = took(record)
    stamp = format_time(record.time_us)
    clock = stamp[11:23] if width < _NARROW else f"{stamp[5:10]} {stamp[11:23]}"
    style = LEVEL_STYLES.get(record.severity, "")
    text = Text(no_wrap=True, end="")
    text.append(f" {clock} ", "dim")
    text.append(f"{record.severity or '–':<5}  ", style or GOOD)
    room = _SERVICE_CELLS if width >= _NARROW else _SERVICE_CELLS_NARROW
    text.append_text(cut(record.service, room, SERVICE)).append("  ")
    text.append(f"{duration:>7}  ", "bold" if duration.endswith((" s", " m", " h")) else "dim")
    error = record.attributes.get("exception.type")
    if error:
        text.append(f"⟨{one_line(str(error), 40)}⟩ ", WARN)
    text.append(one_line(summary(record)), style)
    return text


def detail(record: Record) -> Text:
    """Everything of a record: its head, its whole body, then every field under its own name."""
    text = Text(end="")
    text.append(f"{format_time(record.time_us)}  ", "bold").append(f"{record.severity or 'no level'}  ", _style(record))
    text.append(f"{one_line(record.service)}\n", SERVICE)
    text.append(f"{_block(record.body)}\n", "bold" if len(record.body) < _SHOWN_CHARS else "")
    fields = _fields(to_document(record))
    room = min(_NAME_CELLS, max(cell_len(name) for name, _ in fields))
    for name, value in fields:
        text.append(f"{one_line(name):<{room}}  ", "dim").append(f"{_block(value, room + 2)}\n")
    return text


def _style(record: Record) -> str:
    return LEVEL_STYLES.get(record.severity) or GOOD


def _fields(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values, flat; where it came from (`_id`, `aws.…`) and long texts last."""
    rest = {name: value for name, value in document.items() if name not in _IN_THE_HEAD}
    maps = (document.get("resource", {}).get("attributes", {}), document.get("attributes", {}), rest)
    found = [(name, value if isinstance(value, str) else _json(value)) for held in maps for name, value in held.items()]
    return sorted(found, key=lambda item: (len(item[1]) > _LONG_CHARS or "\n" in item[1], item[0] < "b", item[0]))


def _json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return repr(value)


def _block(text: str, indent: int = 0) -> str:
    """Several lines as several lines, each harmless; what is too long says so."""
    lines = [one_line(line, _DETAIL_CHARS) for line in text[:_DETAIL_CHARS].split("\n")]
    if (left := len(text) - _DETAIL_CHARS) > 0:
        lines.append(f"… {left:,} more characters; y copies them all")
    return f"\n{' ' * indent}".join(lines)
