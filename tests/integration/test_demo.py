"""The demo as a newcomer runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

DEMO = [sys.executable, "-m", "logship", "demo", "--no-tui", "--format", "json"]


def running(folder: Path) -> list[str]:
    """The command lines of processes that work in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def test_the_demo_delivers_exactly_and_names_inventory(tmp_path: Path) -> None:
    """Every record arrives exactly once, and the finding has the slow service first; stdout is the finding alone."""
    done = subprocess.run([*DEMO, "--seed", "7", "--dir", str(tmp_path)], capture_output=True, text=True, check=False)
    finding = json.loads(done.stdout)

    assert (done.returncode, finding["alarm"], finding["services"][0]["service"]) == (0, True, "inventory")
    assert finding["delivery"]["exact"]
    assert finding["delivery"]["stored"] == finding["delivery"]["written"] > 1000
    assert all(len(evidence["examples"]) == 3 for evidence in finding["services"][0]["evidence"][:1])
    assert running(tmp_path) == []


def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    """Interrupted in the middle, the demo ends with 130 and takes everything it started with it."""
    process = subprocess.Popen(
        [*DEMO, "--dir", str(tmp_path)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    started = threading.Event()
    for line in process.stderr:
        if "quiet time" in line:
            started.set()
            break
    at_work = running(tmp_path)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert (process.returncode, started.is_set(), len(at_work) >= 5) == (130, True, True)
    assert running(tmp_path) == []
