"""One forwarder of several that share a table: what `logship forward` does, into a store that counts over HTTP.

Usage: python fleet_process.py CLOUDWATCH_URL DYNAMODB_URL STORE_URL STATE_DIR START_MS
"""

from __future__ import annotations

import http.client
import json
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from logship.cloudwatch.client import logs_client
from logship.errors import ConnectError
from logship.forward.between.prepare import Preparer
from logship.forward.checkpoints.dynamodb import DynamoCheckpoints, dynamodb_client
from logship.forward.letters.dead_letters import DeadLetters
from logship.forward.run import Forwarder
from logship.forward.sources.poll.poller import CloudWatchPoller, Polled
from logship.parse import Parser
from logship.store.port import AddResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.record import Record

TABLE = "checkpoints"


class CountingStore:
    """The writer of the test's store: ids with create semantics, see `fleet.Store`."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)

    def add(self, records: Sequence[Record]) -> AddResult:
        body = json.dumps([(record.id, record.body) for record in records])
        try:
            self._connection.request("POST", "/add", body)
            answer = json.loads(self._connection.getresponse().read())
        except OSError as error:
            self._connection.close()
            raise ConnectError(f"the store: {error}") from error
        return AddResult(answer["accepted"], answer["existing"])

    def commit(self) -> None:
        """What was added is kept."""

    def close(self) -> None:
        self._connection.close()


def say(text: str) -> None:
    print(f"{time.time():.1f} {text}", file=sys.stderr, flush=True)


def main(cloudwatch: str, dynamodb: str, store: str, state: str, start_ms: str) -> None:
    stop = threading.Event()

    def end(number: int, frame: Any) -> None:
        del number, frame
        stop.set()

    signal.signal(signal.SIGTERM, end)
    checkpoints = DynamoCheckpoints(
        dynamodb_client(endpoint_url=dynamodb), TABLE, store="counting", state=state, say=say
    )
    dead_letters, writer = DeadLetters(state), CountingStore(store)
    wanted = Polled(groups=["/shop/*"], start_ms=int(start_ms), interval_s=0.5, tps=20)
    poller = CloudWatchPoller(logs_client(endpoint_url=cloudwatch), checkpoints, wanted, say=say)
    try:
        counts = Forwarder([poller], writer, Preparer(Parser()), dead_letters, stop=stop, say=say).run()
    finally:
        checkpoints.close()
        dead_letters.close()
        writer.close()
    say(f"{counts.stored} stored, {counts.existing} there already")


if __name__ == "__main__":
    main(*sys.argv[1:])
