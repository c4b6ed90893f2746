"""`logship trace`: one request through all services."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

import click

from logship.cli import diagnostics, options
from logship.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.incident.waterfall import Step, Waterfall
    from logship.record import Record
    from logship.store.port import StoreReader
    from logship.timerange import TimeRange

_MOST_RECORDS: Final = 20_000
_SHORTEST_PREFIX: Final = 4
_LISTED: Final = 20
_COLORS: Final = {"ERROR": "31", "FATAL": "1;31", "WARN": "33"}


@click.command()
@click.argument("trace_id", metavar="ID")
@options.store_option
@options.time_options
@click.option("--format", "wanted", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    trace_id: str,
    *,
    store: str | None,
    since: str | None,
    from_time: str | None,
    to_time: str | None,
    wanted: str,
) -> int:
    """One request through all services: what it waited for, and where its time went.

    ID is a trace id or the beginning of one. Exit status 1: no record has it.
    """
    from logship.cli import output
    from logship.incident.waterfall import arrange

    within = options.time_range(since, from_time, to_time, now=options.now_us())
    reader = options.open_store(store)
    found = _resolve(reader, trace_id, within)
    if len(found) != 1:
        _say_which(trace_id, found)
        return ExitCode.FINDINGS if not found else ExitCode.USAGE
    records = _records(reader, found[0], within)
    made = arrange(found[0], records)
    if wanted == "json":
        output.write_line(output.dumps(to_json(made)))
        return ExitCode.DONE
    for line in text_lines(made, color=output.colored()):
        output.write_line(line.encode("utf-8", "replace"))
    return ExitCode.DONE


def _resolve(reader: StoreReader, asked: str, within: TimeRange | None) -> list[str]:
    """The trace ids that are meant: the very id, else those that begin so."""
    from logship.query.tree import Term, Wildcard

    spellings = dict.fromkeys((asked, asked.lower(), asked.lower().replace("-", "")))
    for text in spellings:
        if text and reader.search(Term("traceId", text), within, limit=1, fields=["traceId"]):
            return [text]
    prefix = list(spellings)[-1]
    if len(prefix) < _SHORTEST_PREFIX:
        raise UsageError(f"{asked!r} is too short for the beginning of a trace id; give {_SHORTEST_PREFIX} characters")
    plain = "".join(f"\\{char}" if char in "*?\\" else char for char in prefix)
    return _different(reader, Wildcard("traceId", f"{plain}*"), within)


def _different(reader: StoreReader, begins: Any, within: TimeRange | None) -> list[str]:
    """The first different ids: each is left out of the next question."""
    from logship.query.tree import Not, OneOf, both

    found: list[str] = []
    while len(found) <= _LISTED:
        others = both(begins, Not(OneOf("traceId", tuple(found)))) if found else begins
        hits = reader.search(others, within, limit=_LISTED, fields=["traceId"])
        if not hits:
            break
        found += dict.fromkeys(record.trace_id for record in hits)
    return sorted(found)


def _say_which(asked: str, found: list[str]) -> None:
    if not found:
        diagnostics.say(f"no record has the trace id {asked!r}; find one with: logship search 'trace:*' --limit 5")
        return
    also = ", …" if len(found) > _LISTED else ""
    diagnostics.say(f"{asked!r} begins several trace ids: {', '.join(found[:_LISTED])}{also}; give more of one")


def _records(reader: StoreReader, trace_id: str, within: TimeRange | None) -> list[Record]:
    from logship.query.tree import Term

    tree = Term("traceId", trace_id)
    records = reader.search(tree, within, limit=_MOST_RECORDS, newest_first=False)
    if len(records) == _MOST_RECORDS:
        diagnostics.say(f"the first {_MOST_RECORDS:,} of {reader.count(tree, within):,} records of the trace")
    return records


def text_lines(made: Waterfall, *, color: bool, width: int | None = None) -> Iterator[str]:
    """The waterfall for people, as wide as the terminal."""
    from logship.timerange import human_span

    columns = width or shutil.get_terminal_size((120, 24)).columns
    services = dict.fromkeys(step.span.service for step in made.steps)
    total = human_span((made.end_ms - made.start_ms) * 1000)
    yield _one_line(
        f"{made.trace_id}  {total}  {len(made.steps)} spans of {len(services)} services: {' '.join(services)}"
    )
    if not made.steps:
        yield "no span: no record of this trace says how long something took"
    layout = _Layout(made, columns)
    for step in made.steps:
        yield _colored(layout.row(step), "ERROR" if step.span.failed else "", color=color)
        for line in step.lines:
            yield _colored(_log_line(line, step.depth, columns), line.severity, color=color)
    if made.lines:
        yield "lines of no span"
    for line in made.lines:
        yield _colored(_log_line(line, 0, columns), line.severity, color=color)


class _Layout:
    """How wide names and bars are."""

    def __init__(self, made: Waterfall, columns: int) -> None:
        self._start_ms, self._span_ms = made.start_ms, max(made.end_ms - made.start_ms, 1e-3)
        self._service = min(max((len(step.span.service) for step in made.steps), default=0), 16)
        names = max((len(_name(step)) + 2 * step.depth for step in made.steps), default=0)
        tails = max((len(_tail(step)) for step in made.steps), default=0)
        self._name = min(names, max(columns // 3, 12))
        self._bar = max(columns - self._service - self._name - tails - 4, 8)

    def row(self, step: Step) -> str:
        """Service, operation, bar, and how long it took."""
        span = step.span
        name = _clip("  " * step.depth + _name(step), self._name)
        return f"{_clip(span.service, self._service)} {name} {self._drawn(step)} {_tail(step)}".rstrip()

    def _drawn(self, step: Step) -> str:
        scale = self._bar / self._span_ms
        start = min(max(int((step.span.start_ms - self._start_ms) * scale), 0), self._bar - 1)
        length = max(round(step.span.duration_ms * scale), 1)
        return ("░" * start + "█" * length)[: self._bar].ljust(self._bar)


def _name(step: Step) -> str:
    attributes, span = step.record.attributes, step.span
    asked = f"{attributes.get('http.request.method', '')} {span.operation}".strip()
    if span.kind == "call":
        return f"→ {span.peer} {asked}".replace("  ", " ").strip()
    return asked or span.kind


def _tail(step: Step) -> str:
    from logship.timerange import human_span

    status = step.record.attributes.get("http.response.status_code")
    parts = [human_span(step.span.duration_ms * 1000), f"(own {human_span(step.own_ms * 1000)})"]
    if step.span.failed:
        parts.append(f"✗ {status}" if status else "✗ error")
    return " ".join([*parts, "◀ longest"] if step.longest else parts)


def _log_line(line: Record, depth: int, columns: int) -> str:
    from logship.cli.output import summary
    from logship.record import format_time

    head = f"{'  ' * (depth + 1)}{format_time(line.time_us)[11:23]} {line.severity} ".replace("  ", "  ")
    return _clip(head + _one_line(summary(line)), columns).rstrip()


def _one_line(text: str) -> str:
    from logship.cli.output import printable

    return printable(text)


def _clip(text: str, width: int) -> str:
    plain = _one_line(text)
    return plain.ljust(width) if len(plain) <= width else plain[: max(width - 1, 0)] + "…"


def _colored(text: str, level: str, *, color: bool) -> str:
    code = _COLORS.get(level)
    return f"\x1b[{code}m{text}\x1b[0m" if color and code else text


def to_json(made: Waterfall) -> dict[str, Any]:
    """The waterfall for programs."""
    from logship.record import format_time, to_document

    return {
        "trace_id": made.trace_id,
        "start": format_time(round(made.start_ms * 1000)),
        "duration_ms": round(made.end_ms - made.start_ms, 3),
        "services": list(dict.fromkeys(step.span.service for step in made.steps)),
        "spans": [_step_json(step) for step in made.steps],
        "lines": [to_document(line) for line in made.lines],
    }


def _step_json(step: Step) -> dict[str, Any]:
    from logship.record import format_time, to_document

    span = step.span
    return {
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "depth": step.depth,
        "service": span.service,
        "kind": span.kind,
        "operation": span.operation,
        "peer": span.peer,
        "start": format_time(round(span.start_ms * 1000)),
        "duration_ms": span.duration_ms,
        "own_ms": round(step.own_ms, 3),
        "failed": span.failed,
        "longest": step.longest,
        "record_id": span.record_id,
        "lines": [to_document(line) for line in step.lines],
    }
