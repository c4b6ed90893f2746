"""Real logs of a 28-service system: every store gives the same answers, and the same cause."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from logship import naming
from logship.forward.files import FileOptions
from logship.forward.importing import import_paths
from logship.incident import analyse
from logship.parse import Parser
from logship.query import parse
from logship.query.stages import parse_pipeline
from logship.query.tree import All
from logship.store.pipeline import Rows, run
from logship.testing import MemoryStore
from logship.timerange import TimeRange, parse_time
from tests.contract.stores import ENGINES, Place, empty_place

if TYPE_CHECKING:
    from pathlib import Path

    from logship.store.port import StoreReader, StoreWriter

QUERIES = [
    "", "service:ts-basic-service", "kind:request duration>200ms", "level:error", "level>=warn", "verifycode",
    '"code start"', "operation:HTTP*", "-service:ts-basic-service kind:call", "parent:* NOT kind:request",
    "stream:ts-auth*", "*basic*", 'operation=~"^(GET|POST)"', "duration:[10ms TO 20ms]", "trace:*", "exception.type:*",
    "service:(ts-auth-service OR ts-user-service) -level:info", "status:200 OR status>=500", "message:*",
]  # fmt: skip
PIPELINES = [
    "* | stats count(), max(duration), distinct(trace) by service",
    "kind:request | timechart span=10s count() by service",
    "* | top 5 operation",
    "duration>50ms | sort -duration | limit 20",
    "level>=warn | dedup service | fields time, service, message",
    "service:ts-basic-service | related trace | stats count() by service",
]


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return empty_place(request.param, request, tmp_path)


def load(folder: Path, writer: StoreWriter) -> int:
    return import_paths(
        [str(folder / "sample/events")], writer, Parser(naming.service_of_group), FileOptions()
    ).accepted


def test_every_store_agrees_on_real_logs(incidents: Path, place: Place) -> None:
    """Ids, order, counts, charts, facets and stages are those of plain Python."""
    memory = MemoryStore()
    total = load(incidents, memory)
    memory.refresh()
    writer = place.writer()
    loaded = load(incidents, writer)
    writer.close()
    reader = place.reader()
    whole = memory.extent()
    assert whole is not None
    for query in QUERIES:
        tree = parse(query)
        assert [r.id for r in reader.scan(tree)] == [r.id for r in memory.scan(tree)], query
        assert reader.count(tree) == memory.count(tree), query
        found, expected = (s.histogram(tree, whole, 5_000_000, by_severity=True) for s in (reader, memory))
        assert found == expected, query
    for name in ("service.name", "severity", "operation", "logship.kind", "aws.log.group.name"):
        assert reader.terms(All(), name, size=50) == memory.terms(All(), name, size=50), name
    for text in PIPELINES:
        assert outcome(reader, text) == outcome(memory, text), text
    assert (loaded, reader.count(All())) == (total, total)


def outcome(reader: StoreReader, text: str) -> object:
    result = run(reader, parse_pipeline(text), None)
    return result.rows if isinstance(result, Rows) else [record.id for record in result.records]


def test_every_store_names_the_same_cause(incidents: Path, place: Place) -> None:
    """The analysis of a real incident does not depend on where its records are."""
    case = json.loads((incidents / "sample/cases.json").read_text())["cases"][0]
    memory = MemoryStore()
    load(incidents, memory)
    memory.refresh()
    writer = place.writer()
    load(incidents, writer)
    writer.close()
    window = TimeRange(*(parse_time(case[end], now_us=0) for end in ("from", "to")))
    baseline = [TimeRange(*(parse_time(at, now_us=0) for at in pair)) for pair in case["baseline"]]
    found, expected = (analyse(reader, window, baseline).to_json() for reader in (place.reader(), memory))

    assert found["services"][0]["service"] == case["truth"]["service"]
    assert found == expected
