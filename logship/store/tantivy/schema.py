"""The index's fields, and where each part of a record stands in them.

A value is found through its own column where the record has one (`service`, `level`, `duration`, …), and
through three general fields otherwise: `names` lists the names of such fields, `kv` holds each value as text
behind its name, `attrs` holds numbers and text as columns for ranges and facets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from logship import record
from logship.query import names
from logship.query.text import MAX_TOKEN_CHARS, TOKEN_PATTERN

if TYPE_CHECKING:
    import tantivy

FORMAT: Final = 2
"""Grows when an index of this version could not be read by the version before."""

TEXT_COLUMNS: Final = {
    record.SERVICE: "service",
    record.HOST: "host",
    record.GROUP: "group",
    record.KIND: "kind",
    record.PEER: "peer",
    "http.route": "route",
    "http.request.method": "method",
    "exception.type": "error",
    record.STREAM: "stream",
    "url.path": "path",
    "traceId": "trace",
}
"""Text with a column: facets, terms."""
TEXT_TERMS: Final = {names.ID: "id", "spanId": "span", "parentSpanId": "parent"}
"""Text with terms alone: as many values as records."""
NUMBER_COLUMNS: Final = {"http.response.status_code": "status", record.DURATION_MS: "duration"}
TIME_COLUMNS: Final = {names.TIME: "time", names.OBSERVED: "observed"}
"""Microseconds since 1970."""
UNINDEXED: Final = frozenset(
    {record.ORIGINAL, record.ORIGINAL_BASE64, record.EVENT_TIME, "exception.stacktrace", "exception.message"}
)
"""Stored; found by reading candidates."""

TEXT_MARK, NUMBER_MARK = "\x1f", "\x1e"
"""Between name and value in `kv`: what kind of value follows."""
ADDRESS_MARK: Final = "\x1c"
"""Between a name in `kv` and the key of an IP address, which stands beside the address as text."""
COLUMN_TEXT: Final = "="
"""Before text in `attrs`, so that the engine never takes text for a date."""
LONG_RUN: Final = "\x1a"
"""Alone in `names`: the body has a run of over 256 characters, which the index does not know."""
LIST_MARK: Final = "\x1d"
"""Before a name in `names` whose value is a list."""
REPEAT_MARK: Final = "\x1c"
"""Before a name in `names` whose value is a list with equal items, which columns count more than once."""
CLIPPED_MARK: Final = "\x1b"
"""Before a name in `names` whose value is longer than what indexes hold of it."""

_TOKENIZER: Final = "words"
# The engine's limit is in bytes of UTF-8 and exclusive; documents blank longer runs themselves.
_TOKEN_BYTES: Final = MAX_TOKEN_CHARS * 4 + 1


def build() -> tantivy.Schema:
    """The schema of format `FORMAT`."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    for field in (*TEXT_TERMS.values(), "names", "kv"):
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic")
    for field in TEXT_COLUMNS.values():
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_text_field("body", tokenizer_name=_TOKENIZER, index_option="position")
    for field in ("time", "observed", "tie"):
        builder.add_integer_field(field, fast=True)
    builder.add_integer_field("level", indexed=True, fast=True)
    builder.add_float_field("status", fast=True)
    builder.add_float_field("duration", fast=True)
    builder.add_json_field("attrs", fast=True, tokenizer_name="raw", index_option="basic", expand_dots_enabled=False)
    builder.add_bytes_field("source", stored=True)
    return builder.build()


def register_tokenizer(index: tantivy.Index) -> None:
    """Teaches an opened index the one rule of words; without it, writing and reading fail."""
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    analyzer = TextAnalyzerBuilder(Tokenizer.regex(TOKEN_PATTERN))
    index.register_tokenizer(
        _TOKENIZER, analyzer.filter(Filter.lowercase()).filter(Filter.remove_long(_TOKEN_BYTES)).build()
    )
