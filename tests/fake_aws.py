"""Endpoints of AWS on loopback: whatever a test answers, moto's, and a Kinesis whose shards end as AWS's do."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.request import urlopen

from botocore.utils import ContainerMetadataFetcher
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest


@dataclass(frozen=True)
class Request:
    """What a client of AWS asked."""

    target: str
    """The operation, of JSON protocols: ``Kinesis_20131202.GetRecords``."""
    body: bytes


@contextmanager
def endpoint(answer: Callable[[Request], tuple[int, bytes]]) -> Iterator[str]:
    """An endpoint that answers with a status and a body; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, content = answer(Request(self.headers.get("x-amz-target", ""), body))
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away is what some tests want."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Container:
    """What gives the role of a container its credentials, as ECS and EKS do."""

    def __init__(self) -> None:
        self.is_down = False
        self.lasts_s = 300
        """So few seconds that they are renewed for each request; below 0 they have expired already."""

    def answer(self) -> tuple[int, bytes]:
        """Status and body."""
        if self.is_down:
            return 503, b"busy"
        ends = datetime.now(UTC) + timedelta(seconds=self.lasts_s)
        keys = {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "example", "Token": "example"}
        return 200, json.dumps(keys | {"Expiration": ends.isoformat()}).encode()


@contextmanager
def container(monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    """Credentials are those of a container's role; the SDK does not wait between its tries to fetch them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
    role = Container()
    with endpoint(lambda _: role.answer()) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        yield role


@contextmanager
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """moto's server as the endpoint of every service; gives its URL."""
    use_credentials(monkeypatch)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    # Its state belongs to the process, not to the server.
    urlopen(f"{url}/moto-api/reset", data=b"").close()
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    try:
        yield url
    finally:
        server.stop()


def use_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials and a region that mean nothing."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
