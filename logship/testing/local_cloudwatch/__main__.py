"""`python -m logship.testing.local_cloudwatch`: the endpoint as a process of its own; prints its address."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from logship.testing.local_cloudwatch import Faults, LocalCloudWatch


def main() -> None:
    """Serves until SIGTERM, SIGINT, or the end of standard input when `--until-eof` is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    parser.add_argument("--tps", type=float, help="calls of FilterLogEvents allowed each second")
    options = parser.parse_args()
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    faults = Faults(tps={"FilterLogEvents": options.tps} if options.tps else {})
    with LocalCloudWatch(port=options.port, faults=faults) as cw:
        sys.stdout.write(cw.url + "\n")
        sys.stdout.flush()
        if options.until_eof:
            threading.Thread(target=_wait_for_eof, args=(done,), daemon=True).start()
        done.wait()


def _wait_for_eof(done: threading.Event) -> None:
    sys.stdin.read()
    done.set()


main()
