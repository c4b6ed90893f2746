"""One shard: what has been read of it, what of that is stored, and how much to ask for next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.backoff import backoff_s
from logship.forward.port import Batch
from logship.forward.sources import subscription
from logship.forward.sources.kinesis.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from logship.forward.letters.dead_letters import DeadLetter
    from logship.forward.sources.unpacking import BadPayload
    from logship.record import LogEvent

SHARD_BYTES_PER_S: Final = 2_000_000
"""Amazon Kinesis, "Quotas and limits": 2 MB a second of a shard, shared by all its consumers."""
SHARD_CALLS_PER_S: Final = 5
"""The same page: five GetRecords a second of a shard."""
MAX_RECORDS: Final = 10_000
"""GetRecords, `Limit`."""
_FIRST_RECORDS: Final = 100
_PAGE_BYTES: Final = 2 * 2**20
"""What a page should hold: so many threads times this, unpacked some ten times, is the memory of reading."""
_BATCH_CHARACTERS: Final = 2 * 2**20


class Shard:
    """A shard that is being read. One thread reads it, another acknowledges.

    Args:
        name: its id.
        stream: the name of its stream.
        place: where reading begins.
        version: of its checkpoint.
    """

    def __init__(self, name: str, stream: str, place: Place, version: int) -> None:
        self.name, self.version = name, version
        self.read = self.stored = self._saved = place
        self.iterator: str | None = None
        self.limit = _FIRST_RECORDS
        self.lag_ms: int | None = None
        """How far the last page lay behind the newest record; None before the first page."""
        self.caught_up = False
        self.failures = 0
        self.closed = False
        """Whether it has been let go: what is still acknowledged then is nobody's."""
        self._group = f"kinesis:{stream}"

    def batches(self, page: dict[str, Any], keep: Callable[[Sequence[DeadLetter]], object]) -> Iterator[Batch]:
        """What a page holds, as batches that move the shard on when they are stored.

        Args:
            page: the answer of GetRecords.
            keep: takes payloads that cannot be read, before the shard moves past them.
        """
        events: list[LogEvent] = []
        held = 0
        for record in page["Records"]:
            found = subscription.read(record["Data"])
            if found.bad:
                keep(self._letters(record, found.bad))
            events += found.events
            held += sum(len(event.message) for event in found.events)
            self.read = Place(after=record["SequenceNumber"])
            if held >= _BATCH_CHARACTERS:
                yield self._batch(events)
                events, held = [], 0
        ended = not page.get("NextShardIterator")
        if ended:
            self.read = replace(self.read, ended=True)
        if page["Records"] or ended:
            yield self._batch(events)

    def _batch(self, events: list[LogEvent]) -> Batch:
        place = self.read

        def stored() -> None:
            self.stored = place

        return Batch(events, stored)

    def _letters(self, record: dict[str, Any], bad: Sequence[BadPayload]) -> list[DeadLetter]:
        arrived_ms = int(record["ApproximateArrivalTimestamp"].timestamp() * 1000)
        return [
            subscription.letter(
                part,
                group=self._group,
                stream=self.name,
                timestamp_ms=arrived_ms,
                event_id=f"{record['SequenceNumber']}-{number}",
            )
            for number, part in enumerate(bad)
        ]

    def pace(self, page: dict[str, Any], interval_s: float) -> float:
        """Seconds between the call that gave a page and the next one; also fits the size of the next page."""
        self.lag_ms = int(page.get("MillisBehindLatest") or 0)
        sizes = [len(record["Data"]) for record in page["Records"]]
        if size := sum(sizes):
            self.limit = min(max(_PAGE_BYTES * len(sizes) // size, 1), MAX_RECORDS)
        share_s = max(1 / SHARD_CALLS_PER_S, size / SHARD_BYTES_PER_S)
        return share_s if self.lag_ms else max(share_s, interval_s)

    def back_off(self) -> float:
        """Seconds until a call that failed is tried again, with full jitter."""
        self.failures += 1
        least_s = 1 / SHARD_CALLS_PER_S
        return max(least_s, backoff_s(self.failures, first_s=least_s))

    def to_save(self) -> Place | None:
        """The stored place, if it has moved since it was last saved."""
        return None if self.closed or self.stored == self._saved else self.stored

    def saved(self, place: Place, version: int) -> None:
        """A place has been saved."""
        self._saved, self.version = place, version
