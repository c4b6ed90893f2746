"""Indices that others write are read by their own schema, and never touched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from logship.errors import StoreError, UsageError
from logship.query import parse
from logship.query.tree import All
from logship.settings import Store
from logship.store.opensearch.connection import Cluster
from logship.store.opensearch.reading.reader import Reader, open_reader
from logship.store.opensearch.writing.opening import open_writer
from logship.store.port import Measure
from logship.timerange import TimeRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.opensearch, pytest.mark.xdist_group("opensearch")]

TEXT = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
KEYWORD = {"type": "keyword"}
BEAT = {
    "@timestamp": {"type": "date"},
    "message": {"type": "text"},
    "log": {"properties": {"level": KEYWORD, "file": {"properties": {"path": KEYWORD}}}},
    "event": {"properties": {"duration": {"type": "long"}, "ingested": {"type": "date"}}},
    "trace": {"properties": {"id": KEYWORD}},
    "service": {"properties": {"name": KEYWORD}},
    "host": {"properties": {"name": KEYWORD}},
    "http": {"properties": {"response": {"properties": {"status_code": {"type": "long"}}}}},
    "client": {"properties": {"address": KEYWORD, "ip": {"type": "ip"}}},
    "error": {"properties": {"type": KEYWORD, "stack_trace": {"type": "text"}}},
    "labels": {"properties": {"tenant": KEYWORD}},
    "note": {"type": "text"},
    "sampled": {"type": "boolean"},
}
COLLECTOR = {
    "@timestamp": {"type": "date_nanos"},
    "observedTimestamp": {"type": "date_nanos"},
    "body": {"type": "text"},
    "severity": {"properties": {"text": TEXT, "number": {"type": "short"}}},
    "traceId": KEYWORD,
    "resource": {"properties": {"attributes": {"properties": {"service@name": KEYWORD}}}},
    "attributes": {"properties": {"http": {"properties": {"route": TEXT}}, "duration_ms": {"type": "float"}}},
}


def beat(number: int) -> dict[str, Any]:
    """A line as Filebeat ships it; every third is an error, spelled as each logger likes."""
    return {
        "@timestamp": f"2026-11-23T14:00:{number:02d}.{number:03d}Z",
        "message": f"GET /orders/{number} Connection-Reset by peer",
        "log": {"level": ["info", "ERROR", "err"][number % 3]},
        "event": {"duration": number * 100_000_000, "ingested": "2026-11-23T15:00:00Z"},
        "service": {"name": "orders" if number % 2 else "edge"},
        "http": {"response": {"status_code": 200 + number}},
        "client": {"ip": f"10.0.{number}.1"},
        "labels": {"tenant": str(number)},
        "note": "not listed",
        "sampled": number % 2 == 0,
    }


def collected(number: int) -> dict[str, Any]:
    return {
        "@timestamp": f"2026-11-23T14:00:00.{number:09d}Z",
        "body": f"event {number}",
        "severity": {"text": "Warn" if number % 2 else "Info", "number": 13 if number % 2 else 9},
        "traceId": f"t{number}",
        "resource": {"attributes": {"service@name": "orders"}},
        "attributes": {"http": {"route": "/a b"}, "duration_ms": number / 2, "other.name": "x"},
    }


@pytest.fixture
def others(opensearch_url: str) -> Iterator[Callable[..., Store]]:
    """Makes an index as another product would."""
    cluster = Cluster(Store(location=opensearch_url))
    made = []

    def make(name: str, properties: dict[str, Any], documents: list[dict[str, Any]], **changes: Any) -> Store:
        index = f"{name}-{uuid4().hex[:8]}"
        made.append(index)
        cluster.request("PUT", f"/{index}", {"mappings": {"properties": properties}})
        lines = [line for document in documents for line in ({"index": {"_index": index}}, document)]
        body = "".join(json.dumps(line) + "\n" for line in lines)
        cluster.request("POST", "/_bulk", body.encode(), params={"refresh": "true"})
        return Store(location=opensearch_url, index=f"{index[:-2]}*", **changes)

    yield make
    for index in made:
        cluster.request("DELETE", f"/{index}")
    cluster.close()


@pytest.fixture
def beats(others: Callable[..., Store]) -> Reader:
    return open_reader(others("filebeat", BEAT, [beat(number) for number in range(30)]))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 30),
        ("connection-reset", 30),
        ('"by peer" service:edge', 15),
        ("level:error", 20),
        ("level>=warn", 20),
        ("-level:error", 10),
        ("duration>1s", 19),
        ("duration:[1s TO 2s]", 11),
        ("status:205", 1),
        ("status>=220", 10),
        ("client.ip:10.0.0.0/22", 4),
        ("client.ip:10.0.7.1", 1),
        ("tenant:7", 1),
        ("labels.tenant:7", 1),
        ("sampled:true", 15),
        ("trace:*", 0),
        ("host:*", 0),
        ("message:conn*", 30),
        ('=~"orders/1\\d"', 10),
        ("service:o*", 15),
        ("nobody:5", 0),
        ("time>=2026-11-23T14:00:10Z time<2026-11-23T14:00:20Z", 10),
    ],
)
def test_the_language_works_on_what_filebeat_wrote(beats: Reader, query: str, expected: int) -> None:
    """Names, levels in any spelling, units and networks reach their fields."""
    assert beats.count(parse(query)) == expected


def test_a_line_of_filebeat_is_a_record(beats: Reader) -> None:
    """It has our names, our units and its own time."""
    found = beats.search(parse("tenant:5"), limit=5)[0]

    assert (found.body, found.severity, found.service) == ("GET /orders/5 Connection-Reset by peer", "ERROR", "orders")
    assert found.time_us == 1_795_442_405_005_000
    assert found.attributes["duration_ms"] == pytest.approx(500)
    assert found.attributes["tenant"] == "5"


def test_pages_and_charts_of_filebeat(beats: Reader) -> None:
    """Cursors, histograms, facets and figures work as on our own records."""
    seen, after = [], None
    while page := beats.search(All(), limit=7, after=after, fields=["@timestamp"]):
        seen += [record.time_us for record in page]
        after = page[-1].order
    bars = beats.histogram(All(), TimeRange(0, 2**61), 10_000_000, by_severity=True)
    figures = beats.aggregate(All(), measures=[Measure("count"), Measure("max", "duration_ms")], by=["service.name"])

    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 30
    assert [(bar.count, bar.by["ERROR"]) for bar in bars] == [(10, 6), (10, 7), (10, 7)]
    assert beats.terms(All(), "severity") == [("ERROR", 20), ("INFO", 10)]
    assert [group.keys for group in figures] == [("edge",), ("orders",)]
    assert [value for group in figures for value in group.values] == pytest.approx([15, 2800, 15, 2900])
    assert beats.ordered(All(), "duration_ms", limit=1)[0].attributes["tenant"] == "29"


def test_text_that_cannot_be_listed_is_said(beats: Reader) -> None:
    """A facet on analysed text is a clear error that names their field."""
    with pytest.raises(UsageError, match="note"):
        beats.terms(All(), "note")


def test_what_a_collector_wrote_is_read(others: Callable[..., Store]) -> None:
    """Nanoseconds, `@` in names and sub-fields are understood, and the choice is explained."""
    reader = open_reader(others("otel", COLLECTOR, [collected(number) for number in range(10)]))
    counts = [reader.count(parse(query)) for query in ("level:warn", "duration>2ms", 'route:"/a b"', "service:orders")]
    pages = [reader.search(All(), limit=3, newest_first=False)]
    while pages[-1]:
        pages.append(reader.search(All(), limit=3, newest_first=False, after=pages[-1][-1].order))

    assert counts == [5, 5, 10, 10]
    assert [record.trace_id for page in pages for record in page] == [f"t{number}" for number in range(10)]
    assert "profile otel" in " ".join(reader.explain(All()))


def test_what_an_observability_pipeline_wrote_is_read(others: Callable[..., Store]) -> None:
    """The simple schema for observability is told from OpenTelemetry's by its marks."""
    scope = {"properties": {"name": KEYWORD}}
    mapping = {
        "@timestamp": {"type": "date"},
        "body": {"type": "text"},
        "severity": {"properties": {"text": KEYWORD, "number": {"type": "long"}}},
        "instrumentationScope": scope,
        "attributes": {"properties": {"data_stream": {"properties": {"dataset": KEYWORD}}, "tenant": KEYWORD}},
        "resource": {"properties": {"service": {"properties": {"name": KEYWORD}}}},
        "http": {"properties": {"request": {"properties": {"method": KEYWORD}}}},
        "traceId": KEYWORD,
    }
    document = {
        "@timestamp": "2026-11-23T14:00:00Z",
        "body": "it broke",
        "severity": {"text": "ERROR", "number": 17},
        "instrumentationScope": {"name": "x"},
        "attributes": {"data_stream": {"dataset": "app"}, "tenant": "7"},
        "resource": {"service": {"name": "orders"}},
        "http": {"request": {"method": "GET"}},
        "traceId": "t1",
    }
    reader = open_reader(others("ss4o_logs-app", mapping, [document]))
    queries = ("broke", "level:error", "service:orders", "tenant:7", "method:GET", "trace:t1", "level:info")
    found = reader.search(All(), limit=1)[0]

    assert [reader.count(parse(query)) for query in queries] == [1, 1, 1, 1, 1, 1, 0]
    assert (found.service, found.attributes["http.request.method"], found.trace_id) == ("orders", "GET", "t1")
    assert reader.explain(All())[0].startswith("profile ss4o: it has instrumentationScope.")


def test_a_correction_in_the_settings_wins(others: Callable[..., Store]) -> None:
    """A field that the profile does not know is named by hand."""
    store = others(
        "app",
        {"at": {"type": "date"}, "text": {"type": "text"}, "sev": KEYWORD},
        [{"at": 5, "text": "hello", "sev": "E"}],
    )
    with pytest.raises(StoreError, match="no field of time"):
        open_reader(store)
    corrected = Store(
        location=store.location, index=store.index, fields={"@timestamp": "at", "body": "text", "severity": "sev"}
    )
    found = open_reader(corrected).search(parse("hello level:error"), limit=1)

    assert [(record.body, record.severity, record.time_us) for record in found] == [("hello", "ERROR", 5000)]


def test_others_indices_are_never_written(others: Callable[..., Store]) -> None:
    """A pattern cannot be written to, and reading changes neither mappings nor templates."""
    store = others("filebeat", BEAT, [beat(1)])
    cluster = Cluster(store)
    before = cluster.request("GET", f"/{store.index}"), cluster.request("GET", "/_index_template")
    with pytest.raises(UsageError, match="read only"):
        open_writer(store)
    reader = open_reader(store)
    reader.count(parse("hello OR tenant:*"))
    reader.close()

    assert (cluster.request("GET", f"/{store.index}"), cluster.request("GET", "/_index_template")) == before


def test_an_index_that_is_not_there_is_named(opensearch_url: str) -> None:
    """The error says what was looked for and how to name another."""
    for index in ("nothing-here", "nothing-*"):
        with pytest.raises(StoreError, match="--index"):
            open_reader(Store(location=opensearch_url, index=index))
