"""What takes records for OpenSearch, and nothing else, is written to: a gateway, or a stand-in of somebody else."""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from logship.errors import StoreError
from logship.record import Record
from logship.settings import Store
from logship.store.opensearch.writing.opening import open_writer

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = {"version": {"number": "3.1.0", "distribution": "opensearch"}}


def record(number: int) -> Record:
    return Record(id=f"{number:032x}", time_us=number, body="x", attributes={f"name{number}": number})


@contextmanager
def gateway(read: tuple[int, Any], change: tuple[int, Any], root: Any = VERSION) -> Iterator[tuple[str, list[str]]]:
    """Answers what is read, and what is changed, always the same, but for its root and `/_bulk`; the ids it took."""
    ids: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(*((200, root) if self.path == "/" else read))

        def do_PUT(self) -> None:
            self._body()
            self._send(*change)

        def do_POST(self) -> None:
            body = self._body()
            if not self.path.startswith("/_bulk"):
                self._send(*change)
                return
            actions = [json.loads(line) for line in gzip.decompress(body).splitlines()[::2]]
            ids.extend(action["create"]["_id"] for action in actions)
            self._send(200, {"errors": False, "items": [{"create": {"status": 201}} for _ in actions]})

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("content-length") or 0))

        def _send(self, status: int, answer: Any) -> None:
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", ids
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("read", "change"),
    [
        ((404, {}), (404, {})),
        ((404, {"error": "no handler", "status": 404}), (405, {})),
        ((404, b"<html>not here</html>"), (404, b"<html>not here</html>")),
        ((200, {}), (200, {})),
        ((200, {"acknowledged": True}), (200, {"acknowledged": True})),
        ((404, {}), (200, {"acknowledged": True})),
    ],
    ids=["nothing", "refusals", "pages", "empty", "yes", "writes only"],
)
def test_what_takes_records_and_no_set_up_is_written_to(read: tuple[int, Any], change: tuple[int, Any]) -> None:
    """It is said once what that means; new columns are agreed upon with nobody."""
    said: list[str] = []
    with gateway(read, change) as (url, ids):
        writer = open_writer(Store(location=url), said.append)
        results = [writer.add([record(number)]) for number in range(3)]
        writer.close()

    assert ([result.accepted for result in results], len(ids)) == ([1, 1, 1], 3)
    assert [text.partition(" keeps no set-up")[0] for text in said] == [url]


def test_what_is_no_opensearch_is_not_written_to() -> None:
    """A wrong URL must not be sent anybody's logs."""
    with (
        gateway((200, {}), (200, {}), root={"hello": "world"}) as (url, ids),
        pytest.raises(StoreError, match="does not answer as OpenSearch"),
    ):
        open_writer(Store(location=url))

    assert ids == []
