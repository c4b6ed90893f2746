"""The records of one trace → a waterfall: parents before children, own times, log lines under their span."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from logship.incident.spans import Span, covered_ms, span_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from logship.record import Record


@dataclass(slots=True)
class Step:
    """A span and what happened during it."""

    span: Span
    record: Record
    """The record that was written when the span ended."""
    depth: int
    """0 for a span whose parent is not in the trace."""
    own_ms: float
    """Its duration without the union of its children."""
    lines: list[Record] = field(default_factory=list)
    """Log lines written under it, in order of time."""
    longest: bool = False
    """Whether no other span has a longer own time."""


@dataclass(slots=True)
class Waterfall:
    """One trace."""

    trace_id: str
    steps: list[Step]
    lines: list[Record]
    """Log lines that belong to none of the spans, in order of time."""

    @property
    def start_ms(self) -> float:
        """When the first span began, or the first line was written; milliseconds since 1970."""
        return min(self._times(), default=0.0)

    @property
    def end_ms(self) -> float:
        """When the last span ended, or the last line was written."""
        ends = [step.span.end_ms for step in self.steps] or [line.time_us / 1000 for line in self.lines]
        return max(ends, default=0.0)

    def _times(self) -> Iterator[float]:
        if self.steps:
            yield from (step.span.start_ms for step in self.steps)
        else:
            yield from (line.time_us / 1000 for line in self.lines)


def arrange(trace_id: str, records: Iterable[Record]) -> Waterfall:
    """The waterfall of the records that have a trace id."""
    spans: list[tuple[Span, Record]] = []
    lines: list[Record] = []
    for record in sorted(records, key=lambda item: item.order):
        span = span_of(record)
        if span is None:
            lines.append(record)
        else:
            spans.append((span, record))
    steps = list(_steps(spans))
    if steps:
        max(steps, key=lambda step: step.own_ms).longest = True
    return Waterfall(trace_id, steps, _attach(lines, steps))


def _steps(spans: Sequence[tuple[Span, Record]]) -> Iterator[Step]:
    """Parents before children, children by their start; of spans that are each other's parents the first begins."""
    known = {span.span_id for span, _ in spans if span.span_id}
    children: dict[str, list[tuple[Span, Record]]] = {}
    roots = []
    for item in sorted(spans, key=lambda pair: (pair[0].start_ms, -pair[0].duration_ms)):
        parent = item[0].parent_id
        if parent in known and parent != item[0].span_id:
            children.setdefault(parent, []).append(item)
        else:
            roots.append(item)
    done: set[str] = set()
    for start in (*roots, *(item for inside in list(children.values()) for item in inside)):
        waiting = [(0, start)]
        while waiting:
            depth, (span, record) = waiting.pop()
            if record.id in done:
                continue
            done.add(record.id)
            inside = children.get(span.span_id, []) if span.span_id else []
            own = max(0.0, span.duration_ms - covered_ms(span, [child for child, _ in inside]))
            yield Step(span, record, depth, own)
            waiting += [(depth + 1, child) for child in reversed(inside)]


def _attach(lines: Iterable[Record], steps: Sequence[Step]) -> list[Record]:
    """Puts each line under its span; gives those that have none."""
    by_span: dict[str, Step] = {}
    for step in steps:
        by_span.setdefault(step.span.span_id, step)
    by_span.pop("", None)
    left: list[Record] = []
    for line in lines:
        found = by_span.get(line.span_id)
        (left if found is None else found.lines).append(line)
    return left
