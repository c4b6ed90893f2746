"""Dead letters on stdout: counts by reason, and letters with their original text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from logship.cli.output import dumps, printable
from logship.record import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from logship.forward.letters.dead_letters import DeadLetter, DeadLetters

FORMATS: Final = ("text", "json", "ndjson", "raw")


def write_reasons(letters: DeadLetters, wanted: str) -> int:
    """Log groups and reasons, the most frequent first; how many rows there were."""
    from logship.cli.tables import write_rows
    from logship.query.stages import Column

    columns = [Column("group"), Column("reason"), Column("count", "count"), Column("newest", "time")]
    rows = [(group, reason, count, kept_ms * 1000) for group, reason, count, kept_ms in letters.reasons()]
    return write_rows(columns, rows, wanted) if rows else 0


def write_letters(letters: Iterable[DeadLetter], wanted: str) -> int:
    """Letters with their original text, as they come; how many there were."""
    out, written = sys.stdout.buffer, 0
    out.write(b"[" if wanted == "json" else b"")
    for written, letter in enumerate(letters, 1):
        if wanted == "json":
            out.write(b",\n" if written > 1 else b"\n")
        out.write(_WRITERS[wanted](letter))
    out.write(b"\n]\n" if wanted == "json" else b"")
    out.flush()
    return written


def _document(letter: DeadLetter) -> dict[str, Any]:
    event = letter.event
    return {
        "id": letter.id,
        "kind": letter.kind,
        "group": event.group,
        "stream": event.stream,
        "timestamp": format_time(event.timestamp_ms * 1000),
        "ingested": format_time(event.ingestion_ms * 1000) if event.ingestion_ms else None,
        "event_id": event.event_id,
        "kept": format_time(letter.kept_ms * 1000),
        "reason": letter.reason,
        "continues": letter.continues or None,
        "message": event.message,
    }


def _text(letter: DeadLetter) -> bytes:
    event = letter.event
    kind = "" if letter.kind == "event" else f" ({letter.kind})"
    lines = [
        f"letter  {letter.id}{kind}",
        f"from    {event.group} {event.stream}".rstrip(),
        f"time    {format_time(event.timestamp_ms * 1000)}, kept {format_time(letter.kept_ms * 1000)}",
        f"reason  {letter.reason}",
        *(f"    {line}" for line in event.message.split("\n")),
        "",
    ]
    return "".join(f"{printable(line)}\n" for line in lines).encode("utf-8", "replace")


_WRITERS: Final[dict[str, Callable[[DeadLetter], bytes]]] = {
    "text": _text,
    "json": lambda letter: dumps(_document(letter)),
    "ndjson": lambda letter: dumps(_document(letter)) + b"\n",
    "raw": lambda letter: letter.event.message.encode("utf-8", "replace") + b"\n",
}
