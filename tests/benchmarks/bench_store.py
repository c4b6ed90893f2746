"""The embedded store at 1 M records: ingest, the workload's latencies, and what another process sees."""

from __future__ import annotations

import statistics
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logship.query.stages import parse_pipeline
from logship.query.tree import All
from logship.store.pipeline import Records, Rows, run
from logship.store.tantivy.reader import Reader
from logship.timerange import TimeRange
from tests.benchmarks.corpus import DAY_US, START_US, store_of

if TYPE_CHECKING:
    from collections.abc import Callable

_TOTAL = 1_000_000
_ROUNDS = 15
_BUDGET_MS = 50


def work(reader: Reader, query: dict[str, Any]) -> Callable[[], object]:
    """What one query of the workload does."""
    trace = reader.search(All(), limit=1)[0].trace_id
    pipeline = parse_pipeline(query["search"].replace("{trace}", trace))
    tree = pipeline.search
    whole = TimeRange(START_US, START_US + DAY_US)
    middle = START_US + DAY_US // 2
    within = TimeRange(middle, middle + query["minutes"] * 60_000_000) if "minutes" in query else None
    deep = reader.search(tree, TimeRange(START_US, middle), limit=1)[-1].order if query.get("kind") == "deep" else None
    kinds: dict[str, Callable[[], object]] = {
        "search": lambda: reader.search(tree, within, limit=100),
        "count": lambda: reader.count(tree, within),
        "histogram": lambda: reader.histogram(tree, whole, 900_000_000, by_severity=True),
        "percentiles": lambda: reader.percentiles(tree, "duration_ms", percents=[50, 95, 99], by="http.route"),
        "terms": lambda: reader.terms(tree, "service.name"),
        "deep": lambda: reader.search(tree, limit=100, after=deep),
        "stages": lambda: shown(run(reader, pipeline, within, limit=100)),
    }
    return kinds[query.get("kind", "search")]


def shown(result: Records | Rows) -> object:
    """All of a result, as a screen reads it."""
    return result.rows if isinstance(result, Rows) else list(result.records)


def main() -> None:
    """Prints each query's warm median and p95, and whether it is within its budget."""
    location, rate = store_of(_TOTAL)
    print(f"ingest of ready records, commits included: {rate:,.0f} records/s (budget 20,000)" if rate else "store kept")
    reader = Reader(location)
    over = 0
    for query in tomllib.loads((Path(__file__).parent / "workload.toml").read_text())["query"]:
        once = work(reader, query)
        once()
        times = []
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            once()
            times.append((time.perf_counter() - began) * 1000)
        p95, budget = sorted(times)[int(_ROUNDS * 0.95)], query.get("budget_ms", _BUDGET_MS)
        over += p95 > budget
        print(f"{query['name']:<36} median {statistics.median(times):7.2f} ms  p95 {p95:7.2f} ms  budget {budget} ms")
    print(f"{over} over budget")


if __name__ == "__main__":
    main()
