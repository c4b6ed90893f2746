"""Real frameworks of today: one record for each request, task, call and slow statement, all in one trace."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from logship.handler import Span, use_span
from logship.testing import LocalCloudWatch, capture_logs
from tests.forwarding import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
HERE = Span(TRACE, PARENT)


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def callee() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that answers 503 on /busy, sends from /moved to there and answers 200 else, and what headers it got."""
    seen: list[dict[str, str]] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append({name: value for name, value in environ.items() if name.startswith("HTTP_")})
        path = environ["PATH_INFO"]
        status = {"/busy": "503 Busy", "/moved": "302 Found"}.get(path, "200 OK")
        start_response(status, [("content-length", "2"), *([("location", "/busy")] if path == "/moved" else [])])
        return [b"ok"]

    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


def of(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line.get("logship.kind") == kind]


def shown(line: dict[str, Any]) -> tuple[Any, ...]:
    names = ("http.request.method", "http.route", "url.path", "http.response.status_code", "trace_id", "parent_span_id")
    return tuple(line.get(name) for name in names)


def test_quart() -> None:
    """The template of a Quart route, parameters in braces, and the caller's trace."""
    from quart import Quart

    from logship.handler import RequestLogMiddleware

    app = Quart("shop")

    @app.get("/orders/<int:number>")
    async def order(number: int) -> str:
        logging.getLogger("app").info("order %d", number)
        return "ok"

    app.asgi_app = RequestLogMiddleware(app.asgi_app)  # type: ignore[method-assign,assignment,arg-type]

    async def ask() -> None:
        client = app.test_client()
        await client.get("/orders/7", headers=HEADERS)
        await client.get("/nowhere")

    with capture_logs() as lines:
        asyncio.run(ask())
    found, missing = of(lines, "request")

    assert shown(found) == ("GET", "/orders/{number}", "/orders/7", 200, TRACE, PARENT)
    assert shown(missing)[:4] == ("GET", None, "/nowhere", 404)
    assert [line["span_id"] for line in lines if line["body"] == "order 7"] == [found["span_id"]]


DJANGO = """
import asyncio, json, logging, sys
import django
from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path, re_path
from logship.testing import capture_logs

def order(request, number):
    logging.getLogger("app").info("order %d", number)
    return HttpResponse("ok")
def broken(request):
    raise ValueError("boom")
def stream(request):
    return StreamingHttpResponse(iter([b"a", b"b"]))
async def later(request, name):
    return HttpResponse("ok")
urlpatterns = [path("orders/<int:number>", order), path("broken", broken), path("stream", stream),
               re_path(r"^later/(?P<name>[a-z]+)$", later)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="not-one", DEBUG=False,
                   MIDDLEWARE=["logship.handler.integrations.django.RequestLogMiddleware"], LOGGING_CONFIG=None)
django.setup()
from django.test import AsyncClient, Client
headers = {"traceparent": sys.argv[1]}
with capture_logs() as lines:
    client = Client(raise_request_exception=False)
    client.get("/orders/7", headers=headers)
    client.get("/broken")
    b"".join(client.get("/stream").streaming_content)
    client.get("/nowhere")
    async def ask():
        await AsyncClient(raise_request_exception=False).get("/later/on", headers=headers)
    asyncio.run(ask())
print(json.dumps(lines))
"""


def test_django() -> None:
    """Routes of path() and re_path(), what a view raises, streams, misses, and async views."""
    command = [sys.executable, "-c", DJANGO, HEADERS["traceparent"]]
    done = subprocess.run(command, check=False, timeout=60, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    order, broken, stream, missing, later = of(json.loads(done.stdout), "request")

    assert shown(order) == ("GET", "/orders/{number}", "/orders/7", 200, TRACE, PARENT)
    assert (shown(broken)[1:4], broken["exception.type"]) == (("/broken", "/broken", 500), "ValueError")
    assert shown(stream)[1:4] == ("/stream", "/stream", 200)
    assert shown(missing)[1:4] == (None, "/nowhere", 404)
    assert shown(later) == ("GET", "/later/{name}", "/later/on", 200, TRACE, PARENT)


def test_celery() -> None:
    """A task is a request of its own, in the trace of who sent it; a failure keeps its exception."""
    from celery import Celery
    from celery.contrib.testing.worker import start_worker

    from logship.handler.integrations import celery

    app = Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)
    celery.instrument()
    celery.instrument()

    @app.task(name="orders.charge")  # type: ignore[untyped-decorator]
    def charge(amount: int) -> int:
        logging.getLogger("app").info("charging %d", amount)
        if amount < 0:
            raise ValueError("negative")
        return amount

    with capture_logs() as lines, start_worker(app, perform_ping_check=False, pool="solo", loglevel="DEBUG"):
        with use_span(HERE):
            assert charge.delay(5).get(timeout=20) == 5
        with pytest.raises(ValueError, match="negative"):
            charge.delay(-1).get(timeout=20)
    good, bad = of(lines, "request")

    assert (good["operation"], good["trace_id"], good["parent_span_id"]) == ("orders.charge", TRACE, PARENT)
    assert (good["body"], good["duration_ms"] >= 0) == ("TASK orders.charge SUCCESS", True)
    assert (bad["exception.type"], bad["severity_text"], bad["body"]) == (
        "ValueError", "ERROR", "TASK orders.charge FAILURE",
    )  # fmt: skip
    [inside] = [line for line in lines if line["body"] == "charging 5"]
    assert (inside["trace_id"], inside["span_id"]) == (TRACE, good["span_id"])


def test_aiohttp() -> None:
    """Server and client of aiohttp: the call is the parent of the request that it causes."""
    from aiohttp import ClientConnectionError, ClientSession, web

    from logship.handler.integrations.aiohttp import call_trace, request_log_middleware

    async def order(request: web.Request) -> web.Response:
        if request.match_info["number"] == "0":
            raise web.HTTPGone
        return web.Response(text="ok")

    async def run() -> None:
        app = web.Application(middlewares=[request_log_middleware()])
        app.router.add_get("/orders/{number}", order)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        with use_span(HERE):
            async with ClientSession(trace_configs=[call_trace(peer="orders")]) as session:
                for number in (7, 0):
                    async with session.get(f"http://127.0.0.1:{port}/orders/{number}?q=1") as response:
                        await response.text()
                with pytest.raises(ClientConnectionError):
                    await session.get("http://127.0.0.1:9/")
        await runner.cleanup()

    with capture_logs() as lines:
        asyncio.run(run())
    calls, requests = of(lines, "call"), of(lines, "request")

    assert [shown(request)[1:4] for request in requests] == [
        ("/orders/{number}", "/orders/7", 200), ("/orders/{number}", "/orders/0", 410),
    ]  # fmt: skip
    assert [request["parent_span_id"] for request in requests] == [call["span_id"] for call in calls[:2]]
    assert {(call["trace_id"], call["parent_span_id"], call["peer.service"]) for call in calls} == {
        (TRACE, PARENT, "orders")
    }
    assert [call.get("http.response.status_code") for call in calls] == [200, 410, None]
    assert calls[2]["exception.type"].endswith("ClientConnectorError")


def test_requests() -> None:
    """Calls through a session: status, peer, header; also where nobody answers."""
    import requests

    from logship.handler.integrations.requests import instrument

    with callee() as (url, seen), capture_logs() as lines, use_span(HERE), requests.Session() as session:
        instrument(instrument(session, peer={"127.0.0.1": "stock"}))
        session.get(f"{url}/busy?secret=1")
        with pytest.raises(requests.ConnectionError):
            session.get("http://127.0.0.1:9/")
    busy, nobody = of(lines, "call")

    assert shown(busy) == ("GET", None, "/busy", 503, TRACE, PARENT)
    assert (busy["peer.service"], busy["severity_text"]) == ("stock", "ERROR")
    assert seen[0]["HTTP_TRACEPARENT"] == f"00-{TRACE}-{busy['span_id']}-01"
    assert ("http.response.status_code" in nobody, nobody["exception.type"]) == (
        False, "requests.exceptions.ConnectionError",
    )  # fmt: skip


def test_urllib3() -> None:
    """Calls through a pool manager: one record for a call with its redirect, one where nobody answers."""
    import urllib3

    from logship.handler.integrations.urllib3 import instrument

    with callee() as (url, seen), capture_logs() as lines, use_span(HERE), urllib3.PoolManager() as manager:
        instrument(instrument(manager, peer={"127.0.0.1": "stock"}))
        assert manager.request("GET", f"{url}/busy?secret=1", headers={"x-own": "1"}).status == 503
        with pytest.raises(urllib3.exceptions.MaxRetryError):
            manager.request("GET", "http://127.0.0.1:9/", retries=1)
        assert manager.request("GET", f"{url}/moved").status == 503
    busy, nobody, moved = of(lines, "call")

    assert shown(busy) == ("GET", None, "/busy", 503, TRACE, PARENT)
    assert (busy["peer.service"], busy["severity_text"]) == ("stock", "ERROR")
    assert (seen[0]["HTTP_TRACEPARENT"], seen[0]["HTTP_X_OWN"]) == (f"00-{TRACE}-{busy['span_id']}-01", "1")
    assert nobody["exception.type"] == "urllib3.exceptions.MaxRetryError"
    assert (shown(moved)[2:4], len(seen)) == (("/moved", 503), 3)


def test_grpc() -> None:
    """Both sides of an RPC, single and streamed: the call is the parent of the request, statuses are told as such."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    from logship.handler.integrations.grpc import CallLogInterceptor, RequestLogInterceptor

    def get(request: bytes, context: grpc.ServicerContext) -> bytes:
        logging.getLogger("stock").warning("looking for %s", request.decode())
        if request == b"none":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such item")
        if request == b"bug":
            raise ValueError("bug")
        return request

    def count(request: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        yield from (request, request)

    methods = {
        "Get": grpc.unary_unary_rpc_method_handler(get),
        "Count": grpc.unary_stream_rpc_method_handler(count),
    }
    server = grpc.server(ThreadPoolExecutor(2), interceptors=[RequestLogInterceptor()])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Stock", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with capture_logs() as lines, use_span(HERE), grpc.insecure_channel(f"127.0.0.1:{port}") as plain:
        channel = grpc.intercept_channel(plain, CallLogInterceptor(peer="stock"))
        get_one, count_all = channel.unary_unary("/shop.Stock/Get"), channel.unary_stream("/shop.Stock/Count")
        assert get_one(b"7", metadata=[("x-own", "1")]) == b"7"
        assert list(count_all(b"x")) == [b"x", b"x"]
        for bad in (b"none", b"bug"):
            with pytest.raises(grpc.RpcError):
                get_one(bad)
        with pytest.raises(grpc.RpcError):
            channel.unary_unary("/shop.Stock/Nothing")(b"")
        wait_for(lambda: (len(of(lines, "call")), len(of(lines, "request"))) == (5, 4))
    server.stop(None).wait()
    calls, requests = of(lines, "call"), of(lines, "request")

    def told(line: dict[str, Any]) -> tuple[Any, ...]:
        return line["operation"], line["rpc.grpc.status_code"], line["severity_text"]

    # Streams end in threads of their own, so that records have no order.
    assert sorted(map(told, calls)) == [
        ("shop.Stock/Count", 0, "INFO"), ("shop.Stock/Get", 0, "INFO"), ("shop.Stock/Get", 2, "ERROR"),
        ("shop.Stock/Get", 5, "ERROR"), ("shop.Stock/Nothing", 12, "ERROR"),
    ]  # fmt: skip
    assert sorted(map(told, requests)) == [
        ("shop.Stock/Count", 0, "INFO"), ("shop.Stock/Get", 0, "INFO"), ("shop.Stock/Get", 2, "ERROR"),
        ("shop.Stock/Get", 5, "INFO"),
    ]  # fmt: skip
    for line in calls:
        assert (line["trace_id"], line["parent_span_id"], line["peer.service"]) == (TRACE, PARENT, "stock")
    of_call = {line["span_id"]: told(line)[:2] for line in calls}
    assert all(of_call[line["parent_span_id"]] == told(line)[:2] for line in requests)
    assert {line["rpc.grpc.status_code"]: line.get("exception.type") for line in requests} == {
        0: None, 2: "ValueError", 5: None,
    }  # fmt: skip
    [inside] = [line for line in lines if line["body"] == "looking for 7"]
    assert told(next(line for line in requests if line["span_id"] == inside["span_id"])) == (
        "shop.Stock/Get",
        0,
        "INFO",
    )


def test_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """An AWS call is one record whatever its retries; an error is named by its code."""
    import boto3
    from botocore.exceptions import ClientError

    from logship.handler.integrations.boto import instrument

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with LocalCloudWatch() as cw, capture_logs("logship.call") as lines, use_span(HERE):
        client = instrument(boto3.client("logs", endpoint_url=cw.url, region_name="eu-west-1"))
        client.describe_log_groups()
        with pytest.raises(ClientError):
            client.delete_log_group(logGroupName="/missing")
    good, bad = lines

    assert (good["operation"], good["http.response.status_code"], good["peer.service"]) == (
        "CloudWatch Logs.DescribeLogGroups", 200, "aws.logs",
    )  # fmt: skip
    assert (good["trace_id"], good["parent_span_id"]) == HERE[:2]
    assert (bad["error.type"], bad["body"]) == (
        "ResourceNotFoundException", "AWS CloudWatch Logs.DeleteLogGroup ResourceNotFoundException",
    )  # fmt: skip


def test_sqlalchemy() -> None:
    """Slow statements and failures, without their values; quick ones write nothing."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import OperationalError

    from logship.handler.integrations.sqlalchemy import instrument

    with capture_logs() as lines, use_span(HERE):
        quick, all_of_them = create_engine("sqlite://"), create_engine("sqlite://")
        instrument(quick, slow_ms=10_000)
        instrument(all_of_them, slow_ms=0)
        with quick.connect() as connection:
            connection.execute(text("SELECT 41"))
        with all_of_them.connect() as connection:
            connection.execute(text("SELECT 42, 'secret', :p"), {"p": 7})
            with pytest.raises(OperationalError):
                connection.execute(text("SELECT * FROM missing"))
        quick.dispose()
        all_of_them.dispose()
    good, bad = of(lines, "call")

    assert (good["db.query.text"], good["db.system.name"], good["operation"]) == ("SELECT ?, ?, ?", "sqlite", "SELECT")
    assert (good["trace_id"], good["parent_span_id"]) == HERE[:2]
    assert bad["exception.type"] == f"sqlite3.{sqlite3.OperationalError.__name__}"


LAMBDA = """
import logging, os, sys
from types import SimpleNamespace
import logship
from logship.handler.integrations.aws_lambda import log_invocations
logship.setup(service="orders", group="/shop/orders", send_interval=3600)

@log_invocations
def handler(event, context):
    logging.getLogger("app").info("order %s", event["order"])
    if event["order"] == 0:
        raise ValueError("none")
    return {"statusCode": 201}

context = SimpleNamespace(function_name="charge", aws_request_id="r-1", get_remaining_time_in_millis=lambda: 3000)
os.environ["_X_AMZN_TRACE_ID"] = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1"
handler({"order": 7}, context)
try:
    handler({"order": 0}, context)
except ValueError:
    pass
os._exit(0)  # frozen for ever
"""


def test_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an invocation logs has arrived when it returns, whatever becomes of the process; the trace is X-Ray's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with LocalCloudWatch() as cw:
        monkeypatch.setenv("AWS_ENDPOINT_URL", cw.url)
        subprocess.run([sys.executable, "-c", LAMBDA], check=True, timeout=60)
        lines = [json.loads(event.message) for event in cw.events("/shop/orders")]
    good, bad = of(lines, "request")

    assert (good["operation"], good["http.response.status_code"], good["faas.coldstart"], good["trace_id"]) == (
        "charge", 201, True, TRACE,
    )  # fmt: skip
    assert (good["parent_span_id"], good["faas.invocation_id"]) == (PARENT, "r-1")
    assert (bad["exception.type"], bad["faas.coldstart"]) == ("ValueError", False)
    assert [line["body"] for line in lines if "logship.kind" not in line] == ["order 7", "order 0"]


def postgres_statements(connect: Callable[[], Any]) -> list[dict[str, Any]]:
    with capture_logs() as lines, use_span(HERE):
        asyncio.run(connect())
    return of(lines, "call")


def test_psycopg_and_asyncpg(tmp_path: Path) -> None:
    """Against a real PostgreSQL: a slow statement, one that fails, and none that is quick."""
    import asyncpg
    import psycopg

    from logship.handler.integrations.asyncpg import instrument as watch_asyncpg
    from logship.handler.integrations.psycopg import instrument as watch_psycopg
    from tests.integration.real_stack.postgres import postgres

    with postgres(tmp_path) as (port, _log):
        where = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"

        async def by_psycopg() -> None:
            with watch_psycopg(psycopg.connect(where, autocommit=True)) as connection:
                connection.execute("SELECT 1")
                connection.execute("SELECT pg_sleep(%s), 'secret'", (0.15,))
                with pytest.raises(psycopg.errors.UndefinedTable):
                    connection.execute("SELECT * FROM missing")

        async def by_psycopg_async() -> None:
            connection = watch_psycopg(await psycopg.AsyncConnection.connect(where, autocommit=True))
            await connection.execute("SELECT pg_sleep(0.15), 'secret'")
            await connection.close()

        async def by_asyncpg() -> None:
            connection = watch_asyncpg(await asyncpg.connect(host="127.0.0.1", port=port, user="postgres"))
            await connection.fetch("SELECT 1")
            await connection.fetch("SELECT pg_sleep($1), 'secret'", 0.15)
            with pytest.raises(asyncpg.UndefinedTableError):
                await connection.fetch("SELECT * FROM missing")
            await connection.close()

        found = [postgres_statements(connect) for connect in (by_psycopg, by_psycopg_async, by_asyncpg)]

    texts = [[call["db.query.text"] for call in calls] for calls in found]
    assert texts == [
        ["SELECT pg_sleep(%s), ?", "SELECT * FROM missing"],
        ["SELECT pg_sleep(?), ?"],
        ["SELECT pg_sleep($1), ?", "SELECT * FROM missing"],
    ]
    slow = [calls[0] for calls in found]
    assert {(call["db.system.name"], call["trace_id"], call["parent_span_id"]) for call in slow} == {
        ("postgresql", *HERE[:2])
    }
    assert min(call["duration_ms"] for call in slow) >= 140
