"""Lines copied out of stored bytes are the lines that records make."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from logship.record import SEVERITY_NUMBERS, Record, to_document
from logship.store.lines import line
from logship.store.tantivy.documents import decode, encode, stored

TEXT = st.text(max_size=30)
VALUES = st.recursive(
    TEXT | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
RECORDS = st.builds(
    Record,
    st.text("0123456789abcdef", min_size=32, max_size=32),
    st.integers(-(2**62), 2**62) | st.integers(0, 4_000_000_000_000_000),
    TEXT,
    st.sampled_from(["", *SEVERITY_NUMBERS]),
    st.integers(0, 4_000_000_000_000),
    *[st.sampled_from(["", "5b27baf9", 'quote"'])] * 3,
    *[st.dictionaries(TEXT, VALUES, max_size=4)] * 2,
)


@given(record=RECORDS)
def test_a_stored_record_and_its_line_say_the_same(record: Record) -> None:
    """Byte for byte, whatever text, times and values it has; lone surrogates are replaced in both."""
    source = encode(record)

    assert stored(source).line() == line(decode(source))
    assert stored(source).order == decode(source).order


@given(record=RECORDS)
def test_every_record_has_a_line(record: Record) -> None:
    """Also one with values that JSON has no place for, such as greater numbers and lone surrogates."""
    found: dict[str, Any] = orjson.loads(line(record))

    assert list(found) == list(to_document(record))
