"""The completion records of real frameworks: FastAPI under uvicorn, Flask under wsgiref, httpx between them."""

from __future__ import annotations

import json
import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest
import uvicorn
from fastapi import BackgroundTasks, FastAPI, HTTPException
from flask import Flask

from logship.handler import RequestLogMiddleware, WSGIRequestLogMiddleware, bind, instrument
from logship.handler.line import LineBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator


class Lines(logging.Handler):
    """Builds lines as the handler does, and lets a test wait for them."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[dict[str, Any]] = []
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._changed:
            self.all.append(json.loads(LineBuilder("test").build(record)))
            self._changed.notify_all()

    def of_kind(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._found(kind)) >= count, timeout=20), self.all
            return self._found(kind)

    def _found(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.all if line.get("logship.kind") == kind]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    names = ("logship.request", "logship.call", "shop")
    for name in names:
        logging.getLogger(name).addHandler(handler)
    logging.getLogger("shop").setLevel(logging.INFO)
    yield handler
    for name in names:
        logging.getLogger(name).removeHandler(handler)


@contextmanager
def served(app: Any) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def wsgi_served(app: Any) -> Iterator[str]:
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(20)


def shop() -> FastAPI:
    app = FastAPI()
    app.add_middleware(RequestLogMiddleware, skip={"/healthz"})
    background = threading.Event()
    app.state.background = background

    @app.get("/orders/{number}")
    def order(number: int) -> dict[str, int]:
        logging.getLogger("shop").info("looking for %d", number)
        return {"order": number}

    @app.get("/missing")
    def missing() -> None:
        raise HTTPException(404)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("out of stock")

    @app.get("/later")
    def later(tasks: BackgroundTasks) -> str:
        tasks.add_task(background.wait, 20)
        return "ok"

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    inner = FastAPI()

    @inner.get("/items/{item}")
    def item(item: str) -> str:
        return item

    app.mount("/inner", inner)
    return app


def test_fastapi_writes_one_record_for_each_request(lines: Lines) -> None:
    """Method, path, route, status, duration and span, also around errors, mounted apps and unknown paths."""
    with served(shop()) as url:
        for path in ("/orders/7?card=secret", "/missing", "/broken", "/healthz", "/inner/items/3", "/nowhere"):
            httpx.get(url + path)
        found = lines.of_kind("request", 5)

    facts = [(line["url.path"], line.get("http.route"), line["http.response.status_code"]) for line in found]
    assert facts == [
        ("/orders/7", "/orders/{number}", 200),
        ("/missing", "/missing", 404),
        ("/broken", "/broken", 500),
        ("/inner/items/3", "/inner/items/{item}", 200),
        ("/nowhere", None, 404),
    ]
    assert [line["severity_text"] for line in found] == ["INFO", "INFO", "ERROR", "INFO", "INFO"]
    assert (found[2]["exception.type"], found[2]["exception.message"]) == ("RuntimeError", "out of stock")
    assert all(line["duration_ms"] > 0 and line["http.request.method"] == "GET" for line in found)
    (inside,) = [line for line in lines.all if line["body"] == "looking for 7"]
    assert (inside["trace_id"], inside["span_id"]) == (found[0]["trace_id"], found[0]["span_id"])


def test_background_tasks_do_not_count(lines: Lines) -> None:
    """The record is written when the answer was sent, while the task still runs."""
    app = shop()
    with served(app) as url:
        assert httpx.get(url + "/later").json() == "ok"
        (found,) = lines.of_kind("request")
        app.state.background.set()

    assert found["http.response.status_code"] == 200


async def test_a_client_that_leaves_is_recorded(lines: Lines) -> None:
    """When the client disconnects before the answer, there is one record and it says so."""

    async def waits(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None: ...

    scope = {"type": "http", "method": "GET", "path": "/slow", "headers": []}
    await RequestLogMiddleware(waits)(scope, receive, send)
    (found,) = lines.of_kind("request")

    assert (found["logship.client_disconnected"], "http.response.status_code" in found) == (True, False)


def test_flask_writes_one_record_for_each_request(lines: Lines) -> None:
    """The WSGI middleware knows Flask's route, reads streams to their end, and survives errors."""
    app = Flask("shop")
    app.wsgi_app = WSGIRequestLogMiddleware(app.wsgi_app)  # type: ignore[method-assign]

    @app.get("/orders/<int:number>")
    def order(number: int) -> Iterator[str]:
        yield "a"
        logging.getLogger("shop").info("half of %d", number)
        yield "b"

    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("out of stock")

    with wsgi_served(app) as url:
        assert httpx.get(url + "/orders/7").text == "ab"
        lines.of_kind("request")
        assert httpx.get(url + "/broken").status_code == 500
        lines.of_kind("request", 2)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with app.test_client() as client, pytest.raises(RuntimeError):
        client.get("/broken")
    good, bad, raised = lines.of_kind("request", 3)

    assert (good["url.path"], good["http.route"], good["http.response.status_code"]) == (
        "/orders/7",
        "/orders/{number}",
        200,
    )
    (inside,) = [line for line in lines.all if line["body"] == "half of 7"]
    assert inside["span_id"] == good["span_id"]
    assert (bad["http.route"], bad["http.response.status_code"], bad["severity_text"]) == ("/broken", 500, "ERROR")
    assert (raised["http.response.status_code"], raised["exception.type"]) == (500, "RuntimeError")


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_call_is_the_parent_of_the_request_it_makes(lines: Lines, asynchronous: bool) -> None:
    """Caller's request, call, callee's request: one trace, each the parent of the next."""
    callee = shop()
    with served(callee) as inner_url:
        caller = FastAPI()
        caller.add_middleware(RequestLogMiddleware)
        peer = {httpx.URL(inner_url).netloc.decode(): "inventory"}

        @caller.get("/sync")
        def sync() -> int:
            with instrument(instrument(httpx.Client(), peer=peer)) as client:
                return client.get(inner_url + "/orders/7").status_code

        @caller.get("/async")
        async def asynchronously() -> int:
            async with instrument(httpx.AsyncClient(), peer=peer) as client:
                return (await client.get(inner_url + "/orders/7")).status_code

        with served(caller) as url, bind(trace_id="not", span_id="passed on"), httpx.Client() as browser:
            reply = browser.get(url + ("/async" if asynchronous else "/sync"))
            assert reply.json() == 200
            # The caller may have answered before the callee, which is in another thread, writes its own record.
            requests = {line["url.path"]: line for line in lines.of_kind("request", 2)}
            callee_request = requests.pop("/orders/7")
            (caller_request,) = requests.values()
            (call,) = lines.of_kind("call")

    assert call["trace_id"] == caller_request["trace_id"] == callee_request["trace_id"]
    assert call["parent_span_id"] == caller_request["span_id"]
    assert callee_request["parent_span_id"] == call["span_id"]
    assert (call["peer.service"], call["http.response.status_code"], call["url.path"]) == (
        "inventory",
        200,
        "/orders/7",
    )
    assert call["duration_ms"] <= caller_request["duration_ms"]
    assert "parent_span_id" not in caller_request


def test_a_call_that_fails_is_recorded(lines: Lines) -> None:
    """A refused connection leaves a call record with the error and no status."""
    with instrument(httpx.Client()) as client, pytest.raises(httpx.ConnectError):
        client.get("http://127.0.0.1:9/x")
    (call,) = lines.of_kind("call")

    assert (call["severity_text"], call["exception.type"]) == ("ERROR", "httpx.ConnectError")
    assert "http.response.status_code" not in call
    assert "peer.service" not in call
