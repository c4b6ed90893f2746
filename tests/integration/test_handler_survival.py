"""Ten thousand records and a process that ends in the worst ways: all arrive, after the next start at the latest."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from sysconfig import get_path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from logship.handler import CloudWatchHandler
from logship.testing import LocalCloudWatch
from tests.integration.test_handler_delivery import GROUP, bodies, environment, lines, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAD = """
import logging, multiprocessing, os, signal, sys, threading, time
from logship.handler import CloudWatchHandler
handler = CloudWatchHandler("/shop/orders", endpoint_url=sys.argv[1], service="orders")
log = logging.getLogger("app"); log.setLevel(20); log.addHandler(handler)
def burst(start, end):
    for number in range(start, end):
        log.info("record %d", number)
"""
ENDS = {
    "os._exit": "burst(0, 10_000); os._exit(3)",
    "kill -9": "burst(0, 10_000); os.kill(os.getpid(), signal.SIGKILL)",
    "kill -9 while it sends": "burst(0, 5_000); time.sleep(1.2); burst(5_000, 10_000); os.kill(os.getpid(), 9)",
    "fork in mid-burst": """
other = threading.Thread(target=burst, args=(0, 4_000)); other.start()
burst(4_000, 5_000)
if os.fork() == 0:
    burst(5_000, 7_500)
    os._exit(0)
burst(7_500, 10_000); other.join(); os.wait()
os.kill(os.getpid(), signal.SIGKILL)
""",
    "Pool.terminate": """
def work(part):
    burst(part * 1_000, (part + 1) * 1_000)
    return part
if __name__ == "__main__":
    pool = multiprocessing.get_context("fork").Pool(4)
    assert sorted(pool.map(work, range(10), 1)) == list(range(10))
    pool.terminate(); pool.join()
    os._exit(0)
""",
    "spawn": """
def work(part):
    burst(part * 5_000, (part + 1) * 5_000)
    os._exit(0)
if __name__ == "__main__":
    from multiprocessing import get_context
    children = [get_context("spawn").Process(target=work, args=(part,)) for part in range(2)]
    for child in children: child.start()
    for child in children: child.join()
""",
}


@pytest.fixture
def cloudwatch() -> Iterator[LocalCloudWatch]:
    with LocalCloudWatch() as running:
        yield running


def run(code: str, url: str, tmp_path: Path) -> int:
    program = tmp_path / "program.py"
    program.write_text(HEAD + code)
    command = [sys.executable, str(program), url]
    return subprocess.run(command, env={**os.environ, **environment()}, check=False, timeout=90).returncode


def queue_files() -> list[Path]:
    """Without those that were being made when a process was killed: they hold nothing, and go a minute later."""
    spool = Path(os.environ["HOME"], ".local/state/logship/spool")
    return [path for path in spool.rglob("*") if path.is_file() and not path.name.startswith(".")]


def test_the_files_of_a_living_process_are_private(cloudwatch: LocalCloudWatch, tmp_path: Path) -> None:
    """While it runs nobody else may read its queue; when it has ended well nothing is left."""
    code = """
log.info("record 0")
import pathlib
for path in pathlib.Path(os.environ["HOME"], ".local/state/logship/spool").rglob("*"):
    print(oct(path.stat().st_mode))
"""
    program = tmp_path / "program.py"
    program.write_text(HEAD + code)
    command = [sys.executable, str(program), cloudwatch.url]
    said = subprocess.run(command, env={**os.environ, **environment()}, check=True, timeout=60, capture_output=True)

    assert set(said.stdout.decode().split()) == {oct(stat.S_IFDIR | 0o700), oct(stat.S_IFREG | 0o600)}
    assert (bodies(cloudwatch), queue_files()) == (numbered(1), [])


@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_lost(cloudwatch: LocalCloudWatch, tmp_path: Path, end: str) -> None:
    """Whatever `emit` has returned for arrives after the next start, and each record is one."""
    run(ENDS[end], cloudwatch.url, tmp_path)
    run('log.info("the next start")', cloudwatch.url, tmp_path)

    assert bodies(cloudwatch) == numbered(10_000) + Counter(["the next start"])
    assert queue_files() == []


POOL = """
def work(part):
    if LOGS:
        burst(part * 100, part * 100 + 100)
    return signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
if __name__ == "__main__":
    with multiprocessing.get_context("METHOD").Pool(3) as pool:
        keep_the_default = pool.map(work, range(10), 1)
    sys.exit(keep_the_default != [not LOGS] * 10)
"""


@pytest.mark.parametrize(("method", "logs"), [("fork", True), ("fork", False), ("spawn", True), ("forkserver", True)])
def test_workers_of_a_pool_flush_if_they_have_logged(
    cloudwatch: LocalCloudWatch, tmp_path: Path, method: str, *, logs: bool
) -> None:
    """SIGTERM, by which a pool ends its workers, delivers what they logged; one that did not log ends at once."""
    code = POOL.replace("METHOD", method).replace("LOGS", str(logs))

    assert run(code, cloudwatch.url, tmp_path) == 0
    assert (bodies(cloudwatch), queue_files()) == (numbered(1_000 if logs else 0), [])


def test_a_worker_that_has_missed_sigterm_is_sent_it_again(cloudwatch: LocalCloudWatch, tmp_path: Path) -> None:
    """A call that began to block as the signal came is not interrupted by it: here another thread is told of it."""
    code = """
def work():
    log.info("record 0")
    lock = multiprocessing.Lock(); lock.acquire()
    def miss():
        time.sleep(0.5)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    threading.Thread(target=miss).start()
    lock.acquire()
if __name__ == "__main__":
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start(); child.join(30)
    ended = child.exitcode
    child.kill()
    sys.exit(ended != -signal.SIGTERM)
"""

    assert run(code, cloudwatch.url, tmp_path) == 0
    assert (bodies(cloudwatch), queue_files()) == (numbered(1), [])


def test_nothing_is_lost_when_the_endpoint_was_never_there(cloudwatch: LocalCloudWatch, tmp_path: Path) -> None:
    """A whole life without CloudWatch, ended in an orderly way within its deadline; the next start delivers."""
    code = "handler.flush_timeout = 0.5; burst(0, 10_000)"
    assert run(code.replace("burst", "from logship.handler import exits; exits._State.deadline_seconds = 0.5; burst"),
               "http://127.0.0.1:9", tmp_path) == 0  # fmt: skip
    assert len(queue_files()) >= 1
    run("pass", cloudwatch.url, tmp_path)

    assert (bodies(cloudwatch), queue_files()) == (numbered(10_000), [])


def test_a_living_process_sends_what_a_dead_one_left(
    cloudwatch: LocalCloudWatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only the next start: another process of the same service finds it, too, within seconds."""
    monkeypatch.setattr("logship.handler.delivery._LOOK_EVERY_SECONDS", 0.2)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    handler = CloudWatchHandler(GROUP, endpoint_url=cloudwatch.url, service="orders", send_interval=0.1)
    try:
        handler._delivery._start()
        run(ENDS["kill -9"], cloudwatch.url, tmp_path)
        deadline = time.monotonic() + 30
        while bodies(cloudwatch) != numbered(10_000) and time.monotonic() < deadline:
            threading.Event().wait(0.1)

        assert bodies(cloudwatch) == numbered(10_000)
        assert handler.stats.recovered >= 1
    finally:
        handler.close()


@pytest.mark.parametrize(("worker", "began"), [(0, False), (1, True), (None, True)])
def test_no_thread_begins_in_a_master_of_uwsgi_that_is_about_to_fork(
    cloudwatch: LocalCloudWatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: int | None, *, began: bool
) -> None:
    """What dead workers left the next ones send: a thread that held the GIL while they are forked would stop them."""
    run(ENDS["kill -9"], "http://127.0.0.1:9", tmp_path)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    if worker is not None:
        monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(worker_id=lambda: worker))
    handler = CloudWatchHandler(GROUP, endpoint_url=cloudwatch.url, service="orders")
    found = handler._delivery._thread is not None
    handler.close()

    assert found is began


def test_two_starts_at_once_send_it_once(cloudwatch: LocalCloudWatch, tmp_path: Path) -> None:
    """Two processes that start together do not both send what a dead one left."""
    run(ENDS["kill -9"], "http://127.0.0.1:9", tmp_path)
    program = tmp_path / "next.py"
    program.write_text(HEAD + "handler.flush()")
    starts = [
        subprocess.Popen([sys.executable, str(program), cloudwatch.url], env={**os.environ, **environment()})
        for _ in range(2)
    ]
    for start in starts:
        assert start.wait(60) == 0

    assert Counter(line["body"] for line in lines(cloudwatch)) == numbered(10_000)


def test_secrets_never_leave_the_process(cloudwatch: LocalCloudWatch, tmp_path: Path) -> None:
    """What CloudWatch gets is redacted, records that a dead process left included; the id stays."""
    secret = "AKIAIOSFODNN7EXAMPLE"
    code = f'log.info("password=hunter2hunter2 key {secret}", extra={{"sent": "Authorization: Bearer abcdefghij0123"}})'
    run(f"{code}\nos.kill(os.getpid(), 9)", "http://127.0.0.1:9", tmp_path)
    run(code, cloudwatch.url, tmp_path)
    found = lines(cloudwatch)

    assert len({line["logship.id"] for line in found}) == 2
    text = json.dumps(found)
    assert [word for word in ("hunter2", secret) if word in text] == []


def test_redacted_at_once_the_queue_holds_no_secret(tmp_path: Path) -> None:
    """With redact="emit" not even the queue's file has it."""
    code = """
handler = CloudWatchHandler("/shop/orders", endpoint_url=sys.argv[1], redact="emit")
log.handlers = [handler]
log.info("password=hunter2hunter2")
os.kill(os.getpid(), 9)
"""
    run(code, "http://127.0.0.1:9", tmp_path)
    kept = b"".join(path.read_bytes() for path in queue_files())

    assert (b"hunter2" in kept, b"[redacted:" in kept) == (False, True)


WEB = """
import logging
from logship.handler import CloudWatchHandler
log = logging.getLogger("app"); log.setLevel(20)
log.addHandler(CloudWatchHandler("/shop/orders", endpoint_url="%s", service="orders"))
def app(environ, start_response):
    for number in range(100):
        log.info("%%s/%%d", environ["PATH_INFO"], number)
    start_response("200 OK", [("content-length", "2")])
    return [b"ok"]
"""


def gunicorn(place: str) -> list[str]:
    return [sys.executable, "-m", "gunicorn", "--preload", "-w", "2", "-b", place, "web:app"]


def uwsgi(place: str, *more: str) -> list[str]:
    program = str(Path(sys.executable).with_name("uwsgi"))
    options = ["--master", "--processes", "2", "--die-on-term", "--virtualenv", sys.prefix, "--pythonpath", "."]
    return [program, "--http-socket", place, *options, "--module", "web:app", *more]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(gunicorn, id="gunicorn"),
        pytest.param(uwsgi, id="uwsgi"),
        pytest.param(
            lambda place: uwsgi(place, "--py-call-osafterfork"),
            id="uwsgi with its hooks",
            marks=pytest.mark.skipif(
                sys.version_info >= (3, 13), reason="uWSGI 2.0 itself crashes so since Python 3.13"
            ),
        ),
        pytest.param(lambda place: uwsgi(place, "--lazy-apps"), id="uwsgi with lazy-apps"),
    ],
)
def test_a_servers_reload_loses_nothing(
    cloudwatch: LocalCloudWatch, tmp_path: Path, command: Callable[[str], list[str]]
) -> None:
    """The application loaded before the fork, workers replaced amid requests, then SIGTERM: every record arrives."""
    import http.client
    import socket

    (tmp_path / "web.py").write_text(WEB % cloudwatch.url)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # pyuwsgi begins anew with the interpreter alone, not with its environment.
    packages = os.pathsep.join((get_path("purelib"), str(Path(__file__).resolve().parents[2])))
    answered = []

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", f"/{number}")
            if connection.getresponse().read() == b"ok":
                answered.append(number)
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()

    with subprocess.Popen(
        command(f"127.0.0.1:{port}"),
        cwd=tmp_path,
        env={**os.environ, **environment(), "PYTHONPATH": packages},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        deadline = time.monotonic() + 30
        while len(answered) < 20 and time.monotonic() < deadline:
            ask(len(answered))
        server.send_signal(signal.SIGHUP)
        while len(answered) < 100 and time.monotonic() < deadline:
            ask(len(answered))
        server.terminate()
        assert server.wait(30) == 0
    run("pass", cloudwatch.url, tmp_path)
    arrived = bodies(cloudwatch)

    asked = [f"/{request}/{number}" for request in answered for number in range(100)]
    assert len(answered) == 100
    assert max(arrived.values()) == 1
    assert [body for body in asked if not arrived[body]] == []


CELERY = """
import logging
from celery import Celery
from logship.handler import CloudWatchHandler
app = Celery("tasks", broker="filesystem://")
app.conf.update(
    broker_transport_options=dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), "queue"),
    worker_hijack_root_logger=False,
)
log = logging.getLogger("app"); log.setLevel(20)
log.addHandler(CloudWatchHandler("/shop/orders", endpoint_url="%s", service="orders"))
@app.task
def work(part):
    for number in range(part * 100, part * 100 + 100):
        log.info("record %%d", number)
"""


def test_celerys_prefork_pool_loses_nothing(cloudwatch: LocalCloudWatch, tmp_path: Path) -> None:
    """The handler made before the pool forks, three workers, then SIGTERM: 10,000 records arrive, none twice."""
    (tmp_path / "queue").mkdir()
    (tmp_path / "tasks.py").write_text(CELERY % cloudwatch.url)
    env = {**os.environ, **environment()}
    send = "import tasks\nfor part in range(100): tasks.work.delay(part)"
    subprocess.run([sys.executable, "-c", send], cwd=tmp_path, env=env, check=True, timeout=60)
    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-P", "prefork", "-c", "3", "--without-mingle"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as worker:
        deadline = time.monotonic() + 60
        while list((tmp_path / "queue").glob("*.msg")) and time.monotonic() < deadline:
            time.sleep(0.1)
        worker.terminate()
        assert worker.wait(60) == 0
    run("pass", cloudwatch.url, tmp_path)

    assert bodies(cloudwatch) == numbered(10_000)
