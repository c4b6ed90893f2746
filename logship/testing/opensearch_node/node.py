"""One server process on loopback: start, wait until it answers, stop."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from logship.testing.opensearch_node.distribution import NodeUnavailableError, clean_environment, fetch, find_java

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType

_START_LIMIT_S: Final = 120.0
_ATTEMPTS: Final = 2
"""A port may be taken between choosing it and the server's binding to it."""
_OPTIONS: Final = (
    "-XX:+UseG1GC",
    "-XX:G1ReservePercent=25",
    "-XX:InitiatingHeapOccupancyPercent=30",
    "-Xss1m",
    "-XX:-OmitStackTraceInFastThrow",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
    "-Djna.nosys=true",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
    "-Dio.netty.allocator.numDirectArenas=0",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
    "-Djava.locale.providers=SPI,CLDR",
    "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
)
_LOGGING: Final = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


class Node:
    """A single OpenSearch node that listens on 127.0.0.1 only and keeps everything in one folder.

    >>> with Node("/var/lib/logship-node") as node:  # doctest: +SKIP
    ...     print(node.url)
    """

    def __init__(
        self,
        data: str | Path,
        *,
        port: int = 0,
        heap: str = "512m",
        fast_start: bool = False,
        settings: Mapping[str, str] | None = None,
        home: Path | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Prepares a node; `start` runs it.

        Args:
            data: folder of its data, logs and configuration; made if it is not there.
            port: of HTTP; 0 takes a free one.
            heap: the server's memory, as Java writes it. Resident memory is about 150 MB more.
            fast_start: halves the processor time of starting, at half the later speed: for tests.
            settings: more server settings, such as ``{"path.repo": "/backup"}``.
            home: an unpacked server; fetched when None.
            ssl_context: how the start is watched when the server speaks TLS.
        """
        self._data, self._wanted_port, self._heap, self._fast = Path(data).absolute(), port, heap, fast_start
        self._settings, self._home, self._ssl = dict(settings or {}), home, ssl_context
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{'https' if self._ssl else 'http'}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the server's process; 0 when it does not run."""
        return self._process.pid if self._process else 0

    def start(self) -> str:
        """Starts the server and waits until it answers; the address.

        Raises:
            NodeUnavailableError: nothing to run it with, or it ends while starting; with the end of its log.
        """
        java, home = find_java(), self._home or fetch()
        conf = self._data / "conf"
        for folder in (conf, self._data / "tmp", self._data / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
        (conf / "opensearch.yml").touch()
        (conf / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
        for _ in range(_ATTEMPTS):
            self.port = self._wanted_port or _free_port()
            with (self._data / "logs" / "console.log").open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603
                    [*_as_user(), *self._command(java, home, conf)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=clean_environment(),
                    cwd=self._data,
                )
            if self._wait_until_ready():
                return self.url
        raise NodeUnavailableError(f"OpenSearch ended while starting: {self._log_end()}")

    def stop(self) -> None:
        """Ends the server."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the server as a power cut would: kill -9."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def keep_port(self) -> None:
        """Lets the next `start` listen where this one did, as a server that comes back does."""
        self._wanted_port = self.port

    def wait(self) -> int:
        """Waits until the server ends; its exit status."""
        return self._process.wait() if self._process else 0

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _command(self, java: Path, home: Path, conf: Path) -> list[str]:
        data = self._data
        options = [f"-Xms{self._heap}", f"-Xmx{self._heap}", *_OPTIONS, f"-Djava.io.tmpdir={data / 'tmp'}"]
        options += [f"-XX:ErrorFile={data / 'logs' / 'hs_err.log'}", f"-javaagent:{home}/agent/opensearch-agent.jar"]
        options += ["-XX:TieredStopAtLevel=1"] if self._fast else []
        settings = {
            "cluster.name": "logship",
            "node.name": "logship",
            "network.host": "127.0.0.1",
            "http.port": str(self.port),
            "transport.port": str(_free_port()),
            "discovery.type": "single-node",
            "path.data": str(data / "data"),
            "path.logs": str(data / "logs"),
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "action.auto_create_index": "false",
            "action.destructive_requires_name": "true",
            **self._settings,
        }
        return [
            str(java),
            *options,
            f"-Dopensearch.path.home={home}",
            f"-Dopensearch.path.conf={conf}",
            "-Dopensearch.distribution.type=zip",
            "-Dopensearch.bundled_jdk=false",
            "-cp",
            f"{home}/lib/*",
            "org.opensearch.bootstrap.OpenSearch",
            *(f"-E{name}={value}" for name, value in settings.items()),
        ]

    def _wait_until_ready(self) -> bool:
        """Whether it answers; False when it ended, so that another port may be tried."""
        deadline = time.monotonic() + _START_LIMIT_S
        assert self._process is not None
        while self._process.poll() is None:
            if self._answers():
                return True
            if time.monotonic() > deadline:
                self.kill()
                raise NodeUnavailableError(
                    f"OpenSearch does not answer after {_START_LIMIT_S:.0f} s: {self._log_end()}"
                )
            time.sleep(0.1)
        return False

    def _answers(self) -> bool:
        try:
            url = f"{self.url}/_cluster/health?wait_for_status=yellow&timeout=5s"
            with urllib.request.urlopen(url, timeout=10, context=self._ssl) as answer:  # noqa: S310 - our own node
                return bool(answer.status == 200)  # noqa: PLR2004
        except urllib.error.HTTPError as error:
            error.close()
            return error.code == 401 and self._ssl is not None  # noqa: PLR2004 - up, and asks who we are
        except OSError:
            return False

    def _log_end(self) -> str:
        text = (self._data / "logs" / "console.log").read_text(encoding="utf-8", errors="replace")
        return " ".join(text.split())[-600:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_user() -> list[str]:
    """What makes the server end with this process, and what lets root run it: OpenSearch refuses uid 0."""
    end_with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    if os.geteuid() != 0:
        return end_with_us
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", *end_with_us]
