"""Records → spans → what each service spent by itself, and what was lost between caller and callee."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from logship.incident.templates import template
from logship.record import DURATION_MS, PEER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from logship.record import Record

SPAN_KINDS: Final = frozenset({"request", "call", "internal"})
_MOST_SPANS_A_TRACE: Final = 5_000


@dataclass(slots=True)
class Span:
    """A piece of work of one service, in milliseconds since 1970."""

    service: str
    kind: str
    operation: str
    span_id: str
    parent_id: str
    end_ms: float
    duration_ms: float
    peer: str
    record_id: str
    failed: bool

    @property
    def start_ms(self) -> float:
        """Records are stamped at the end."""
        return self.end_ms - self.duration_ms


@dataclass(slots=True)
class Sample:
    """One measurement, and the record that shows it."""

    value: float
    record_id: str
    trace_id: str


@dataclass(slots=True)
class Request:
    """A served request as an access log knows it: no trace, so it cannot be told what it waited for."""

    service: str
    route: str
    duration_ms: float | None
    failed: bool
    record_id: str


def span_of(record: Record) -> Span | None:
    """The span that a completion record stands for; None for other records."""
    attributes = record.attributes
    duration = attributes.get(DURATION_MS)
    kind = attributes.get("logship.kind")
    if kind not in SPAN_KINDS or not isinstance(duration, (int, float)):
        return None
    return Span(
        record.service,
        str(kind),
        _route(record),
        record.span_id,
        record.parent_span_id,
        record.time_us / 1000,
        float(duration),
        str(attributes.get(PEER, "")),
        record.id,
        _failed(record),
    )


def unlinked(record: Record) -> Request | None:
    """A request record, with a duration or a status at least; None for other records."""
    attributes = record.attributes
    if attributes.get("logship.kind") != "request":
        return None
    duration = attributes.get(DURATION_MS)
    known = float(duration) if isinstance(duration, (int, float)) else None
    if known is None and "http.response.status_code" not in attributes:
        return None
    return Request(record.service, _route(record), known, _failed(record), record.id)


def _route(record: Record) -> str:
    """What was asked for, without the ids in it."""
    attributes = record.attributes
    named = attributes.get("operation") or attributes.get("http.route")
    return str(named) if named else template(str(attributes.get("url.path", "")))


def _failed(record: Record) -> bool:
    status = record.attributes.get("http.response.status_code")
    return (isinstance(status, (int, float)) and status >= 500) or record.severity in ("ERROR", "FATAL")  # noqa: PLR2004


def self_times(traces: dict[str, list[Span]]) -> dict[tuple[str, str], list[Sample]]:
    """(service, operation) → own time of each span: its duration without the union of its children."""
    found: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for trace_id, spans in traces.items():
        children = _children(spans)
        for span in spans[:_MOST_SPANS_A_TRACE]:
            inside = children.get(span.span_id, ())
            if span.kind == "call" and any(child.service != span.service for child in inside):
                continue  # what a call waits for is measured as a gap
            if span.kind == "call" and span.peer and span.peer != span.service:
                continue
            own = max(0.0, span.duration_ms - covered_ms(span, inside))
            found[span.service, span.operation].append(Sample(own, span.record_id, trace_id))
    return found


def gaps(traces: dict[str, list[Span]]) -> dict[tuple[str, str], list[Sample]]:
    """(caller, callee) → how much longer the caller waited than the callee worked: network, queues, pools."""
    found: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for trace_id, spans in traces.items():
        calls = {span.span_id: span for span in spans if span.kind == "call" and span.span_id}
        for span in spans:
            call = calls.get(span.parent_id) if span.kind == "request" else None
            if call and call.service != span.service:
                gap = max(0.0, call.duration_ms - span.duration_ms)
                found[call.service, span.service].append(Sample(gap, call.record_id, trace_id))
    return found


def request_times(traces: dict[str, list[Span]]) -> dict[tuple[str, str], list[Sample]]:
    """(service, operation) → duration of each served request."""
    found: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for trace_id, spans in traces.items():
        for span in spans:
            if span.kind == "request":
                found[span.service, span.operation].append(Sample(span.duration_ms, span.record_id, trace_id))
    return found


def callees(traces: dict[str, list[Span]]) -> dict[str, set[str]]:
    """By service, the services it calls."""
    found: dict[str, set[str]] = defaultdict(set)
    for spans in traces.values():
        owner = {span.span_id: span.service for span in spans}
        for span in spans:
            caller = owner.get(span.parent_id)
            if caller and caller != span.service:
                found[caller].add(span.service)
    return found


def group(spans: Iterable[tuple[str, Span]]) -> dict[str, list[Span]]:
    """By trace id, its spans."""
    traces: dict[str, list[Span]] = defaultdict(list)
    for trace_id, span in spans:
        traces[trace_id].append(span)
    return traces


def _children(spans: Sequence[Span]) -> dict[str, list[Span]]:
    children: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        if span.parent_id and span.parent_id != span.span_id:
            children[span.parent_id].append(span)
    return children


def covered_ms(span: Span, inside: Sequence[Span]) -> float:
    """Milliseconds of a span during which at least one child was at work."""
    covered, reached = 0.0, span.start_ms
    for child in sorted(inside, key=lambda item: item.start_ms):
        start, end = max(child.start_ms, reached), min(child.end_ms, span.end_ms)
        if end > start:
            covered += end - start
            reached = end
    return covered


def origins_of_failure(spans: Sequence[Span]) -> list[Span]:
    """The failed requests of a trace behind which no other one failed."""
    failed = [span for span in spans if span.failed and span.kind == "request"]
    if not failed:
        return []
    parent_of = {span.span_id: span.parent_id for span in spans}
    not_first: set[str] = set()
    for span in failed:
        above = parent_of.get(span.parent_id, "") if span.parent_id else ""
        not_first |= {span.parent_id, above}
    return [span for span in failed if span.span_id not in not_first]
