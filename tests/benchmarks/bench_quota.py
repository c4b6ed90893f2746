"""The forwarder under a quota: how much of it backfilling uses, how much is throttled, what idle groups cost, how late."""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
import time
from typing import Any

from logship.cli.diagnostics import expect_many_objects
from logship.forward.between.prepare import Preparer
from logship.forward.checkpoints.sqlite import SqliteCheckpoints
from logship.forward.letters.dead_letters import DeadLetters
from logship.forward.run import Forwarder
from logship.forward.sources.poll.poller import CloudWatchPoller, Polled
from logship.parse import Parser
from logship.wiring import open_writer
from tests.benchmarks.endpoint import client_of, endpoint, line, make, put
from tests.bulk_server import bulk_server

MEGABYTE = 1_000_000


def forwarder(url: str, sink: str, folder: str, *, tps: float, start_ms: int) -> tuple[Forwarder, CloudWatchPoller]:
    """One that is ready to run."""
    wanted = Polled(start_ms=start_ms, interval_s=5.0, tps=tps)
    poller = CloudWatchPoller(client_of(url), SqliteCheckpoints(folder), wanted)
    writer = open_writer(sink, "bench", long_running=True)
    return Forwarder([poller], writer, Preparer(Parser()), DeadLetters(folder)), poller


def run_for(running: Forwarder, seconds: float) -> None:
    """Runs in a thread, and stops it."""
    thread = threading.Thread(target=running.run)
    thread.start()
    running.stop.wait(seconds)
    running.stop.set()
    thread.join()


def backfill(tps: float, seconds: float, size: int) -> None:
    """Twice as much as the quota allows to read in that time."""
    drawn = random.Random(1)
    events = int(2 * tps * seconds * MEGABYTE / (size + 180))
    with (
        endpoint("--tps", str(tps)) as url,
        bulk_server(remember=False) as sink,
        tempfile.TemporaryDirectory() as folder,
    ):
        client, now_ms = client_of(url), int(time.time() * 1000)
        make(client, "/a")
        fill = "x" * max(size - 240, 0)
        messages = [line(number, drawn).replace("finished", "finished" + fill) for number in range(events)]
        put(client, "/a", now_ms - 3_000_000, 2_900_000 / events, messages)
        running, poller = forwarder(url, sink.url, folder, tps=tps, start_ms=now_ms - 3_600_000)
        began_s = time.monotonic()
        run_for(running, seconds)
        took_s = time.monotonic() - began_s
        figures = poller.groups["/a"].figures
    status = poller.describes()
    calls, throttled = status.calls or 0, status.throttled or 0
    used = figures.bytes / (tps * MEGABYTE * took_s)
    print(
        f"{tps:4.0f} TPS, {size:5} B an event: {figures.bytes / took_s / MEGABYTE:6.2f} MB/s, {used:6.1%} of the quota "
        f"(budget 95 %), {calls} calls, {throttled / calls:.2%} throttled (budget 1 %)"
    )


def idle(tps: float, seconds: float) -> None:
    """200 groups of which 190 are idle."""
    with (
        endpoint("--tps", str(tps)) as url,
        bulk_server(remember=False) as sink,
        tempfile.TemporaryDirectory() as folder,
    ):
        client, now_ms, drawn = client_of(url), int(time.time() * 1000), random.Random(1)
        for number in range(200):
            make(client, f"/g/{number}")
        running, poller = forwarder(url, sink.url, folder, tps=tps, start_ms=now_ms)
        done = threading.Event()

        def produce() -> None:
            while not done.wait(1.0):
                for number in range(10):
                    put(client, f"/g/{number}", int(time.time() * 1000) - 500, 5.0, [line(n, drawn) for n in range(50)])

        producer = threading.Thread(target=produce)
        producer.start()
        # What is idle shows after a while without events, once every group has been looked at for the first time.
        thread = threading.Thread(target=running.run)
        thread.start()
        running.stop.wait(150.0)
        before = pages_of(poller)
        running.stop.wait(seconds)
        after = pages_of(poller)
        running.stop.set()
        done.set()
        thread.join()
        producer.join()
    spent = sum(after[name] - before[name] for name in after if int(name.rsplit("/", 1)[1]) >= 10)
    print(f"{tps:4.0f} TPS, 190 of 200 groups idle: {spent / (tps * seconds):.1%} of the budget (budget 20 %)")


def pages_of(poller: Any) -> dict[str, int]:
    """Pages read by group."""
    return {name: group.figures.pages for name, group in poller.groups.items()}


def main() -> None:
    """Each figure with an endpoint of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    expect_many_objects()
    for tps, size in ((5.0, 260), (10.0, 260), (10.0, 1_000), (25.0, 1_000)):
        backfill(tps, options.seconds, size)
    for tps in (5.0, 25.0):
        idle(tps, options.seconds)


if __name__ == "__main__":
    main()
