"""What `--fix` writes: values and keys that are surely meant, each in its place; everything else stays as it is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from logship.agent.document import Document, parse

if TYPE_CHECKING:
    from logship.agent.findings import Finding


def fixed(document: Document, findings: list[Finding]) -> tuple[str, int]:
    """The text with the safe fixes in it, and how many there were."""
    if document.broken is not None:
        return _repaired(document)
    changes: list[tuple[int, int, str]] = []
    for one in findings:
        if one.rename and one.path in document.keys:
            at = document.keys[one.path]
            changes.append((at, _end(document.text, at), json.dumps(one.rename)))
        elif one.value is not None and one.path in document.values:
            at = document.values[one.path]
            end = _end(document.text, at)
            changes.append((at, end, json.dumps(one.value)))
    text = document.text
    for begin, end, new in sorted(set(changes), reverse=True):
        text = text[:begin] + new + text[end:]
    return text, len(set(changes))


def _end(text: str, at: int) -> int:
    """Where the value that begins there ends."""
    try:
        return json.JSONDecoder().raw_decode(text, at)[1]
    except json.JSONDecodeError:
        return at


def _repaired(document: Document) -> tuple[str, int]:
    """Without a byte-order mark, trailing commas and comments: what stays is what was meant."""
    text, count = document.text.removeprefix("\ufeff"), 0
    if text != document.text or (document.broken is not None and document.broken.rule == "file-encoding"):
        count = 1
    while True:
        found = parse(text.encode())
        if found.broken is None or found.broken.rule not in ("json-trailing-comma", "json-comment"):
            return text, count
        at = found.broken.at
        if found.broken.rule == "json-trailing-comma":
            comma = text.rindex(",", 0, at)
            text = text[:comma] + text[comma + 1 :]
        else:
            comment = re.compile(r"//[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL).match(text, at)
            if comment is None:
                return text, count
            text = text[:at] + text[comment.end() :]
        count += 1
