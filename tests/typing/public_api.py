"""What a type checker sees of the handler's public names; checked by mypy, never run."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, assert_type

import logship
from logship.handler import CloudWatchHandler, RequestLogMiddleware, Span, Stats, WSGIRequestLogMiddleware, bind
from logship.testing import capture_logs

handler = logship.setup(service="orders", group="/shop/orders", level=logging.DEBUG, spool=None)
assert_type(handler, CloudWatchHandler)
assert_type(handler.stats, Stats)
assert_type(handler.stats.lag_seconds, float)
assert_type(handler.flush(timeout=1.0), bool)
CloudWatchHandler("/g", "s", send_interval=timedelta(seconds=1), overflow="block", redact="emit", sample={"DEBUG": 0.1})
CloudWatchHandler(overflow="panic")  # type: ignore[arg-type]
CloudWatchHandler(profile="gelf")  # type: ignore[arg-type]

with bind({"user.id": 42}, order=7):
    logging.getLogger("app").info("x")
with logship.bind(order=7), capture_logs("app") as lines:
    assert_type(lines, list[dict[str, Any]])
assert_type(Span("a", "b").child(), Span)


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    del scope, receive, send


assert_type(RequestLogMiddleware(asgi, skip={"/healthz"}), RequestLogMiddleware)
WSGIRequestLogMiddleware(lambda _environ, _start_response: [b""])
