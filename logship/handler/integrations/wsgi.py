"""WSGI middleware: one ``request`` record for each request, and its span around everything logged within."""

from __future__ import annotations

import re
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

from logship.handler.completion import REQUEST_LOGGER, Completion, logger_of
from logship.handler.context import enter_span
from logship.handler.propagation import incoming

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Iterator
    from contextvars import Context
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_FLASK_PARAMETER: Final = re.compile(r"<(?:[^<>:]+:)?([^<>]+)>")


class RequestLogMiddleware:
    """Wraps a WSGI application; with Flask ``app.wsgi_app = RequestLogMiddleware(app.wsgi_app)``.

    The record is written when the server has read the answer to its end or given it up, and when the
    application raises (status 500, with the exception).

    Args:
        app: the application inside.
        logger: where records go; without a level of its own it is set to INFO.
        skip: paths that write no record, such as ``{"/healthz"}``.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        logger: logging.Logger | str = REQUEST_LOGGER,
        skip: frozenset[str] | set[str] = frozenset(),
    ) -> None:
        self._app, self._logger, self._skip = app, logger_of(logger), frozenset(skip)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        path = _path(environ)
        if path in self._skip:
            return self._app(environ, start_response)
        # A context of its own, since the server reads the answer after this call has returned.
        return copy_context().run(self._serve, environ, start_response, path)

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse, path: str) -> Iterable[bytes]:
        span = incoming(lambda name: environ.get(f"HTTP_{name.upper().replace('-', '_')}"))
        completion = Completion(self._logger, "request", span, environ.get("REQUEST_METHOD", ""), path)

        def starting(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            completion.status = int(status.split(None, 1)[0])
            completion.route = _route(environ)  # now: Flask forgets its request before the answer is read
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        enter_span(span)  # left with the context
        try:
            answer = self._app(environ, starting)
        except BaseException as error:
            _write(completion, error)
            raise
        return _Answer(answer, completion, copy_context())


class _Answer:
    """The application's answer, read in the context of its request."""

    def __init__(self, answer: Iterable[bytes], completion: Completion, context: Context) -> None:
        self._answer, self._completion, self._context = answer, completion, context
        self._parts: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._parts is None:
                self._parts = self._context.run(iter, self._answer)
            return self._context.run(next, self._parts)
        except StopIteration:
            raise
        except BaseException as error:
            self._context.run(_write, self._completion, error)
            raise

    def close(self) -> None:
        """The server calls this at the end, also of an answer it gave up."""
        try:
            if hasattr(self._answer, "close"):
                self._context.run(self._answer.close)
        finally:
            self._context.run(_write, self._completion, None)


def _write(completion: Completion, error: BaseException | None) -> None:
    if error is not None and completion.status is None:
        completion.status = 500  # what every WSGI server answers for the application
    completion.write(error)


def _path(environ: WSGIEnvironment) -> str:
    raw = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")  # PEP 3333: bytes as latin-1


def _route(environ: WSGIEnvironment) -> str:
    """The route's template in the form ``/orders/{id}``, where Flask (through Werkzeug) says it; else ""."""
    rule = getattr(getattr(environ.get("werkzeug.request"), "url_rule", None), "rule", "")
    return environ.get("SCRIPT_NAME", "") + _FLASK_PARAMETER.sub(r"{\1}", rule) if rule else ""
