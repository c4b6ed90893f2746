"""ASGI middleware: one ``request`` record for each HTTP request, and its span around everything logged within."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Final

from logship.handler.completion import DISCONNECTED, REQUEST_LOGGER, Completion, logger_of
from logship.handler.context import use_span
from logship.handler.propagation import incoming

if TYPE_CHECKING:
    import logging
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]


_QUART_ROUTE: Final = "logship.quart_route"
_QUART_PARAMETER: Final = re.compile(r"<(?:[^<>:]+:)?([^<>]+)>")


class RequestLogMiddleware:
    """Wraps an ASGI application; with Starlette and FastAPI ``app.add_middleware(RequestLogMiddleware)``.

    The record is written when the last byte of the answer was handed to the server, so that background tasks
    do not count; also when the application raises (status 500, with the exception) and when the client leaves.

    Args:
        app: the application inside.
        logger: where records go; without a level of its own it is set to INFO.
        skip: paths that write no record, such as ``{"/healthz"}``.
    """

    def __init__(
        self, app: App, *, logger: logging.Logger | str = REQUEST_LOGGER, skip: frozenset[str] | set[str] = frozenset()
    ) -> None:
        self._app, self._logger, self._skip = app, logger_of(logger), frozenset(skip)
        _note_routes_of_quart()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything that is no HTTP request is passed through."""
        if scope["type"] != "http" or scope["path"] in self._skip:
            await self._app(scope, receive, send)
            return
        with use_span(incoming(lambda name: _header(scope, name.encode()))) as span:
            exchange = _Exchange(Completion(self._logger, "request", span, scope["method"], scope["path"]), scope)
            try:
                await self._app(scope, exchange.receiving(receive), exchange.sending(send))
            except BaseException as error:
                exchange.failed(error)
                raise
            exchange.completed()


class _Exchange:
    """One request and its answer, as seen between the server and the application."""

    def __init__(self, completion: Completion, scope: Scope) -> None:
        self._completion, self._scope = completion, scope
        self._root_path = str(scope.get("root_path", ""))

    def receiving(self, receive: Receive) -> Receive:
        async def received() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                self._completion.more[DISCONNECTED] = True
            return message

        return received

    def sending(self, send: Send) -> Send:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._completion.status = message["status"]
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self.completed()

        return sent

    def completed(self) -> None:
        self._completion.route = _route(self._scope, self._root_path)
        self._completion.write()

    def failed(self, error: BaseException) -> None:
        self._completion.route = _route(self._scope, self._root_path)
        if self._completion.status is None and isinstance(error, Exception):
            self._completion.status = 500  # what every ASGI server answers for the application
        self._completion.write(error)


def _note_routes_of_quart() -> None:
    """Quart forgets its request before it answers, so the route is noted when the request begins."""
    quart = sys.modules.get("quart")
    if quart is not None:
        sys.modules["quart.signals"].request_started.connect(_note_route)


async def _note_route(_app: Any, **_: Any) -> None:
    request = sys.modules["quart"].request
    rule = getattr(request.url_rule, "rule", "")
    if rule:
        request.scope[_QUART_ROUTE] = _QUART_PARAMETER.sub(r"{\1}", rule)


def _header(scope: Scope, name: bytes) -> str | None:
    """The header's value; None when it is absent, or there more than once and so not valid."""
    values = [value for key, value in scope.get("headers", ()) if key.lower() == name]
    return values[0].decode("latin-1") if len(values) == 1 else None


def _route(scope: Scope, root_path: str) -> str:
    """The route's template, prefix of mounted applications included; "" where the framework does not say.

    FastAPI leaves its route in the scope; Starlette leaves the endpoint, which is looked up in its routes; of Quart
    it was noted when the request began.
    """
    if _QUART_ROUTE in scope:
        return str(scope[_QUART_ROUTE])
    path = getattr(scope.get("route"), "path", None)
    if path is None and (endpoint := scope.get("endpoint")) is not None:
        routes = getattr(scope.get("app"), "routes", ())
        path = next((route.path for route in routes if getattr(route, "endpoint", None) is endpoint), None)
    if not isinstance(path, str):
        return ""
    return str(scope.get("root_path", "")).removeprefix(root_path) + path
