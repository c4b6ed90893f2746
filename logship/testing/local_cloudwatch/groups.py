"""What a log group holds: its events in the order the API gives them out, each serialised once."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship.cloudwatch import limits
from logship.record import LogEvent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

REGION: Final = "us-east-1"
Position = tuple[int, int]
"""(timestamp in ms, sequence number): where a page begins or ends."""


@dataclass(slots=True)
class Stream:
    """One log stream."""

    name: str
    created_ms: int
    number: int
    first_ms: int | None = None
    last_ms: int | None = None
    ingested_ms: int | None = None
    stored_bytes: int = 0


@dataclass(slots=True)
class Group:
    """One log group. Events stand in order of (timestamp, ingestion time, sequence)."""

    name: str
    account: str
    created_ms: int
    log_class: str = "STANDARD"
    kms_key_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    retention_days: int | None = None
    streams: dict[str, Stream] = field(default_factory=dict)
    stored_bytes: int = 0
    _times: array[int] = field(default_factory=lambda: array("q"))
    _sequence: array[int] = field(default_factory=lambda: array("q"))
    _visible: array[int] = field(default_factory=lambda: array("q"))
    _stream_of: array[int] = field(default_factory=lambda: array("l"))
    _rows: list[bytes] = field(default_factory=list)
    _latest_visible_ms: int = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def arn(self) -> str:
        """Without the ``:*`` at its end."""
        return f"arn:aws:logs:{REGION}:{self.account}:log-group:{self.name}"

    def put(
        self, stream: Stream, timestamp_ms: int, message: str, *, now_ms: int, visible_ms: int, number: int
    ) -> None:
        """Takes an event in, at its place."""
        row = orjson.dumps(
            {
                "logStreamName": stream.name,
                "timestamp": timestamp_ms,
                "message": message,
                "ingestionTime": now_ms,
                # 56 digits, as the service's ids have; no two accounts give the same
                "eventId": f"3{timestamp_ms:019d}{self.account}{number:024d}",
            }
        )
        at = len(self._rows)
        if at and timestamp_ms < self._times[-1]:
            at = bisect_right(self._times, timestamp_ms)
        self._times.insert(at, timestamp_ms)
        self._sequence.insert(at, number)
        self._visible.insert(at, visible_ms)
        self._stream_of.insert(at, stream.number)
        # A copy, since the serialiser's own buffer is larger than what it holds.
        self._rows.insert(at, b"%b" % row)
        self._latest_visible_ms = max(self._latest_visible_ms, visible_ms)
        size = len(row)
        self.stored_bytes += size
        stream.stored_bytes += size
        stream.first_ms = timestamp_ms if stream.first_ms is None else min(stream.first_ms, timestamp_ms)
        stream.last_ms = timestamp_ms if stream.last_ms is None else max(stream.last_ms, timestamp_ms)
        stream.ingested_ms = now_ms

    def page(
        self,
        start: Position,
        end: Position,
        *,
        streams: AbstractSet[int] | None,
        now_ms: int,
        limit: int,
        from_head: bool,
    ) -> tuple[list[bytes], Position | None]:
        """Events of [start, end) within the limits of a page, and where the next page begins; None at the end."""
        low, high = self._index(start), self._index(end)
        chosen: list[int] | range = range(low, high) if from_head else range(high - 1, low - 1, -1)
        whole = streams is None and self._latest_visible_ms <= now_ms
        rows: list[bytes] = []
        size = 0
        for index in chosen:
            if not whole and (
                self._visible[index] > now_ms or (streams is not None and self._stream_of[index] not in streams)
            ):
                continue
            size += len(self._rows[index]) + 1
            if len(rows) == limit or (rows and size > limits.MAX_PAGE_BYTES):
                return rows, self._position(index if from_head else index + 1)
            rows.append(self._rows[index])
        return rows, None

    def _index(self, position: Position) -> int:
        low = bisect_left(self._times, position[0])
        high = bisect_right(self._times, position[0], low)
        return bisect_left(self._sequence, position[1], low, high)

    def _position(self, index: int) -> Position:
        return self._times[index], self._sequence[index]

    def events(self) -> Iterator[LogEvent]:
        """Everything that was taken in, visible or not."""
        for row in self._rows:
            found: dict[str, Any] = orjson.loads(row)
            yield LogEvent(
                self.name,
                found["logStreamName"],
                found["timestamp"],
                found["message"],
                found["eventId"],
                found["ingestionTime"],
            )
