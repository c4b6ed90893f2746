"""AWS Lambda: a ``request`` record for each invocation, delivered before Lambda freezes the process."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, Final, TypeVar

from logship.handler.completion import REQUEST_LOGGER, Completion, logger_of
from logship.handler.context import use_span
from logship.handler.propagation import XRAY, incoming

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

FLUSH_MARGIN_S: Final = 0.2
"""Left of an invocation's time when waiting for delivery ends."""
_FLUSH_S: Final = 5.0

FunctionT = TypeVar("FunctionT", bound="Callable[..., Any]")


class _Process:
    cold = True


def log_invocations(function: FunctionT, *, logger: logging.Logger | str = REQUEST_LOGGER) -> FunctionT:
    """Decorates a Lambda handler.

    The trace is the caller's (``traceparent`` of an API Gateway event), else X-Ray's of the invocation. What was
    logged is flushed at the end, since a frozen process sends nothing.

    Args:
        function: called with event and context.
        logger: where records go; without a level of its own it is set to INFO.
    """
    where = logger_of(logger)

    @functools.wraps(function)
    def invoked(event: Any, context: Any, *args: Any, **options: Any) -> Any:
        headers = _headers(event)
        with use_span(incoming(headers.get)) as span:
            completion = Completion(where, "request", span, "LAMBDA", "", operation=_name(context))
            completion.more |= {
                "faas.name": _name(context),
                "faas.invocation_id": str(getattr(context, "aws_request_id", "")),
                "faas.coldstart": _Process.cold,
            }
            _Process.cold = False
            try:
                result = function(event, context, *args, **options)
            except BaseException as error:
                completion.write(error)
                raise
            else:
                completion.status = _status(result)
                completion.write()
                return result
            finally:
                _flush(context)

    return invoked  # type: ignore[return-value]  # the same signature


def _headers(event: Any) -> dict[str, str]:
    found = event.get("headers") if isinstance(event, dict) else None
    headers = {str(name).lower(): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
    if XRAY not in headers and (trace := os.environ.get("_X_AMZN_TRACE_ID")):
        headers[XRAY] = trace
    return headers


def _name(context: Any) -> str:
    return str(getattr(context, "function_name", "") or os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "lambda"))


def _status(result: Any) -> int | None:
    status = result.get("statusCode") if isinstance(result, dict) else None
    return status if isinstance(status, int) else None


def _flush(context: Any) -> None:
    left_ms = getattr(context, "get_remaining_time_in_millis", lambda: 1000 * _FLUSH_S)()
    seconds = max(0.0, min(_FLUSH_S, left_ms / 1000 - FLUSH_MARGIN_S))
    from logship.handler import exits

    exits.flush_now(seconds)
