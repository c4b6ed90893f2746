from __future__ import annotations

import pytest

from logship.handler.context import (
    TRACEPARENT,
    Span,
    bind,
    bound_fields,
    client_span,
    format_traceparent,
    parse_traceparent,
    use_span,
)
from logship.handler.propagation import incoming

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_traceparent_is_read_and_written() -> None:
    """The example of the W3C recommendation goes round."""
    span = parse_traceparent(f"00-{TRACE}-{PARENT}-01")

    assert span == Span(TRACE, PARENT)
    assert format_traceparent(span) == f"00-{TRACE}-{PARENT}-01"


def test_a_later_version_may_say_more() -> None:
    """A version that does not exist yet is read as far as it is known."""
    assert parse_traceparent(f"cc-{TRACE}-{PARENT}-01-what-the-future-brings") == Span(TRACE, PARENT)


@pytest.mark.parametrize(
    "header",
    [
        "", "00", f"00-{TRACE}-{PARENT}", f"00-{TRACE}-{PARENT}-01-more", f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}-1", f"00-{TRACE}-{PARENT}-01\n", f"0-{TRACE}-{PARENT}-01", f"00_{TRACE}-{PARENT}-01",
    ],
)  # fmt: skip
def test_what_is_not_valid_is_ignored(header: str) -> None:
    """Anything the recommendation calls invalid starts a new trace."""
    assert parse_traceparent(header) is None
    assert incoming({TRACEPARENT: header}.get).parent_span_id == ""


def test_a_request_is_a_child_of_the_callers_call() -> None:
    """Caller's call span, callee's request span: the join that incident analysis uses."""
    with use_span(incoming(dict[str, str]().get)) as request:
        call = client_span()
        callee = incoming({TRACEPARENT: format_traceparent(call)}.get)

    assert call.trace_id == callee.trace_id == request.trace_id
    assert (call.parent_span_id, callee.parent_span_id) == (request.span_id, call.span_id)


def test_fields_hold_for_the_block_or_the_context() -> None:
    """A bound field is taken away where the block ends, and stays where there is none."""
    with bind(user=1):
        with bind({"order.id": 7}, user=2):
            assert bound_fields() == {"user": 2, "order.id": 7}
        assert bound_fields() == {"user": 1}
        bind(more=3)
        assert bound_fields() == {"user": 1, "more": 3}
    assert bound_fields() == {}
