"""How a trace goes from caller to callee: W3C's headers, X-Ray's, and what other tracers have set."""

from __future__ import annotations

from contextvars import copy_context

from logship.handler import Span, use_span
from logship.handler.integrations.sql import without_values
from logship.handler.propagation import incoming, outgoing

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def served(headers: dict[str, str], call: dict[str, str] | None = None) -> tuple[Span, Span, dict[str, str]]:
    """The span of a request with these headers, and of a call that it makes with what is added to it."""

    def run() -> tuple[Span, Span, dict[str, str]]:
        with use_span(incoming(headers.get)) as span:
            return (span, *outgoing((call or {}).get))

    return copy_context().run(run)


def test_tracestate_is_passed_along() -> None:
    """What other tracers say in tracestate reaches the callee unchanged."""
    span, call, added = served({"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1,other=x"})

    assert (span.trace_id, span.parent_span_id, call.parent_span_id) == (TRACE, PARENT, span.span_id)
    assert added == {"traceparent": f"00-{TRACE}-{call.span_id}-01", "tracestate": "vendor=1,other=x"}


def test_xrays_header_is_read_and_written() -> None:
    """Behind a load balancer that speaks X-Ray only the trace goes on, and the callee is told in both ways."""
    span, call, added = served({"x-amzn-trace-id": f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={PARENT};Sampled=1"})

    assert (span.trace_id, span.parent_span_id) == (TRACE, PARENT)
    assert added["x-amzn-trace-id"] == f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={call.span_id};Sampled=1"
    assert added["traceparent"] == f"00-{TRACE}-{call.span_id}-01"


def test_w3c_comes_first_and_rubbish_begins_a_trace() -> None:
    """traceparent is believed over X-Ray's; what neither can be read as is nobody's child."""
    first, *_ = served({"traceparent": f"00-{TRACE}-{PARENT}-01", "x-amzn-trace-id": "Root=1-aaaaaaaa-" + "b" * 24})
    nobody, _, added = served({"x-amzn-trace-id": "Self=1;Root=2-x", "tracestate": "left=out"})

    assert first.trace_id == TRACE
    assert (nobody.parent_span_id, list(added)) == ("", ["traceparent"])


def test_what_the_application_has_set_is_kept() -> None:
    """A call that carries a traceparent already is recorded as that span."""
    _, call, added = served({}, {"traceparent": f"00-{TRACE}-{PARENT}-01"})

    assert (call, added) == (Span(TRACE, PARENT), {})


def test_statements_lose_their_values() -> None:
    """Literals of every kind go; parameters, names and structure stay."""
    statement = """SELECT a1, $1 FROM t2
        WHERE x = 'it''s' AND n IN (1, -2.5e3) AND y = %(p)s AND z = $$secret 1$$ AND b = 0xFF LIMIT 10"""

    assert without_values(statement) == (
        "SELECT a1, $1 FROM t2 WHERE x = ? AND n IN (?, -?) AND y = %(p)s AND z = ? AND b = ? LIMIT ?"
    )
