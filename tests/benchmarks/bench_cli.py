"""Start-up of the command line, best of ten."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.corpus import store_of

_LOGSHIP = str(Path(sys.executable).parent / "logship")


def best(*command: str) -> float:
    """Milliseconds of the fastest of ten runs."""
    times = []
    for _ in range(10):
        began = time.perf_counter()
        subprocess.run(command, capture_output=True, check=False)
        times.append((time.perf_counter() - began) * 1000)
    return min(times)


def main() -> None:
    """Prints help and search against bare Python."""
    location, _ = store_of(1_000_000)
    bare = best(sys.executable, "-c", "pass")
    helped = best(_LOGSHIP, "--help")
    searched = best(_LOGSHIP, "search", "service:orders level:error", "--store", location, "--limit", "20")
    print(
        f"bare Python {bare:.0f} ms · logship --help {helped:.0f} ms (budget 150) · logship search {searched:.0f} ms (budget 300)"
    )


if __name__ == "__main__":
    main()
