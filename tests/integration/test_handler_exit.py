"""How long a process takes to end that cannot deliver what it has logged."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.integration.test_handler_delivery import environment

PROGRAM = """
import atexit, time
began = []
atexit.register(lambda: print(time.monotonic() - began[0]))  # first, so that it runs behind logging's own

import logging
import logship

logship.setup(service="orders", endpoint_url="http://127.0.0.1:9", flush_timeout=1)
logging.warning("to nobody")
began.append(time.monotonic())
"""


def test_a_process_ends_within_the_deadline_of_its_flush() -> None:
    """`flush_timeout` is waited once, though logging flushes and closes every handler behind our flush at exit."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env={**os.environ, **environment()}, check=True, timeout=60, capture_output=True)

    assert 0.9 < float(done.stdout) < 1.9
    assert b"1 records wait in" in done.stderr
