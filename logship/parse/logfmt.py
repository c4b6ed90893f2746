"""logfmt: `ts=… level=info msg="order created" order_id=42`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from logship.parse.json_lines import from_object
from logship.query.values import NUMBER, number

if TYPE_CHECKING:
    from logship.parse.parsed import Parsed

NAME: Final = "logfmt"
_PAIR: Final = re.compile(r'([A-Za-z_][\w.\-@/]*)=(?:"((?:\\.|[^"\\])*)"|([^\s"]*))(?:\s+|\Z)')
_ESCAPED: Final = re.compile(r"\\(.)")
_FEWEST_PAIRS: Final = 2

SAMPLES: Final = (
    ('ts=2026-11-23T14:21:05.871Z level=info msg="order created" order_id=42 duration=1.5s service=orders',
     {"body": "order created", "severity": "INFO", "order_id": 42, "duration_ms": 1500.0, "service.name": "orders", "time": "2026-11-23T14:21:05.871000Z"}),
    ('level=error msg=failed err="a \\"b\\""', {"body": "failed", "severity": "ERROR", "err": 'a "b"'}),
)  # fmt: skip


def parse(line: str) -> Parsed | None:
    """The parts of a line that consists of pairs alone."""
    found = fields_of(line)
    return from_object(found) if found else None


def fields_of(line: str) -> dict[str, Any] | None:
    """Its pairs."""
    fields: dict[str, Any] = {}
    end = 0
    while pair := _PAIR.match(line, end):
        name, quoted, bare = pair.groups()
        if quoted is None:
            fields[name] = _typed(bare)
        else:
            fields[name] = _ESCAPED.sub(r"\1", quoted) if "\\" in quoted else quoted
        end = pair.end()
    if end != len(line) or len(fields) < _FEWEST_PAIRS:
        return None
    return fields


def _typed(text: str) -> Any:
    if text[:1].isalpha():
        return text == "true" if text in ("true", "false") else text
    return number(text) if NUMBER.match(text) and len(text) < 19 else text  # noqa: PLR2004 - longer ones are ids
