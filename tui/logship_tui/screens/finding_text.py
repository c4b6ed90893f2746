"""A finding in words and bars: the texts of the incident screen's panels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from logship.incident import words
from logship.record import format_time
from logship_tui.look import BAD, GOOD, SERVICE, WARN, cut, one_line, summary, took

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logship.incident import Finding
    from logship.incident.ranking import Suspect
    from logship.record import Record
    from logship.timerange import TimeRange

_NAME: Final = 20


def headline(finding: Finding) -> Text:
    """Window and baseline, what got slower, and the verdict."""
    window, baseline = finding.window, finding.baseline
    against = _clock(baseline[-1], window) if baseline else "nothing"
    against += f" and {len(baseline) - 1} more" if len(baseline) > 1 else ""
    text = Text(end="", no_wrap=True, overflow="ellipsis")
    text.append(f"{window}", "bold").append(f" against {against}\n", "dim")
    for note in finding.notes:
        text.append(f"{note}\n", WARN)
    for slow in finding.slowdowns[:2]:
        text.append(f"{one_line(slow.words)}\n", BAD if finding.alarm else "")
    counts = f" · {finding.records:,} records against {finding.baseline_records:,}"
    if finding.alarm:
        text.append(f"most suspect: {one_line(finding.suspects[0].service)}", f"bold {BAD}")
    else:
        text.append("nothing exceeds its quiet spread", GOOD)
    return text.append(counts, "dim")


def _clock(baseline: TimeRange, window: TimeRange) -> str:
    """Times alone where the day is the window's."""
    start, end = format_time(baseline.start_us), format_time(baseline.end_us)
    same = {start[:10], end[:10], format_time(window.start_us)[:10]}
    return f"{start[11:19]} – {end[11:19]}" if len(same) == 1 else str(baseline)


def ranking(finding: Finding, selected: int, width: int, height: int) -> Text:
    """One line a suspect: rank, name, bar, score."""
    shown = max(1, height - 1)
    name, bar = min(_NAME, max(8, width - 18)), max(4, width - min(_NAME, max(8, width - 18)) - 14)
    text, top = Text(end="", no_wrap=True), max(finding.suspects[0].score, 1e-9)
    for number, suspect in enumerate(finding.suspects[:shown]):
        loud = suspect.score >= 1
        line = Text(f"{number + 1:>2} ", end="").append_text(cut(suspect.service, name)).append(" ")
        filled = max(1, round(bar * suspect.score / top)) if loud else 0
        line.append(f"{'█' * filled:<{bar}}", BAD).append(f" {suspect.score:8.1f}", "" if loud else "dim")
        line.stylize("bold on grey27" if number == selected else "")
        text.append_text(line).append("\n")
    hidden = len(finding.suspects) - shown
    return text.append(f"   {hidden} others within their quiet spread" if hidden > 0 else "", "dim")


def reasons(suspect: Suspect, examples: Mapping[str, Record], width: int) -> Text:
    """Each piece of evidence with the records that show it."""
    text = Text(end="")
    for evidence in suspect.evidence:
        text.append(f"{one_line(words(evidence, suspect.service))}\n")
        for record in (examples[example] for example in evidence.examples if example in examples):
            text.append_text(_example(record, suspect.service, width)).append("\n")
    if any(evidence.examples for evidence in suspect.evidence):
        text.append("Enter opens these records", "dim")
    return text if text.plain else Text("within its quiet spread", "dim")


def _example(record: Record, service: str, width: int) -> Text:
    """Time, duration, and what it says; the service where it is not the suspect itself."""
    line = Text(no_wrap=True, end="").append(f"  {format_time(record.time_us)[11:23]} ", "dim")
    line.append(f"{took(record):>7}  ", "bold")
    line.append(f"{one_line(record.service, _NAME)} " if record.service != service else "", SERVICE)
    line.append(one_line(summary(record)))
    line.truncate(width, overflow="ellipsis")
    return line


def changed_lines(finding: Finding) -> Text:
    """Log lines that became more or less frequent."""
    text = Text(end="")
    for pattern in finding.patterns:
        text.append(f"{pattern.change:<5} {pattern.share_before:4.0%} → {pattern.share:4.0%} ", WARN)
        text.append(f"{one_line(pattern.service, _NAME)}: ", SERVICE)
        text.append(f"{one_line(pattern.template)}\n")
    return text if text.plain else Text("none", "dim")


def changes(finding: Finding) -> Text:
    """Deploys and changes of configuration, oldest first."""
    text = Text(end="")
    for change in sorted(finding.changes, key=lambda record: record.order):
        text.append(f"{format_time(change.time_us)[11:19]} ", "dim")
        text.append(f"{one_line(change.service, _NAME)} {one_line(change.body)}\n")
    return text if text.plain else Text("none known", "dim")
