"""Reads a window and its quiet baseline, and says which services are to blame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from logship.incident.evidence import changed_lines
from logship.incident.features import Features, Segment, read
from logship.incident.finding import ChangedLine, Finding, Slowdown
from logship.incident.ranking import ALARM_FROM, rank
from logship.query.tree import All, Node, Or, Term, both
from logship.record import KIND
from logship.timerange import TimeRange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.record import Record
    from logship.store.port import StoreReader

_MINUTE_US: Final = 60_000_000
DEFAULT_WINDOW_US: Final = 15 * _MINUTE_US
DEFAULT_BASELINE_US: Final = 30 * _MINUTE_US
_CHANGES_BEFORE_US: Final = 30 * _MINUTE_US
_LISTED: Final = 20
_SURE_LINE: Final = 1.0
_FEWEST_REQUESTS: Final = 5
_SLOWER: Final = 1.5


def analyse(
    reader: StoreReader,
    window: TimeRange,
    baseline: Sequence[TimeRange],
    *,
    query: Node = All(),  # noqa: B008 - frozen
    progress: Callable[[str], None] = lambda _: None,
) -> Finding:
    """Compares a window with quiet times before it.

    Args:
        reader: the store.
        window: when it was slow.
        baseline: quiet stretches; none at all never gives an alarm.
        query: which records to look at.
        progress: told what is being done.

    Returns:
        The services, most suspect first, each with its evidence.
    """
    segments = []
    for number, stretch in enumerate(baseline, 1):
        progress(f"reading baseline {number} of {len(baseline)}")
        segments.append(read(reader.scan(query, stretch)))
    progress("reading the window")
    now = read(reader.scan(query, window))
    quiet = [segment for segment in segments if len(segment)]
    suspects, measured, before = rank(now, quiet, progress=progress)
    top = suspects[0].score if suspects else 0.0
    return Finding(
        window,
        tuple(baseline),
        alarm=bool(quiet) and top >= ALARM_FROM,
        suspects=tuple(suspects),
        slowdowns=tuple(_slowdowns(measured, before)),
        patterns=tuple(_patterns(measured, before)),
        changes=tuple(_changes(reader, window)),
        records=len(now),
        baseline_records=sum(len(segment) for segment in quiet),
        notes=tuple(_notes(now, quiet)),
    )


def default_window(reader: StoreReader) -> TimeRange | None:
    """The 15 minutes up to the newest record; None for an empty store."""
    extent = reader.extent()
    return TimeRange(extent.end_us - DEFAULT_WINDOW_US, extent.end_us) if extent else None


def default_baseline(reader: StoreReader, window: TimeRange) -> list[TimeRange]:
    """The 30 minutes before the window, cut to what the store holds; [] when it holds nothing of them."""
    extent = reader.extent()
    if extent is None:
        return []
    start = max(window.start_us - DEFAULT_BASELINE_US, extent.start_us)
    return [TimeRange(start, window.start_us)] if start < window.start_us else []


def _notes(window: Segment, quiet: Sequence[Segment]) -> list[str]:
    notes = []
    if not len(window):
        notes.append("the window holds no records")
    if not quiet:
        notes.append(
            "there is no quiet time to compare with, so there is no alarm; name one with "
            "--baseline-from and --baseline-to"
        )
    if len(window) and not window.spans:
        timed = any(request.duration_ms is not None for request in window.requests)
        missing = "what a request waited for" if timed else "how long a request took"
        notes.append(f"no record says {missing}; add the handler's middleware to find slow services")
    return notes


def _slowdowns(window: Features, baseline: Features) -> list[Slowdown]:
    """Routes that got slower, most requests' time lost first."""
    found = []
    known = {**baseline.whole, **baseline.requests}
    for key, samples in {**window.whole, **window.requests}.items():
        quiet = known.get(key, [])
        if min(len(samples), len(quiet)) < _FEWEST_REQUESTS:
            continue
        after, before = samples[int((len(samples) - 1) * 0.95)].value, quiet[int((len(quiet) - 1) * 0.95)].value
        if after >= _SLOWER * before and after - before >= 1:
            found.append((-(after - before) * len(samples), Slowdown(*key, before, after, len(samples))))
    return [slowdown for _, slowdown in sorted(found, key=lambda item: item[0])[:_LISTED]]


def _patterns(window: Features, baseline: Features) -> list[ChangedLine]:
    changed = sorted(changed_lines(window, baseline), key=lambda item: (-item[0].strength, item[1], item[0].subject))
    return [
        ChangedLine(service, line.subject, line.before, line.after, line.examples)
        for line, service in changed[:_LISTED]
        if line.strength >= _SURE_LINE
    ]


def _changes(reader: StoreReader, window: TimeRange) -> list[Record]:
    """Changes and deploys from half an hour before the window on."""
    wanted = both(Or((Term(KIND, "change"), Term(KIND, "deploy"))))
    return reader.search(wanted, TimeRange(window.start_us - _CHANGES_BEFORE_US, window.end_us), limit=_LISTED)
