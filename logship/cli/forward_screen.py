"""What `logship forward` draws on a terminal: how it stands, the groups that are furthest behind, what is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from logship.cli.diagnostics import counted
from logship.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console, ConsoleOptions

    from logship.forward.outside.rates import Rate
    from logship.forward.outside.status import ForwardStatus, GroupStatus, SourceStatus

_MOST_SOURCES: Final = 4
_MOST_WRONG: Final = 4
_MOST_NOTICES: Final = 3
_WIDE: Final = 120
"""From so many columns on, a group's row has all figures."""
_SLOW_S, _LATE_S = 10.0, 60.0
_KB: Final = 1024.0
_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one screen shows."""

    status: ForwardStatus
    rate: Rate
    running_s: float
    """Since the command began."""
    cost: str = ""
    """What it costs, in words; "" leaves the line out."""
    notices: Sequence[str] = ()
    """What people were told, oldest first."""


def draw(shown: Shown, *, width: int, height: int) -> RenderableType:
    """The whole screen: at most `height` lines, none wider than `width`."""
    status, rate = shown.status, shown.rate
    wrong = [_line(("! ", "bold red"), (printable(text), "red")) for text in status.wrong[:_MOST_WRONG]]
    if len(status.wrong) > _MOST_WRONG:
        wrong.append(_line((f"! and {len(status.wrong) - _MOST_WRONG:,} more", "red")))
    sources = [_source(source, rate) for source in status.sources[:_MOST_SOURCES]]
    if len(status.sources) > _MOST_SOURCES:
        sources.append(_line((f"and {len(status.sources) - _MOST_SOURCES:,} more sources", "dim")))
    cost = [_line(("cost    ", "dim"), (printable(shown.cost), ""))] if shown.cost else []
    head = [_title(shown), _flow(status, rate), _store(status), *cost, *sources]
    said = [_line((printable(text), "cyan")) for text in shown.notices[-_MOST_NOTICES:]]
    rows = sorted(status.groups, key=lambda row: _order(row, rate))
    # The heading of the groups, and the line that tells how many are not shown.
    room = max(0, height - len(head) - len(wrong) - len(said) - 2)
    names = _names(status)
    body: list[RenderableType] = [_groups(rows[:room], rate, names, width=width)] if rows and room else []
    if len(rows) > room:
        body.append(_line((f"and {len(rows) - room:,} more groups that are less behind", "dim")))
    return Group(*head, *body, *wrong, *said)


def _order(row: tuple[SourceStatus, GroupStatus], rate: Rate) -> tuple[float, float, float, str]:
    """The furthest behind first, by what is shown of it, and the busiest of those."""
    source, group = row
    events, _ = rate.groups.get((source.name, group.name), (0.0, 0.0))
    return -round(group.lag_s), -round(group.backlog_s), -events, group.name


def _line(*parts: tuple[str, str]) -> Text:
    """One line that is cut where the terminal ends."""
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _title(shown: Shown) -> Text:
    status = shown.status
    groups, sources = counted(len(status.groups), "group"), counted(len(status.sources), "source")
    return _line(
        ("logship forward", "bold"),
        (f"  {status.stored:,} records stored", "green"),
        (f"  {groups}  {sources}  running {span(shown.running_s)}", ""),
    )


def _flow(status: ForwardStatus, rate: Rate) -> Text:
    left_out = sum(rule.dropped + rule.sampled_out for rule in status.rules)
    redacted = sum(status.redacted.values())
    return _line(
        ("flow    ", "dim"),
        (f"{rate.events:,.0f} events/s  {size(rate.read_bytes)}/s  lag ", ""),
        (span(status.lag_s), _lag_style(status.lag_s)),
        (f"  backlog {span(status.backlog_s)}" if status.backlog_s else "", "yellow"),
        (f"  known {status.existing:,}" if status.existing else "", "dim"),
        (f"  left out {left_out:,}" if left_out else "", "dim"),
        (f"  redacted {redacted:,}" if redacted else "", "dim"),
    )


def _store(status: ForwardStatus) -> Text:
    part = status.queued_bytes / status.queue_limit_bytes if status.queue_limit_bytes else 0.0
    requests = "" if status.requests is None else f"  requests {status.requests}/{status.requests_limit}"
    return _line(
        ("store   ", "dim"),
        ("waiting", "bold red") if status.store_reason else ("ok", "green"),
        (f"  queue {bar(part)} {size(status.queued_bytes)}", ""),
        (f"  dead letters {status.dead_letters:,}", "red" if status.dead_letters else "dim"),
        (requests, ""),
        (f"  waits {status.store_waits:,}", "yellow" if status.store_waits else "dim"),
    )


def _source(source: SourceStatus, rate: Rate) -> Text:
    parts = [("source  ", "dim"), (printable(source.name), "bold")]
    if source.ready is False:
        parts.append(("  not listed yet", "yellow"))
    if source.quota:
        calls = rate.calls.get(source.name, 0.0)
        parts.append((f"  {calls:,.1f} of {source.quota:g} calls/s {bar(calls / source.quota, width=5)}", ""))
        parts.append((f"  throttled {source.throttled:,}", "yellow" if source.throttled else "dim"))
    if source.retried:
        parts.append((f"  retried {source.retried:,}", "dim"))
    if source.lag_s is not None and not source.groups:
        parts.append((f"  lag {span(source.lag_s)}", _lag_style(source.lag_s)))
    return _line(*parts)


class _Name:
    """A name that is cut in its middle where room is short: those of many groups begin alike and end differently."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, cell_len(self._name))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        name, room = self._name, options.max_width
        if (size := cell_len(name)) > room:
            head = max(0, room - 1) // 3
            begin, end = set_cell_size(name, head).rstrip(), name  # half a wide sign is a blank
            while size > room - 1 - head:
                size, end = size - cell_len(end[0]), end[1:]
            name = f"{begin}…{end}"
        yield Text(name, no_wrap=True, overflow="crop")


def _names(status: ForwardStatus) -> dict[tuple[str, str], str]:
    """What groups are called, by source and name: with the source where several have a group of that name."""
    pairs = [(source.name, group.name) for source, group in status.groups]
    count = Counter(name for _, name in pairs)
    return {
        (source, name): f"{source.removeprefix('cloudwatch ')} {name}" if count[name] > 1 else name
        for source, name in pairs
    }


def _groups(
    rows: Sequence[tuple[SourceStatus, GroupStatus]], rate: Rate, called: Mapping[tuple[str, str], str], *, width: int
) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True, header_style="dim", show_edge=False)
    table.add_column("group", ratio=1, no_wrap=True, overflow="ellipsis")
    names = ["lag", "delay", "ev/s", "read/s"]
    names += ["backlog", "read ago", "stored", "pages", "empty", "known"] if width >= _WIDE else []
    for name in names:
        table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    for source, group in rows:
        events, read = rate.groups.get((source.name, group.name), (0.0, 0.0))
        cells = [_lag(group), Text(span(group.ingestion_delay_s)), Text(f"{events:,.0f}"), Text(size(read))]
        if width >= _WIDE:
            cells += _more(group)
        table.add_row(_Name(printable(called[source.name, group.name])), *cells)
    return table


def _lag(group: GroupStatus) -> Text:
    if group.refused:
        return Text("refused", "red")
    return Text(span(group.lag_s), _lag_style(group.lag_s))


def _more(group: GroupStatus) -> list[Text]:
    empty = group.empty_pages / group.pages if group.pages else 0.0
    known = group.known / group.events if group.events else 0.0
    return [
        Text(span(group.backlog_s) if group.backlog_s else "", "yellow"),
        Text("" if group.read_age_s is None else span(group.read_age_s)),
        Text(f"{group.stored:,}"),
        Text(f"{group.pages:,}"),
        Text(f"{empty:.0%}", "dim"),
        Text(f"{known:.0%}", "dim"),
    ]


def _lag_style(lag_s: float) -> str:
    if lag_s >= _LATE_S:
        return "bold red"
    return "yellow" if lag_s >= _SLOW_S else "green"


def bar(part: float, *, width: int = 10) -> str:
    """A bar of `width` cells; at least one is full where there is anything."""
    full = min(width, max(round(part * width), 1 if part > 0 else 0))
    return "█" * full + "░" * (width - full)


def span(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 m 20 s``, ``5 h 2 m``, ``2.5 d``."""
    if seconds < _SLOW_S:
        return f"{seconds:.1f} s"
    if round(seconds) < _MINUTE_S:
        return f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // 60} m {whole % 60} s"
    if whole < _DAY_S:
        return f"{whole // 3600} h {whole % 3600 // 60} m"
    return f"{seconds / _DAY_S:.1f} d"


def size(count: float) -> str:
    """``312 B``, ``1.2 kB``, ``34 MB``."""
    value, units = count, ["B", "kB", "MB", "GB", "TB"]
    while value >= _KB and len(units) > 1:
        value /= _KB
        units.pop(0)
    return f"{value:,.0f} {units[0]}" if units[0] == "B" or value >= _SLOW_S else f"{value:,.1f} {units[0]}"
