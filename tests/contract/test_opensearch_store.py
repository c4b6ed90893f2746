"""What our indices in OpenSearch promise beyond the port: hostile names, agreement of writers, set-up, drift."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from logship.errors import NewerFormatError, StoreError, UsageError
from logship.query import parse
from logship.query.tree import All, Term
from logship.record import Record, record_id
from logship.store.opensearch import template
from logship.store.opensearch.columns import Meta
from logship.store.opensearch.connection import Cluster
from logship.store.opensearch.setup import Setup, apply, drift, steps
from logship.store.opensearch.writing.opening import open_writer
from logship.store.port import Cancelled, Measure
from tests.contract.store_cases import BASE_US, record
from tests.contract.stores import Remote, fill

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.opensearch, pytest.mark.xdist_group("opensearch")]


@pytest.fixture
def place(opensearch_url: str) -> Iterator[Remote]:
    place = Remote(opensearch_url)
    yield place
    place.forget()


@pytest.fixture
def cluster(opensearch_url: str) -> Iterator[Cluster]:
    cluster = Cluster(Remote(opensearch_url).store)
    yield cluster
    cluster.close()


HOSTILE: list[dict[str, Any]] = [
    {"x": 5},
    {"x": "text"},
    {"x": {"deep": {"er": 1}}},
    {"x": [1, "a", None, {"y": 2}, [3]]},
    {"x": None},
    {"x": True},
    {"x": "é" * 2**20},
    {"x.y": 1, "x": 2, "x.y.z": 3},
    {"http": "no object", "http.route": {"an": "object"}, "http.route.x": 1, "duration_ms": "slow"},
    {"http.response.status_code": "teapot", "service.name": ["a", "b"], "exception.type": {"a": 1}},
    {"": "empty", ".": 1, "..": 2, "a..b": 3, ".a": 4, "a.": 5, " ": 6, "a b.c d": 7},
    {"_id": "x", "_source": 1, "@timestamp": "not a time", "body": 5, "logship": {"keys": 1}, "logship.keys": "z"},
    {"severity": "odd", "severity.text": 3, "traceId": 9, "resource": "r", "attributes": "a", "attributes.x": 1},
    {"n" * 40_000: "a long name", "ключ\ud800": "\ud800", "null\x00": "\x00"},
    {"date": "2026-01-01", "date2": 20260101, "big": 2**63 - 1, "bigger": 2**70, "tiny": 1e-320, "huge": 1e308},
    {"nested": {"a" * 100: {"b" * 100: ["c" * 1000] * 100}}, "tab\tname": 1, 'quote"name': 2},
    {f"name{number}": number for number in range(10_000)},
    {f"deep{'.x' * number}": number for number in range(60)},
]


def test_no_attribute_fails_a_record_or_grows_the_mapping(place: Remote, cluster: Cluster) -> None:
    """Whatever names and values come, in either order, every record is taken, found, and comes back."""
    made = [record(number, attributes=attributes) for number, attributes in enumerate([*HOSTILE, *reversed(HOSTILE)])]
    reader = fill(place, made)
    mapped = cluster.request("GET", f"/{place.store.index}-*/_mapping")
    fields = [len(_leaves(held["mappings"]["properties"])) for held in mapped.values()]
    back = {found.id: found for found in reader.scan(All())}

    assert len(back) == len(made)
    assert back[made[3].id].attributes == {"x": [1, "a", None, {"y": 2}, [3]]}
    assert back[made[7].id].attributes == HOSTILE[7]
    assert back[made[8].id].attributes == HOSTILE[8]
    assert back[made[10].id].attributes == HOSTILE[10]
    assert max(fields) <= template.MOST_COLUMNS + 100
    counts = {
        query: reader.count(parse(query)) for query in ("x:5", "x>1", "x:text", "x:*", "name77:77", "name9999>9000")
    }
    assert counts == {"x:5": 2, "x>1": 4, "x:text": 2, "x:*": 14, "name77:77": 2, "name9999>9000": 2}


def _leaves(properties: dict[str, Any]) -> list[str]:
    found = []
    for name, facts in properties.items():
        found += _leaves(facts["properties"]) if "properties" in facts else [name]
    return found


def test_names_beyond_the_columns_are_searched_and_refuse_figures(place: Remote) -> None:
    """Terms, ranges and existence work on every name; a figure over one without a column is a clear error."""
    reader = fill(place, [record(1, attributes={f"n{number:05}": number for number in range(2000)})])

    assert [reader.count(parse(query)) for query in ("n01999:1999", "n01999>=1999", "n01999:*", "-n01999:*")] == [
        1,
        1,
        1,
        0,
    ]
    assert reader.terms(All(), "n00001") == [("1", 1)]
    assert reader.terms(All(), "nobody") == []
    for ask in (
        lambda: reader.terms(All(), "n01999"),
        lambda: reader.aggregate(All(), measures=[Measure("avg", "n01999")]),
    ):
        with pytest.raises(UsageError, match="n01999"):
            ask()


def test_writers_agree_on_columns(place: Remote) -> None:
    """Several writers that bring new names at once admit all of them, and lose none of the other's."""
    place.writer().close()
    errors: list[Exception] = []

    def write(worker: int) -> None:
        try:
            writer = place.writer()
            for batch in range(5):
                number = worker * 100 + batch
                attributes = {f"w{worker}.b{batch}.{name}": "v" for name in range(5)}
                writer.add([record(number, attributes=attributes)])
            writer.close()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader = place.reader()
    listed = [reader.terms(All(), f"w{w}.b{b}.{n}") for w in range(4) for b in range(5) for n in range(5)]

    assert errors == []
    assert listed == [[("v", 1)]] * 100


def test_records_of_wild_times_share_one_index(place: Remote, cluster: Cluster) -> None:
    """1970, 2100 and 9999 make no index each, keep their order, and are found by time."""
    years = [-5, 0, 40_000, 4_102_444_800_000, 9_300_000_000_000, 250_000_000_000_000]
    made = [Record(record_id(ms, "/g", "s", str(ms)), ms * 1000, f"at {ms}") for ms in years]
    near = [record(0), record(86_400_000), record(-86_400_000)]
    reader = fill(place, made + near)
    indices = sorted(cluster.request("GET", f"/{place.store.index}-*"))

    assert [found.time_us for found in reader.scan(All())] == sorted(found.time_us for found in made + near)
    assert [name.removeprefix(place.store.index) for name in indices][:2] == ["-2023.11", "-2026.11"]
    assert [name for name in indices if name.endswith("other")] == [f"{place.store.index}-other"]
    assert len(indices) == 3
    assert reader.count(parse("time<1971-01-01")) == 3


def test_a_day_may_be_an_index_of_its_own(opensearch_url: str, cluster: Cluster) -> None:
    """The partition is chosen once; whoever writes later with other settings keeps to it."""
    place = Remote(opensearch_url, partition="day")
    fill(place, [record(0)])
    again = Remote(opensearch_url)
    again.store = again.store.__class__(location=opensearch_url, index=place.store.index, replicas=0)
    writer = again.writer()
    result = writer.add([record(0), record(86_400_000)])
    writer.close()
    indices = sorted(cluster.request("GET", f"/{place.store.index}-2023*"))
    place.forget()

    assert (result.accepted, result.existing) == (1, 1)
    assert [name.removeprefix(place.store.index) for name in indices] == ["-2023.11.14", "-2023.11.15"]


def test_ecs_output_is_named_for_elastic_tools_and_comes_back_whole(opensearch_url: str, cluster: Cluster) -> None:
    """With `output = "ecs"` others find ECS fields, and our own answers stay the same."""
    place = Remote(opensearch_url, output="ecs")
    made = record(
        1,
        body="upstream timed out",
        severity="ERROR",
        trace_id="t1",
        span_id="s1",
        parent_span_id="p1",
        observed_ms=1_700_000_000_000,
        resource={"service.name": "orders", "host.name": "web-1"},
        attributes={"http.request.method": "GET", "duration_ms": 12.5, "tenant": 7, "http.response.status_code": 502},
    )
    reader = fill(place, [made])
    hits = cluster.request("GET", f"/{place.store.index}/_search")["hits"]["hits"]
    query = {
        "query": {"query_string": {"query": "log.level:error AND http.response.status_code:>=500 AND message:timed"}}
    }
    found = cluster.request("POST", f"/{place.store.index}/_search", query)["hits"]["total"]["value"]
    source = hits[0]["_source"]
    back = reader.search(parse("timed level:error tenant:7 duration>12ms trace:t1"), limit=5)
    place.forget()

    assert (source["message"], source["service.name"], source["event.duration"]) == (
        "upstream timed out",
        "orders",
        12_500_000,
    )
    assert found == 1
    assert back == [made]


def test_setup_changes_nothing_twice_and_reports_drift(place: Remote, cluster: Cluster) -> None:
    """What is as it should be is left alone; a changed template, a lost alias and other settings are named."""
    said: list[str] = []
    for _ in range(2):
        apply(cluster, place.store, said.append)
    clean = list(drift(cluster, place.store))
    changed = template.index_template(place.store)
    changed["template"]["settings"]["index"]["refresh_interval"] = "30s"
    cluster.request("PUT", f"/_index_template/{place.store.index}", changed)
    first = next(iter(cluster.request("GET", f"/{place.store.index}-*")))
    cluster.request("DELETE", f"/{first}/_alias/{place.store.index}")
    found = "\n".join(drift(cluster, place.store))
    apply(cluster, place.store, said.append)

    assert clean == []
    assert "refresh_interval is '30s', should be '1s'" in found
    assert f"lacks the alias '{place.store.index}'" in found
    assert list(drift(cluster, place.store)) == []
    assert any("security plugin is not on this cluster" in line for line in said)


def test_a_plugin_that_is_missing_is_said_not_failed(opensearch_url: str, cluster: Cluster) -> None:
    """A retention on a cluster without index management sets everything else up."""
    place = Remote(opensearch_url, retention="30d")
    said: list[str] = []
    apply(cluster, place.store, said.append)
    policy = next(step for step in steps(place.store) if "retention" in step.what)
    place.forget()

    assert any("index management plugin is not on this cluster" in line for line in said)
    assert policy.body["policy"]["states"][0]["transitions"][0]["conditions"] == {"min_index_age": "61d"}


def test_what_is_not_ours_is_not_touched(place: Remote, cluster: Cluster) -> None:
    """An index of somebody else under our name is named and left alone."""
    name = place.store.index
    cluster.request("PUT", f"/{name}", {"mappings": {"properties": {"theirs": {"type": "keyword"}}}})
    for attempt in (lambda: apply(cluster, place.store, print), lambda: open_writer(place.store)):
        with pytest.raises(StoreError, match="not logship's"):
            attempt()
    held = cluster.request("GET", f"/{name}")[name]["mappings"]
    cluster.request("DELETE", f"/{name}")

    assert held == {"properties": {"theirs": {"type": "keyword"}}}


def test_a_lost_alias_is_named_and_restored(place: Remote, cluster: Cluster) -> None:
    """Reading says how to restore it; setup does."""
    fill(place, [record(1)])
    cluster.request("DELETE", f"/{place.store.index}-*/_alias/{place.store.index}")
    with pytest.raises(StoreError, match="logship store setup"):
        place.reader()
    Setup(place.store).apply(print)

    assert place.reader().count(All()) == 1


def test_a_lost_template_is_named_before_anything_is_written(place: Remote, cluster: Cluster) -> None:
    """Without the template an index would take any shape, so nothing is written."""
    fill(place, [record(1)])
    cluster.request("DELETE", f"/_index_template/{place.store.index}")
    with pytest.raises(StoreError, match=r"template .* is missing; run: logship store setup"):
        place.writer()


def test_a_newer_format_is_refused(place: Remote, cluster: Cluster) -> None:
    """A store of a later logship is neither read nor written."""
    place.writer().close()
    meta = Meta(cluster, place.store)
    meta.read()
    path = f"/{template.META_INDEX}/_doc/{place.store.index}"
    source = cluster.request("GET", path)["_source"]
    cluster.request("PUT", path, {**source, "format": 99})
    for attempt in (place.reader, place.writer):
        with pytest.raises(NewerFormatError, match="upgrade logship"):
            attempt()


def test_a_record_that_the_index_refuses_is_handed_back(place: Remote, cluster: Cluster) -> None:
    """Only that record is rejected, with the server's reason; the others are stored."""
    place.writer().close()
    wrong = {"mappings": {"properties": {"body": {"type": "integer"}}}}
    cluster.request("PUT", f"/{place.store.index}-2023.11", wrong)
    writer = place.writer()
    result = writer.add([record(1, body="no number"), record(2, body="77")])
    writer.close()

    assert (result.accepted, [rejected.record.body for rejected in result.rejected]) == (1, ["no number"])
    assert "400" in result.rejected[0].reason
    assert "body" in result.rejected[0].reason


def test_a_forgotten_snapshot_is_taken_anew(place: Remote, cluster: Cluster) -> None:
    """A pause longer than the server keeps a point in time does not end a search."""
    reader = fill(place, [record(number) for number in range(30)])
    first = reader.search(All(), limit=10)
    cluster.request("DELETE", "/_search/point_in_time/_all")
    second = reader.search(All(), limit=30, after=first[-1].order)

    assert [found.body for found in first + second] == [f"event {number}" for number in reversed(range(30))]


def test_terms_are_exact_with_more_values_than_a_shard_sends(place: Remote) -> None:
    """Counts of the most frequent values stay exact over several indices."""
    made = [record(number * 40_000_000, attributes={"k": f"v{number % 700}"}) for number in range(1500)]
    reader = fill(place, made)

    assert reader.terms(All(), "k", size=3) == [("v0", 3), ("v1", 3), ("v10", 3)]
    assert reader.count(Term("k", "v699")) == 2


def test_only_the_fields_shown_are_sent(place: Remote) -> None:
    """A table does not make the server send attributes that nobody sees."""
    reader = fill(
        place, [record(1, attributes={"big": "x" * 1000, "duration_ms": 5.0}, resource={"service.name": "a"})]
    )
    found = reader.search(All(), limit=1, fields=["body", "service.name", "duration_ms"])[0]

    assert (found.body, found.service, found.attributes) == ("event 1", "a", {"duration_ms": 5.0})
    assert found.time_us == BASE_US + 1000


def test_a_search_that_is_given_up_ends_on_the_server(place: Remote, cluster: Cluster) -> None:
    """The caller is free within half a second, and the server stops working for it."""
    reader = fill(place, [record(number) for number in range(2000)])
    slow = {"script": {"script": {"source": "long s = 0; for (int i = 0; i < 900000; i++) { s += i } return s != 0"}}}
    began = time.monotonic()
    with pytest.raises(Cancelled):
        reader._snapshot.search(  # type: ignore[attr-defined]
            {"query": slow, "size": 0}, lambda: time.monotonic() - began > 0.3
        )
    given_up = time.monotonic() - began
    deadline = time.monotonic() + 10
    while (running := _searches(cluster)) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert given_up < 0.8
    assert running == []


def _searches(cluster: Cluster) -> list[str]:
    nodes = cluster.request("GET", "/_tasks", params={"actions": "indices:data/read/search*"})["nodes"]
    return [task for node in nodes.values() for task in node["tasks"]]
