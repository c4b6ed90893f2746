"""The DynamoDB table of checkpoints: its items, and the conditions that each change is made on.

Items, by partition key `pk` and sort key `sk`:

* ``worker``, NAME: `beat` and `asks` of a worker;
* ``key#KEY``, ``checkpoint``: `owner`, `token`, `version` and `text` of a key;
* ``fact``, ``store``: the `text` that names the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from logship.errors import DataError
from logship.forward.checkpoints.dynamodb_errors import explained
from logship.forward.checkpoints.leases import Entry, Lease, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_KEY: Final = "key#"
_CHECKPOINT: Final = "checkpoint"
_NAMES: Final = {f"#{name}": name for name in ("pk", "sk", "beat", "asks", "owner", "token", "version", "text")}
"""Several of these are words of DynamoDB's own."""


class DynamoTable:
    """A LeaseTable in DynamoDB.

    Args:
        client: of DynamoDB; it tries each request a few times.
        name: the table's.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._table = client, name

    # Workers

    def enter(self, worker: str) -> None:
        """Makes the row of a new worker; see the port."""
        item = {"pk": {"S": "worker"}, "sk": {"S": worker}, "beat": {"N": "0"}, "asks": {"L": []}}
        with self._explained():
            self._client.put_item(TableName=self._table, Item=item)

    def beat(self, worker: str, beat: int, asks: Sequence[str]) -> bool:
        """Moves a worker's counter on; see the port."""
        found = self._update(
            ("worker", worker),
            "SET #beat = :beat, #asks = :asks",
            # A try that was given up and arrives late must not move the counter back.
            "attribute_exists(#pk) AND #beat <= :beat",
            {":beat": _number(beat), ":asks": {"L": [{"S": key} for key in asks]}},
        )
        return found is None

    def bury(self, worker: str, beat: int) -> bool:
        """Deletes a worker's row if its counter stands there; see the port."""
        with self._explained():
            try:
                self._client.delete_item(
                    TableName=self._table,
                    Key=_item_key("worker", worker),
                    ConditionExpression="#beat = :beat",
                    ExpressionAttributeNames={"#beat": "beat"},
                    ExpressionAttributeValues={":beat": _number(beat)},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def leave(self, worker: str) -> None:
        """Deletes a worker's row; see the port."""
        with self._explained():
            self._client.delete_item(TableName=self._table, Key=_item_key("worker", worker))

    def workers(self) -> dict[str, Row]:
        """The rows of all workers, as they are now."""
        request = {
            "KeyConditionExpression": "#pk = :worker",
            "ExpressionAttributeNames": {"#pk": "pk"},
            "ExpressionAttributeValues": {":worker": {"S": "worker"}},
            "ConsistentRead": True,
        }
        return {item["sk"]["S"]: self._row(item) for item in self._pages(self._client.query, request)}

    # Keys

    def leases(self) -> dict[str, Lease]:
        """All keys that somebody has or had; what changed in the last second may not show."""
        request = {
            "FilterExpression": "#sk = :checkpoint",
            "ProjectionExpression": "#pk, #owner, #token",
            "ExpressionAttributeNames": {name: _NAMES[name] for name in ("#pk", "#sk", "#owner", "#token")},
            "ExpressionAttributeValues": {":checkpoint": {"S": _CHECKPOINT}},
        }
        items = self._pages(self._client.scan, request)
        return {item["pk"]["S"].removeprefix(_KEY): self._lease(item) for item in items}

    def take(self, key: str, seen: Lease | None, worker: str) -> bool:
        """Makes a worker the owner, with the next token; see the port."""
        mine = Lease(worker, seen.token + 1 if seen else 1)
        values = {":owner": {"S": worker}, ":token": _number(mine.token), ":zero": _number(0)}
        if seen is None:
            condition = "attribute_not_exists(#pk)"
        else:
            condition = f"{'#owner = :old' if seen.owner else 'attribute_not_exists(#owner)'} AND #token = :before"
            values |= {":before": _number(seen.token)} | ({":old": {"S": seen.owner}} if seen.owner else {})
        change = "SET #owner = :owner, #token = :token, #version = if_not_exists(#version, :zero)"
        found = self._update((_KEY + key, _CHECKPOINT), change, condition, values)
        return found is None or (bool(found) and self._lease(found) == mine)  # the first of two tries was made

    def release(self, key: str, lease: Lease) -> None:
        """Makes a key free if the lease is still that one."""
        values = {":owner": {"S": lease.owner}, ":token": _number(lease.token)}
        self._update((_KEY + key, _CHECKPOINT), "REMOVE #owner", "#owner = :owner AND #token = :token", values)

    def load(self, key: str) -> Entry | None:
        """What is kept of a key, as it is now."""
        with self._explained():
            answer = self._client.get_item(
                TableName=self._table, Key=_item_key(_KEY + key, _CHECKPOINT), ConsistentRead=True
            )
        return self._entry(answer["Item"]) if "Item" in answer else None

    def save(self, key: str, value: str, version: int, lease: Lease) -> Entry | None:
        """Keeps a checkpoint if version and lease are still those; see the port."""
        values = {
            ":text": {"S": value},
            ":before": _number(version),
            ":version": _number(version + 1),
            ":owner": {"S": lease.owner},
            ":token": _number(lease.token),
        }
        found = self._update(
            (_KEY + key, _CHECKPOINT),
            "SET #text = :text, #version = :version",
            "#version = :before AND #owner = :owner AND #token = :token",
            values,
        )
        if found is None:
            return None
        return self._entry(found) if found else Entry(None, 0, Lease("", 0))

    def store(self, store: str) -> str:
        """Which store the table is about; the given one if it was about none."""
        with self._explained():
            item = {**_item_key("fact", "store"), "text": {"S": store}}
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(#pk)",
                    ExpressionAttributeNames={"#pk": "pk"},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                key = _item_key("fact", "store")
                item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", item)
        return str(self._read(item, "text", "S"))

    # Requests and items

    def _explained(self) -> Any:
        return explained(self._client, self._table)

    def _update(
        self, key: tuple[str, str], change: str, condition: str, values: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Changes an item; None, or if the condition does not hold, the item as it is ({} if there is none)."""
        with self._explained():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_item_key(*key),
                    UpdateExpression=change,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={n: w for n, w in _NAMES.items() if n in f"{change} {condition}"},
                    ExpressionAttributeValues=values,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as error:
                found: dict[str, Any] = error.response.get("Item", {})
                return found
        return None

    def _pages(self, call: Any, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        while True:
            with self._explained():
                page = call(TableName=self._table, **request)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request = {**request, "ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _row(self, item: dict[str, Any]) -> Row:
        asks = self._read(item, "asks", "L")
        return Row(int(self._read(item, "beat", "N")), tuple(key["S"] for key in asks if "S" in key))

    def _lease(self, item: dict[str, Any]) -> Lease:
        owner = self._read(item, "owner", "S") if "owner" in item else ""
        return Lease(owner, int(self._read(item, "token", "N")))

    def _entry(self, item: dict[str, Any]) -> Entry:
        text = self._read(item, "text", "S") if "text" in item else None
        return Entry(text, int(self._read(item, "version", "N")), self._lease(item))

    def _read(self, item: dict[str, Any], name: str, kind: str) -> Any:
        try:
            return item[name][kind]
        except KeyError:
            key = "/".join(item.get(part, {}).get("S", "?") for part in ("pk", "sk"))
            raise DataError(
                f"the item {key!r} of the DynamoDB table {self._table!r} has no readable {name!r}; "
                "delete the item, or name another table under [forward] checkpoints"
            ) from None


def _item_key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}
