"""A cluster that fails in every usual way loses nothing, and says what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings

from logship.errors import AccessError, ConnectError, DiskFullError, StoreError
from logship.query.tree import All
from logship.store.opensearch.connection import Cluster
from logship.store.opensearch.reading.reader import open_reader
from logship.store.opensearch.setup import Setup
from logship.store.opensearch.writing.opening import open_writer
from logship.testing import LocalCloudWatch
from logship.testing.opensearch_node import Node
from tests import secured_node
from tests.conftest import opensearch_available
from tests.contract.store_cases import record
from tests.contract.stores import Remote, fill
from tests.contract.test_store import check, some_ranges, some_records
from tests.stub_server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from logship.record import Record
    from logship.settings import Store
    from logship.store.port import StoreReader, StoreWriter
    from logship.timerange import TimeRange

pytestmark = [pytest.mark.opensearch, pytest.mark.xdist_group("opensearch"), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node of our own that may be killed, and that queues one write request only."""
    settings = {"thread_pool.write.queue_size": "1"}
    node = Node(tmp_path_factory.mktemp("victim"), fast_start=True, settings=settings)
    with opensearch_available():
        node.start()
    yield node
    node.stop()


def come_back(node: Node) -> None:
    """Starts a killed node with its data, where it was."""
    node.keep_port()
    node.start()


def all_of(reader: StoreReader) -> list[str]:
    return [found.body for found in reader.scan(All())]


def test_a_node_killed_while_the_forwarder_writes_loses_nothing(victim: Node, tmp_path: Path) -> None:
    """The forwarder waits for the node to come back, and every event is stored once."""
    found, said = forwarded(victim, tmp_path, 30_000, kills=1)

    assert found == sorted(f"event {number}" for number in range(30_000)), said


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_300_thousand_events_and_two_kills(victim: Node, tmp_path: Path) -> None:
    """From the endpoint to a real node that is killed -9 twice on the way, counted exactly."""
    found, said = forwarded(victim, tmp_path, 300_000, kills=2)
    print(f"\n{len(found):,} records, {len(set(found)):,} different; {said}")

    assert found == sorted(f"event {number}" for number in range(300_000))


def forwarded(victim: Node, folder: Path, total: int, *, kills: int) -> tuple[list[str], str]:
    """What the node holds after all events were forwarded into it, and what the forwarder said at its end."""
    place = Remote(victim.url)
    place.writer().close()
    with LocalCloudWatch() as cw:
        client, now_ms = cw.client(), time.time_ns() // 1_000_000
        client.create_log_group(logGroupName="/shop/orders")
        client.create_log_stream(logGroupName="/shop/orders", logStreamName="web-1")
        for start in range(0, total, 5000):
            events = [{"timestamp": now_ms, "message": f"event {number}"} for number in range(start, start + 5000)]
            client.put_log_events(logGroupName="/shop/orders", logStreamName="web-1", logEvents=events)
        command = [sys.executable, "-m", "logship", "forward", "--group", "/shop/*", "--once", "--start", "1h"]
        config = folder / "logship.toml"
        config.write_text(f'[stores.victim]\nlocation = "{victim.url}"\nindex = "{place.store.index}"\n')
        environ = {
            **os.environ,
            "AWS_ENDPOINT_URL": cw.url,
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
        }
        forwarder = subprocess.Popen(
            [*command, "--store", "victim", "--state", str(folder / "state"), "--config", str(config)],
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        watching = open_reader(place.store)
        for kill in range(kills):
            while watching.count(All()) <= total * kill // (kills + 1):
                assert forwarder.poll() is None, forwarder.communicate()
                watching.refresh()
            victim.kill()
            time.sleep(1)
            come_back(victim)
            watching = open_reader(place.store)
        _, said = forwarder.communicate(timeout=600)
        assert forwarder.returncode == 0, said
    return sorted(all_of(open_reader(place.store))), said[-500:]


def test_a_node_killed_during_a_search_is_said_and_the_reader_goes_on(victim: Node) -> None:
    """The search ends with one clear line; once the node is back, the same reader answers again."""
    place = Remote(victim.url)
    writer = place.writer()
    writer.add([record(number) for number in range(100)])
    writer.close()
    reader = open_reader(place.store)
    victim.kill()
    with pytest.raises(ConnectError, match="does not answer"):
        reader.count(All())
    come_back(victim)

    assert reader.count(All()) == 100


def test_a_flooded_disk_is_waited_for(victim: Node) -> None:
    """The flood stage is told as a full disk; when there is room again, the same batch is stored."""
    place = Remote(victim.url)
    writer = place.writer()
    writer.add([record(1)])
    cluster = Cluster(place.store)
    block = {"index.blocks.read_only_allow_delete": True}
    cluster.request("PUT", f"/{place.store.index}-*/_settings", block)
    with pytest.raises(DiskFullError, match="disk is full"):
        writer.add([record(1), record(2), record(3)])
    cluster.request("PUT", f"/{place.store.index}-*/_settings", dict.fromkeys(block))
    result = writer.add([record(1), record(2), record(3)])
    writer.close()

    assert (result.accepted, result.existing) == (2, 1)


def test_a_write_block_is_named_with_its_remedy(victim: Node) -> None:
    """An index that somebody made read-only is no full disk, and no reason to end: its records are rejected."""
    place = Remote(victim.url)
    writer = place.writer()
    writer.add([record(1)])
    cluster = Cluster(place.store)
    cluster.request("PUT", f"/{place.store.index}-*/_settings", {"index.blocks.write": True})
    result = writer.add([record(2)])
    cluster.request("PUT", f"/{place.store.index}-*/_settings", {"index.blocks.write": None})

    assert [found.record for found in result.rejected] == [record(2)]
    assert "index.blocks.write" in result.rejected[0].reason
    assert writer.add([record(2)]).accepted == 1


def test_a_storm_of_refusals_loses_nothing(victim: Node) -> None:
    """With more writers than the node has room for, it refuses many records, and all are stored once."""
    place = Remote(victim.url)
    place.writer().close()
    errors: list[Exception] = []

    def write(worker: int) -> None:
        try:
            writer = place.writer()
            for batch in range(6):
                writer.add([record(worker * 10_000 + batch * 400 + number) for number in range(400)])
            writer.close()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = Cluster(place.store).request("GET", "/_nodes/stats/thread_pool")["nodes"]
    refused = sum(node["thread_pool"]["write"]["rejected"] for node in stats.values())

    assert errors == []
    assert refused > 0
    assert open_reader(place.store).count(All()) == 10 * 6 * 400


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ({"number": "1.3.14", "distribution": "opensearch"}, "runs OpenSearch 1.3.14; logship needs 2.4"),
        ({"number": "8.15.0", "build_flavor": "default"}, "is no OpenSearch"),
    ],
)
def test_a_server_that_cannot_do_it_is_named(version: dict[str, str], said: str) -> None:
    """Too old, or another product: the message says what it is and what is needed."""
    with Server((404, {}), (200, {"version": version})) as server, pytest.raises(StoreError, match=said):
        open_writer(Remote(server.url).store)


def test_compatibility_mode_is_named_with_its_remedy() -> None:
    """The cluster says that it is Elasticsearch 7.10.2; only its tagline tells what it is."""
    answer = {
        "version": {"number": "7.10.2", "build_type": "tar"},
        "tagline": "The OpenSearch Project: https://opensearch.org/",
    }
    said = r"compatibility mode, as Elasticsearch 7\.10\.2; .*override_main_response_version\": false"
    with Server((404, {}), (200, answer)) as server, pytest.raises(StoreError, match=said):
        open_writer(Remote(server.url).store)


def test_serverless_is_named_as_not_supported() -> None:
    """It has no `GET /`, and in collections of time series no ids of one's own, which nothing-twice rests on."""
    said = "answers GET / with 404; .*Serverless is not supported, use a domain"
    with Server((404, b"")) as server, pytest.raises(StoreError, match=said):
        open_writer(Remote(server.url).store)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[secured_node.Secured]:
    with opensearch_available():
        secured = secured_node.start(tmp_path_factory.mktemp("secured"))
    Setup(secured.store()).apply(lambda _: None)
    secured.add_user("ship", "logship-logs-writer")
    secured.add_user("look", "logship-logs-reader")
    yield secured
    secured.node.stop()


def test_the_roles_of_the_setup_are_enough_and_no_more(secured: secured_node.Secured) -> None:
    """The writer writes, the reader reads, neither reaches another index, and each refusal says so."""
    writer = open_writer(secured.store("ship"))
    accepted = writer.add([record(number, attributes={"new": number}) for number in range(50)]).accepted
    writer.close()
    reader = open_reader(secured.store("look"))
    counted, listed, stopped = reader.count(All()), reader.terms(All(), "new", size=1), reader.status()["records"]
    admin = Cluster(secured.store())
    admin.request("PUT", "/payroll", {})
    admin.request("PUT", "/payroll/_doc/1", {"@timestamp": "2026-01-01T00:00:00Z"}, params={"refresh": "true"})

    assert (accepted, counted, listed, stopped) == (50, 50, [("0", 1)], 50)
    for refused in (
        lambda: open_writer(secured.store("look")),
        lambda: open_reader(secured.store("look", index="payroll")),
        lambda: open_reader(secured.store("ship", index="payroll")),
        lambda: open_writer(secured.store("ship", index="payroll-logs")),
        lambda: Cluster(secured.store("ship")).request("DELETE", "/logship-logs-2023.11"),
    ):
        with pytest.raises(AccessError, match="does not permit"):
            refused()


class Locked:
    """A store of its own behind TLS and roles: one user writes, another reads."""

    def __init__(self, secured: secured_node.Secured) -> None:
        self._secured, self._index = secured, f"t{uuid4().hex[:12]}"
        Setup(secured.store(index=self._index)).apply(lambda _: None)
        for user, role in (("ship", "writer"), ("look", "reader")):
            secured.add_user(user, f"{self._index}-{role}")

    def writer(self) -> StoreWriter:
        return open_writer(self._secured.store("ship", index=self._index))

    def reader(self) -> StoreReader:
        return open_reader(self._secured.store("look", index=self._index))


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=some_records, within=some_ranges)
def test_the_contract_holds_behind_tls_and_roles(
    secured: secured_node.Secured, made: list[Record], within: TimeRange | None
) -> None:
    """A role that writes and a role that reads are all that the store suite needs."""
    check(made, fill(Locked(secured), made), within)


def test_wrong_passwords_and_authorities_are_told_apart(secured: secured_node.Secured) -> None:
    """Each has its own line with the remedy."""
    (secured.passwords / "look").write_text("wrong")
    with pytest.raises(AccessError, match="check username and password"):
        open_reader(secured.store("look"))
    with pytest.raises(ConnectError, match="ca_cert"):
        open_reader(secured.store(authority=""))


def run(store: Store, folder: Path, *arguments: str) -> tuple[int, str, str]:
    """A command against a store, as a person runs it."""
    named = {
        name: value
        for name in ("location", "index", "username", "password", "ca_cert")
        if (value := getattr(store, name))
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in named.items()]
    (folder / "logship.toml").write_text("[stores.s]\n" + "\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "logship", *arguments, "--store", "s"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


_SEARCH = ("search", '"event 1"', "--format", "ndjson")


def test_commands_end_with_the_right_status(secured: secured_node.Secured, tmp_path: Path) -> None:
    """Found 0, nothing 1, no connection 3, no access 4, no store 5; one line, never a traceback."""
    writer = open_writer(secured.store())
    writer.add([record(number) for number in range(3)])
    writer.close()
    (secured.passwords / "bad").write_text("x")
    cases = {
        "found": (secured.store(), 0),
        "tls": (secured.store(authority=""), 3),
        "gone": (Remote("http://127.0.0.1:9").store, 3),
        "access": (secured.store("bad"), 4),
    }
    ended = {name: run(store, tmp_path, *_SEARCH) for name, (store, _) in cases.items()}
    with Server((200, "a page")) as impostor:
        ended["impostor"] = run(Remote(impostor.url).store, tmp_path, *_SEARCH)

    assert {name: status for name, (status, _, _) in ended.items()} == {
        **{name: status for name, (_, status) in cases.items()},
        "impostor": 5,
    }
    assert json.loads(ended["found"][1])["body"] == "event 1"
    assert "Traceback" not in "".join(said for _, _, said in ended.values())
    assert [out for name, (_, out, _) in ended.items() if name != "found"] == [""] * 4
