"""The calls of Kinesis that reading a stream takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from logship.cloudwatch.permissions import allow, stream_arn
from logship.errors import UnknownGroupError, UsageError

if TYPE_CHECKING:
    from logship.cloudwatch.paging import Retry
    from logship.forward.sources.kinesis.place import Place


@dataclass(frozen=True, slots=True)
class Listed:
    """A shard of the listing."""

    name: str
    parents: tuple[str, ...] = ()
    """The shards it was split off or merged from; they may have expired."""
    first: str = ""
    """Where its sequence numbers begin; "" where that is not told."""
    is_open: bool = True
    """Whether it may still get records."""

    def has(self, place: Place) -> bool:
        """Whether a place lies in this shard, and not in one of a stream of the same name that was there before.

        Sequence numbers grow with time. A shard of which nothing was read has none: it has not ended while it is open.
        """
        if place.after and self.first:
            return int(place.after) >= int(self.first)
        return not (place.ended and self.is_open)


class Stream:
    """A data stream.

    Args:
        client: of Kinesis, which tries each request once.
        stream: name or ARN.
    """

    def __init__(self, client: Any, stream: str) -> None:
        self.name = stream.rsplit("/", 1)[-1]
        self._client = client
        self._arn = stream_arn(stream, client.meta.region_name)
        self._which = {"StreamARN": stream} if stream.startswith("arn:") else {"StreamName": stream}

    def needs(self, call: str) -> dict[str, Any]:
        """The statement of a policy that permits a call on it."""
        return allow(f"kinesis:{call}", self._arn)

    def shards(self, retry: Retry) -> list[Listed]:
        """All shards that hold records, closed ones included.

        Raises:
            UsageError: there is no such stream.
            Stopped, LogshipError: see `Retry.call`.
        """
        request: dict[str, Any] = dict(self._which)
        found: list[Listed] = []
        while True:
            try:
                page = retry.call(
                    f"Kinesis stream {self.name!r}", self._client.list_shards, needs=self.needs("ListShards"), **request
                )
            except UnknownGroupError:
                raise UsageError(
                    f"there is no Kinesis stream {self.name!r} in {self._client.meta.region_name}; "
                    "list them with: aws kinesis list-streams"
                ) from None
            found += map(_listed, page["Shards"])
            if not page.get("NextToken"):
                return found
            request = {"NextToken": page["NextToken"]}

    def iterator(self, shard: str, place: Place) -> str:
        """Where GetRecords begins for a place. What the SDK raises is raised."""
        answer = self._client.get_shard_iterator(ShardId=shard, **self._which, **place.iterator())
        return str(answer["ShardIterator"])

    def page(self, iterator: str, limit: int) -> dict[str, Any]:
        """The next records. What the SDK raises is raised."""
        which = self._which if "StreamARN" in self._which else {}
        answer: dict[str, Any] = self._client.get_records(ShardIterator=iterator, Limit=limit, **which)
        return answer


def _listed(shard: dict[str, Any]) -> Listed:
    parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
    numbers = shard.get("SequenceNumberRange", {})
    return Listed(
        shard["ShardId"],
        tuple(parent for parent in parents if parent),
        numbers.get("StartingSequenceNumber", ""),
        "EndingSequenceNumber" not in numbers,
    )
