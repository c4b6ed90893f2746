"""The forwarder's anonymous memory while its store is down and with many groups, its idle processor time, and its lag."""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.endpoint import client_of, endpoint, line, make, put
from tests.bulk_server import BulkServer, bulk_server

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = 1_000_000


@contextmanager
def forwarder(url: str, sink: str, folder: str) -> Iterator[int]:
    """The command as people run it; its pid."""
    env = os.environ | {"AWS_ENDPOINT_URL": url}
    settings = Path(folder, "logship.toml")
    settings.write_text('[forward]\ninterval_s = 5.0\nlisten = ""\n')
    command = [sys.executable, "-m", "logship", "forward", "--store", sink, "--state", f"{folder}/state"]
    with subprocess.Popen([*command, "--config", str(settings), "--start", "1h"], env=env) as running:
        yield running.pid
        running.send_signal(signal.SIGTERM)


def anonymous_mb(pid: int) -> float:
    """RssAnon in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024 / MEGABYTE


def cpu_s(pid: int) -> float:
    """Processor time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def most_mb(pid: int, seconds: float) -> float:
    """The most memory in that time."""
    end_s, most = time.monotonic() + seconds, 0.0
    while time.monotonic() < end_s:
        most = max(most, anonymous_mb(pid))
        time.sleep(0.2)
    return most


def filled(client: Any, groups: int, events: int) -> None:
    """Events of the last minutes in that many groups."""
    drawn, now_ms = random.Random(1), int(time.time() * 1000)
    for number in range(groups):
        make(client, f"/g/{number}")
        put(client, f"/g/{number}", now_ms - 240_000, 239_000 / events, [line(n, drawn) for n in range(events)])


def store_down(seconds: float) -> None:
    """Half a million events wait for a store that does not answer."""
    with endpoint() as url, bulk_server(remember=False) as sink, tempfile.TemporaryDirectory() as folder:
        filled(client_of(url), 10, 50_000)
        with forwarder(url, sink.url, folder) as pid:
            wait_for_records(sink, 10_000)
            sink.faults(down=True)
            down = most_mb(pid, seconds)
            sink.faults()
            after = most_mb(pid, 30.0)
    print(f"store down for {seconds:.0f} s: at most {down:.0f} MB, {after:.0f} MB after it (budget 200)")


def wait_for_records(sink: BulkServer, records: int) -> None:
    """Until so many were taken."""
    while sink.counts()["created"] < records:
        time.sleep(0.1)


def many_groups(seconds: float) -> None:
    """500 groups with events."""
    with endpoint() as url, bulk_server(remember=False) as sink, tempfile.TemporaryDirectory() as folder:
        filled(client_of(url), 500, 1_000)
        with forwarder(url, sink.url, folder) as pid:
            print(f"500 groups: at most {most_mb(pid, seconds):.0f} MB (budget 200)")


def idle(seconds: float) -> None:
    """Nothing happens in five groups."""
    with endpoint() as url, bulk_server(remember=False) as sink, tempfile.TemporaryDirectory() as folder:
        filled(client_of(url), 5, 100)
        with forwarder(url, sink.url, folder) as pid:
            time.sleep(20)
            before_s = cpu_s(pid)
            time.sleep(seconds)
            used_s = cpu_s(pid) - before_s
    print(f"idle: {used_s / seconds:.2%} of a core (budget 1 %)")


def lag(seconds: float) -> None:
    """From visible to stored, for events whose delay has a p99 of 8 s; the interval is 5 s."""
    from logship.testing import LocalCloudWatch

    with (
        LocalCloudWatch(visibility_delay_s=lambda drawn: min(drawn.expovariate(1 / 1.7), 60.0)) as cw,
        bulk_server() as sink,
        tempfile.TemporaryDirectory() as folder,
    ):
        client, drawn, visible, stored = cw.client(), random.Random(1), dict[str, float](), dict[str, float]()
        for number in range(10):
            make(client, f"/g/{number}")
        done = threading.Event()

        def produce() -> None:
            while not done.wait(0.5):
                for number in range(10):
                    put(client, f"/g/{number}", int(time.time() * 1000) - 50, 0.5, [line(n, drawn) for n in range(100)])

        def look() -> None:
            while not done.wait(0.25):
                at_s = time.time()
                for identity in sink.ids():
                    stored.setdefault(identity, at_s)

        threads = [threading.Thread(target=job) for job in (produce, look)]
        with forwarder(cw.url, sink.url, folder):
            for thread in threads:
                thread.start()
            time.sleep(seconds)
            done.set()
            for thread in threads:
                thread.join()
        visible = seen_from(cw)
    ended_s = time.time() - 20
    lags = sorted(
        stored.get(identity, ended_s + 20) - at_s for identity, at_s in visible.items() if at_s < ended_s - 10
    )
    print(
        f"lag from visible to stored: p50 {lags[len(lags) // 2]:.1f} s, p99 {lags[len(lags) * 99 // 100]:.1f} s (budget 7)"
    )


def seen_from(cw: Any) -> dict[str, float]:
    """When each record's event became visible, in seconds since 1970."""
    from logship.record import record_id

    found = {}
    for group in cw._operations.groups.values():
        for event, visible_ms in zip(group.events(), group._visible, strict=True):
            handler_id = event.message.rpartition('"logship.id":"')[2].partition('"')[0]
            found[record_id(event.timestamp_ms, event.group, event.stream, event.event_id, handler_id)] = (
                visible_ms / 1000
            )
    return found


def main() -> None:
    """Each with an endpoint and a store of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--down", type=float, default=60.0, help="seconds that the store is down")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t", "AWS_DEFAULT_REGION": "us-east-1"}
    store_down(options.down)
    many_groups(60.0)
    idle(60.0)
    lag(90.0)


if __name__ == "__main__":
    main()
