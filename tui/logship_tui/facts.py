"""What the header says of the store; asked for in worker threads alone, since a store may be far away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logship.store.port import StoreReader


@dataclass(frozen=True, slots=True)
class Facts:
    """The state of a store."""

    records: int = 0
    newest_us: int | None = None
    """Time of the newest record; None for an empty store."""


def facts_of(reader: StoreReader) -> Facts:
    """Asks the store."""
    extent = reader.extent()
    return Facts(int(reader.status().get("records", 0)), extent.end_us if extent else None)
