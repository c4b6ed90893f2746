"""An analysis of three minutes against quiet time, from a store on disk; the parts as shares of the whole."""

from __future__ import annotations

import time

from logship.cli import diagnostics
from logship.incident import analyse
from logship.incident.features import measure, read
from logship.query.tree import All
from logship.store.tantivy.reader import Reader
from logship.timerange import TimeRange
from tests.benchmarks.corpus import DAY_US, START_US, store_of

_RECORDS = 1_000_000
_WINDOW, _BASELINE = 10_000, 90_000
_BUDGET_S = 3.0


def main() -> None:
    """Prints seconds for 100,000 records, and how much of them reading and measuring take."""
    diagnostics.expect_many_objects()  # as the command does
    location, _ = store_of(_RECORDS)
    reader = Reader(location)
    step_us, middle_us = DAY_US // _RECORDS, START_US + DAY_US // 2
    window = TimeRange(middle_us, middle_us + _WINDOW * step_us)
    baseline = TimeRange(middle_us - _BASELINE * step_us, middle_us)
    began = time.perf_counter()
    finding = analyse(reader, window, [baseline])
    whole = time.perf_counter() - began
    began = time.perf_counter()
    records = list(reader.scan(All(), TimeRange(baseline.start_us, window.end_us)))
    scanned = time.perf_counter() - began
    began = time.perf_counter()
    measure(read(iter(records)))
    measured = time.perf_counter() - began
    print(
        f"incident over {finding.records + finding.baseline_records:,} records: {whole:.2f} s (budget {_BUDGET_S:.0f}) · "
        f"reading {scanned / whole:.0%} · measuring once {measured / whole:.0%} · alarm {finding.alarm}"
    )


if __name__ == "__main__":
    main()
