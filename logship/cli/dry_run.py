"""What `logship forward --dry-run` prints."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from logship.cli.output import dumps, printable
from logship.record import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from logship.forward.between.dry_run import Foreseen, GroupSample
    from logship.settings import Rule

FORMATS: Final = ("table", "json")
_MESSAGE_CHARS: Final = 60


def write(samples: Iterable[GroupSample], rules: Sequence[Rule], wanted: str, cost: Iterable[str] = ()) -> int:
    """Prints what would be done, group by group; how many events were looked at.

    Args:
        samples: the groups.
        rules: `[[forward.rule]]`, whose queries are shown.
        wanted: the format.
        cost: what it would cost, in lines for people; asked for when all groups are through.
    """
    out, found = sys.stdout.buffer, 0
    if wanted == "json":
        groups = [_group(sample) for sample in samples]
        out.write(dumps({"groups": groups, "cost": list(cost)}, indent=True) + b"\n")
        return sum(len(group["events"]) for group in groups)
    for sample in samples:
        found += len(sample.events)
        for line in _lines(sample, rules):
            out.write(line.encode("utf-8", "replace") + b"\n")
        out.write(b"\n")
        out.flush()
    for line in cost:
        out.write(printable(line).encode("utf-8", "replace") + b"\n")
    out.flush()
    return found


def _group(sample: GroupSample) -> dict[str, Any]:
    return {
        "group": sample.group,
        "problem": sample.problem or None,
        "events": [_event(foreseen) for foreseen in sample.events],
    }


def _event(foreseen: Foreseen) -> dict[str, Any]:
    record, decision = foreseen.explained.record, foreseen.explained.decision
    return {
        "id": record.id,
        "stream": foreseen.event.stream,
        "time": format_time(record.time_us),
        "level": record.severity or None,
        "service": record.service,
        "message": record.body,
        "format": foreseen.format,
        "redacted": dict(foreseen.explained.redacted),
        "kept": decision.kept,
        "rule": None if decision.rule is None else f"forward.rule[{decision.rule}]",
        "sample_rate": decision.rate,
        "place": foreseen.place or None,
    }


def _lines(sample: GroupSample, rules: Sequence[Rule]) -> Iterator[str]:
    """A group for people: a heading, and a table with an event a line."""
    from logship.cli.tables import aligned
    from logship.query.stages import Column

    if sample.problem or not sample.events:
        yield f"{printable(sample.group)}: {printable(sample.problem) or 'no events'}"
        return
    yield printable(sample.group)
    names = ("level", "service", "format", "redacted", "decision", "place", "message")
    columns = [Column("time", "time"), *(Column(name) for name in names)]
    yield from ("  " + line for line in aligned(columns, [_row(foreseen, rules) for foreseen in sample.events]))


def _row(foreseen: Foreseen, rules: Sequence[Rule]) -> tuple[int | str, ...]:
    record = foreseen.explained.record
    body = record.body
    return (
        record.time_us,
        record.severity,
        record.service,
        foreseen.format,
        ", ".join(f"{name} {count}" for name, count in sorted(foreseen.explained.redacted.items())),
        _decision(foreseen, rules),
        foreseen.place,
        body if len(body) <= _MESSAGE_CHARS else body[: _MESSAGE_CHARS - 1] + "…",
    )


def _decision(foreseen: Foreseen, rules: Sequence[Rule]) -> str:
    decision = foreseen.explained.decision
    if decision.rule is None:
        return "keep"
    part = "" if decision.rate is None else f" ({decision.rate:g} are kept)"
    return f"{'keep' if decision.kept else 'drop'}{part}: {rules[decision.rule].query}"
