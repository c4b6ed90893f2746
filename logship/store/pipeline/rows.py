"""Stages that make rows of records, and those that work on rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from logship.query.match import matches
from logship.query.names import SEVERITY
from logship.query.stages.tree import Column
from logship.query.values import NUMBER, number
from logship.record import SEVERITY_NUMBERS
from logship.store import plain
from logship.store.pipeline.results import Rows, as_record, figure_cell, key_cell
from logship.store.port import MOST_GROUPS, Measure
from logship.timerange import EARLIEST_US, LATEST_US, TimeRange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.query.stages.tree import Figure, Key, SortKey, Stats, Timechart, Top
    from logship.query.tree import Node
    from logship.store.pipeline.found import Found
    from logship.store.pipeline.results import Cell
    from logship.store.port import Group

_BARS: Final = 60
_SERIES: Final = 10
"""Values of the field behind `by` that a chart shows."""
_US: Final = 1_000_000
STEPS_US: Final = (
    *(ms * 1_000 for ms in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(seconds * _US for seconds in (1, 2, 5, 10, 15, 30)),
    *(minutes * 60 * _US for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * 3600 * _US for hours in (1, 2, 3, 6, 12)),
    *(days * 86_400 * _US for days in (1, 2, 7, 14, 28)),
)
"""Lengths of bins that read well on a clock."""


def stats(found: Found, stage: Stats) -> Rows:
    """A row a group."""
    groups = found.aggregate(_measures(stage.figures), [key.field for key in stage.by], stage.bin_us)
    return Rows(stage.columns, [_row(group, stage.columns) for group in groups])


def _measures(figures: Sequence[Figure]) -> list[Measure]:
    return [Measure(figure.function, figure.field, figure.percent) for figure in figures]


def _row(group: Group, columns: Sequence[Column]) -> tuple[Cell, ...]:
    start: tuple[Cell, ...] = () if group.start_us is None else (group.start_us,)
    kinds = [column.kind for column in columns[len(start) :]]
    keys: list[Cell] = [key_cell(text, kind) for text, kind in zip(group.keys, kinds, strict=False)]
    figures: list[Cell] = [
        figure_cell(value, kind) for value, kind in zip(group.values, kinds[len(keys) :], strict=False)
    ]
    return (*start, *keys, *figures)


def top(found: Found, stage: Top) -> Rows:
    """The most frequent values and their counts."""
    terms = found.terms(stage.key.field, stage.size)
    return Rows(stage.columns, [(key_cell(text, stage.key.kind), count) for text, count in terms])


def timechart(found: Found, stage: Timechart, bounds: TimeRange | None, say: Callable[[str], None]) -> Rows:
    """A row a bin, those without records too."""
    by = [stage.by.field] if stage.by else []
    time = Column("time", "time")
    if bounds is None:
        return Rows((time, *(() if by else (figure.column for figure in stage.figures))), [])
    bin_us = stage.bin_us or nice_bin(bounds)
    first, last = bounds.start_us // bin_us * bin_us, (bounds.end_us - 1) // bin_us * bin_us
    if (last - first) // bin_us >= MOST_GROUPS:
        raise plain.too_many_groups()
    groups = found.aggregate(_measures(stage.figures), by, bin_us)
    names = _series(groups, say) if by else []
    columns = (
        [Column(name, stage.figures[0].column.kind) for name in names] if by else [f.column for f in stage.figures]
    )
    cells: dict[int, list[Cell]] = {
        start: [_nothing(stage.figures[0 if by else place]) for place in range(len(columns))]
        for start in range(first, last + 1, bin_us)
    }
    for group in groups:
        row = cells.setdefault(group.start_us or 0, [None] * len(columns))
        places = [names.index(group.keys[0])] if by and group.keys[0] in names else range(0 if by else len(columns))
        for value, place in zip(group.values[:-1], places, strict=False):
            row[place] = figure_cell(value, columns[place].kind)
    return Rows((time, *columns), [(start, *row) for start, row in sorted(cells.items())])


def _series(groups: Sequence[Group], say: Callable[[str], None]) -> list[str]:
    """The values with the most records, most first."""
    counts: Counter[str] = Counter()
    for group in groups:
        counts[group.keys[0]] += int(group.values[-1] or 0)
    if len(counts) > _SERIES:
        say(f"the chart shows the {_SERIES} most frequent of {len(counts):,} values; narrow the search to see others")
    return [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_SERIES]]


def _nothing(figure: Figure) -> Cell:
    return 0 if figure.function in ("count", "distinct") else None


def nice_bin(bounds: TimeRange) -> int:
    """The shortest step that gives a chart of about 60 bars."""
    fitting = (step for step in STEPS_US if bounds.span_us / step <= _BARS)
    return next(fitting, -(-bounds.span_us // (_BARS * STEPS_US[-1])) * STEPS_US[-1])


def chart_bounds(within: TimeRange | None, extent: TimeRange | None) -> TimeRange | None:
    """What a chart covers: the range asked for; where that is open, up to the records there are."""
    if within is None or extent is None:
        return extent
    start = within.start_us if within.start_us > EARLIEST_US else min(extent.start_us, within.end_us - 1)
    end = within.end_us if within.end_us < LATEST_US else max(extent.end_us, start + 1)
    return TimeRange(start, end)


def where(rows: Rows, condition: Node) -> Rows:
    """The rows that match a condition over their columns."""
    kept = [row for row in rows.rows if matches(condition, as_record(rows.columns, row, numeric_text=True))]
    return Rows(rows.columns, kept)


def sort(rows: Rows, keys: Sequence[SortKey]) -> Rows:
    """The rows in order; equal ones stay as they are."""
    ordered = list(rows.rows)
    for key in reversed(keys):
        place = rows.place(key.key.name)
        if place is not None:
            ordered.sort(key=_ranking(place, key))
    return Rows(rows.columns, ordered)


def _ranking(place: int, key: SortKey) -> Callable[[tuple[Cell, ...]], Any]:
    """What rows sort by: numbers, also those spelled in text, then text, then nothing; levels by severity."""

    def rank(row: tuple[Cell, ...]) -> tuple[int, object]:
        cell = row[place]
        if cell is None:
            return 2, 0
        if isinstance(cell, str) and key.key.field == SEVERITY:
            cell = SEVERITY_NUMBERS.get(cell, cell)
        value = number(cell) if isinstance(cell, str) and NUMBER.match(cell) else cell
        if not isinstance(value, str):
            return 0, -value if key.descending else value
        return 1, plain.Last(value) if key.descending else value

    return rank


def fields(rows: Rows, keys: Sequence[Key], *, leave_out: bool) -> Rows:
    """Chosen columns, or all but those."""
    named = [key.name for key in keys]
    wanted = [column.name for column in rows.columns if column.name not in named] if leave_out else named
    places = [place for place in (rows.place(name) for name in wanted) if place is not None]
    return Rows(tuple(rows.columns[at] for at in places), [tuple(row[at] for at in places) for row in rows.rows])


def dedup(rows: Rows, keys: Sequence[Key]) -> Rows:
    """The first row of each value."""
    places = [place for place in (rows.place(key.name) for key in keys) if place is not None]
    first: dict[tuple[Cell, ...], tuple[Cell, ...]] = {}
    for row in rows.rows:
        first.setdefault(tuple(row[at] for at in places), row)
    return Rows(rows.columns, list(first.values()))
