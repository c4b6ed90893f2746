"""Records that are alike, field by field: work on a whole column costs half of what it costs by the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from logship.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PLAIN_CHARS: Final = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What is known beforehand of all records of a table, so that their values need no second look.

    Their maps have these names in this order, with values of these types; where a type is float, some may be int.
    Every text in them but the line itself, and every id, is ASCII of at most `PLAIN_CHARS` characters; whole numbers
    are less than 2**53 either way, others finite.
    """

    resource: dict[str, type]
    attributes: dict[str, type]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Records of one shape. Each column has a value for each of them, in one order."""

    shape: Shape
    ids: Sequence[str]
    times_us: Sequence[int]
    bodies: Sequence[str]
    severities: Sequence[str]
    observed_ms: Sequence[int]
    trace_ids: Sequence[str]
    span_ids: Sequence[str]
    parent_span_ids: Sequence[str]
    resource: Sequence[Sequence[Any]]
    """A column for each name of the shape."""
    attributes: Sequence[Sequence[Any]]

    def __len__(self) -> int:
        return len(self.ids)

    def records(self) -> list[Record]:
        """The same one by one."""
        columns = (
            self.ids,
            self.times_us,
            self.bodies,
            self.severities,
            self.observed_ms,
            self.trace_ids,
            self.span_ids,
            self.parent_span_ids,
            _maps(self.shape.resource, self.resource),
            _maps(self.shape.attributes, self.attributes),
        )
        return list(map(Record, *columns))


def _maps(names: Iterable[str], columns: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
