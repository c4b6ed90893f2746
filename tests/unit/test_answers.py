"""Answers of CloudWatch Logs are read in one go, and are what the SDK's own way makes of them."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from logship.cloudwatch.answers import PageEvents
from logship.cloudwatch.client import is_retriable, logs_client
from logship.cloudwatch.discovery import FoundGroup
from logship.cloudwatch.paging import Retry, events_of, filter_pages
from logship.cloudwatch.session import open_client, open_session
from logship.errors import ConnectError
from logship.testing import LocalCloudWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = b'{"events":[{"logStreamName":"s","timestamp":1,"message":"m","eventId":"1"}],"searchedLogStreams":[]}'


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that sends these bytes to whoever asks, and hangs up."""

    def serve() -> None:
        while True:
            try:
                asked, _ = server.accept()
            except OSError:
                return
            with asked:
                request = b""
                while not request.endswith(b"}"):  # what is not read would reset the connection
                    request += asked.recv(65_536)
                asked.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "t")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "t")


def page_of(url: str) -> dict[str, Any]:
    page: dict[str, Any] = logs_client(region="eu-west-1", endpoint_url=url).filter_log_events(logGroupName="/g")
    return page


def test_a_page_is_what_the_sdk_makes_of_it() -> None:
    """All that the SDK's own way gives, with a page of a megabyte."""
    with LocalCloudWatch() as cw:
        ours = logs_client(region="us-east-1", endpoint_url=cw.url)
        theirs = open_client("logs", open_session(region="us-east-1"), endpoint_url=cw.url)
        ours.create_log_group(logGroupName="/g")
        ours.create_log_stream(logGroupName="/g", logStreamName="s")
        events = [{"timestamp": 1_795_000_000_000 + place, "message": "ü" * 400} for place in range(1_000)]
        ours.put_log_events(logGroupName="/g", logStreamName="s", logEvents=events)
        pages = [client.filter_log_events(logGroupName="/g") for client in (ours, theirs)]
        for page in pages:
            del page["ResponseMetadata"]
            page["events"] = [*page["events"]]
        with pytest.raises(ClientError) as refused:
            ours.filter_log_events(logGroupName="/nowhere")

    assert len(pages[0]["events"]) == 1_000
    assert pages[0] == pages[1]
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_events_of_a_page_are_a_list_as_the_sdk_has_it() -> None:
    """Some, from either end, and with what an answer may leave out left out."""
    first = {"logStreamName": "s", "timestamp": 1, "message": "m", "eventId": "1"}
    second = first | {"eventId": "2", "ingestionTime": 5}
    events = PageEvents.of([first, second])

    assert [*events] == [first, second]
    assert (events[-1], events[1:], events[::-1], len(events)) == (second, [second], [second, first], 2)
    assert PageEvents.of(events) is events


def test_half_a_pair_is_a_mark() -> None:
    """JSON may name half a character, which no store takes: it becomes the mark for what cannot be read."""
    page = PAGE.replace(b'"m"', '"\\ud83d ü \\ud83d\\ude00"'.encode())
    with answering(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(page), page)) as url:
        events = events_of("/g", page_of(url))

    assert [event.message for event in events] == ["\ufffd ü \U0001f600"]


@pytest.mark.parametrize("event", [b"{}", b'{"logStreamName":"s","timestamp":"1","message":"m","eventId":"1"}', b"1"])
def test_a_page_of_something_else_is_no_page_of_cloudwatch(event: bytes) -> None:
    """Such as that of a stand-in whose events have no ids: it is said, with what to look at."""
    page, group = b'{"events":[%b]}' % event, FoundGroup("/g", "/g", "", "")
    with (
        answering(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(page), page)) as url,
        pytest.raises(ConnectError) as wrong,
    ):
        next(filter_pages(logs_client(region="eu-west-1", endpoint_url=url), group, 0, None, Retry()))

    assert str(wrong.value) == "log group '/g': what answers is not CloudWatch Logs; check AWS_ENDPOINT_URL"


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(PAGE), b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"],
)
def test_a_body_with_or_without_a_length_is_read(head: bytes) -> None:
    """As HTTP allows."""
    with answering(head + PAGE) as url:
        assert page_of(url)["events"][0]["message"] == "m"


def test_a_body_in_chunks_is_read() -> None:
    """As proxies send them."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (PAGE[:9], PAGE[9:])) + b"0\r\n\r\n"
    with answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks) as url:
        assert page_of(url)["events"][0]["message"] == "m"


def test_a_body_that_breaks_off_is_asked_for_again() -> None:
    """An answer that ends before its length is a broken connection, which may go better later."""
    with (
        answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n" + PAGE) as url,
        pytest.raises(BotoCoreError) as broken,
    ):
        page_of(url)

    assert is_retriable(broken.value)
