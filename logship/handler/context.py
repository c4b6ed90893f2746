"""The trace and the fields that every record of a request carries, kept in one context variable.

Threads and tasks inherit them as contextvars do: asyncio tasks and Starlette's thread pool by themselves,
bare threads through `contextvars.copy_context`.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from logship.record import HANDLER_ID, PART, SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

TRACEPARENT: Final = "traceparent"

# W3C Trace Context, "traceparent Header Field Values": lower-case hex; version ff is invalid; version 00 has
# exactly four parts, later versions may append more after a dash.
_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z", re.DOTALL)
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16
_SAMPLED: Final = 1

_NO_FIELDS: Final[Mapping[str, str]] = MappingProxyType({})
FIELDS: ContextVar[Mapping[str, Any]] = ContextVar("logship_fields", default=MappingProxyType({}))
"""Fields of the current context under the names they have in the line; replaced, never changed in place."""

OWN_NAMES: Final = frozenset({"timestamp", "severity_text", SERVICE, "body", "logger", HANDLER_ID, PART})
"""Names that the line itself fills; the application's fields of these names are kept as ``extra.<name>``."""


class Span(NamedTuple):
    """A span's place in a trace; ids in lower-case hex."""

    trace_id: str
    span_id: str
    parent_span_id: str = ""
    """"" means that this span is the root of its trace."""

    def child(self) -> Span:
        """A new span below this one."""
        return Span(self.trace_id, new_span_id(), self.span_id)

    def fields(self) -> dict[str, str]:
        """The span as a line names it; the root has no `parent_span_id`."""
        ids = {"trace_id": self.trace_id, "span_id": self.span_id}
        return ids | {"parent_span_id": self.parent_span_id} if self.parent_span_id else ids


def new_trace_id() -> str:
    """32 random hex digits."""
    return os.urandom(16).hex()


def new_span_id() -> str:
    """16 random hex digits."""
    return os.urandom(8).hex()


def parse_traceparent(header: str) -> Span | None:
    """The caller's span of a W3C ``traceparent`` header; None when the header is not valid.

    Strict, as the recommendation asks: upper case, zero ids and version ff are not valid.
    """
    match = _TRACEPARENT.match(header.strip(" \t"))
    if match is None:
        return None
    version, trace_id, span_id, _flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest) or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return Span(trace_id, span_id)


def format_traceparent(span: Span, flags: int = _SAMPLED) -> str:
    """The ``traceparent`` header that makes the callee's span a child of this one."""
    return f"00-{span.trace_id}-{span.span_id}-{flags & 0xFF:02x}"


def current_span() -> Span | None:
    """The span of the current context, if any."""
    fields = context_fields()
    if "trace_id" not in fields or "span_id" not in fields:
        return None
    return Span(fields["trace_id"], fields["span_id"], fields.get("parent_span_id", ""))


def context_fields() -> Mapping[str, Any]:
    """Fields of the current context; where no trace is among them, OpenTelemetry's current span is added."""
    fields = FIELDS.get()
    if "trace_id" in fields or "opentelemetry.trace" not in sys.modules:
        return fields
    return {**other_span(), **fields}


def other_span() -> Mapping[str, str]:
    """Trace and span ids of OpenTelemetry's current span, where its API is loaded and a span is current."""
    try:
        found = sys.modules["opentelemetry.trace"].get_current_span().get_span_context()
    except Exception:  # not loaded, half loaded by another thread, or broken: no reason to lose a record
        return _NO_FIELDS
    return {"trace_id": f"{found.trace_id:032x}", "span_id": f"{found.span_id:016x}"} if found.is_valid else _NO_FIELDS


def client_span() -> Span:
    """The span of an outgoing call: below the current one, or the root of a new trace."""
    span = current_span()
    return span.child() if span else Span(new_trace_id(), new_span_id())


@contextmanager
def use_span(span: Span) -> Iterator[Span]:
    """Make this the current span: every record written within carries its ids."""
    with enter_span(span):
        yield span


def enter_span(span: Span) -> Bound:
    """`use_span` until the context ends, or the result is left as a context manager."""
    others = {name: value for name, value in FIELDS.get().items() if name not in Span._fields}
    return Bound(FIELDS.set({**span.fields(), **others}))


class Bound:
    """What `bind` returns: as a context manager it takes the fields away again at the end."""

    def __init__(self, token: Token[Mapping[str, Any]]) -> None:
        self._token = token

    def __enter__(self) -> None:
        """Nothing to do: the fields are bound already."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore what was bound before."""
        try:
            FIELDS.reset(self._token)
        except ValueError:  # left in another context than it was entered in: that context ends by itself
            before = self._token.old_value
            FIELDS.set({} if before is Token.MISSING else before)


def bind(fields: Mapping[str, Any] | None = None, /, **more: Any) -> Bound:
    """Add fields to every record of this context.

    ``bind(user=42)`` holds until the context (request, task, thread) ends; ``with bind(user=42):`` until the
    block ends. Names that are no Python names go in a mapping: ``bind({"user.id": 42})``.
    """
    new = {f"extra.{name}" if name in OWN_NAMES else name: value for name, value in {**(fields or {}), **more}.items()}
    return Bound(FIELDS.set({**FIELDS.get(), **new}))


def bound_fields() -> dict[str, Any]:
    """A copy of the current context's fields, trace and span ids included."""
    return dict(FIELDS.get())
