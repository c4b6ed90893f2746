"""The engine's query objects as text that people read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from logship.store.tantivy import schema

if TYPE_CHECKING:
    import tantivy

_MOST_CHARACTERS: Final = 2_000
_AUTOMATON: Final = re.compile(r'Regex\(("(?:\\.|[^"\\])*")\)\n.*?\n, field: Field\((\d+)\)', re.DOTALL)
_FIELD: Final = re.compile(r"(?:field=|Field\()(\d+)\)?")
_FIELDS: Final = (
    *schema.TEXT_TERMS.values(),
    "names",
    "kv",
    *schema.TEXT_COLUMNS.values(),
    *("body", "time", "observed", "tie", "level", "status", "duration", "attrs", "source"),
)
"""In the order in which `schema.build` adds them, which numbers them."""


def readable(query: tantivy.Query) -> str:
    """One line: fields by name, regular expressions without their automata, cut when very long."""
    text = repr(query).removeprefix("Query(").removesuffix(")")
    text = _AUTOMATON.sub(r"Regex(\1), field: Field(\2)", text)
    text = _FIELD.sub(lambda match: _FIELDS[int(match[1])], text)
    text = re.sub(r", minimum_number_should_match: [01]|, type=Str|subqueries: ", "", text)
    text = " ".join(text.split())
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}… ({len(text):,} characters)"
