"""What an analysis found, as JSON and as text for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from logship.record import format_time
from logship.timerange import human_span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.incident.evidence import Evidence
    from logship.incident.ranking import Suspect
    from logship.record import Record
    from logship.timerange import TimeRange

_BAR: Final = 20
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Slowdown:
    """A route whose requests take longer than before; times in ms."""

    service: str
    route: str
    p95_before_ms: float
    p95_ms: float
    requests: int

    @property
    def words(self) -> str:
        """One sentence."""
        times = self.p95_ms / max(self.p95_before_ms, 0.001)
        name = self.route if self.route.startswith(("/", "GET", "POST")) else f"{self.service} {self.route}"
        before, after = _ms(self.p95_before_ms), _ms(self.p95_ms)
        return f"{self.service}: {name} p95 {before} → {after} (×{times:.1f}, {self.requests:,} requests)"


@dataclass(frozen=True, slots=True)
class ChangedLine:
    """A log line that stands in another share of a service's traces than before."""

    service: str
    template: str
    share_before: float
    share: float
    examples: tuple[str, ...]

    @property
    def change(self) -> str:
        """new, gone, more or fewer."""
        if not self.share_before:
            return "new"
        if not self.share:
            return "gone"
        return "more" if self.share > self.share_before else "fewer"


@dataclass(frozen=True)
class Finding:
    """The answer to "what is slow, and who causes it?"."""

    window: TimeRange
    baseline: tuple[TimeRange, ...]
    alarm: bool
    suspects: tuple[Suspect, ...]
    slowdowns: tuple[Slowdown, ...] = ()
    patterns: tuple[ChangedLine, ...] = ()
    changes: tuple[Record, ...] = ()
    records: int = 0
    baseline_records: int = 0
    notes: tuple[str, ...] = field(default=())
    """What a reader should know about the answer, such as a missing baseline."""

    def to_json(self) -> dict[str, Any]:
        """The documented shape; most suspect service first."""
        return {
            "window": _range(self.window),
            "baseline": [_range(each) for each in self.baseline],
            "alarm": self.alarm,
            "services": [
                {
                    "service": suspect.service,
                    "score": round(suspect.score, 3),
                    "evidence": [_evidence(item, suspect.service) for item in suspect.evidence],
                }
                for suspect in self.suspects
            ],
            "explanations": [
                {
                    "service": slow.service,
                    "route": slow.route,
                    "p95_before_ms": round(slow.p95_before_ms, 3),
                    "p95_ms": round(slow.p95_ms, 3),
                    "requests": slow.requests,
                    "words": slow.words,
                }
                for slow in self.slowdowns
            ],
            "patterns": [
                {
                    "service": line.service,
                    "template": line.template,
                    "change": line.change,
                    "share_before": round(line.share_before, 4),
                    "share": round(line.share, 4),
                    "examples": list(line.examples),
                }
                for line in self.patterns
            ],
            "changes": [
                {"time": format_time(change.time_us), "service": change.service, "words": change.body, "id": change.id}
                for change in self.changes
            ],
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """For a terminal, without colours."""
        lines = [f"{self.window} against {_ranges(self.baseline)}"]
        lines += [f"note: {note}" for note in self.notes]
        lines += [slow.words for slow in self.slowdowns[:_SHOWN]]
        verdict = (
            f"ALARM: most suspect is {self.suspects[0].service}"
            if self.alarm
            else "no alarm: nothing exceeds its quiet spread"
        )
        lines += ["", verdict]
        top = self.suspects[0].score if self.suspects else 1.0
        for number, suspect in enumerate(self.suspects[:_SHOWN], 1):
            bar = "█" * max(1, round(_BAR * suspect.score / top)) if suspect.score > 0 else ""
            lines.append(f"{number:>3} {suspect.service:<28} {bar:<{_BAR}} {suspect.score:8.1f}")
            if number == 1 or suspect.score >= 1:
                lines += [f"      {words(item, suspect.service)}" for item in suspect.evidence]
                if suspect.evidence:
                    lines.append(f"      examples: {' '.join(suspect.evidence[0].examples)}")
        if self.patterns:
            lines += ["", "lines that changed"]
            lines += [
                f"  {line.change:<6} {line.share_before:4.0%} → {line.share:4.0%}  {line.service}: {line.template}"
                for line in self.patterns[:_SHOWN]
            ]
        if self.changes:
            lines += ["", "changed in the 30 minutes before"]
            lines += [f"  {format_time(change.time_us)} {change.service} {change.body}" for change in self.changes]
        return "\n".join(lines)


def words(evidence: Evidence, service: str) -> str:
    """One piece of evidence as a sentence with units and numbers before and after."""
    counts = f"{evidence.samples:,} against {evidence.samples_before:,}"
    if evidence.kind == "gap":
        return (
            f"waits between {evidence.subject} and {service} beyond the work itself: "
            f"{_ms(evidence.before)} → {_ms(evidence.after)} (median, {counts} calls)"
        )
    if evidence.kind == "own":
        subject = evidence.subject or "its requests"
        return f"own time of {subject}: {_ms(evidence.before)} → {_ms(evidence.after)} (median, {counts})"
    if evidence.kind == "whole":
        subject = evidence.subject or "its requests"
        return (
            f"{subject} took {_ms(evidence.before)} → {_ms(evidence.after)}, whatever it waited for included "
            f"(median, {counts} requests)"
        )
    if evidence.kind == "failures":
        subject = evidence.subject or "its requests"
        return f"{subject} failed in {evidence.after:.0%} of requests, {evidence.before:.0%} before ({counts} requests)"
    shares = f"in {evidence.after:.0%} of its traces, {evidence.before:.0%} before"
    return f'line "{evidence.subject}" {shares} ({counts} traces)'


def _evidence(evidence: Evidence, service: str) -> dict[str, Any]:
    return {
        "kind": evidence.kind,
        "words": words(evidence, service),
        "subject": evidence.subject,
        "before": round(evidence.before, 4),
        "after": round(evidence.after, 4),
        "examples": list(evidence.examples),
    }


def _ms(value: float) -> str:
    return human_span(value * 1000)


def _range(found: TimeRange) -> dict[str, str]:
    return {"from": format_time(found.start_us), "to": format_time(found.end_us)}


def _ranges(ranges: Sequence[TimeRange]) -> str:
    if not ranges:
        return "nothing"
    more = f" and {len(ranges) - 1} more" if len(ranges) > 1 else ""
    return f"{ranges[-1]}{more}"
