"""What people are told a line is read as."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.parse import access_log, json_lines, logfmt, parse_line, plain, postgres, servers
from logship.parse.formats import CONTINUATION, TEXT, format_of

SAMPLES = [
    (module.NAME, line)
    for module in (access_log, json_lines, logfmt, plain, postgres, servers)
    for line, _ in module.SAMPLES
]
OTHERS = [
    ("\tat com.example.Orders.place(Orders.java:7)", CONTINUATION),
    ("ValueError: no such order", CONTINUATION),
    ("Caused by: java.io.IOException", CONTINUATION),
    ("2026-11-23T14:21:05Z ERROR ValueError: no", "plain"),
    ("just words", TEXT),
    ("{broken", TEXT),
    ("", TEXT),
]


@pytest.mark.parametrize(("name", "line"), SAMPLES)
def test_samples_are_named_by_their_format(name: str, line: str) -> None:
    """Each format's own sample lines."""
    assert format_of(line) == name


@pytest.mark.parametrize(("line", "name"), OTHERS)
def test_other_lines_are_named_for_what_becomes_of_them(line: str, name: str) -> None:
    """Continuation lines belong to the event before; what nothing reads is text."""
    assert format_of(line) == name


@given(st.text(max_size=40))
def test_only_what_is_read_has_a_format(line: str) -> None:
    """A line that is its own body and has neither time nor level was read by nothing."""
    parsed = parse_line(line)
    read = not parsed.whole or parsed.time_us is not None or bool(parsed.severity)

    assert read == (format_of(line) not in (TEXT, CONTINUATION))
