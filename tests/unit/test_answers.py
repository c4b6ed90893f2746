"""Answers of CloudWatch Logs are read in one go, and are what the SDK's own way makes of them."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from logship.cloudwatch.client import is_retriable, logs_client
from logship.cloudwatch.session import open_client, open_session
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
