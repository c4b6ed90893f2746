"""One stage after the other: over records while they are records, then over rows."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from logship.errors import UsageError
from logship.query import names
from logship.query.stages.tree import Dedup, Fields, Limit, Related, Sort, Stats, Timechart, Top, Where
from logship.query.tree import fields
from logship.store.pipeline import rows as table
from logship.store.pipeline.found import Found
from logship.store.pipeline.results import Records, Rows, as_record
from logship.store.port import never
from logship.timerange import TimeRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from logship.query.stages import Column, Pipeline, Stage
    from logship.query.stages.tree import Key
    from logship.record import Record
    from logship.store.port import StoreReader


def run(
    reader: StoreReader,
    pipeline: Pipeline,
    within: TimeRange | None = None,
    *,
    limit: int | None = None,
    newest_first: bool = True,
    stop: Callable[[], bool] = never,
    say: Callable[[str], None] = lambda _: None,
) -> Records | Rows:
    """The records or rows of a pipeline.

    Args:
        reader: the store.
        pipeline: what `parse_pipeline` gave.
        within: the time range; None means the whole store.
        limit: how many records or rows are wanted at most; None means all.
        newest_first: the order of records that no stage orders.
        stop: whether the caller has given up.
        say: takes a sentence for people about what was left out or cut; may be called until the last record
            has been read.

    Raises:
        Cancelled: `stop` answered true.
        TooManyGroupsError, UsageError: what was asked for cannot be shown.
    """
    found = Found(reader, pipeline.search, within, newest_first=newest_first, stop=stop, say=say)
    made = _Run(found, within, say)
    for stage in pipeline.stages:
        made.take(stage)
    return made.result(limit)


class _Run:
    """The state between two stages."""

    def __init__(self, found: Found, within: TimeRange | None, say: Callable[[str], None]) -> None:
        self._found, self._within, self._say = found, within, say
        self._rows: Rows | None = None
        self._columns: tuple[Column, ...] = ()
        self._hidden: set[str] = set()

    def take(self, stage: Stage) -> None:
        if isinstance(stage, (Stats, Top, Timechart)):
            self._make_rows(stage)
        elif self._rows is None:
            self._on_records(stage)
        else:
            self._rows = self._on_rows(self._rows, stage)

    def _on_records(self, stage: Stage) -> None:
        match stage:
            case Where(condition):
                self._found.where(condition)
            case Sort(keys):
                self._found.sort(keys)
            case Limit(count):
                self._found.limit(count)
            case Dedup(keys):
                self._found.dedup(keys)
            case Related():
                self._found.related()
            case Fields(keys, leave_out):
                self._choose(keys, leave_out=leave_out)

    def _choose(self, keys: Sequence[Key], *, leave_out: bool) -> None:
        if not leave_out:
            self._columns = tuple(key.column for key in keys)
        elif self._columns:
            gone = {key.name for key in keys}
            self._columns = tuple(column for column in self._columns if column.name not in gone)
        else:
            self._hidden |= {key.field for key in keys}

    def _on_rows(self, rows: Rows, stage: Stage) -> Rows:
        for name in _absent(rows, stage):
            known = ", ".join(column.name for column in rows.columns)
            self._say(f"no column is named {name!r}; columns are {known}")
        match stage:
            case Where(condition):
                return table.where(rows, condition)
            case Sort(keys):
                return table.sort(rows, keys)
            case Limit(count):
                return Rows(rows.columns, rows.rows[:count])
            case Dedup(keys):
                return table.dedup(rows, keys)
            case Fields(keys, leave_out):
                return table.fields(rows, keys, leave_out=leave_out)
            case _:
                raise UsageError("related trace needs records; put it before the stages that count")

    def _make_rows(self, stage: Stats | Top | Timechart) -> None:
        bounds = None
        if isinstance(stage, Timechart):
            bounds = table.chart_bounds(self._within, self._found.reader.extent()) if self._rows is None else None
        if self._rows is not None:
            columns, cells = self._rows.columns, self._rows.rows
            times = [made.time_us for made in (as_record(columns, row, numeric_text=False) for row in cells)]
            bounds = TimeRange(min(times), max(times) + 1) if times else None
            self._found.replace(as_record(columns, row, numeric_text=False) for row in cells)
        match stage:
            case Stats():
                self._rows = table.stats(self._found, stage)
            case Top():
                self._rows = table.top(self._found, stage)
            case Timechart():
                self._rows = table.timechart(self._found, stage, bounds, self._say)

    def result(self, limit: int | None) -> Records | Rows:
        if self._rows is None:
            found = self._first(limit)
            return Records(self._without(found) if self._hidden else found, self._columns, self._found.query)
        if limit is not None and len(self._rows.rows) > limit:
            self._say(f"{limit:,} of {len(self._rows.rows):,} rows; --limit shows more")
            return Rows(self._rows.columns, list(islice(self._rows.rows, limit)))
        return self._rows

    def _first(self, limit: int | None) -> Iterator[Record]:
        """The records, at most that many; that a stream has more, which no query counts, is said behind the last."""
        if limit is None or self._found.query is not None:
            return self._found.take(limit)
        return self._cut(self._found.take(limit + 1), limit)

    def _cut(self, records: Iterator[Record], limit: int) -> Iterator[Record]:
        yield from islice(records, limit)
        if next(records, None) is not None:
            self._say(f"only the first {limit:,} records are shown; --limit shows more")

    def _without(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            yield _stripped(record, self._hidden)


def _stripped(record: Record, hidden: set[str]) -> Record:
    """A record without some fields; its id and time are always there."""
    return replace(
        record,
        body="" if names.BODY in hidden else record.body,
        severity="" if names.SEVERITY in hidden else record.severity,
        observed_ms=0 if names.OBSERVED in hidden else record.observed_ms,
        trace_id="" if "traceId" in hidden else record.trace_id,
        span_id="" if "spanId" in hidden else record.span_id,
        parent_span_id="" if "parentSpanId" in hidden else record.parent_span_id,
        resource={name: value for name, value in record.resource.items() if name not in hidden},
        attributes={name: value for name, value in record.attributes.items() if name not in hidden},
    )


def _absent(rows: Rows, stage: Stage) -> list[str]:
    """Columns that a stage names and a chart has not: those are known when it has run."""
    match stage:
        case Where(condition):
            asked = fields(condition)
            return sorted(asked - {names.canonical(column.name) for column in rows.columns})
        case Sort(keys):
            named = [key.key.name for key in keys]
        case Fields(keys) | Dedup(keys):
            named = [key.name for key in keys]
        case _:
            named = []
    return [name for name in named if rows.place(name) is None]
