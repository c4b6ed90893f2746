"""Outgoing calls through httpx: one ``call`` record each, and the W3C ``traceparent`` that joins the callee's request.

The call has a span of its own; it is the parent of the callee's request span.
"""

# ruff: noqa: SLF001 - httpx has no public way to wrap the transports that a client has made

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from logship.handler.calls import Peer, begin_call
from logship.handler.completion import CALL_LOGGER, Completion, logger_of

if TYPE_CHECKING:
    import logging
    from collections.abc import AsyncIterator, Iterator

ClientT = TypeVar("ClientT", bound=httpx.Client | httpx.AsyncClient)


def instrument(client: ClientT, *, peer: Peer = None, logger: logging.Logger | str = CALL_LOGGER) -> ClientT:
    """Make the client write a record for each call, proxies and mounts included; returns the client.

    A second call changes nothing. For a client of your own making the transports below do the same:
    ``httpx.Client(transport=CallLogTransport(httpx.HTTPTransport()))``.
    """
    wrapper: Any = CallLogTransport if isinstance(client, httpx.Client) else AsyncCallLogTransport
    inside: Any = client
    if not isinstance(inside._transport, wrapper):
        inside._transport = wrapper(inside._transport, peer=peer, logger=logger)
        inside._mounts = {
            pattern: None if inner is None else wrapper(inner, peer=peer, logger=logger)
            for pattern, inner in inside._mounts.items()
        }
    return client


class CallLogTransport(httpx.BaseTransport):
    """Wraps a transport. The record is written when the answer was read to its end, or the call failed.

    Args:
        wrapped: the transport that does the work.
        peer: fills `peer.service`; where it says nothing, a host that is a name (no address) does.
        logger: where records go; without a level of its own it is set to INFO.
    """

    def __init__(
        self, wrapped: httpx.BaseTransport, *, peer: Peer = None, logger: logging.Logger | str = CALL_LOGGER
    ) -> None:
        self._wrapped, self._peer, self._logger = wrapped, peer, logger_of(logger)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Make the call."""
        completion = _begin(request, self._peer, self._logger)
        try:
            response = self._wrapped.handle_request(request)
        except BaseException as error:
            completion.write(error)
            raise
        completion.status = response.status_code
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _Stream(response.stream, completion)
        return response

    def close(self) -> None:
        """Close the transport within."""
        self._wrapped.close()


class AsyncCallLogTransport(httpx.AsyncBaseTransport):
    """`CallLogTransport` for `httpx.AsyncClient`."""

    def __init__(
        self, wrapped: httpx.AsyncBaseTransport, *, peer: Peer = None, logger: logging.Logger | str = CALL_LOGGER
    ) -> None:
        self._wrapped, self._peer, self._logger = wrapped, peer, logger_of(logger)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make the call."""
        completion = _begin(request, self._peer, self._logger)
        try:
            response = await self._wrapped.handle_async_request(request)
        except BaseException as error:
            completion.write(error)
            raise
        completion.status = response.status_code
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _AsyncStream(response.stream, completion)
        return response

    async def aclose(self) -> None:
        """Close the transport within."""
        await self._wrapped.aclose()


class _Stream(httpx.SyncByteStream):
    def __init__(self, wrapped: httpx.SyncByteStream, completion: Completion) -> None:
        self._wrapped, self._completion = wrapped, completion

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._wrapped
        except Exception as error:
            self._completion.write(error)
            raise

    def close(self) -> None:
        try:
            self._wrapped.close()
        finally:
            self._completion.write()


class _AsyncStream(httpx.AsyncByteStream):
    def __init__(self, wrapped: httpx.AsyncByteStream, completion: Completion) -> None:
        self._wrapped, self._completion = wrapped, completion

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._wrapped:
                yield chunk
        except Exception as error:
            self._completion.write(error)
            raise

    async def aclose(self) -> None:
        try:
            await self._wrapped.aclose()
        finally:
            self._completion.write()


def _begin(request: httpx.Request, peer: Peer, logger: logging.Logger) -> Completion:
    url = request.url
    return begin_call(
        logger,
        method=request.method,
        host=url.host,
        port=url.port,
        path=url.path,
        headers=request.headers,
        peer=peer,
    )
