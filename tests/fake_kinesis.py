"""A Kinesis on loopback whose shards close, end and have children as AWS documents it."""

from __future__ import annotations

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config

from tests import fake_aws

if TYPE_CHECKING:
    from tests.fake_aws import Request


class Refusal(Exception):  # noqa: N818 - what the service answers
    """An answer of status 400."""


@dataclass
class FakeShard:
    """A shard and its records: (sequence number, seconds since 1970, bytes)."""

    name: str
    parents: tuple[str, ...] = ()
    records: list[tuple[int, float, bytes]] = field(default_factory=list)
    closed: bool = False
    first: int = 0
    """No record of it has a smaller sequence number."""


class FakeKinesis:
    """One stream, ``logs``.

    Args:
        shards: how many it begins with.
        page_size: how many shards a page of ListShards has.
    """

    def __init__(self, shards: int = 1, page_size: int = 100) -> None:
        self.shards: dict[str, FakeShard] = {}
        self.page_size = page_size
        self.refusals: list[tuple[str, str]] = []
        """(operation, code): each refuses one request."""
        self.expired: set[str] = set()
        """Iterators that are no longer good."""
        self.deleted = False
        """Whether there is no such stream now."""
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._number = 49_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000
        self._lock = threading.Lock()
        for _ in range(shards):
            self.add()

    def __enter__(self) -> Self:
        self._endpoint = fake_aws.endpoint(self._answer)
        self.url = self._endpoint.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._endpoint.__exit__(None, None, None)

    def client(self) -> Any:
        """A client that tries each request once."""
        return boto3.client(
            "kinesis", endpoint_url=self.url, region_name="eu-west-1", aws_access_key_id="t",
            aws_secret_access_key="t", config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip

    def add(self, *parents: str) -> str:
        """A new shard; its parents are closed."""
        with self._lock:
            name = f"shardId-{len(self.shards):012d}"
            self.shards[name] = FakeShard(name, parents, first=self._number + 1)
            for parent in parents:
                self.shards[parent].closed = True
            return name

    def make_anew(self) -> str:
        """Another stream of that name, of one shard, which is open and empty."""
        with self._lock:
            self.shards.clear()
            self._number += 1_000
        self.deleted = False
        return self.add()

    def put(self, shard: str, data: bytes, *, at_s: float | None = None) -> str:
        """A record at the end of a shard; its sequence number."""
        with self._lock:
            self._number += 1
            assert not self.shards[shard].closed
            self.shards[shard].records.append((self._number, time.time() if at_s is None else at_s, data))
            return str(self._number)

    def _answer(self, request: Request) -> tuple[int, bytes]:
        operation, asked = request.target.partition(".")[2], json.loads(request.body)
        with self._lock:
            self.asked.append((operation, asked))
            try:
                self._refuse(operation)
                return 200, json.dumps(getattr(self, "_" + operation)(asked)).encode()
            except Refusal as refusal:
                return 400, json.dumps({"__type": str(refusal), "message": "refused"}).encode()

    def _refuse(self, operation: str) -> None:
        if self.deleted:
            raise Refusal("ResourceNotFoundException")
        for refusal in self.refusals:
            if refusal[0] == operation:
                self.refusals.remove(refusal)
                raise Refusal(refusal[1])

    def _ListShards(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if asked.get("StreamName", "logs") != "logs":
            raise Refusal("ResourceNotFoundException")
        begin = int(asked.get("NextToken", 0))
        page = list(self.shards.values())[begin : begin + self.page_size]
        more = begin + self.page_size < len(self.shards)
        return {"Shards": [_listed(shard) for shard in page]} | (
            {"NextToken": str(begin + self.page_size)} if more else {}
        )

    def _GetShardIterator(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        shard = self.shards.get(asked["ShardId"])
        if shard is None:
            raise Refusal("ResourceNotFoundException")
        kind, at = asked["ShardIteratorType"], 0
        if kind == "AFTER_SEQUENCE_NUMBER":
            numbers = [str(number) for number, _, _ in shard.records]
            if asked["StartingSequenceNumber"] not in numbers:
                raise Refusal("InvalidArgumentException")
            at = numbers.index(asked["StartingSequenceNumber"]) + 1
        elif kind == "AT_TIMESTAMP":
            at = sum(arrived < asked["Timestamp"] for _, arrived, _ in shard.records)
        return {"ShardIterator": f"{shard.name}/{at}/{len(self.asked)}"}

    def _GetRecords(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        iterator = asked["ShardIterator"]
        if iterator in self.expired:
            raise Refusal("ExpiredIteratorException")
        name, at, _ = iterator.split("/")
        shard, begin = self.shards[name], int(at)
        found = shard.records[begin : begin + asked["Limit"]]
        end = begin + len(found)
        left = shard.records[end:]
        answer: dict[str, Any] = {
            "Records": [
                {
                    "SequenceNumber": str(number),
                    "ApproximateArrivalTimestamp": arrived,
                    "Data": base64.b64encode(data).decode(),
                    "PartitionKey": "p",
                }
                for number, arrived, data in found
            ],
            "MillisBehindLatest": int((time.time() - left[0][1]) * 1000) + 1 if left else 0,
        }
        if shard.closed and not left:
            children = [child for child in self.shards.values() if name in child.parents]
            answer["ChildShards"] = [
                {"ShardId": child.name, "ParentShards": list(child.parents), "HashKeyRange": _RANGE}
                for child in children
            ]
        else:
            answer["NextShardIterator"] = f"{name}/{end}/{len(self.asked)}"
        return answer


_RANGE = {"StartingHashKey": "0", "EndingHashKey": "1"}


def _listed(shard: FakeShard) -> dict[str, Any]:
    parents = dict(zip(("ParentShardId", "AdjacentParentShardId"), shard.parents, strict=False))
    ends = {"EndingSequenceNumber": str(max([shard.first, *(number for number, _, _ in shard.records)]))}
    return {
        "ShardId": shard.name,
        "HashKeyRange": _RANGE,
        "SequenceNumberRange": {"StartingSequenceNumber": str(shard.first), **(ends if shard.closed else {})},
        **parents,
    }
