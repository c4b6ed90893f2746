"""Checkpoints that several processes share: a DynamoDB table, and a thread that keeps this process alive in it."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.client import explained as sdk_explained
from logship.errors import ConnectError, DataError, LogshipError, UsageError
from logship.forward.checkpoints.dynamodb_errors import explained
from logship.forward.checkpoints.dynamodb_table import DynamoTable
from logship.forward.checkpoints.names import Names
from logship.forward.checkpoints.worker import Worker
from logship.forward.news import News

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

_SCHEMA: Final = [("pk", "HASH"), ("sk", "RANGE")]
_READY_TRIES: Final = 120
_READY_WAIT_S: Final = 0.5
_JITTER_S: Final = 0.5
_SHORTEST_PAUSE_S: Final = 0.2
_END_S: Final = 3.0


def dynamodb_client(*, region: str | None = None, endpoint_url: str | None = None) -> Any:
    """A client that answers or fails well before a lease ends: a second try, short time limits.

    Whoever calls tries again anyway, and a process that is told to end must do so in seconds.

    Raises:
        UsageError: no region is known.
        AccessError: no credentials are known.
    """
    from botocore.config import Config

    from logship.cloudwatch.session import open_session, refuse_pages

    config = Config(retries={"total_max_attempts": 2, "mode": "standard"}, connect_timeout=2, read_timeout=3)
    session = open_session(region=region)
    if session.region_name is None:
        raise UsageError("no AWS region is known; set AWS_REGION, or region under [[forward.source]]")
    with sdk_explained("DynamoDB"):
        client = session.client("dynamodb", endpoint_url=endpoint_url, config=config)
    refuse_pages(client)
    return client


class DynamoCheckpoints:
    """One table, many processes, each of which works on its share of the keys.

    Costs, per process and hour: 720 writes and 1,200 reads to stay alive and watch the others; per key that moves a
    write every `save_interval_s` (360); a read of the whole table a minute, and at every change.

    Args:
        client: of DynamoDB, see `dynamodb_client`.
        table: its name; made with on-demand billing if it is not there.
        store: which store the checkpoints are about, in words; "" is not looked at.
        state: the state folder, by which a process that is started again takes up its work at once; None waits
            until the lease of the process before has ended.
        say: told what people should know, a line each.

    Raises:
        ConnectError: DynamoDB does not answer.
        AccessError: not permitted; the message holds the IAM statement.
        DataError: the table is somebody else's, or about another store; the state folder cannot be used.
    """

    save_interval_s: float = 10.0
    share_interval_s: float = 3.0

    def __init__(
        self,
        client: Any,
        table: str,
        *,
        store: str = "",
        state: str | Path | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.place = f"the DynamoDB table {table!r}"
        self._failure: BaseException | None = None
        self._closed = threading.Event()
        make_table(client, table, say)
        items = DynamoTable(client, table)
        if store and (known := items.store(store)) != store:
            raise DataError(
                f"{self.place} is about the store {known!r}, not {store!r}: what it counts as stored is not there; "
                "name another table under [forward] checkpoints"
            )
        self._names = Names(state)
        try:
            if self._names.dead:
                items.leave(self._names.dead)
            self._worker = Worker(items, self._names.new, say=say)
        except BaseException:
            self._names.close()
            raise
        self._thread = threading.Thread(target=self._live, name="logship-lease", daemon=True)
        self._thread.start()

    def load(self, key: str) -> tuple[str, int] | None:
        """The text of a key and its version; see the port."""
        return self._worker.load(key)

    def save(self, key: str, value: str, version: int) -> int:
        """Keeps a text as long as the key is this process's; see the port."""
        self._check()
        return self._worker.save(key, value, version)

    def share(self, keys: Collection[str]) -> set[str]:
        """Which of these keys are this process's now; see the port."""
        self._check()
        return self._worker.share(keys)

    def release(self, key: str) -> None:
        """Another process may take the key."""
        self._worker.release(key)

    def close(self) -> None:
        """Gives every key back; where DynamoDB does not answer, the others take them when the lease has ended."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._thread.join(_END_S)
        self._names.close()

    def _check(self) -> None:
        if self._failure:
            raise self._failure

    def _live(self) -> None:
        """The thread: moves our counter and watches those of the others, and in the end takes our row away."""
        pause_s = self._pause_s()
        try:
            while not self._closed.wait(pause_s):
                self._worker.beat()
                pause_s = self._pause_s()
        except BaseException as error:  # handed to whoever shares or saves next
            self._failure = error
        finally:
            with suppress(LogshipError):  # the others see our counter stand still, and take over all the same
                self._worker.leave()

    def _pause_s(self) -> float:
        jitter_s = random.uniform(0, _JITTER_S)  # noqa: S311 - so that processes do not move in step
        return max(_SHORTEST_PAUSE_S, self._worker.pulse.pause_s - jitter_s)


def make_table(client: Any, table: str, say: Callable[[str], None] = lambda _: None) -> None:
    """Makes the table if it is not there, which is said, and waits until it can be used.

    Raises:
        ConnectError, AccessError: DynamoDB does not answer, or does not permit it.
        DataError: there is such a table, but with other keys.
    """
    with explained(client, table, create=True):
        found = _described(client, table)
        if found is None:
            with suppress(client.exceptions.ResourceInUseException):  # another process is quicker
                client.create_table(
                    TableName=table,
                    KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in _SCHEMA],
                    AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in _SCHEMA],
                    BillingMode="PAY_PER_REQUEST",
                )
                where = f"{table!r} was made in {client.meta.region_name}"
                say(News(f"the DynamoDB table {where}; without checkpoints log groups begin at start"))
        for _ in range(_READY_TRIES):
            found = _described(client, table)
            if found and found["TableStatus"] in {"ACTIVE", "UPDATING"}:
                break
            threading.Event().wait(_READY_WAIT_S)
        else:
            raise ConnectError(f"the DynamoDB table {table!r} is not ready after a minute; try again later")
    schema = [(key["AttributeName"], key["KeyType"]) for key in found["KeySchema"]]
    if schema != _SCHEMA:
        raise DataError(
            f"the DynamoDB table {table!r} has the keys {dict(schema)!r} and not {dict(_SCHEMA)!r}: it is no table of "
            "checkpoints; name another one under [forward] checkpoints"
        )


def _described(client: Any, table: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.describe_table(TableName=table)["Table"]
    except client.exceptions.ResourceNotFoundException:
        return None
    return found
