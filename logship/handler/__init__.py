"""What applications embed: a logging handler for CloudWatch Logs, and the completion records of requests and calls.

Importing this package loads the standard library alone; every name below is imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logship.handler.context import Span, bind, bound_fields, format_traceparent, parse_traceparent, use_span
    from logship.handler.front import CloudWatchHandler
    from logship.handler.integrations.asgi import RequestLogMiddleware
    from logship.handler.integrations.httpx import AsyncCallLogTransport, CallLogTransport, instrument
    from logship.handler.integrations.wsgi import RequestLogMiddleware as WSGIRequestLogMiddleware
    from logship.handler.stats import Stats

__all__ = [
    "AsyncCallLogTransport",
    "CallLogTransport",
    "CloudWatchHandler",
    "RequestLogMiddleware",
    "Span",
    "Stats",
    "WSGIRequestLogMiddleware",
    "bind",
    "bound_fields",
    "format_traceparent",
    "instrument",
    "parse_traceparent",
    "use_span",
]

_EXPORTS = {
    "AsyncCallLogTransport": ("integrations.httpx", "AsyncCallLogTransport"),
    "CallLogTransport": ("integrations.httpx", "CallLogTransport"),
    "CloudWatchHandler": ("front", "CloudWatchHandler"),
    "RequestLogMiddleware": ("integrations.asgi", "RequestLogMiddleware"),
    "Span": ("context", "Span"),
    "Stats": ("stats", "Stats"),
    "WSGIRequestLogMiddleware": ("integrations.wsgi", "RequestLogMiddleware"),
    "bind": ("context", "bind"),
    "bound_fields": ("context", "bound_fields"),
    "format_traceparent": ("context", "format_traceparent"),
    "instrument": ("integrations.httpx", "instrument"),
    "parse_traceparent": ("context", "parse_traceparent"),
    "use_span": ("context", "use_span"),
}


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        module, attribute = _EXPORTS[name]
        return getattr(import_module(f"logship.handler.{module}"), attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
