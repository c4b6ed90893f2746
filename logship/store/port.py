"""The port every store stands behind: one writer, one reader, and the values they exchange.

Not promised: that records added but not committed are visible, or that they survive a crash; that
`existing` is counted (a store may answer 0); that histogram bars without records are listed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from logship.query.tree import Node
    from logship.record import Record
    from logship.table import Table
    from logship.timerange import TimeRange

Cursor = tuple[int, str]
"""`Record.order` of the last record seen; an id of "" stands before all ids of that time."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that the store can never take, and why."""

    record: Record
    reason: str


@dataclass(frozen=True, slots=True)
class AddResult:
    """What became of a batch; the three counts add up to its length."""

    accepted: int
    existing: int = 0
    """Records whose id was there already: success."""
    rejected: tuple[Rejected, ...] = ()
    refused: int = 0
    """How often a record was refused for now, and sent again by `add` itself."""
    round_trip_s: float | None = None
    """How long the store took to answer one request; None where there are no requests."""


class StoreWriter(Protocol):
    """Takes records with create semantics: an id that is already there is left as it is."""

    def add(self, records: Sequence[Record]) -> AddResult:
        """Takes a batch. What is accepted is safe and visible after the next `commit` only.

        Raises:
            BusyError: a part was taken, the rest should be added later.
            ConnectError, DiskFullError: add all of it again later.
        """

    def commit(self) -> None:
        """Makes everything added before durable and visible to readers.

        Raises:
            DiskFullError, StoreError: nothing since the last commit is promised; add it again.
        """

    def close(self) -> None:
        """Commits and lets go of the store."""


Encoded = TypeVar("Encoded")


@runtime_checkable
class RequestWriter(StoreWriter, Protocol[Encoded]):
    """A writer that takes several requests at once. What it has taken is safe; `commit` only makes it visible."""

    parallel: int
    """How many requests may be under way at once."""

    def encode(self, records: Sequence[Record], tables: Sequence[Table] = ()) -> Encoded:
        """Makes what `send` takes, which is most of the work; any thread may.

        Args:
            records: one by one.
            tables: more of them, by the column.

        Raises:
            ConnectError: try again later.
        """

    def send(self, encoded: Sequence[Encoded]) -> AddResult:
        """Adds what `encode` made; several threads may.

        Raises:
            BusyError: a part was taken; its `rest` should be sent later.
            ConnectError, DiskFullError: send all of it again later.
        """


def never() -> bool:
    """The default answer to "has the caller given up?"."""
    return False


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram: the records of [start_us, start_us + interval)."""

    start_us: int
    count: int
    by: dict[str, int] = field(default_factory=dict)
    """Counts by level, if asked; "" is the unknown level."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a group of records.

    `count` counts records, or with a field those that have it; `distinct` counts a field's different values,
    within 3 % beyond 10,000 of them. The others are over the field's numbers: the exact ones, and `percentile`
    within 1 % of a measured value.
    """

    function: Literal["count", "distinct", "min", "max", "sum", "avg", "percentile"]
    field: str = ""
    """Canonical name; "" for the count of records."""
    percent: float = 0.0
    """0 to 100; of `percentile` alone."""


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of the records that share a bin of time and the values of some fields."""

    start_us: int | None
    """Where the bin starts; None without bins."""
    keys: tuple[str, ...]
    """The value of each field as text, as `terms` gives it."""
    values: tuple[float | None, ...]
    """One a measure, in their order; None where the group has no number."""


MOST_GROUPS: Final = 50_000
"""More groups than that are refused: nobody reads them, and they cost memory."""


class StoreReader(Protocol):
    """Answers queries from one snapshot, which moves only by `refresh`.

    `within` None means the whole store. `stop` is asked now and then by work that may take long; when it
    answers true the method raises `Cancelled`.
    """

    def search(
        self,
        query: Node,
        within: TimeRange | None = None,
        *,
        limit: int,
        after: Cursor | None = None,
        newest_first: bool = True,
        fields: Sequence[str] | None = None,
        stop: Callable[[], bool] = never,
    ) -> list[Record]:
        """The next `limit` records in order of (`@timestamp`, `_id`), behind `after`.

        `fields` are the canonical names that the caller will show; a store may leave the others out.
        """

    def ordered(
        self,
        query: Node,
        field_name: str,
        within: TimeRange | None = None,
        *,
        limit: int,
        descending: bool = True,
        stop: Callable[[], bool] = never,
    ) -> list[Record]:
        """The first `limit` records in order of a field's value.

        Numbers come before text, and records without a value last, in both directions; levels go by their
        severity. Of several values the least counts, or the greatest when descending. Ties come newest first.
        """

    def scan(self, query: Node, within: TimeRange | None = None, *, newest_first: bool = False) -> Iterator[Record]:
        """All matching records in order, in constant memory."""

    def count(self, query: Node, within: TimeRange | None = None, *, stop: Callable[[], bool] = never) -> int:
        """How many records match, exactly."""

    def histogram(
        self,
        query: Node,
        within: TimeRange,
        interval_us: int,
        *,
        by_severity: bool = False,
        stop: Callable[[], bool] = never,
    ) -> list[Bar]:
        """Counts per interval, oldest first; bars start at multiples of the interval since 1970."""

    def terms(
        self, query: Node, field_name: str, within: TimeRange | None = None, *, size: int = 10
    ) -> list[tuple[str, int]]:
        """The most frequent values of a field (canonical name) with their counts; ties by value."""

    def percentiles(
        self, query: Node, field_name: str, within: TimeRange | None = None, *, percents: Sequence[float], by: str = ""
    ) -> dict[str, dict[float, float]]:
        """Percentiles of a numeric field within 1 %, per value of the field `by` ("" = one group named "")."""

    def aggregate(
        self,
        query: Node,
        within: TimeRange | None = None,
        *,
        measures: Sequence[Measure],
        by: Sequence[str] = (),
        bin_us: int = 0,
        stop: Callable[[], bool] = never,
    ) -> list[Group]:
        """Figures per group, in order of (start, keys); `bin_us` 0 means no bins.

        Records without a value of a field of `by` are in no group; one with several values is in several.
        Without `by` and bins there is one group, also when nothing matches. Bins start at multiples of their
        length since 1970.

        Raises:
            TooManyGroupsError: over `MOST_GROUPS` groups.
        """

    def extent(self) -> TimeRange | None:
        """From the oldest to just behind the newest record; None for an empty store."""

    def field_names(self) -> list[str]:
        """Canonical names of the fields that records of this store have, sorted."""

    def status(self) -> dict[str, Any]:
        """Facts for people: `records`, `size_bytes`, `location`."""

    def explain(self, query: Node, within: TimeRange | None = None) -> list[str]:
        """Lines for people: the engine's own query, whether it is exact, and what of the store it touches."""

    def refresh(self) -> bool:
        """Moves the snapshot to the last commit; true when that changed anything."""

    def close(self) -> None:
        """Lets go of files and connections."""


class Cancelled(Exception):  # noqa: N818 - an outcome, not an error
    """The caller's `stop` answered true."""
