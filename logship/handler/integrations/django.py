"""Django middleware: one ``request`` record for each request, under WSGI and ASGI, with the route of the URLconf.

Name it first in ``MIDDLEWARE``: ``"logship.handler.integrations.django.RequestLogMiddleware"``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from logship.handler.completion import REQUEST_LOGGER, Completion, logger_of
from logship.handler.context import use_span
from logship.handler.propagation import incoming

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

_PARAMETER: Final = re.compile(r"<(?:[^<>:]+:)?([^<>]+)>")
_NAMED_GROUP: Final = re.compile(r"\(\?P<(\w+)>[^()]*\)")
_ERROR: Final = "_logship_error"


class RequestLogMiddleware:
    """Writes the record when the answer is ready, or has been streamed to its end."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response, self._logger = get_response, logger_of(REQUEST_LOGGER)
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Serve one request."""
        if self._is_async:
            return self._serve(request)
        with use_span(incoming(request.headers.get)) as span:
            completion = Completion(self._logger, "request", span, request.method, request.path)
            try:
                response = self._get_response(request)
            except BaseException as error:
                _write(completion, request, error)
                raise
            return _answered(completion, request, response)

    async def _serve(self, request: Any) -> Any:
        with use_span(incoming(request.headers.get)) as span:
            completion = Completion(self._logger, "request", span, request.method, request.path)
            try:
                response = await self._get_response_of(request)
            except BaseException as error:
                _write(completion, request, error)
                raise
            return _answered(completion, request, response)

    def _get_response_of(self, request: Any) -> Awaitable[Any]:
        response: Awaitable[Any] = self._get_response(request)
        return response

    def process_exception(self, request: Any, error: Exception) -> None:
        """Django makes an answer of what a view raises; the record keeps the exception."""
        setattr(request, _ERROR, error)


def _answered(completion: Completion, request: Any, response: Any) -> Any:
    completion.status = response.status_code
    if not getattr(response, "streaming", False):
        _write(completion, request, None)
    elif getattr(response, "is_async", False):
        response.streaming_content = _async_parts(response.streaming_content, completion, request)
    else:
        response.streaming_content = _parts(response.streaming_content, completion, request)
    return response


def _parts(parts: Iterator[bytes], completion: Completion, request: Any) -> Iterator[bytes]:
    try:
        yield from parts
    finally:
        _write(completion, request, None)


async def _async_parts(parts: AsyncIterator[bytes], completion: Completion, request: Any) -> AsyncIterator[bytes]:
    try:
        async for part in parts:
            yield part
    finally:
        _write(completion, request, None)


def _write(completion: Completion, request: Any, error: BaseException | None) -> None:
    completion.route = _route(request)
    if error is not None and completion.status is None and isinstance(error, Exception):
        completion.status = 500
    completion.write(error or getattr(request, _ERROR, None))


def _route(request: Any) -> str:
    """``/orders/{id}`` of the pattern that matched; "" where none did."""
    route = getattr(getattr(request, "resolver_match", None), "route", None)
    if not isinstance(route, str):
        return ""
    named = _PARAMETER.sub(r"{\1}", _NAMED_GROUP.sub(r"{\1}", route))
    return "/" + named.replace("^", "").removesuffix("$").lstrip("/")
