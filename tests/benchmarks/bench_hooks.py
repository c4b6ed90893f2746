"""What a completion record costs a request beyond the record itself: middleware around applications that do nothing."""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from typing import TYPE_CHECKING, Any

from logship.handler import RequestLogMiddleware, WSGIRequestLogMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable

_REQUESTS = 5_000
_ROUNDS = 7
_HEADERS = [(b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]


class Nothing(logging.Handler):
    """Takes records and keeps none."""

    def handle(self, record: logging.LogRecord) -> bool:
        del record
        return True


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Answers at once."""
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    """Answers at once."""
    del environ
    start_response("200 OK", [])
    return [b""]


def asgi_us(app: Any) -> float:
    """Microseconds a request."""

    async def run() -> float:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request"}

        async def send(message: Any) -> None:
            del message

        started = time.perf_counter()
        for _ in range(_REQUESTS):
            await app({"type": "http", "method": "GET", "path": "/orders/7", "headers": _HEADERS}, receive, send)
        return (time.perf_counter() - started) / _REQUESTS * 1e6

    return asyncio.run(run())


def wsgi_us(app: Any) -> float:
    """Microseconds a request."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/orders/7", "HTTP_TRACEPARENT": _HEADERS[0][1].decode()}
    started = time.perf_counter()
    for _ in range(_REQUESTS):
        answer = app(environ, lambda _status, _headers: None)
        for _part in answer:
            pass
        if hasattr(answer, "close"):
            answer.close()
    return (time.perf_counter() - started) / _REQUESTS * 1e6


def record_us() -> float:
    """Microseconds of one record with as many fields."""
    logger = logging.getLogger("logship.request")
    fields = {f"field.{number}": number for number in range(8)}
    started = time.perf_counter()
    for _ in range(_REQUESTS):
        logger.info("%s %s %s", "GET", "/orders/7", 200, extra=fields)
    return (time.perf_counter() - started) / _REQUESTS * 1e6


def measured(measure: Callable[[Any], float], bare: Any, wrapped: Any) -> float:
    """The median of what wrapping adds, measured in turns."""
    return statistics.median(measure(wrapped) - measure(bare) for _ in range(_ROUNDS))


def main() -> None:
    """Prints both."""
    logger = logging.getLogger("logship.request")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [Nothing()]
    record = statistics.median(record_us() for _ in range(_ROUNDS))
    for name, measure, app, wrap in (
        ("ASGI", asgi_us, asgi, RequestLogMiddleware),
        ("WSGI", wsgi_us, wsgi, WSGIRequestLogMiddleware),
    ):
        added = measured(measure, app, wrap(app))  # type: ignore[arg-type]  # each its own
        print(f"{name}: {added:.1f} us a request, {added - record:.1f} us beyond the record's {record:.1f} (budget 30)")


if __name__ == "__main__":
    main()
