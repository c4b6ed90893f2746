"""What CloudWatch Logs promises, checked through boto3 on LocalCloudWatch and, where it is right, on moto."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from logship.testing import FakeClock, Faults, LocalCloudWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW_MS = 1_795_443_665_000


@pytest.fixture
def cw() -> Iterator[LocalCloudWatch]:
    with LocalCloudWatch(clock=FakeClock(NOW_MS / 1000)) as server:
        yield server


@pytest.fixture
def logs(cw: LocalCloudWatch) -> Any:
    client = cw.client()
    client.create_log_group(logGroupName="/g")
    client.create_log_stream(logGroupName="/g", logStreamName="s")
    return client


@pytest.fixture(params=["local", pytest.param("moto", marks=pytest.mark.moto)])
def either(request: pytest.FixtureRequest) -> Iterator[tuple[Any, int]]:
    """A client and "now" in ms, of both stand-ins in turn."""
    if request.param == "local":
        with LocalCloudWatch(clock=FakeClock(NOW_MS / 1000)) as server:
            yield server.client(), NOW_MS
        return
    import time

    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    urllib.request.urlopen(
        urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
    ).close()  # its state is global
    try:
        yield (
            boto3.client(
                "logs",
                endpoint_url=f"http://{host}:{port}",
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            ),
            int(time.time() * 1000),
        )
    finally:
        moto.stop()


def put(client: Any, *events: tuple[int, str], stream: str = "s") -> Any:
    return client.put_log_events(
        logGroupName="/g", logStreamName=stream, logEvents=[{"timestamp": at, "message": text} for at, text in events]
    )


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_groups_and_streams_come_and_go(either: tuple[Any, int]) -> None:
    """Creating twice, or using what does not exist, has the documented error; deleting removes."""
    client, _ = either
    client.create_log_group(logGroupName="/g", tags={"team": "a"})
    client.create_log_stream(logGroupName="/g", logStreamName="s")
    with pytest.raises(ClientError) as twice:
        client.create_log_group(logGroupName="/g")
    with pytest.raises(ClientError) as missing:
        client.describe_log_streams(logGroupName="/nope")
    arn = client.describe_log_groups(logGroupNamePrefix="/g")["logGroups"][0]["arn"].removesuffix(":*")
    tags = client.list_tags_for_resource(resourceArn=arn)["tags"]
    client.delete_log_group(logGroupName="/g")

    assert (code(twice), code(missing)) == ("ResourceAlreadyExistsException", "ResourceNotFoundException")
    assert (tags, client.describe_log_groups()["logGroups"]) == ({"team": "a"}, [])


def test_groups_are_paged_by_prefix(either: tuple[Any, int]) -> None:
    """Every group appears once, whatever the page size."""
    client, _ = either
    names = [f"/a/{n:03}" for n in range(7)]
    for name in [*names, "/b/1"]:
        client.create_log_group(logGroupName=name)
    pages = client.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix="/a/", PaginationConfig={"PageSize": 3}
    )

    assert [group["logGroupName"] for page in pages for group in page["logGroups"]] == names


def test_events_come_back_as_they_went_in(either: tuple[Any, int]) -> None:
    """What was put is given out in order of time, with ids and both bounds included."""
    client, now = either
    client.create_log_group(logGroupName="/g")
    client.create_log_stream(logGroupName="/g", logStreamName="s")
    put(client, (now - 3000, "a"), (now - 2000, "b é\n\u2028"), (now - 1000, "c"))
    events = client.filter_log_events(logGroupName="/g", startTime=now - 3000, endTime=now - 2000, interleaved=True)[
        "events"
    ]

    assert [(event["timestamp"], event["message"]) for event in events] == [
        (now - 3000, "a"),
        (now - 2000, "b é\n\u2028"),
    ]
    assert len({event["eventId"] for event in events}) == 2


def test_a_batch_out_of_order_is_refused(either: tuple[Any, int]) -> None:
    """Chronological order is required within a batch."""
    client, now = either
    client.create_log_group(logGroupName="/g")
    client.create_log_stream(logGroupName="/g", logStreamName="s")
    with pytest.raises(ClientError) as error:
        put(client, (now, "b"), (now - 1, "a"))

    assert code(error) == "InvalidParameterException"


def test_reading_a_stream_ends_with_a_repeated_token(either: tuple[Any, int]) -> None:
    """GetLogEvents has no more when its forward token repeats."""
    client, now = either
    client.create_log_group(logGroupName="/g")
    client.create_log_stream(logGroupName="/g", logStreamName="s")
    put(client, *((now - 10 + n, str(n)) for n in range(5)))
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = client.get_log_events(logGroupName="/g", logStreamName="s", startFromHead=True, limit=2, **token)
        seen += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == token.get("nextToken"):
            break
        token = {"nextToken": page["nextForwardToken"]}

    assert seen == ["0", "1", "2", "3", "4"]


def test_batches_are_cut_at_the_documented_limits(logs: Any) -> None:
    """1,048,576 bytes with 26 an event and 10,000 events are taken; one more of either is not."""
    exact = 1_048_576 - 26
    put(logs, (NOW_MS, "x" * exact))
    put(logs, *((NOW_MS, "x") for _ in range(10_000)))
    refused = []
    for events in (
        [(NOW_MS, "x" * (exact + 1))],
        [(NOW_MS, "x")] * 10_001,
        [(NOW_MS, "é" * (exact // 2)), (NOW_MS, "y")],
        [(NOW_MS - 86_400_001, "a"), (NOW_MS, "b")],
    ):
        with pytest.raises(ClientError) as error:
            put(logs, *events)
        refused.append(code(error))

    assert refused == ["InvalidParameterException"] * 4


def test_old_and_future_events_are_rejected_one_by_one(logs: Any, cw: LocalCloudWatch) -> None:
    """The rest of their batch is kept, and the indices are as documented: end exclusive, start inclusive."""
    day = 86_400_000
    old = put(logs, (NOW_MS - 14 * day - 2, "old"), (NOW_MS - 14 * day - 1, "old"), (NOW_MS - 14 * day, "kept"))
    new = put(logs, (NOW_MS, "kept"), (NOW_MS + 7_200_001, "new"), (NOW_MS + 7_200_002, "new"))

    assert old["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2}
    assert new["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    assert [event.message for event in cw.events("/g")] == ["kept", "kept"]


def test_retention_rejects_expired_events(logs: Any) -> None:
    """Events older than the group's retention are rejected; only listed periods are allowed."""
    logs.put_retention_policy(logGroupName="/g", retentionInDays=1)
    with pytest.raises(ClientError) as error:
        logs.put_retention_policy(logGroupName="/g", retentionInDays=15)
    answer = put(logs, (NOW_MS - 86_400_001, "expired"))

    assert (code(error), answer["rejectedLogEventsInfo"]) == (
        "InvalidParameterException",
        {"expiredLogEventEndIndex": 1},
    )


def create(client: Any, group: str, stream: str) -> None:
    if group == "/g":
        client.create_log_stream(logGroupName=group, logStreamName=stream)
    else:
        client.create_log_group(logGroupName=group)


@pytest.mark.parametrize(("group", "stream"), [("bad group", "s"), ("/g", "a:b"), ("/g", "a*"), ("g" * 513, "s")])
def test_illegal_names_are_refused(logs: Any, group: str, stream: str) -> None:
    """Names outside the documented characters and length are refused."""
    with pytest.raises(ClientError) as error:
        create(logs, group, stream)

    assert code(error) == "InvalidParameterException"


def read_all(client: Any, **request: Any) -> tuple[list[dict[str, Any]], list[int]]:
    events: list[dict[str, Any]] = []
    sizes: list[int] = []
    token: dict[str, str] = {}
    while True:
        page = client.filter_log_events(logGroupName="/g", **request, **token)
        events += page["events"]
        sizes.append(len(page["events"]))
        if "nextToken" not in page:
            return events, sizes
        token = {"nextToken": page["nextToken"]}


def test_pages_are_bounded_by_bytes_and_by_number(logs: Any) -> None:
    """A page has at most 10,000 events and about 1 MB, and together they hold everything once."""
    for _ in range(3):
        put(logs, *((NOW_MS, "x" * 50) for _ in range(9000)))
    events, sizes = read_all(logs)

    assert (len(events), len({event["eventId"] for event in events}), max(sizes) <= 10_000) == (27_000, 27_000, True)
    assert len(sizes) > 3


def test_empty_and_partial_pages_lose_nothing(cw: LocalCloudWatch, logs: Any) -> None:
    """Pages without events but with a token are served, and following them gives everything once."""
    put(logs, *((NOW_MS + n, str(n)) for n in range(500)))
    cw.faults = Faults(empty_page_rate=0.4, partial_page_rate=0.9)
    events, sizes = read_all(logs, limit=100)

    assert [event["message"] for event in events] == [str(n) for n in range(500)]
    assert 0 in sizes


def test_streams_can_be_chosen(logs: Any) -> None:
    """By names or by prefix, never both; events of several streams are merged by time."""
    for name in ("web-1", "web-2"):
        logs.create_log_stream(logGroupName="/g", logStreamName=name)
    put(logs, (NOW_MS, "a"), (NOW_MS + 2, "c"), stream="web-1")
    put(logs, (NOW_MS + 1, "b"), stream="web-2")
    put(logs, (NOW_MS, "other"))
    named = [e["message"] for e in read_all(logs, logStreamNames=["web-2"])[0]]
    prefixed = [e["message"] for e in read_all(logs, logStreamNamePrefix="web-")[0]]
    newest = [e["message"] for e in read_all(logs, logStreamNamePrefix="web-", startFromHead=False, limit=1)[0]]

    assert (named, prefixed, newest) == (["b"], ["a", "b", "c"], ["c", "b", "a"])


def test_events_become_visible_late() -> None:
    """An event is not given out before its delay has passed, and then at its place in time."""
    clock = FakeClock(NOW_MS / 1000)
    with LocalCloudWatch(clock=clock, visibility_delay_s=5.0) as server:
        client = server.client()
        client.create_log_group(logGroupName="/g")
        client.create_log_stream(logGroupName="/g", logStreamName="s")
        put(client, (NOW_MS, "late"))
        before = read_all(client)[0]
        clock.advance(5.1)
        after = read_all(client)[0]

    assert (before, [event["message"] for event in after]) == ([], ["late"])


@pytest.mark.usefixtures("logs")
def test_a_quota_throttles(cw: LocalCloudWatch) -> None:
    """More requests in a second than allowed get a ThrottlingException."""
    cw.faults = Faults(tps={"FilterLogEvents": 2})
    outcome = []
    for _ in range(3):
        try:
            outcome.append(raw(cw, "FilterLogEvents", {"logGroupName": "/g"}))
        except ConnectionError:
            outcome.append(0)

    assert outcome == [200, 200, 400]


def raw(cw: LocalCloudWatch, operation: str, request: dict[str, Any]) -> int:
    """The status of one request without the retries of an SDK."""
    import http.client
    import json

    connection = http.client.HTTPConnection(cw.url.removeprefix("http://"))
    connection.request("POST", "/", json.dumps(request), {"X-Amz-Target": f"Logs_20140328.{operation}"})
    status = connection.getresponse().status
    connection.close()
    return status


def test_unknown_operations_answer_cleanly(cw: LocalCloudWatch, logs: Any) -> None:
    """An operation that is not there is a 400 at once, which no SDK retries."""
    with pytest.raises(ClientError) as error:
        logs.start_query(logGroupName="/g", startTime=0, endTime=1, queryString="fields @message")

    assert (code(error), cw.requests["StartQuery"]) == ("UnknownOperationException", 1)


@pytest.mark.usefixtures("logs")
def test_a_lost_answer_was_carried_out(cw: LocalCloudWatch) -> None:
    """The batch is taken in although the client hears nothing, so that a client which tries again sends it twice."""
    cw.faults = Faults(lost_answer_rate=1.0, operations=frozenset({"PutLogEvents"}))
    with pytest.raises(ConnectionError):
        raw(
            cw,
            "PutLogEvents",
            {"logGroupName": "/g", "logStreamName": "s", "logEvents": [{"timestamp": NOW_MS, "message": "x"}]},
        )

    assert [event.message for event in cw.events("/g")] == ["x"]


def test_it_listens_on_loopback_alone(cw: LocalCloudWatch) -> None:
    """No address but 127.0.0.1 is bound."""
    assert cw.url.startswith("http://127.0.0.1:")
