"""A real PostgreSQL on loopback, for tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
POSTGRES_CONF = """
listen_addresses='127.0.0.1'
port={port}
unix_socket_directories=''
log_destination='jsonlog'
logging_collector=on
log_directory='{folder}'
log_filename='postgresql'
log_min_duration_statement=100
log_timezone='UTC'
fsync=off
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def ended(process: subprocess.Popen[str], number: signal.Signals) -> None:
    process.send_signal(number)
    process.wait(30)
    if process.stdout:
        process.stdout.close()


@contextmanager
def postgres(tmp_path: Path, conf: str = POSTGRES_CONF) -> Iterator[tuple[int, Path]]:
    """A PostgreSQL that logs slow statements as JSON: its port and its log."""
    if POSTGRES is None:
        pytest.skip("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    data, logs, port = tmp_path / "pg", tmp_path / "pglog", free_port()
    for folder in (data, logs):
        folder.mkdir()
        if account:
            shutil.chown(folder, "postgres", "postgres")
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.owner() == Path.home().owner() and folder.is_relative_to("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    common: dict[str, Any] = {"cwd": data, "env": {"PATH": os.defpath, "LC_ALL": "C"}, **account}
    subprocess.run(
        [str(POSTGRES / "initdb"), "-D", ".", "-A", "trust", "-U", "postgres", "-N"],
        capture_output=True,
        check=True,
        **common,
    )
    with (data / "postgresql.auto.conf").open("a") as file:
        file.write(conf.format(port=port, folder=logs))
    with (tmp_path / "pg.out").open("wb") as out:
        server = subprocess.Popen([str(POSTGRES / "postgres"), "-D", "."], stdout=out, stderr=out, text=True, **common)
    deadline = time.monotonic() + 30
    while not _is_ready(port):
        assert time.monotonic() < deadline, (tmp_path / "pg.out").read_text()
        time.sleep(0.05)
    try:
        yield port, logs / "postgresql.json"
    finally:
        ended(server, signal.SIGINT)


def _is_ready(port: int) -> bool:
    """Whether it takes connections: it listens before it has started."""
    assert POSTGRES is not None
    command = [str(POSTGRES / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(command, check=False).returncode == 0
