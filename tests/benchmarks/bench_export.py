"""A million records out of the embedded store: speed and memory of the whole command, as people run it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.corpus import store_of

_LOGSHIP = str(Path(sys.executable).parent / "logship")
_TOTAL = 1_000_000


def measured(place: Path, *command: str) -> tuple[float, float]:
    """Seconds of a run, and the most memory it had in MB, files mapped into it included."""
    with (place / "stdout").open("wb") as out, (place / "stderr").open("wb") as said:
        began = time.perf_counter()
        process = subprocess.Popen([_LOGSHIP, *command], stdout=out, stderr=said)
        most = 0.0
        while process.poll() is None:
            most = max(most, _anonymous_mb(process.pid))
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit((place / "stderr").read_text())
    return time.perf_counter() - began, most


def _anonymous_mb(pid: int) -> float:
    """What the process itself holds; pages of the index that the kernel keeps for it are not its memory."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.split()[1]) / 1000 for line in lines if line.startswith("RssAnon"))


def main() -> None:
    """Prints each way out of a store."""
    location, _ = store_of(_TOTAL)
    with tempfile.TemporaryDirectory(prefix="logship-bench-export-") as folder:
        place = Path(folder)
        runs = {
            "store export, ndjson": ("store", "export", "--store", location, "--format", "ndjson"),
            "store export, ndjson.gz": ("store", "export", "--store", location, "--output", str(place / "x.ndjson.gz")),
            "search --format ndjson": ("search", "--store", location, "--format", "ndjson"),
            "search --format csv": ("search", "--store", location, "--format", "csv"),
            "import of the file": ("import", str(place / "x.ndjson.gz"), "--store", str(place / "copy")),
            "the same again": ("import", str(place / "x.ndjson.gz"), "--store", str(place / "copy")),
        }
        for name, command in runs.items():
            if name not in sys.argv[1:] and sys.argv[1:]:
                continue
            seconds, most = measured(place, *command)
            print(f"{name:<26} {_TOTAL / seconds:>9,.0f} records/s, {most:>5.0f} MB at most", flush=True)
            os.truncate(place / "stdout", 0)


if __name__ == "__main__":
    main()
