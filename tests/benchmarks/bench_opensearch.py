"""OpenSearch on this machine: bulk against opensearch-py's helper, and what logship adds to a query."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from opensearchpy import OpenSearch, helpers

from logship.cli.diagnostics import expect_many_objects
from logship.query import parse
from logship.record import to_document
from logship.settings import Store
from logship.store.opensearch.reading.dialect import OwnDialect
from logship.store.opensearch.reading.reader import open_reader
from logship.store.opensearch.setup import Setup
from logship.store.opensearch.writing.opening import open_writer
from logship.testing.opensearch_node import Node
from tests.benchmarks.corpus import records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from logship.record import Record

_WARM_UP = 10_000
_TOTAL = 60_000
_BATCH = 5_000
_ROUNDS = 40
_QUERIES = [
    "",
    "service:orders level:error",
    '"waiting for lock" -service:edge',
    "status>=500 duration>200ms",
    "user.id:777",
]


@contextmanager
def cluster() -> Iterator[str]:
    """The URL of a node."""
    if url := os.environ.get("LOGSHIP_TEST_OPENSEARCH_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory() as folder, Node(folder, heap="1g") as node:
        yield node.url


def ours(store: Store, made: list[Record]) -> None:
    """Our writer."""
    writer = open_writer(store)
    for start in range(0, len(made), _BATCH):
        writer.add(made[start : start + _BATCH])
    writer.close()


def theirs(store: Store, made: list[Record]) -> None:
    """The helper of opensearch-py, with its defaults and gzip, of the same records as their reference shape."""
    client = OpenSearch(store.location, http_compress=True)
    actions = (
        {"_op_type": "create", "_index": f"{store.index}-theirs", "_id": record.id, "_source": _source(record)}
        for record in made
    )
    helpers.bulk(client, actions)
    client.close()


def _source(record: Record) -> dict[str, Any]:
    document = to_document(record)
    del document["_id"]
    return document


def per_cpu_second(
    write: Callable[[Store, list[Record]], None], store: Store, made: list[Record]
) -> tuple[float, float]:
    """Documents per second of this process's time, and of the clock."""
    began, spent = time.perf_counter(), time.process_time()
    write(store, made)
    return len(made) / (time.process_time() - spent), len(made) / (time.perf_counter() - began)


def overhead(store: Store) -> None:
    """What a search costs through logship and as the same raw request, in turns."""
    reader = open_reader(store)
    raw = OpenSearch(store.location)
    for query in _QUERIES:
        dialect = reader._dialect
        assert isinstance(dialect, OwnDialect)
        asked = {"sort": dialect.sort(newest_first=True), "size": 100, "track_total_hits": False}
        body = {"query": dialect.compile(parse(query)).query, **asked}
        through, direct = [], []
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            reader.search(parse(query), limit=100)
            middle = time.perf_counter()
            raw.search(index=store.index, body=body)
            through.append(middle - began)
            direct.append(time.perf_counter() - middle)
        ours_ms, theirs_ms = (statistics.median(times) * 1000 for times in (through, direct))
        print(
            f"{query or 'everything':<36} {ours_ms:6.2f} ms, raw {theirs_ms:6.2f} ms: {ours_ms - theirs_ms:+.2f} ms (budget 3)"
        )
    reader.close()


def start_up(store: Store) -> None:
    """From the command to its first row."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "logship.toml")
        config.write_text(f'[stores.bench]\nlocation = "{store.location}"\nindex = "{store.index}"\n')
        command = [
            sys.executable,
            "-m",
            "logship",
            "search",
            "level:error",
            "--limit",
            "1",
            "--store",
            "bench",
            "--config",
            str(config),
        ]
        times = []
        for _ in range(7):
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times.append(time.perf_counter() - began)
    print(
        f"`logship search` to its end: {min(times) * 1000:.0f} ms at best, median {statistics.median(times) * 1000:.0f} (budget 750)"
    )


def main() -> None:
    """Prints the ratios."""
    expect_many_objects()  # as the commands that write do
    made = records(_WARM_UP + 2 * _TOTAL)
    with cluster() as url:
        store = Store(location=url, index=f"bench-{uuid4().hex[:8]}", replicas=0)
        Setup(store).apply(lambda _: None)
        with closing(OpenSearch(url)) as client:
            client.indices.create(index=f"{store.index}-theirs", body={"mappings": {"dynamic": False}})
        warm = list(islice(made, _WARM_UP))
        ours(store, warm)
        theirs(store, warm)
        figures: dict[Any, list[tuple[float, float]]] = {ours: [], theirs: []}
        for _ in range(4):
            part = list(islice(made, _TOTAL // 4))
            for write in (ours, theirs):
                figures[write].append(per_cpu_second(write, store, part))
        (cpu, clock), (their_cpu, their_clock) = (
            tuple(statistics.median(found[side] for found in figures[write]) for side in (0, 1))
            for write in (ours, theirs)
        )
        print(
            f"bulk, documents per client CPU-second: {cpu:,.0f} against {their_cpu:,.0f}: {cpu / their_cpu:.2f} x (budget 3)"
        )
        print(f"bulk, documents per second: {clock:,.0f} against {their_clock:,.0f}")
        overhead(store)
        start_up(store)


if __name__ == "__main__":
    main()
