"""Records as programs and people read them."""

from __future__ import annotations

import csv
import io

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
