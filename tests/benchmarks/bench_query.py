"""From query text to the engine's query, warm: reading and compiling each query of the contract, within 1 ms."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from logship.query import parse
from logship.query.explain import write
from logship.store.tantivy.compile import Compiler
from logship.store.tantivy.reader import Reader
from logship.store.tantivy.writer import open_writer
from tests.contract.store_cases import QUERIES, record

_ROUNDS = 20
_BUDGET_MS = 1.0


def times_ms(reader: Reader, query: str) -> tuple[float, float]:
    """The median times of reading and of compiling, in milliseconds."""
    read, compiled = [], []
    index, searcher = reader._index, reader._searcher
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        tree = parse(query)
        between = time.perf_counter()
        Compiler(index, searcher).compile(tree)
        ended = time.perf_counter()
        read.append((between - began) * 1000)
        compiled.append((ended - between) * 1000)
    return statistics.median(read), statistics.median(compiled)


def main() -> None:
    """Prints p50 and p95 over the queries, the slowest ones, and whether the p95 is within its budget."""
    with tempfile.TemporaryDirectory() as folder:
        writer = open_writer(Path(folder) / "store", "bench", long_running=False)
        writer.add([record(number, attributes={"tenant": f"a{number % 50}"}) for number in range(1000)])
        writer.close()
        reader = Reader(Path(folder) / "store")
        parse("warm")
        measured = {query: times_ms(reader, query) for query in QUERIES}
    for name, part in (("read", 0), ("compile", 1)):
        print(f"{name:<8} {_spread([pair[part] for pair in measured.values()])}")
    both = {query: sum(pair) for query, pair in measured.items()}
    print(f"{'both':<8} {_spread(list(both.values()))}  budget {_BUDGET_MS} ms at p95, {len(both)} queries")
    for query in sorted(both, key=lambda query: -both[query])[:5]:
        print(f"{both[query]:8.3f} ms  {write(parse(query))[:80]}")
    raise SystemExit(_p95(list(both.values())) > _BUDGET_MS)


def _spread(times: list[float]) -> str:
    return f"p50 {statistics.median(times):6.3f} ms  p95 {_p95(times):6.3f} ms"


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


if __name__ == "__main__":
    main()
