"""Rules and services of logship.toml, from the log group to the store."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from logship.query.tree import All
from logship.store.tantivy.reader import Reader
from logship.testing import LocalCloudWatch

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """
[[forward.rule]]
query = "level:error"
action = "keep"
[[forward.rule]]
query = "group:/shop/noise"
action = "drop"
[[forward.rule]]
query = "level:info"
action = "sample"
rate = 0.5
[[service]]
name = "checkout"
groups = ["/shop/ord*"]
"""


def forward(place: Path, url: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {
        "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t",
    }  # fmt: skip
    command = [sys.executable, "-m", "logship", "forward", "--once", "--store", "./data"]
    return subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, check=False)


def test_rules_decide_what_is_stored(tmp_path: Path) -> None:
    """Errors of a noisy group, half of the others' infos, the same half when it is read again; the rest is counted."""
    (tmp_path / "logship.toml").write_text(SETTINGS)
    with LocalCloudWatch() as cw:
        client, now_ms = cw.client(), int(time.time() * 1000)
        for group in ("/shop/orders", "/shop/noise"):
            client.create_log_group(logGroupName=group)
            client.create_log_stream(logGroupName=group, logStreamName="x")
            events = [
                {"timestamp": now_ms - 1000 + n, "message": f"{'INFO' if n else 'ERROR'} event {n}"} for n in range(400)
            ]
            client.put_log_events(logGroupName=group, logStreamName="x", logEvents=events)
        first = forward(tmp_path, cw.url)
        records = list(Reader(tmp_path / "data").scan(All()))
        again = forward(tmp_path, cw.url)
        after = list(Reader(tmp_path / "data").scan(All()))
    infos = [record for record in records if record.severity == "INFO"]

    assert (first.returncode, again.returncode, len(after)) == (0, 0, len(records))
    assert sorted(record.service for record in records if record.severity == "ERROR") == ["checkout", "noise"]
    assert {record.attributes["logship.sample_rate"] for record in infos} == {0.5}
    assert 150 < len(infos) < 250
    assert f"rules left out {800 - len(records)}" in first.stderr


def test_a_rule_that_cannot_be_read_is_said_before_anything_is_done(tmp_path: Path) -> None:
    """Exit status 2, one line with the key, and neither store nor state."""
    (tmp_path / "logship.toml").write_text('[[forward.rule]]\nquery = "level:wran"\naction = "drop"\n')
    done = forward(tmp_path, "http://127.0.0.1:9")

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "'forward.rule[0].query'" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["logship.toml"]
