"""The headers by which a trace goes from caller to callee: W3C Trace Context, and X-Ray's where only that came in."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, NamedTuple

from logship.handler.context import (
    TRACEPARENT,
    Span,
    client_span,
    current_span,
    format_traceparent,
    new_span_id,
    new_trace_id,
    parse_traceparent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TRACESTATE: Final = "tracestate"
XRAY: Final = "x-amzn-trace-id"
# AWS X-Ray developer guide, "Tracing header": Root is a version, 8 digits of the time and 24 random ones.
_ROOT: Final = re.compile(r"(?:^|;)\s*Root=1-([0-9a-f]{8})-([0-9a-f]{24})", re.IGNORECASE)
_PARENT: Final = re.compile(r"(?:^|;)\s*Parent=([0-9a-f]{16})", re.IGNORECASE)
_TRACESTATE_CHARS: Final = 512


class Carried(NamedTuple):
    """What came in with a request and goes out with its calls."""

    tracestate: str = ""
    xray: bool = False
    """Whether the caller spoke X-Ray only."""


CARRIED: ContextVar[Carried | None] = ContextVar("logship_carried", default=None)


def incoming(header: Callable[[str], str | None]) -> Span:
    """The span of a request being served: below the caller's, or the root of a new trace.

    Args:
        header: gives a header's value by its name in lower case; None where there is none.
    """
    caller = parse_traceparent(header(TRACEPARENT) or "")
    if caller is not None:
        CARRIED.set(Carried((header(TRACESTATE) or "")[:_TRACESTATE_CHARS]))
        return caller.child()
    if (text := header(XRAY)) and (root := _ROOT.search(text)):
        parent = _PARENT.search(text)
        CARRIED.set(Carried(xray=True))
        return Span((root[1] + root[2]).lower(), new_span_id(), parent[1].lower() if parent else "")
    CARRIED.set(None)
    here = current_span()  # OpenTelemetry's, where its instrumentation has begun one
    return here.child() if here else Span(new_trace_id(), new_span_id())


def outgoing(header: Callable[[str], str | None]) -> tuple[Span, dict[str, str]]:
    """The span of a call, and the headers to add to it. One that the application has set is what the callee will see.

    Args:
        header: gives a header that the call already has.
    """
    given = parse_traceparent(header(TRACEPARENT) or "")
    if given is not None:
        here = current_span()
        parent = here.span_id if here and here.trace_id == given.trace_id else ""
        return given._replace(parent_span_id=parent), {}
    span = client_span()
    return span, headers_of(span)


def headers_of(span: Span) -> dict[str, str]:
    """The headers that make the callee's span a child of this one."""
    headers, carried = {TRACEPARENT: format_traceparent(span)}, CARRIED.get()
    if carried is not None and carried.tracestate:
        headers[TRACESTATE] = carried.tracestate
    if carried is not None and carried.xray:
        headers[XRAY] = f"Root=1-{span.trace_id[:8]}-{span.trace_id[8:]};Parent={span.span_id};Sampled=1"
    return headers
