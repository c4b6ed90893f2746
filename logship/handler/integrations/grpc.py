"""gRPC: an interceptor for servers and one for channels; one record for each RPC, at the end of its streams.

For ``grpc.server`` and ``grpc.insecure_channel``, not for their asyncio twins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import grpc

from logship.handler.completion import CALL_LOGGER, REQUEST_LOGGER, Completion, logger_of
from logship.handler.context import use_span
from logship.handler.propagation import incoming, outgoing
from logship.record import PEER

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

    from logship.handler.context import Span

STATUS: Final = "rpc.grpc.status_code"
_SYSTEM: Final = {"rpc.system": "grpc"}
_KINDS: Final = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
# OpenTelemetry's conventions for gRPC: what counts as an error of the server's; of a call every status but OK does.
_SERVER_ERRORS: Final = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)


class RequestLogInterceptor(grpc.ServerInterceptor):  # type: ignore[misc]  # grpcio has no types
    """For ``grpc.server(pool, interceptors=[RequestLogInterceptor()])``: a ``request`` record for each RPC.

    Args:
        logger: where records go; without a level of its own it is set to INFO.
    """

    def __init__(self, *, logger: logging.Logger | str = REQUEST_LOGGER) -> None:
        self._logger = logger_of(logger)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """Wrap what serves an RPC; None, for one that nobody serves, stays None."""
        handler = continuation(details)
        for kind in _KINDS if handler is not None else ():
            serve = getattr(handler, kind)
            if serve is not None:
                wrap = self._streaming if kind.endswith("stream") else self._unary
                made = getattr(grpc, f"{kind}_rpc_method_handler")
                return made(wrap(serve, details), handler.request_deserializer, handler.response_serializer)
        return handler

    def _unary(self, serve: Callable[[Any, Any], Any], details: Any) -> Callable[[Any, Any], Any]:
        def served(request: Any, context: Any) -> Any:
            with use_span(_incoming(details)) as span:
                completion = self._begin(span, details)
                try:
                    answer = serve(request, context)
                except BaseException as error:
                    _end_request(completion, context, error)
                    raise
                _end_request(completion, context)
                return answer

        return served

    def _streaming(self, serve: Callable[[Any, Any], Any], details: Any) -> Callable[[Any, Any], Iterator[Any]]:
        def served(request: Any, context: Any) -> Iterator[Any]:
            with use_span(_incoming(details)) as span:
                completion = self._begin(span, details)
                try:
                    yield from serve(request, context)
                except BaseException as error:  # GeneratorExit included: the stream is wanted no more
                    _end_request(completion, context, error)
                    raise
                _end_request(completion, context)

        return served

    def _begin(self, span: Span, details: Any) -> Completion:
        return _completion(self._logger, "request", span, details.method)


class CallLogInterceptor(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]  # grpcio has no types
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
    grpc.StreamUnaryClientInterceptor,  # type: ignore[misc]
    grpc.StreamStreamClientInterceptor,  # type: ignore[misc]
):
    """For ``grpc.intercept_channel(channel, CallLogInterceptor(peer="stock"))``: a ``call`` record for each RPC.

    Args:
        peer: fills `peer.service`: the name of the service behind the channel.
        logger: where records go; without a level of its own it is set to INFO.
    """

    def __init__(self, *, peer: str = "", logger: logging.Logger | str = CALL_LOGGER) -> None:
        self._peer, self._logger = peer, logger_of(logger)

    def intercept_unary_unary(self, continuation: Callable[[Any, Any], Any], details: Any, request: Any) -> Any:
        """Make the call; its record is written when its end is known."""
        sent = list(details.metadata or ())
        span, added = outgoing(dict(sent).get)
        completion = _completion(self._logger, "call", span, details.method)
        if self._peer:
            completion.more[PEER] = self._peer
        call = continuation(
            _Details(
                details.method,
                details.timeout,
                [*(pair for pair in sent if pair[0] not in added), *added.items()],
                details.credentials,
                getattr(details, "wait_for_ready", None),
                getattr(details, "compression", None),
            ),
            request,
        )
        call.add_done_callback(lambda ended: _end(completion, ended.code(), failed=ended.code() != grpc.StatusCode.OK))
        return call

    intercept_unary_stream = intercept_unary_unary
    intercept_stream_unary = intercept_unary_unary
    intercept_stream_stream = intercept_unary_unary


class _Parts(NamedTuple):
    method: str
    timeout: float | None
    metadata: list[tuple[str, str]]
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class _Details(_Parts, grpc.ClientCallDetails):  # type: ignore[misc]  # grpcio has no types
    """A call's details with other metadata."""


def _incoming(details: Any) -> Span:
    return incoming(dict(details.invocation_metadata or ()).get)


def _completion(logger: logging.Logger, kind: str, span: Span, method: str) -> Completion:
    completion = Completion(logger, kind, span, "RPC", "", operation=method.lstrip("/"))
    if kind == "request":
        completion.route = method.lstrip("/")
    completion.more |= _SYSTEM
    return completion


def _end_request(completion: Completion, context: Any, error: BaseException | None = None) -> None:
    code = context.code()
    if isinstance(error, GeneratorExit):
        code, error = grpc.StatusCode.CANCELLED, None
    elif error is not None and code not in {None, grpc.StatusCode.OK}:
        error = None  # what `abort` raises tells nothing but the code
    if code is None:
        code = grpc.StatusCode.OK if error is None else grpc.StatusCode.UNKNOWN
    _end(completion, code, failed=code.name in _SERVER_ERRORS, error=error)


def _end(completion: Completion, code: Any, *, failed: bool, error: BaseException | None = None) -> None:
    completion.outcome, completion.failed = code.name, failed
    completion.more[STATUS] = code.value[0]
    completion.write(error)
