"""What the OpenSearch writer sends, and what becomes of the records of a request, against a server of bulk requests."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from logship.errors import BusyError, ConnectError, DiskFullError, StoreError
from logship.parse import Parser
from logship.record import LogEvent, Record, record_id
from logship.settings import Store
from logship.store.opensearch.writing import writer as writing
from logship.store.opensearch.writing.opening import open_writer
from logship.store.opensearch.writing.writer import BULK_BYTES
from logship.store.port import RequestWriter
from tests.bulk_server import bulk_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.store.opensearch.writing.writer import Writer
    from tests.bulk_server import BulkServer

TIME_MS = 1_795_443_665_871
MONTH_MS = 31 * 86_400_000


@pytest.fixture
def server() -> Iterator[BulkServer]:
    with bulk_server() as running:
        yield running


@pytest.fixture
def writer(server: BulkServer) -> Iterator[Writer]:
    opened = open_writer(Store(location=server.url))
    server.faults()
    yield opened
    server.faults()
    opened.close()


def record(number: int, *, body: str = "done", at_ms: int = TIME_MS) -> Record:
    """One with everything that a record may have."""
    return Record(
        record_id(at_ms, "/g", "s", f"{number:056d}"),
        at_ms * 1000 + 7,
        body,
        "WARN",
        at_ms + 900,
        "5b8aa5a2d2c872e8321cf37308d69df2",
        "051581bf3cb55c13",
        "7f3c9a1e00000000",
        {"service.name": "orders", "host.name": "web-1"},
        {"number": number, "share": 0.5, "list": ["a", 2, None], "paid": True, "a..b": "odd", "Ω": 'quo"te\n'},
    )


def test_it_takes_requests_of_several_slices(server: BulkServer, writer: Writer) -> None:
    """What was encoded slice by slice goes in one request, and is there."""
    assert isinstance(writer, RequestWriter)
    slices = [[record(number) for number in range(start, start + 10)] for start in range(0, 50, 10)]
    before = server.counts()["requests"]

    result = writer.send([writer.encode(some) for some in slices])

    assert (result.accepted, server.counts()["requests"] - before) == (50, 1)
    assert server.ids() == {one.id for some in slices for one in some}


def test_records_of_several_months_go_to_their_indices(server: BulkServer, writer: Writer) -> None:
    """However they are mixed, all go in one request, each to the index of its time."""
    records = [record(number, at_ms=TIME_MS + number % 3 * MONTH_MS) for number in range(30)]
    encoded = writer.encode(records)

    assert writer.send([encoded]).accepted == 30
    assert server.ids() == {one.id for one in records}
    months = ["2026.11", "2026.12", "2027.01"]
    expected = {one.id: f"logship-logs-{months[number % 3]}" for number, one in enumerate(records)}
    actions = [json.loads(lines.split(b"\n")[0])["create"] for lines in encoded.lines()]
    assert {action["_id"]: action["_index"] for action in actions} == expected
    assert encoded.indices == set(expected.values())


def test_tables_are_written_as_their_records_are(server: BulkServer, writer: Writer) -> None:
    """Within one month by the column, over several one by one; in both cases a rejected one comes back as it was."""
    server.faults(poison="poison")
    line = '{{"timestamp":"2026-11-23T14:21:05.871234Z","level":"INFO","message":"{}","number":{}}}'
    bodies = ["poison" if number == 7 else "good" for number in range(60)]
    parser, months = Parser(), ["2026.11", "2026.12", "2027.01"]
    for step_ms, in_months in ((1_000, 1), (MONTH_MS, 3)):
        events = [
            LogEvent("/g", "s", TIME_MS + number % 3 * step_ms, line.format(body, number), f"{step_ms}-{number}")
            for number, body in enumerate(bodies)
        ]
        expected = parser.records(events)
        [table], _ = parser.tables(events)
        encoded = writer.encode([], [table])

        assert len(encoded.pieces) == in_months
        assert encoded.indices == {f"logship-logs-{month}" for month in months[:in_months]}
        result = writer.send([encoded])
        assert (result.accepted, [found.record for found in result.rejected]) == (59, [expected[7]])
        assert {one.id for one in expected} - server.ids() == {expected[7].id}


def test_a_rejected_record_comes_back_as_it_was(server: BulkServer, writer: Writer) -> None:
    """The record is read back from its line; nothing of it is lost on the way, and no request is added."""
    server.faults(poison="poison")
    records = [record(number, body="poison" if number % 7 == 0 else "good") for number in range(20)]
    before = server.counts()["requests"]

    result = writer.add(records)

    assert [found.record for found in result.rejected] == [one for one in records if one.body == "poison"]
    assert all("400" in found.reason for found in result.rejected)
    assert (result.accepted, server.counts()["requests"] - before) == (17, 1)


def test_what_a_busy_server_refuses_is_given_back(
    server: BulkServer, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As records or as what they were encoded to, it is what the server has not; given again, all is there once."""
    monkeypatch.setattr(writing, "_WAITS_S", (0.01,))
    monkeypatch.setattr(writing, "_BUILT_AT_ONCE", 40)
    records = [record(number) for number in range(200)]
    server.faults(item_429=0.5)
    with pytest.raises(BusyError) as refused:
        writer.add(records[:100])
    rest = refused.value.rest
    taken = server.ids()
    with pytest.raises(BusyError) as refused_encoded:
        writer.send([writer.encode(records[100:150]), writer.encode(records[150:])])
    server.faults()

    assert {one.id for one in rest} == {one.id for one in records[:100]} - taken
    assert all(one in records for one in rest)
    assert refused.value.so_far.accepted == 100 - len(rest) > 0
    assert writer.add(rest).accepted == len(rest)
    again = writer.send(refused_encoded.value.rest)
    assert refused_encoded.value.so_far.accepted + again.accepted == 100
    assert server.ids() == {one.id for one in records}


def test_a_block_of_one_index_keeps_the_others_going(server: BulkServer, writer: Writer) -> None:
    """Records of an index that somebody made read-only come back with the reason and the remedy; no others do."""
    server.faults(blocked="logship-logs-2026.12")
    records = [record(number, at_ms=TIME_MS + number % 3 * MONTH_MS) for number in range(30)]

    result = writer.add(records)

    assert (result.accepted, [found.record for found in result.rejected]) == (20, records[1::3])
    assert len({found.reason for found in result.rejected}) == 1
    assert result.rejected[0].reason.endswith(
        "[FORBIDDEN/8/index write (api)]; lift the block with PUT logship-logs-2026.12/_settings "
        '{"index.blocks.write": null, "index.blocks.read_only": null}, then store them again'
    )


def answer_bulks(patch: pytest.MonkeyPatch, writer: Writer, *answers: dict[str, object]) -> None:
    """Has bulk requests answered so, the last answer as often as it takes; others go their way."""
    request, left = writer._cluster.request, list(answers)

    def answered(method: str, path: str, *more: Any, **named: Any) -> dict[str, Any]:
        if path == "/_bulk":
            return left.pop(0) if len(left) > 1 else left[0]
        found: dict[str, Any] = request(method, path, *more, **named)
        return found

    patch.setattr(writer._cluster, "request", answered)


@pytest.mark.parametrize(
    ("kind", "reason", "error"),
    [
        ("cluster_block_exception", "blocked by: [FORBIDDEN/10/cluster create-index blocked (api)];", DiskFullError),
        (
            "index_create_block_exception",
            "blocked by: [FORBIDDEN/10/cluster create-index blocked (api)];",
            DiskFullError,
        ),
        ("cluster_block_exception", "blocked by: [FORBIDDEN/6/cluster read-only (api)];", StoreError),
    ],
)
def test_a_block_of_the_cluster_makes_no_letters(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, kind: str, reason: str, error: type[Exception]
) -> None:
    """Where disks are full no index can be made, which passes; nobody's record is at fault."""
    item = {"create": {"status": 403, "error": {"type": kind, "reason": f"blocked by: {reason}"}}}
    with monkeypatch.context() as patched:
        answer_bulks(patched, writer, {"errors": True, "items": [item]})
        with pytest.raises(error):
            writer.add([record(1)])


def test_what_was_taken_before_a_disk_was_full_is_told(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once: only the rest is given again, so nothing that was new is counted as there already."""
    reason = "index [x] blocked by: [disk usage exceeded flood-stage watermark, index has read-only-allow-delete block]"
    full = {"create": {"status": 429, "error": {"type": "cluster_block_exception", "reason": reason}}}
    monkeypatch.setattr("logship.store.opensearch.writing.writer._WAITS_S", (0.01,))
    answers = [{"errors": True, "items": [{"create": {"status": 201}}, full]}, {"errors": True, "items": [full]}]
    with monkeypatch.context() as patched:
        answer_bulks(patched, writer, *answers)
        with pytest.raises(BusyError, match="its disk is full") as busy:
            writer.add([record(1), record(2)])
        with pytest.raises(DiskFullError, match="its disk is full"):
            writer.add(busy.value.rest)

    assert (busy.value.so_far.accepted, busy.value.so_far.existing, busy.value.rest) == (1, 0, [record(2)])


@pytest.mark.parametrize("fault", ["item_503", "status_500"])
def test_a_cluster_that_fails_for_now_is_tried_again(
    server: BulkServer, writer: Writer, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it has no manager to take some records, or fails with a whole request; then all is there once."""
    for place in ("writing.writer._WAITS_S", "connection._BUSY_WAITS_S"):
        monkeypatch.setattr(f"logship.store.opensearch.{place}", (0.01,) * 30)
    server.faults(**{fault: 0.5})
    records = [record(number) for number in range(200)]

    assert sum(writer.add(records[start : start + 40]).accepted for start in range(0, 200, 40)) == 200
    assert server.ids() == {one.id for one in records}


@pytest.mark.parametrize("status", [400, 404, 405])
def test_a_refresh_that_is_not_possible_is_no_failure(server: BulkServer, writer: Writer, status: int) -> None:
    """All is stored, and the cluster shows it in its own time."""
    writer.add([record(1)])
    server.faults(no_refresh=status)
    writer.commit()

    assert server.counts()["refreshes"] == 1


def test_however_many_indices_were_written_are_refreshed(server: BulkServer, writer: Writer) -> None:
    """Their names are more than the first line of a request may hold."""
    records = [record(number, at_ms=TIME_MS - number * MONTH_MS) for number in range(400)]

    assert writer.add(records).accepted == 400
    writer.commit()
    assert server.counts()["refreshes"] > 1


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"errors": True, "items": None},
        {"errors": True, "items": [{"create": {"status": 201}}]},
        {"errors": True, "items": [{"index": {"status": 201}}] * 3},
    ],
)
def test_an_answer_to_something_else_is_none(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, answer: dict[str, object]
) -> None:
    """Nobody knows what became of the records: they are stored again, which adds none twice."""
    with monkeypatch.context() as patched:
        answer_bulks(patched, writer, answer)
        with pytest.raises(ConnectError, match="answered a bulk request with something else"):
            writer.add([record(number) for number in range(3)])


@pytest.mark.parametrize("page", ["<html>it is being mended</html>", "", '{"took":3,"err', "{}"])
def test_an_answer_of_something_else_is_an_outage(server: BulkServer, writer: Writer, page: str) -> None:
    """Whatever answers in place of a cluster that was there, to any request of an open writer, loses nothing."""
    records = [record(1), replace(record(2), attributes={"a_new_column": 1})]
    assert writer.add(records[:1]).accepted == 1
    server.faults(page=page)
    with pytest.raises(ConnectError):
        writer.add(records[:1])
    for _ in range(2):
        with pytest.raises(ConnectError):
            writer.add(records)
    if page != "{}":
        with pytest.raises(ConnectError):
            writer.commit()
    server.faults()

    result = writer.add(records)
    assert (result.accepted, result.existing) == (1, 1)


def test_large_batches_become_several_requests(server: BulkServer, writer: Writer) -> None:
    """None is larger than the most unless one record is; a server that takes less gets smaller ones."""
    records = [record(number, body="x" * 100_000) for number in range(120)]
    before = server.counts()

    assert writer.send([writer.encode(records[:60]), writer.encode(records[60:])]).accepted == 120
    after = server.counts()
    assert after["requests"] - before["requests"] == -(-(after["bytes"] - before["bytes"]) // (BULK_BYTES - 200_000))

    server.faults(most_bytes=350_000)
    others = [record(number, body="y" * (400_000 if number == 205 else 100_000)) for number in range(200, 210)]
    result = writer.add(others)
    assert (result.accepted, [found.record for found in result.rejected]) == (9, [others[5]])
    assert server.ids() == {one.id for one in [*records, *others] if one is not others[5]}
