"""nginx → orders → inventory → PostgreSQL: four logs in three shapes, and one search that finds a request in all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import httpx
import pytest
from botocore.config import Config

from logship.forward.files import FileOptions
from logship.forward.importing import import_paths
from logship.forward.run import ForwardOptions, forward_groups
from logship.parse import Parser
from logship.query import parse
from logship.store.tantivy.reader import Reader
from logship.store.tantivy.writer import open_writer
from logship.testing import LocalCloudWatch
from tests.integration.real_stack.postgres import ended, free_port, postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
NGINX_CONF = """
pid nginx.pid; error_log nginx-error.log warn; worker_processes 1; daemon off; events {{ worker_connections 128; }}
http {{
  log_format j escape=json '{{"timestamp":"$time_iso8601","msec":"$msec","service":"edge","request_id":"$request_id",'
    '"trace_id":"$request_id","method":"$request_method","path":"$uri","status":$status,"request_time":$request_time}}';
  access_log access.json j;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass {orders}; proxy_set_header X-Request-ID $request_id;
    proxy_set_header traceparent "00-$request_id-0000000000000001-01"; }} }}
}}
"""


def answers(url: str) -> None:
    """Waits until a server answers anything at all."""
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(url)
        except httpx.HTTPError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def database(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    with postgres(tmp_path) as found:
        yield found


def service(name: str, peer: str, endpoint: str) -> tuple[subprocess.Popen[str], str]:
    env = os.environ | {
        "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t",
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.integration.real_stack.service", name, peer]
    place = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(command, env=env, cwd=place, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
    answers(url)
    return process, url


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_one_request_is_found_in_all_four_logs(database: tuple[int, Path], tmp_path: Path) -> None:
    """Files through import and handlers through CloudWatch Logs: one search by request id finds all four services."""
    if NGINX is None:
        pytest.skip("nginx is not installed; on Debian: apt-get install nginx-light")
    port, database_log = database
    edge_port = free_port()
    web = tmp_path / "web"
    web.mkdir()
    with LocalCloudWatch() as cw:
        inventory, inventory_url = service("inventory", str(port), cw.url)
        orders, orders_url = service("orders", inventory_url, cw.url)
        (web / "nginx.conf").write_text(NGINX_CONF.format(port=edge_port, orders=orders_url))
        nginx = subprocess.Popen(
            [NGINX, "-p", str(web), "-c", str(web / "nginx.conf")], stderr=subprocess.DEVNULL, text=True
        )
        edge = f"http://127.0.0.1:{edge_port}"
        answers(edge)
        statuses = [httpx.get(f"{edge}/orders/{customer}").status_code for customer in (1, 7, 22)]
        for process, number in ((nginx, signal.SIGQUIT), (orders, signal.SIGTERM), (inventory, signal.SIGTERM)):
            ended(process, number)
        store = str(tmp_path / "store")
        writer = open_writer(store, "test", long_running=True)
        client = boto3.client(
            "logs", endpoint_url=cw.url, region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t",
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip
        options = ForwardOptions(start_ms=int(time.time() * 1000) - 600_000, state=str(tmp_path / "state"), once=True)
        forward_groups(client, writer, Parser(), options)
        import_paths([str(web / "access.json")], writer, Parser(), FileOptions(group="/stack/edge"))
        import_paths([str(database_log)], writer, Parser(), FileOptions(group="/stack/postgres"))
        writer.close()
    accesses = [json.loads(line) for line in (web / "access.json").read_text().splitlines()]
    slow = next(line["request_id"] for line in accesses if line["path"] == "/orders/7")
    failed = next(line["request_id"] for line in accesses if line["path"] == "/orders/22")
    reader = Reader(store)

    def services(query: str) -> set[str]:
        return {record.service for record in reader.scan(parse(query))}

    assert statuses == [200, 200, 502]
    assert services(f"request_id:{slow} OR {slow}") == {"edge", "orders", "inventory", "postgres"}
    assert services(f"(request_id:{failed} OR statement:*{failed}*) level:error") == {"orders", "inventory", "postgres"}
    assert reader.count(parse(f"trace:{slow} kind:request")) == 3
    assert services("service:postgres duration>200ms") == {"postgres"}
    assert reader.count(parse("service:inventory error:*DivisionByZero*")) == 1
