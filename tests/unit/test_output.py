"""Records as programs and people read them."""

from __future__ import annotations

import csv
import io
import os
import sys

import pytest
from rich.cells import cell_len

from logship.cli import output
from logship.record import Record


def record(body: str, duration_ms: float) -> Record:
    return Record("01", 1_795_443_665_000_000, body, "INFO", resource={}, attributes={"duration_ms": duration_ms})


def test_csv_has_the_duration_as_a_number() -> None:
    """Exactly as it is stored and as `| fields duration` gives it, so that a spreadsheet can sort and add it."""
    out = io.BytesIO()
    output.write_records([record("a", 2104.237), record("b", 0.45)], "csv", out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue().decode())))

    assert [row["duration"] for row in rows] == ["2104.237", "0.45"]


@pytest.mark.parametrize(
    ("environment", "colored"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["usual", "no-color", "dumb"],
)
def test_colours_are_left_out_where_they_are_not_wanted(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], *, colored: bool
) -> None:
    """On a terminal that knows none, and where NO_COLOR is set."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    out = io.BytesIO()
    output.write_records([Record("01", 0, "a", "ERROR", resource={}, attributes={})], "table", out)

    assert (b"\x1b[31m" in out.getvalue()) is colored


def test_a_record_takes_one_line_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where signs are two cells wide: 80 cells hold 40 of them."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda _: os.terminal_size((80, 24)))
    out = io.BytesIO()
    output.write_records([record(text * 100, 1) for text in ("x", "日本", "é", "a日")], "table", out)
    widths = [cell_len(line) for line in out.getvalue().decode().splitlines()]

    assert widths == [80, 80, 80, 80]
