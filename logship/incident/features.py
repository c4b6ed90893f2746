"""Records of a stretch of time → the measurements that two stretches are compared by."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from logship.incident import spans as spans_
from logship.incident.spans import Sample
from logship.incident.templates import template

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from logship.incident.spans import Request, Span
    from logship.record import Record

_BUCKET_US: Final = 10_000_000
"""Lines without a trace are counted by this stretch of time instead."""
EXAMPLES: Final = 3


@dataclass(slots=True)
class Line:
    """What is kept of a record that is no span: which kind of line, in which piece of work."""

    service: str
    unit: str
    template: str
    record_id: str


@dataclass(slots=True)
class Segment:
    """The records of one stretch of time, in order."""

    spans: list[tuple[str, Span]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    """Served requests that say nothing of what was called for them."""

    def __len__(self) -> int:
        return len(self.spans) + len(self.lines) + len(self.requests)

    def halves(self) -> list[Segment]:
        """Two stretches of about equal content."""
        span, line, request = len(self.spans) // 2, len(self.lines) // 2, len(self.requests) // 2
        return [
            Segment(self.spans[:span], self.lines[:line], self.requests[:request]),
            Segment(self.spans[span:], self.lines[line:], self.requests[request:]),
        ]


@dataclass(slots=True)
class Features:
    """The measurements of a stretch; every list of samples is sorted by value."""

    gaps: dict[tuple[str, str], list[Sample]]
    """(caller, callee) → how much longer the caller waited than the callee worked, ms."""
    own: dict[tuple[str, str], list[Sample]]
    """(service, operation) → own time, ms."""
    requests: dict[tuple[str, str], list[Sample]]
    """(service, route) → duration of served requests, ms."""
    units: dict[str, int]
    """service → in how many pieces of work (traces) it took part."""
    presence: dict[tuple[str, str], int]
    """(service, template) → in how many of them the line stood."""
    examples: dict[tuple[str, str], list[str]]
    """(service, template) → ids of some such records."""
    whole: dict[tuple[str, str], list[Sample]]
    """(service, route) → duration of requests without a trace, callees included, ms."""
    answers: dict[tuple[str, str], list[Sample]]
    """(service, route) → 1 for each such request that failed and 0 for the others."""


def read(records: Iterable[Record]) -> Segment:
    """Sorts the records of a stretch into spans and lines."""
    segment = Segment()
    for record in records:
        span = spans_.span_of(record)
        if span is not None and record.trace_id and record.span_id:
            segment.spans.append((record.trace_id, span))
        elif request := spans_.unlinked(record):
            segment.requests.append(request)
        elif record.kind not in ("change", "deploy"):
            unit = record.trace_id or f"@{record.time_us // _BUCKET_US}"
            segment.lines.append(Line(record.service, unit, template(record.body), record.id))
    return segment


def merge(parts: Sequence[Features]) -> Features:
    """The measurements of several stretches together; a trace that spans two of them counts in both."""
    units: Counter[str] = Counter()
    presence: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], list[str]] = {}
    for part in parts:
        units.update(part.units)
        presence.update(part.presence)
        examples |= part.examples
    return Features(
        _joined([part.gaps for part in parts]),
        _joined([part.own for part in parts]),
        _joined([part.requests for part in parts]),
        dict(units),
        dict(presence),
        examples,
        _joined([part.whole for part in parts]),
        _joined([part.answers for part in parts]),
    )


def _joined(parts: Sequence[dict[tuple[str, str], list[Sample]]]) -> dict[tuple[str, str], list[Sample]]:
    joined: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for part in parts:
        for key, samples in part.items():
            joined[key] += samples
    return _sorted(joined)


def measure(segment: Segment) -> Features:
    """The measurements of one stretch."""
    traces = spans_.group(segment.spans)
    units: dict[str, set[str]] = defaultdict(set)
    presence: dict[tuple[str, str], set[str]] = defaultdict(set)
    examples: dict[tuple[str, str], list[str]] = defaultdict(list)
    for trace_id, spans in traces.items():
        for span in spans:
            units[span.service].add(trace_id)
        for span in spans_.origins_of_failure(spans):
            _count(presence, examples, (span.service, f"failed: {span.operation}"), trace_id, span.record_id)
    whole: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    answers: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for request in segment.requests:
        key = (request.service, request.route)
        answers[key].append(Sample(float(request.failed), request.record_id, ""))
        if request.duration_ms is not None:
            whole[key].append(Sample(request.duration_ms, request.record_id, ""))
    for line in segment.lines:
        units[line.service].add(line.unit)
        if line.template:
            _count(presence, examples, (line.service, line.template), line.unit, line.record_id)
    return Features(
        _sorted(spans_.gaps(traces)),
        _sorted(spans_.self_times(traces)),
        _sorted(spans_.request_times(traces)),
        {service: len(found) for service, found in units.items()},
        {key: len(found) for key, found in presence.items()},
        examples,
        _sorted(whole),
        _sorted(answers),
    )


def _count(
    presence: dict[tuple[str, str], set[str]],
    examples: dict[tuple[str, str], list[str]],
    key: tuple[str, str],
    unit: str,
    record_id: str,
) -> None:
    presence[key].add(unit)
    if len(examples[key]) < EXAMPLES:
        examples[key].append(record_id)


def _sorted(samples: dict[tuple[str, str], list[Sample]]) -> dict[tuple[str, str], list[Sample]]:
    for found in samples.values():
        found.sort(key=lambda sample: sample.value)
    return samples
