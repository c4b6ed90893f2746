"""Each file that `logship generate logging` writes, run inside a real application of its framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from logship.generate.logging.wiring import FRAMEWORKS
from logship.testing import LocalCloudWatch

if TYPE_CHECKING:
    from pathlib import Path

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SETTINGS = """
[naming]
app = "shop"
[[service]]
name = "orders"
retention_days = 30
"""
ASK = f"""
import threading, time, urllib.request
def ask(url):
    for _ in range(200):
        try:
            request = urllib.request.Request(url, headers={{"traceparent": "00-{TRACE}-{PARENT}-01"}})
            return urllib.request.urlopen(request, timeout=5).read()
        except OSError:
            time.sleep(0.05)
"""
SOCKET = """
import socket
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0)); port = probe.getsockname()[1]
"""
PROGRAMS = {
    "python": 'import logging, logging_config\nlogging_config.configure()\nlogging.getLogger("app").info("order 7")',
    "json": 'import json, logging.config\nlogging.config.dictConfig(json.load(open("logging.json")))\n'
            'logging.getLogger("app").info("order 7")',
    "yaml": 'import logging.config, yaml\nlogging.config.dictConfig(yaml.safe_load(open("logging.yaml")))\n'
            'logging.getLogger("app").info("order 7")',
    "fastapi": ASK + SOCKET + """
import logging, uvicorn
from fastapi import FastAPI
from logging_setup import configure
app = FastAPI()
configure(app)
@app.get("/orders/{number}")
def order(number: int):
    logging.getLogger("app").info("order %d", number)
server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None))
thread = threading.Thread(target=server.run); thread.start()
ask(f"http://127.0.0.1:{port}/orders/7"); server.should_exit = True; thread.join()
""",
    "flask": ASK + """
import logging
from flask import Flask
from werkzeug.serving import make_server
from logging_setup import configure
app = Flask(__name__)
configure(app)
@app.get("/orders/<int:number>")
def order(number):
    app.logger.info("order %d", number)
    return "ok"
server = make_server("127.0.0.1", 0, app)
thread = threading.Thread(target=server.serve_forever); thread.start()
ask(f"http://127.0.0.1:{server.port}/orders/7"); server.shutdown(); thread.join()
""",
    "django": ASK + """
import logging, logging.config, sys
from wsgiref.simple_server import make_server
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from logging_settings import LOGGING, with_request_log
def order(request, number):
    logging.getLogger("app").info("order %d", number)
    return HttpResponse("ok")
urlpatterns = [path("orders/<int:number>", order)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="not-one", LOGGING=LOGGING,
                   MIDDLEWARE=with_request_log(["django.middleware.common.CommonMiddleware"]))
django.setup()
from django.core.wsgi import get_wsgi_application
server = make_server("127.0.0.1", 0, get_wsgi_application())
thread = threading.Thread(target=server.serve_forever); thread.start()
ask(f"http://127.0.0.1:{server.server_port}/orders/7"); server.shutdown(); thread.join()
""",
    "celery": """
import logging
from celery import Celery
from celery.contrib.testing.worker import start_worker
from logship.handler import Span, use_span
import logging_celery
app = Celery("shop", broker="memory://", backend="cache+memory://")
@app.task(name="orders.charge")
def charge(number):
    logging.getLogger("app").info("order %d", number)
with start_worker(app, perform_ping_check=False, pool="solo", loglevel="INFO"):
    logging_celery.configure()
    with use_span(Span("TRACE", "PARENT")):
        charge.delay(7).get(timeout=20)
""".replace("TRACE", TRACE).replace("PARENT", PARENT),
    "gunicorn": ASK + SOCKET + """
import pathlib, signal, subprocess, sys
pathlib.Path("web.py").write_text('''
import logging
from logship.handler import WSGIRequestLogMiddleware
def serve(environ, start_response):
    logging.getLogger("app").info("order 7")
    start_response("200 OK", [("content-length", "2")])
    return [b"ok"]
app = WSGIRequestLogMiddleware(serve)
''')
command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "-b", f"127.0.0.1:{port}", "web:app"]
server = subprocess.Popen(command)
ask(f"http://127.0.0.1:{port}/orders/7"); server.terminate(); server.wait(20)
""",
    "structlog": """
import structlog, logging_structlog
logging_structlog.configure()
log = structlog.get_logger("app")
structlog.contextvars.bind_contextvars(customer=3)
log.info("order 7", sku="sku-7")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("100% broken")
""",
    "loguru": """
import logging_loguru
from loguru import logger
logging_loguru.configure()
logger.bind(sku="sku-7").info("order {}", 7)
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("100% broken")
""",
    "lambda": """
import logging
from types import SimpleNamespace
from logging_lambda import log_invocations
@log_invocations
def handler(event, context):
    logging.getLogger("app").info("order %d", event["number"])
    return {"statusCode": 200}
handler({"number": 7, "headers": {"traceparent": "00-TRACE-PARENT-01"}},
        SimpleNamespace(function_name="orders", aws_request_id="r-1"))
import os; os._exit(0)
""".replace("TRACE", TRACE).replace("PARENT", PARENT),
    "script": 'import logging, logging_script\nlogging_script.configure(); logging_script.configure()\n'
              'logging.getLogger("app").info("order 7")',
}  # fmt: skip
SERVED = {"fastapi": "/orders/{number}", "flask": "/orders/{number}", "django": "/orders/{number}", "gunicorn": None}


def generated(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "logship", "generate", "logging", *flags]
    return subprocess.run(command, cwd=folder, check=False, timeout=60, capture_output=True, text=True)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_written_file_works(framework: str, tmp_path: Path) -> None:
    """Records arrive in the group of the naming rule, with service, and trace and duration where there are requests."""
    (tmp_path / "logship.toml").write_text(SETTINGS)
    assert generated(tmp_path, "--framework", framework).returncode == 0
    (tmp_path / "program.py").write_text(PROGRAMS[framework])
    with LocalCloudWatch() as cw:
        env = os.environ | {
            "AWS_ENDPOINT_URL": cw.url, "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "t",
            "AWS_SECRET_ACCESS_KEY": "t",
        }  # fmt: skip
        command = [sys.executable, "program.py"]
        done = subprocess.run(command, cwd=tmp_path, env=env, check=False, timeout=60, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        lines: list[dict[str, Any]] = [json.loads(event.message) for event in cw.events("/shop/orders")]
        group = cw.client().describe_log_groups(logGroupNamePrefix="/shop/orders")["logGroups"][0]
    logged = [line for line in lines if line["body"] == "order 7"]

    assert ([line["service.name"] for line in logged], group["retentionInDays"]) == (["orders"], 30)
    if framework in ("structlog", "loguru"):
        broken = [line for line in lines if line["body"] == "100% broken"]
        assert (logged[0]["sku"], [line["exception.type"] for line in broken]) == ("sku-7", ["ZeroDivisionError"])
    if framework in SERVED or framework in ("celery", "lambda"):
        [request] = [line for line in lines if line.get("logship.kind") == "request"]
        assert (request["trace_id"], request["parent_span_id"], request["duration_ms"] > 0) == (TRACE, PARENT, True)
        assert (logged[0]["trace_id"], logged[0]["span_id"]) == (TRACE, request["span_id"])
        assert request.get("http.route") == SERVED.get(framework, request.get("http.route"))


def test_hand_edits_are_kept(tmp_path: Path) -> None:
    """What stands around our part is kept; what was changed within it is said, and overwritten only when told."""
    (tmp_path / "logship.toml").write_text(SETTINGS)

    def again(*flags: str) -> tuple[int, str]:
        done = generated(tmp_path, "--framework", "flask", *flags)
        return done.returncode, done.stdout + done.stderr

    assert (again()[0], again("--check")[0]) == (0, 0)
    file = tmp_path / "logging_setup.py"
    file.write_text("# mine, before\n" + file.read_text() + "\nMINE = True\n")
    assert again("--check")[0] == 0

    (tmp_path / "logship.toml").write_text(SETTINGS.replace("30", "90"))
    assert again("--check")[0] == 1
    status, shown = again("--diff")
    assert status == 1
    assert '+    logship.setup(service="orders", group="/shop/orders", log_group_retention_days=90)' in shown
    assert again()[0] == 0
    text = file.read_text()
    assert text.startswith("# mine, before\n")
    assert text.endswith("\nMINE = True\n")
    assert "retention_days=90" in text

    file.write_text(text.replace("logging.WARNING", "logging.ERROR"))
    status, shown = again()
    assert (status, "edited by hand" in shown, "logging.ERROR" in file.read_text()) == (1, True, True)
    assert (again("--force")[0], "logging.ERROR" in file.read_text()) == (0, False)


@pytest.mark.parametrize(
    ("name", "text", "file"),
    [
        ("pyproject.toml", '[project]\ndependencies = ["Flask>=3", "boto3"]', "logging_setup.py"),
        ("requirements.txt", "# web\ndjango==5.1  # old\n", "logging_settings.py"),
        ("requirements-dev.txt", "structlog", "logging_structlog.py"),
        ("Pipfile", '[packages]\nloguru = "*"', "logging_loguru.py"),
    ],
)
def test_the_framework_is_detected(tmp_path: Path, name: str, text: str, file: str) -> None:
    """Where none is named, what the project depends on says it; that is told."""
    (tmp_path / name).write_text(text)
    done = generated(tmp_path, "--service", "orders")

    assert (done.returncode, (tmp_path / file).is_file(), name in done.stderr) == (0, True, True)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--framework", "fastap", "--service", "a"), "did you mean 'fastapi'?"),
        (("--framework", "flask"), "--service"),
        (("--service", "a"), "no framework is named"),
        (("--framework", "flask", "--service", "a b"), "log group '/app/a b' is not legal"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    """Unknown framework, no service, nothing to detect, a name that makes no group: exit status 2, and what to do."""
    done = generated(tmp_path, *flags)

    assert (done.returncode, said in done.stderr, done.stderr.count("\n")) == (2, True, 1)


def test_entries_of_one_service_share_its_folder(tmp_path: Path) -> None:
    """A service that is described in parts has a file for each framework, and what was written is up to date."""
    entry = '[[service]]\nname = "orders"\nframework = "{}"\n'
    names = ("fastapi", "flask", "celery", "fastapi")
    (tmp_path / "logship.toml").write_text('[naming]\napp = "shop"\n' + "".join(map(entry.format, names)))
    written, checked = generated(tmp_path), generated(tmp_path, "--check")

    assert (written.returncode, checked.returncode, checked.stderr) == (0, 0, "")
    assert sorted(path.name for path in tmp_path.glob("logging_*.py")) == [
        "logging_celery.py",
        "logging_setup.py",
        "logging_setup_flask.py",
    ]
