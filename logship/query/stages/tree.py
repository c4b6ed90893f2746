"""Stages as small frozen values. Field names are canonical; column names are as people wrote them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from logship.query import tree

if TYPE_CHECKING:
    from logship.query.tree import Node

Kind: TypeAlias = Literal["text", "number", "time", "duration_ms", "count"]
"""What a column's cells hold: text, numbers, microseconds since 1970, milliseconds, whole numbers."""
Function: TypeAlias = Literal["count", "distinct", "min", "max", "sum", "avg", "percentile"]
Stage: TypeAlias = "Stats | Top | Timechart | Sort | Limit | Fields | Dedup | Where | Related"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result."""

    name: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Key:
    """A field and the column that shows it."""

    field: str
    name: str
    kind: Kind = "text"

    @property
    def column(self) -> Column:
        """The column that shows it."""
        return Column(self.name, self.kind)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure of a group, and the column that shows it."""

    function: Function
    field: str
    """"" for the count of records."""
    percent: float
    """0 to 100; of `percentile` alone."""
    column: Column


@dataclass(frozen=True, slots=True)
class Stats:
    """`stats count(), p95(duration) by service, bin(1m)`: a row a group, the bin's column first."""

    figures: tuple[Figure, ...]
    by: tuple[Key, ...]
    bin_us: int = 0
    """0 means no bins."""
    bin_name: str = "time"

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its rows."""
        bins = (Column(self.bin_name, "time"),) if self.bin_us else ()
        return (*bins, *(key.column for key in self.by), *(figure.column for figure in self.figures))


@dataclass(frozen=True, slots=True)
class Top:
    """`top 5 service`: the most frequent values of a field with their counts."""

    size: int
    key: Key

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its rows."""
        return self.key.column, Column("count", "count")


@dataclass(frozen=True, slots=True)
class Timechart:
    """`timechart span=1m p95(duration) by service`: a row a bin, empty ones too, and a column a value of `by`."""

    figures: tuple[Figure, ...]
    """One only where `by` stands."""
    by: Key | None = None
    bin_us: int = 0
    """0 chooses it from the time range."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """A field of records, or a column of rows, and its direction."""

    key: Key
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Sort:
    """`sort -duration, service`: numbers before text, what has no value last."""

    keys: tuple[SortKey, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """`limit 10`: the first ones."""

    count: int


@dataclass(frozen=True, slots=True)
class Fields:
    """`fields time, message`: what is shown; or with `leave_out` what is not."""

    keys: tuple[Key, ...]
    leave_out: bool = False


@dataclass(frozen=True, slots=True)
class Dedup:
    """`dedup service`: the first of each value in the order so far, which is the newest where nothing was sorted."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Where:
    """`where status>=500`: a query over records, or over the columns of rows."""

    condition: Node


@dataclass(frozen=True, slots=True)
class Related:
    """`related trace`: all records of the time range that share a trace id with what was found."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A query and what is done with its records."""

    search: Node
    stages: tuple[Stage, ...] = ()

    @property
    def makes_rows(self) -> bool:
        """Whether the result is rows of figures and not records."""
        return any(isinstance(stage, (Stats, Top, Timechart)) for stage in self.stages)

    @property
    def fields(self) -> set[str]:
        """The canonical names of all fields that are asked of records."""
        found = tree.fields(self.search)
        for stage in self.stages:
            found |= _asked(stage)
            if isinstance(stage, (Stats, Top, Timechart)):
                break
        return found - {""}


def _asked(stage: Stage) -> set[str]:
    match stage:
        case Where(condition):
            return tree.fields(condition)
        case Stats(figures, by):
            return {figure.field for figure in figures} | {key.field for key in by}
        case Timechart(figures, by):
            return {figure.field for figure in figures} | ({by.field} if by else set())
        case Top(_, key):
            return {key.field}
        case Sort(keys):
            return {key.key.field for key in keys}
        case Fields(keys) | Dedup(keys):
            return {key.field for key in keys}
        case _:
            return set()
