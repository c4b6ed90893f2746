"""An application that logs on while the endpoint fails in each way: what is lost, what a call costs, how memory grows.

Every fault lasts `--seconds` (a minute says what the promise says), then the endpoint is well again; "unreachable" lasts
for the application's whole life, and the next start of the service sends what it has left.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from typing import Any

from logship.testing import Faults, LocalCloudWatch

PER_SECOND = 2_000
GROUP = "/bench/outages"
FAULTS = {
    "none": Faults(),
    "throttles half": Faults(throttle_rate=0.5),
    "answers 503": Faults(error_503_rate=1.0),
    "resets": Faults(reset_rate=1.0),
    "hangs": Faults(latency_s=3_600.0),
    "unreachable": Faults(),
}
ROOM_BYTES = 16 * 2**20
"""What memory may grow beyond what is queued: the batch under way, and what the allocator keeps."""

APPLICATION = """
import json, logging, sys, time
from logship.handler import CloudWatchHandler

url, seconds, per_second, number = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
handler = CloudWatchHandler("/bench/outages", "s", endpoint_url=url, service="outages")
log = logging.getLogger("app")
log.setLevel(logging.INFO)
log.propagate = False
log.addHandler(handler)

def resident():
    with open("/proc/self/status") as status:
        found = dict(line.split(":", 1) for line in status)
    return sum(int(found[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile", "RssShmem"))

log.info("warm up")
handler.flush(2)
before = most = resident()
print("ready", flush=True)
held = 0

def bursts(seconds, number):
    # Ten a second, as requests make them; what each call took.
    global most, held
    costs, begun = [], time.perf_counter()
    for tick in range(int(seconds * 10)):
        for _ in range(per_second // 10):
            start = time.perf_counter_ns()
            log.info("record %d", number)
            costs.append(time.perf_counter_ns() - start)
            number += 1
        most = max(most, resident())
        held = max(held, handler._delivery.backlog.size_bytes)
        time.sleep(max(0.0, begun + (tick + 1) / 10 - time.perf_counter()))
    costs.sort()
    return costs

class Formats(logging.Handler):
    def emit(self, record):
        self.format(record)

costs = bursts(seconds, number)
number += len(costs)
log.handlers = [Formats()]
bare = bursts(2, 0)
handler.flush_timeout = 60 if "--patient" in sys.argv else 0.5
handler.flush()
print(json.dumps({
    "next": number, "p50_us": costs[len(costs) // 2] / 1000, "p99_us": costs[len(costs) * 99 // 100] / 1000,
    "worst_ms": costs[-1] / 1e6, "grown": most - before, "held": held, "own_bytes": 8 * len(costs) + 36 * len(costs),
    "bare_p99_us": bare[len(bare) * 99 // 100] / 1000,
}), flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each fault lasts")
    options = parser.parse_args()
    for name, faults in FAULTS.items():
        run(name, faults, options.seconds)


def run(name: str, faults: Faults, seconds: float) -> None:
    """One fault, in a process and a folder of its own."""
    with tempfile.TemporaryDirectory() as state, LocalCloudWatch() as cloudwatch:
        environment = os.environ | {
            "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t", "AWS_DEFAULT_REGION": "eu-west-1",
            "XDG_STATE_HOME": state,
        }  # fmt: skip
        never = name == "unreachable"
        with application(
            "http://127.0.0.1:9" if never else cloudwatch.url, seconds + 2, 0, environment, never=never
        ) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            cloudwatch.faults = faults
            time.sleep(seconds)
            cloudwatch.faults = Faults()
            said = json.loads(running.communicate()[0])
        if never:
            with application(cloudwatch.url, 0.1, said["next"], environment, never=False) as again:
                said["next"] = json.loads(again.communicate()[0].splitlines()[-1])["next"]
        tell(name, said, arrived(cloudwatch), never=never)


def application(
    url: str, seconds: float, number: int, environment: dict[str, str], *, never: bool
) -> subprocess.Popen[str]:
    """The process that logs."""
    command = [sys.executable, "-c", APPLICATION, url, str(seconds), str(PER_SECOND), str(number)]
    command += [] if never else ["--patient"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)


def arrived(cloudwatch: LocalCloudWatch) -> Counter[str]:
    """How often each record is there, a line that was sent twice counting once."""
    by_id = {line["logship.id"]: line["body"] for line in (json.loads(one.message) for one in cloudwatch.events(GROUP))}
    return Counter(by_id.values())


def tell(name: str, said: dict[str, Any], found: Counter[str], *, never: bool) -> None:
    found.pop("warm up", None)
    wanted = {f"record {number}" for number in range(said["next"])}
    lost, twice = len(wanted - found.keys()), sum(count > 1 for count in found.values())
    grown = said["grown"] - said["own_bytes"]
    fits = "within" if grown <= said["held"] + ROOM_BYTES else "BEYOND"
    print(
        f"{name:15} {len(wanted):7,} records: lost {lost}, twice {twice} (0); a call p50 {said['p50_us']:.1f} µs, "
        f"p99 {said['p99_us']:.1f} µs (at most 50; {said['bare_p99_us']:.1f} where nothing is sent), worst {said['worst_ms']:.1f} ms; memory grew {grown / 2**20:.1f} MiB "
        f"with {said['held'] / 2**20:.1f} MiB queued ({fits} its bound){'; sent by the next start' if never else ''}"
    )


if __name__ == "__main__":
    main()
