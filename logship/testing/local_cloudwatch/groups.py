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
    from collections.abc import Iterator, Sequence
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
        self,
        stream: Stream,
        events: Sequence[tuple[int, str]],
        *,
        now_ms: int,
        visible_ms: Sequence[int],
        number: int,
    ) -> None:
        """Takes a batch in, each event at its place.

        Args:
            stream: whose events they are.
            events: (timestamp in ms, message), in order of time.
            now_ms: the service's time.
            visible_ms: from when on each is given out.
            number: of the first; the others count on.
        """
        rows = [*self._rows_of(stream, events, now_ms, number)]
        times = [at for at, _message in events]
        numbers, streams = range(number, number + len(rows)), [stream.number] * len(rows)
        if not self._times or times[0] >= self._times[-1]:
            self._times.extend(times)
            self._sequence.extend(numbers)
            self._visible.extend(visible_ms)
            self._stream_of.extend(streams)
            self._rows += rows
        else:
            for time, event, visible, of_stream, row in zip(times, numbers, visible_ms, streams, rows, strict=True):
                at = bisect_right(self._times, time)
                self._times.insert(at, time)
                self._sequence.insert(at, event)
                self._visible.insert(at, visible)
                self._stream_of.insert(at, of_stream)
                self._rows.insert(at, row)
        self._latest_visible_ms = max(self._latest_visible_ms, *visible_ms)
        size = sum(map(len, rows))
        self.stored_bytes += size
        stream.stored_bytes += size
        stream.first_ms = times[0] if stream.first_ms is None else min(stream.first_ms, times[0])
        stream.last_ms = times[-1] if stream.last_ms is None else max(stream.last_ms, times[-1])
        stream.ingested_ms = now_ms

    def _rows_of(self, stream: Stream, events: Sequence[tuple[int, str]], now_ms: int, number: int) -> Iterator[bytes]:
        """Each event as FilterLogEvents gives it."""
        head = b'{"logStreamName":%b,"timestamp":' % orjson.dumps(stream.name)
        # Ids have 56 digits, as the service's; no two accounts give the same.
        middle, account = b',"ingestionTime":%d,"eventId":"3' % now_ms, self.account.encode()
        for sequence, (at, message) in enumerate(events, number):
            yield b'%b%d,"message":%b%b%019d%b%024d"}' % (
                head,
                at,
                orjson.dumps(message),
                middle,
                at,
                account,
                sequence,
            )

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
