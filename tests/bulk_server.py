"""What a forwarder needs of OpenSearch and nothing else: bulk requests at full speed, and faults on purpose.

`python -m tests.bulk_server` prints its address and serves until its standard input ends. `PUT /_test` with a JSON
object changes the faults, `GET /_test` gives the counts, `GET /_test/ids` every id once a line.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import orjson
from isal import igzip

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_LINE = 4_096
"""OpenSearch's `http.max_initial_line_length`."""
REASONS = {
    200: b"OK",
    400: b"Bad Request",
    404: b"Not Found",
    405: b"Method Not Allowed",
    409: b"Conflict",
    413: b"Too Large",
    500: b"Error",
    503: b"Service Unavailable",
}


class Sink:
    """The state: documents' ids, the set-up that was put, the faults."""

    def __init__(self, *, remember: bool) -> None:
        self.ids: set[bytes] = set()
        self.remember = remember
        self.held: dict[str, Any] = {}
        kinds = ("requests", "created", "existing", "poison", "refused", "lost", "bytes", "refreshes")
        self.counts = dict.fromkeys(kinds, 0)
        self.faults: dict[str, Any] = {}
        """Rates of `status_500`, `status_503`, `reset`, `lost_answer` for each request, and `item_429` and `item_503`
        for each record; `down` resets every connection; `page` answers every request, as what stands before a cluster
        does; `poison` is text that no document may hold; `blocked` is an index that takes no writes; `latency_s` delays
        each bulk, `most_bytes` bounds it; `no_refresh` is the status of each refresh."""
        self.drawn = random.Random(1)

    def draw(self, name: str) -> bool:
        rate = float(self.faults.get(name, 0.0))
        return rate > 0 and self.drawn.random() < rate

    def bulk(self, body: bytes) -> bytes:
        lines = body.split(b"\n")
        self.counts["requests"] += 1
        self.counts["bytes"] += len(body)
        if not self.remember:
            self.counts["created"] += len(lines) // 2
            return b'{"errors":false,"items":[%b]}' % b",".join([ANSWERS[b"201"]] * (len(lines) // 2))
        poison = self.faults.get("poison", "").encode()
        blocked = b'"_index":"%b"' % self.faults.get("blocked", "").encode()
        items, errors = [], False
        for place in range(0, len(lines) - 1, 2):
            action = lines[place]
            start = action.index(b'"_id":"') + 7
            identity = action[start : action.index(b'"', start)]
            status = b"403" if blocked in action else self.take(identity, lines[place + 1], poison)
            errors = errors or status != b"201"
            items.append(ANSWERS[status])
        return b'{"errors":%b,"items":[%b]}' % (b"true" if errors else b"false", b",".join(items))

    def take(self, identity: bytes, document: bytes, poison: bytes) -> bytes:
        if poison and poison in document:
            self.counts["poison"] += 1
            return b"400"
        if self.draw("item_429"):
            self.counts["refused"] += 1
            return b"429"
        if self.draw("item_503"):
            self.counts["refused"] += 1
            return b"503"
        if identity in self.ids:
            self.counts["existing"] += 1
            return b"409"
        self.ids.add(identity)
        self.counts["created"] += 1
        return b"201"

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        path = path.partition("?")[0]
        if path == "/_bulk":
            if len(body) > self.faults.get("most_bytes", len(body)):
                return 413, b""
            return 200, self.bulk(body)
        if path.startswith("/_test"):
            return 200, self.test(method, path, body)
        if path == "/":
            return 200, b'{"version":{"number":"3.6.0","distribution":"opensearch"}}'
        if path.endswith("/_refresh"):
            self.counts["refreshes"] += 1
            return (self.faults["no_refresh"], b"") if "no_refresh" in self.faults else (200, b"{}")
        if method == "PUT":
            self.held[path] = orjson.loads(body) if body else {}
            return 200, b'{"acknowledged":true,"_seq_no":0,"_primary_term":1}'
        if path.startswith("/_index_template/") and path in self.held:
            found = {"index_templates": [{"name": path.rsplit("/", 1)[1], "index_template": self.held[path]}]}
            return 200, orjson.dumps(found)
        if "/_doc/" in path and path in self.held:
            return 200, orjson.dumps({"_source": self.held[path], "_seq_no": 0, "_primary_term": 1})
        if "*" in path or path.endswith("/_aliases"):
            return 200, b"{}"
        return 404, b'{"error":{"type":"index_not_found_exception","reason":"no such index"},"status":404}'

    def test(self, method: str, path: str, body: bytes) -> bytes:
        if method == "PUT":
            self.faults = orjson.loads(body)
        if path.endswith("/ids"):
            return b"\n".join(self.ids)
        return orjson.dumps(self.counts)


ANSWERS = {
    b"201": b'{"create":{"status":201}}',
    b"409": b'{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"exists"}}}',
    b"400": b'{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse"}}}',
    b"403": b'{"create":{"status":403,"error":{"type":"cluster_block_exception",'
    b'"reason":"index [i] blocked by: [FORBIDDEN/8/index write (api)];"}}}',
    b"503": b'{"create":{"status":503,"error":{"type":"cluster_block_exception",'
    b'"reason":"blocked by: [SERVICE_UNAVAILABLE/2/no cluster manager];"}}}',
    b"429": b'{"create":{"status":429,"error":{"type":"rejected_execution_exception","reason":"queue is full"}}}',
}


class Connection:
    """One connection, request by request."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self.one(reader, writer):
                pass
        writer.close()

    async def one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = request.split(" ", 2)
        if len(request) > MOST_LINE:
            status, answer = 400, b'{"error":{"type":"too_long_http_line_exception","reason":"line"},"status":400}'
        else:
            status, answer = await self.answer(method, path, body, headers)
        if not status:
            writer.transport.abort()
            return False
        writer.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            % (status, REASONS[status], len(answer))
        )
        writer.write(answer)
        await writer.drain()
        return True

    async def answer(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        sink = self.sink
        if not path.startswith("/_test"):
            if "page" in sink.faults:
                return 200, str(sink.faults["page"]).encode()
            if sink.faults.get("down") or sink.draw("reset"):
                return 0, b""
            if sink.draw("status_500"):
                return 500, b'{"error":{"type":"node_closed_exception","reason":"injected"},"status":500}'
            if sink.draw("status_503"):
                return 503, b'{"error":{"type":"busy","reason":"injected"},"status":503}'
            if path.startswith("/_bulk") and (latency_s := sink.faults.get("latency_s", 0.0)):
                await asyncio.sleep(latency_s)
        if headers.get("content-encoding") == "gzip":
            body = igzip.decompress(body)  # type: ignore[no-untyped-call]
        found = sink.answer(method, path, body)
        if path.startswith("/_bulk") and sink.draw("lost_answer"):
            sink.counts["lost"] += 1
            return 0, b""
        return found


class BulkServer:
    """The server in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def faults(self, **faults: Any) -> None:
        """Replaces the faults; see `Sink`."""
        urlopen(Request(f"{self.url}/_test", orjson.dumps(faults), method="PUT"), timeout=10).read()

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = orjson.loads(urlopen(f"{self.url}/_test", timeout=10).read())
        return found

    def ids(self) -> set[str]:
        return set(urlopen(f"{self.url}/_test/ids", timeout=60).read().decode().split())


@contextmanager
def bulk_server(*, remember: bool = True) -> Iterator[BulkServer]:
    """A server of its own; without `remember` it counts lines and answers that all is well."""
    command = [sys.executable, "-m", "tests.bulk_server", *(["--null"] if not remember else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield BulkServer(running.stdout.readline().strip())
        finally:
            running.terminate()


async def serve(*, null: bool) -> None:
    connection = Connection(Sink(remember=not null))
    server = await asyncio.start_server(connection.serve, "127.0.0.1", 0, limit=2**24)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(done.set)), daemon=True).start()
    await done.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--null", action="store_true", help="count, remember nothing")
    asyncio.run(serve(null=parser.parse_args().null))
