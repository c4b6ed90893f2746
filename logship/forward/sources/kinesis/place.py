"""Where reading a shard stands, and the text that keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from logship.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A position in a shard."""

    after: str = ""
    """Sequence number of the last record before it; "" while none has been read."""
    start_ms: int | None = None
    """Where a shard of which nothing has been read begins, milliseconds since 1970; None is its oldest record."""
    ended: bool = False
    """Whether the shard is closed and nothing follows."""

    def iterator(self) -> dict[str, Any]:
        """What GetShardIterator is asked for."""
        if self.after:
            return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": self.after}
        if self.start_ms is not None:
            return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": self.start_ms / 1000}
        return {"ShardIteratorType": "TRIM_HORIZON"}

    def dumps(self) -> str:
        """The text of a checkpoint."""
        return json.dumps(asdict(self))


def loads(text: str, key: str) -> Place:
    """The place that a checkpoint's text stands for.

    Raises:
        DataError: it stands for none.
    """
    try:
        found = json.loads(text)
        after, start_ms, ended = str(found["after"]), found["start_ms"], bool(found["ended"])
        return Place(after=after, start_ms=start_ms if start_ms is None else int(start_ms), ended=ended)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"the checkpoint {key!r} cannot be read ({error}); name another --state to begin anew"
        ) from None
