"""The script of the demo: start, a quiet time, an incident, the count, the finding."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from logship.demo import load
from logship.demo.agent import FileAgent
from logship.demo.processes import Processes
from logship.incident import Finding, analyse
from logship.query.tree import All, Term
from logship.record import GROUP
from logship.timerange import TimeRange
from logship.wiring import open_reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CALLS: Final[dict[str, tuple[str, ...]]] = {
    "payment": (),
    "inventory": (),
    "orders": ("inventory", "payment"),
    "edge": ("orders",),
}
"""In order of start: whoever is called comes first."""
_WARM_UP_S: Final = 1.0
QUIET_S: Final = 10.0
INCIDENT_S: Final = 8.0
_RATE: Final = 20.0
_DELIVERY_S: Final = 20.0


@dataclass(frozen=True)
class Delivery:
    """Records that were written, and records in the store, per log group."""

    expected: dict[str, int]
    stored: dict[str, int]
    unique: int

    @property
    def exact(self) -> bool:
        """Whether every record arrived exactly once."""
        return self.expected == self.stored and self.unique == sum(self.expected.values())

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        groups = {
            name: {"written": self.expected.get(name, 0), "stored": self.stored.get(name, 0)}
            for name in sorted(self.expected | self.stored)
        }
        return {
            "exact": self.exact,
            "written": sum(self.expected.values()),
            "stored": sum(self.stored.values()),
            "groups": groups,
        }


@dataclass(frozen=True)
class Outcome:
    """What the demo leaves behind."""

    store: str
    finding: Finding
    delivery: Delivery
    quiet_p95_s: float
    slow_p95_s: float


def run(folder: Path, *, seed: int, say: Callable[[str], None]) -> Outcome:
    """Plays the whole story in a folder."""
    store = folder / "store"
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with Processes(environment, folder) as processes:
        say("starting CloudWatch Logs on loopback, four services, an agent and the forwarder")
        url = processes.start("cloudwatch", "logship.testing.local_cloudwatch", "--until-eof")
        processes.environment["AWS_ENDPOINT_URL"] = url
        edge = _start_services(processes, folder)
        agent = _start_agent(url, folder)
        processes.start_silent(
            "forwarder",
            "logship",
            "forward",
            "--group",
            "/shop/*",
            "--store",
            str(store),
            "--state",
            str(folder / "state"),
        )
        quiet, slow, window, baseline = _play(edge, folder, seed, say)
        expected = _stop_services(processes, agent, folder)
        say(f"waiting for {sum(expected.values()):,} records to reach the store")
        _wait_for(store, sum(expected.values()))
        processes.stop("forwarder")
    say("looking for the cause")
    reader = open_reader(str(store))
    finding = analyse(reader, window, [baseline])
    return Outcome(str(store), finding, _count(str(store), expected), _p95(quiet.times_s), _p95(slow.times_s))


def _start_services(processes: Processes, folder: Path) -> str:
    """The address of the edge."""
    ports: dict[str, str] = {}
    for name, peers in _CALLS.items():
        flags = [f"--peer={peer}=http://127.0.0.1:{ports[peer]}" for peer in peers]
        ports[name] = processes.start(name, "logship.demo.service", name, "--folder", str(folder), *flags)
    (folder / "inventory.url").write_text(f"http://127.0.0.1:{ports['inventory']}")
    return f"http://127.0.0.1:{ports['edge']}"


def _start_agent(url: str, folder: Path) -> FileAgent:
    import boto3

    client = boto3.client(
        "logs",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="demo",
        aws_secret_access_key="demo",  # noqa: S106
    )
    agent = FileAgent(client, {"/shop/nginx": folder / "access.log", "/shop/cron": folder / "cron.log"})
    agent.start()
    return agent


def _play(
    edge: str, folder: Path, seed: int, say: Callable[[str], None]
) -> tuple[load.LoadResult, load.LoadResult, TimeRange, TimeRange]:
    with (folder / "cron.log").open("a", buffering=1) as cron:
        load.run(edge, seconds=_WARM_UP_S, rate=_RATE, seed=seed + 1)
        say(f"a quiet time of {QUIET_S:.0f} s")
        cron.write(f"{_stamp()} INFO nightly-report finished in 41 s\n")
        began = time.time_ns() // 1000
        quiet = load.run(edge, seconds=QUIET_S, rate=_RATE, seed=seed)
        say(f"a few users complain about long load times ({INCIDENT_S:.0f} s)")
        cron.write(f"{_stamp()} INFO stock-recount starting\n")
        changed = time.time_ns() // 1000
        inventory = (folder / "inventory.url").read_text()
        httpx.get(f"{inventory}/jobs/recount/{INCIDENT_S + 1}").raise_for_status()
        slow = load.run(edge, seconds=INCIDENT_S, rate=_RATE, seed=seed + 2)
        ended = time.time_ns() // 1000
    return quiet, slow, TimeRange(changed, ended), TimeRange(began, changed)


def _stop_services(processes: Processes, agent: FileAgent, folder: Path) -> dict[str, int]:
    """How many records each group must hold; services have flushed when they end."""
    expected = {}
    for name in reversed(_CALLS):
        processes.stop(name)
        stats = json.loads((folder / f"{name}.stats.json").read_text())
        expected[f"/shop/{name}"] = sum(stats[fate] for fate in ("sent", "queued", "dropped", "rejected"))
    agent.stop()
    return expected | {group: count for group, count in agent.shipped.items() if count}


def _wait_for(store: Path, total: int) -> None:
    """Until the store holds that many records, or too much time has passed."""
    deadline = time.monotonic() + _DELIVERY_S
    while time.monotonic() < deadline:
        if (store / "format.json").exists() and open_reader(str(store)).count(All()) >= total:
            return
        time.sleep(0.2)


def _count(store: str, expected: dict[str, int]) -> Delivery:
    reader = open_reader(store)
    groups = [group for group, _ in reader.terms(All(), GROUP, size=100)]
    stored = {group: reader.count(Term(GROUP, group)) for group in groups}
    ids = {record.attributes.get("logship.id", record.id) for record in reader.scan(All())}
    return Delivery(expected, stored, len(ids))


def _stamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _p95(times_s: list[float]) -> float:
    ordered = sorted(times_s)
    return ordered[int((len(ordered) - 1) * 0.95)] if ordered else 0.0
