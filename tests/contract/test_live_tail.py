"""What StartLiveTail promises, checked through boto3 on LocalCloudWatch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from logship.testing import FakeClock, Faults, LocalCloudWatch
from logship.testing.local_cloudwatch.live_tail import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW_MS = 1_795_443_665_000
Start = Callable[..., Any]
ARN = "arn:aws:logs:us-east-1:123456789012:log-group:"


@pytest.fixture
def cw() -> Iterator[LocalCloudWatch]:
    with LocalCloudWatch(clock=FakeClock(NOW_MS / 1000), live_tail_every_s=0.02) as server:
        yield server


@pytest.fixture
def logs(cw: LocalCloudWatch) -> Any:
    client = cw.client()
    for group in ("/a", "/b", "/c"):
        client.create_log_group(logGroupName=group)
        for stream in ("s", "t"):
            client.create_log_stream(logGroupName=group, logStreamName=stream)
    return client


@pytest.fixture
def start(cw: LocalCloudWatch) -> Iterator[Start]:
    """Begins sessions, by a client that leaves the endpoint's name as it is; ends them with the test."""
    client = cw.client(config=Config(inject_host_prefix=False))
    with ExitStack() as open_streams:

        def begin(*groups: str, **more: Any) -> Any:
            answer = client.start_live_tail(logGroupIdentifiers=[ARN + group for group in groups], **more)
            return open_streams.enter_context(closing(answer["responseStream"]))

        yield begin


def put(client: Any, group: str, *messages: str, stream: str = "s") -> None:
    events = [{"timestamp": NOW_MS + at, "message": text} for at, text in enumerate(messages)]
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def texts(stream: Iterator[Any], count: int) -> list[str]:
    """The messages of the next updates, until there are so many."""
    found: list[str] = []
    while len(found) < count:
        found += [event["message"] for event in next(stream)["sessionUpdate"]["sessionResults"]]
    return found


def test_a_session_tells_of_events_as_they_come(logs: Any, start: Start) -> None:
    """First what was asked for, then events of its groups taken in since, without ids; an update a second."""
    put(logs, "/a", "before")
    stream = iter(start("/a", "/b"))
    begun = next(stream)["sessionStart"]
    empty = next(stream)["sessionUpdate"]
    put(logs, "/a", "one", "two")
    put(logs, "/c", "of another group")
    update = next(stream)["sessionUpdate"]
    while not update["sessionResults"]:
        update = next(stream)["sessionUpdate"]

    assert begun["logGroupIdentifiers"] == [ARN + "/a", ARN + "/b"]
    assert empty == {"sessionMetadata": {"sampled": False}, "sessionResults": []}
    assert update["sessionResults"] == [
        {
            "logGroupIdentifier": "123456789012:/a",
            "logStreamName": "s",
            "message": text,
            "timestamp": NOW_MS + at,
            "ingestionTime": NOW_MS,
        }
        for at, text in enumerate(("one", "two"))
    ]


def test_streams_can_be_chosen(logs: Any, start: Start) -> None:
    """A session of one group may be of some of its streams, by name or prefix."""
    by_name, by_prefix = (
        iter(start("/a", logStreamNames=["t"])),
        iter(start("/a", logStreamNamePrefixes=["s"])),
    )
    next(by_name), next(by_prefix)
    put(logs, "/a", "of s")
    put(logs, "/a", "of t", stream="t")

    assert (texts(by_name, 1), texts(by_prefix, 1)) == (["of t"], ["of s"])


def test_more_than_500_events_are_sampled(logs: Any, start: Start) -> None:
    """An update has 500 events at most, in order, and says whether there were more."""
    stream = iter(start("/a"))
    next(stream)
    put(logs, "/a", *[f"{number:04d}" for number in range(1_200)])
    update = next(stream)["sessionUpdate"]
    while not update["sessionResults"]:
        update = next(stream)["sessionUpdate"]
    shown = [event["message"] for event in update["sessionResults"]]

    assert (update["sessionMetadata"]["sampled"], len(shown), shown == sorted(set(shown))) == (True, 500, True)


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        (Faults(session_timeout_s=0.05), "SessionTimeoutException"),
        (Faults(session_error_rate=1), "SessionStreamingException"),
    ],
)
def test_a_session_ends_with_an_error_in_its_stream(
    cw: LocalCloudWatch, logs: Any, start: Start, faults: Faults, code: str
) -> None:
    """A timeout and an error of the service come as exceptions among the updates; what waited comes before."""
    del logs
    cw.faults = faults
    with pytest.raises(EventStreamError) as error:
        list(start("/a"))

    assert error.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"logGroupIdentifiers": []}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [ARN + "/a"] * 11}, "InvalidParameterException"),
        ({"logGroupIdentifiers": ["/a"]}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [ARN + "/a:*"]}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [ARN + "/none"]}, "ResourceNotFoundException"),
        ({"logGroupIdentifiers": [ARN + "/a"], "logEventFilterPattern": "error"}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [ARN + "/a", ARN + "/b"], "logStreamNames": ["s"]}, "InvalidParameterException"),
        (
            {"logGroupIdentifiers": [ARN + "/a"], "logStreamNames": ["s"], "logStreamNamePrefixes": ["s"]},
            "InvalidParameterException",
        ),
        ({"logGroupIdentifiers": [ARN + "/rare"]}, "InvalidOperationException"),
    ],
)
def test_what_is_no_session_is_refused(cw: LocalCloudWatch, logs: Any, request_: dict[str, Any], code: str) -> None:
    """Groups are 1 to 10 ARNs of the standard class, without an asterisk; streams are chosen of one group."""
    logs.create_log_group(logGroupName="/rare", logGroupClass="INFREQUENT_ACCESS")
    client = cw.client(config=Config(inject_host_prefix=False, parameter_validation=False))
    with pytest.raises(ClientError) as error:
        client.start_live_tail(**request_)

    assert error.value.response["Error"]["Code"] == code


def test_an_account_has_fifteen_sessions(cw: LocalCloudWatch, logs: Any, start: Start) -> None:
    """A sixteenth is refused, until another one's reader is gone."""
    del logs
    streams = [start("/a") for _ in range(15)]
    with pytest.raises(ClientError) as error:
        start("/a")
    streams[0].close()
    while len(cw.live_tails) == 15:
        next(iter(streams[1]))
    streams.append(start("/b"))

    assert error.value.response["Error"]["Code"] == "LimitExceededException"
    assert cw.live_tails.count(frozenset({"/b"})) == 1


def test_a_slow_reader_loses_the_oldest() -> None:
    """Of what waits to be sent, 10 updates and 5,000 events are kept."""
    many, full = (Session(1, {}, frozenset()) for _ in range(2))
    for number in range(12):
        many.put(b"%d" % number, 1)
        full.put(b"%d" % number, 900)

    assert [update for update, _ in many.updates] == [b"%d" % number for number in range(2, 12)]
    assert [update for update, _ in full.updates] == [b"%d" % number for number in range(7, 12)]
