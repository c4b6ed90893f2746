"""nginx and PostgreSQL write logs, a follower of the generated config ships them, one search finds a request."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from logship.agent.multiline import cut, start_of
from logship.agent.preview import filled, preview
from logship.agent.timestamps import Reader
from logship.forward.run import ForwardOptions, forward_groups
from logship.parse import Parser
from logship.query import parse
from logship.store.tantivy.reader import Reader as StoreReader
from logship.store.tantivy.writer import open_writer
from logship.testing import LocalCloudWatch
from tests.integration.real_stack.postgres import ended, free_port, postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
NGINX_CONF = """
pid nginx.pid; error_log {logs}/error.log warn; worker_processes 1; daemon off; events {{ worker_connections 64; }}
http {{
  access_log {logs}/access.log combined;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  server {{ listen 127.0.0.1:{port}; location / {{ return 502; }} location /ok {{ return 200; }} }}
}}
"""
POSTGRES_CONF = """
listen_addresses='127.0.0.1'
port={port}
unix_socket_directories=''
logging_collector=on
log_directory='{folder}'
log_filename='postgresql-15-main.log'
log_line_prefix='%m [%p] %q%u@%d '
log_min_duration_statement=100
log_timezone='UTC'
fsync=off
"""
SETTINGS = """
[naming]
app = "shop"
[[service]]
name = "edge"
recipe = "nginx"
[[service]]
name = "db"
recipe = "postgresql"
"""


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[str]:
    """An nginx whose logs lie where Debian has them, below the test's folder."""
    if NGINX is None:
        pytest.skip("nginx is not installed; on Debian: apt-get install nginx-light")
    logs, port = tmp_path / "image/var/log/nginx", free_port()
    logs.mkdir(parents=True)
    (tmp_path / "nginx.conf").write_text(NGINX_CONF.format(logs=logs, port=port))
    command = [NGINX, "-p", str(tmp_path), "-c", "nginx.conf"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 20
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/ok")
            break
        except httpx.HTTPError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    ended(process, signal.SIGQUIT)


def ship(config: dict[str, Any], root: Path, client: Any) -> None:
    """A small agent: reads what the config names, cuts and dates it as the agent does, and puts it."""
    values = {"instance_id": "i-7"}
    entries = config["logs"]["logs_collected"]["files"]["collect_list"]
    for entry, seen in zip(entries, preview(config, root=str(root), names=values), strict=True):
        reader = Reader(entry["timestamp_format"], entry.get("timezone", ""))
        start = start_of(entry.get("multi_line_start_pattern"), entry["timestamp_format"])
        for path in seen.tailed:
            lines = Path(str(root) + path).read_text().splitlines()
            found = [(reader.read(event).time, event) for event in cut(lines, start)]
            events = [{"timestamp": int(at.timestamp() * 1000), "message": text} for at, text in found if at]
            assert len(events) == len(found)
            group, stream = entry["log_group_name"], filled(entry["log_stream_name"], values)
            for call, more in (("create_log_group", {}), ("create_log_stream", {"logStreamName": stream})):
                try:
                    getattr(client, call)(logGroupName=group, **more)
                except client.exceptions.ResourceAlreadyExistsException:
                    continue
            if events:
                client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_one_search_finds_a_request_in_both_logs(edge: str, tmp_path: Path) -> None:
    """From logship.toml to the search result, through files that real servers wrote."""
    (tmp_path / "logship.toml").write_text(SETTINGS)
    command = [sys.executable, "-m", "logship", "generate", "agent"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60, capture_output=True)
    config = json.loads((tmp_path / "agent/amazon-cloudwatch-agent.json").read_text())
    request = "5b27baf9c1d24a0e"

    with postgres(tmp_path, POSTGRES_CONF) as (port, log):
        httpx.get(f"{edge}/orders/{request}")
        where = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(f"SELECT pg_sleep(0.2)\n\t/* request {request} */")
        written = log.parent / "postgresql-15-main.log"
        deadline = time.monotonic() + 20
        while request not in written.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        folder = tmp_path / "image/var/log/postgresql"
        folder.mkdir(parents=True)
        shutil.copy(written, folder)

    with LocalCloudWatch() as cw:
        ship(config, tmp_path / "image", cw.client())
        writer = open_writer(tmp_path / "store", "test", long_running=True)
        options = ForwardOptions(start_ms=0, state=str(tmp_path / "state"), once=True)
        forward_groups(cw.client(), writer, Parser(), options)
        writer.close()
    found = list(StoreReader(tmp_path / "store").scan(parse(request)))

    assert sorted(record.service for record in found) == ["db", "edge"]
    by_service = {record.service: record for record in found}
    assert by_service["edge"].attributes["http.response.status_code"] == 502
    assert by_service["db"].attributes["duration_ms"] >= 200
    assert abs(by_service["db"].time_us - by_service["edge"].time_us) < 5_000_000
