"""aiohttp: a middleware for its server, a trace configuration for its client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import TraceConfig, web

from logship.handler.calls import Peer, begin_call
from logship.handler.completion import CALL_LOGGER, REQUEST_LOGGER, Completion, logger_of
from logship.handler.context import use_span
from logship.handler.propagation import incoming

if TYPE_CHECKING:
    import logging
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def request_log_middleware(*, logger: logging.Logger | str = REQUEST_LOGGER) -> Any:
    """For ``web.Application(middlewares=[request_log_middleware()])``: a ``request`` record for each request.

    Args:
        logger: where records go; without a level of its own it is set to INFO.
    """
    where = logger_of(logger)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        with use_span(incoming(request.headers.get)) as span:
            completion = Completion(where, "request", span, request.method, request.path)
            resource = request.match_info.route.resource
            completion.route = resource.canonical if resource is not None else ""
            try:
                response = await handler(request)
            except web.HTTPException as answer:
                completion.status = answer.status
                completion.write()
                raise
            except BaseException as error:
                completion.status = 500 if isinstance(error, Exception) else None
                completion.write(error)
                raise
            completion.status = response.status
            completion.write()
            return response

    return middleware


def call_trace(*, peer: Peer = None, logger: logging.Logger | str = CALL_LOGGER) -> TraceConfig:
    """For ``ClientSession(trace_configs=[call_trace()])``: a ``call`` record for each request, up to its headers.

    Args:
        peer: fills `peer.service`; where it says nothing, a host that is a name does.
        logger: where records go; without a level of its own it is set to INFO.
    """
    where, config = logger_of(logger), TraceConfig()

    async def start(_session: Any, context: Any, params: Any) -> None:
        url = params.url
        context.logship = begin_call(
            where,
            method=params.method,
            host=url.host or "",
            port=None if url.is_default_port() else url.port,
            path=url.path,
            headers=params.headers,
            peer=peer,
        )

    async def end(_session: Any, context: Any, params: Any) -> None:
        context.logship.status = params.response.status
        context.logship.write()

    async def failed(_session: Any, context: Any, params: Any) -> None:
        context.logship.write(params.exception)

    config.on_request_start.append(start)
    config.on_request_end.append(end)
    config.on_request_exception.append(failed)
    return config
