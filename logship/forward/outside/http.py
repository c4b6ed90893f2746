"""``/metrics``, ``/healthz`` and ``/readyz`` of a running forwarder, on loopback unless told otherwise."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from importlib.util import find_spec
from ipaddress import ip_address
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from logship.errors import MissingExtraError, SettingsError, UsageError
from logship.forward.outside.metrics import Collector
from logship.settings import Forward

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from logship.forward.outside.status import ForwardStatus

DEFAULT_LISTEN: Final = Forward().listen
_LAST_PORT: Final = 65535
_IDLE_S: Final = 10.0
"""A connection that says nothing for so long is closed."""
_TEXT: Final = "text/plain; charset=utf-8"
_INDEX: Final = "/metrics  for Prometheus\n/healthz  whether it works\n/readyz   whether it keeps up\n"
Answer = tuple[int, str, bytes]
"""Status code, content type, body."""


@contextmanager
def serving(
    status: Callable[[], ForwardStatus], listen: str = DEFAULT_LISTEN, *, say: Callable[[str], None] = lambda _: None
) -> Iterator[str]:
    """Serves the snapshot until left; gives the address as a URL, or "" where nothing is served.

    Args:
        status: takes the snapshot; called by several threads.
        listen: host and port; port 0 takes a free one, "" serves nothing.
        say: told what people should know, a line each.

    Raises:
        UsageError: `listen` is no address, or one that cannot be listened on; the default one is done without.
    """
    server = _open(status, listen, say)
    if server is None:
        yield ""
        return
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="logship-http", daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _open(status: Callable[[], ForwardStatus], listen: str, say: Callable[[str], None]) -> _Server | None:
    if not listen:
        return None
    host, port = address_of(listen)
    try:
        server = _Server(host, port, _Answers(status))
    except OSError as error:
        reason = f"cannot listen on {listen!r} for /metrics and /healthz: {error.strerror or error}"
        if listen != DEFAULT_LISTEN:
            raise UsageError(f'{reason}; name another: listen = "127.0.0.1:9405" under [forward]') from None
        say(f'{reason}; the forwarder goes on without, or with listen = "127.0.0.1:9405" under [forward]')
        return None
    if not find_spec("prometheus_client"):
        say(f"/metrics answers 501: {_missing()}")
    return server


def address_of(listen: str) -> tuple[str, int]:
    """Host and port.

    Raises:
        SettingsError: it is no address.
    """
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > _LAST_PORT:
        raise SettingsError(f"forward.listen = {listen!r} is no host and port; write {DEFAULT_LISTEN}")
    return host, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _missing() -> MissingExtraError:
    return MissingExtraError("prometheus-client", "metrics")


class _Answers:
    """What is answered to each path."""

    def __init__(self, status: Callable[[], ForwardStatus]) -> None:
        self._status = status
        self._collector = Collector(status)
        self._paths = {"/": self._index, "/metrics": self._metrics, "/healthz": self._health, "/readyz": self._ready}

    def answer(self, path: str, accept: str) -> Answer:
        """The answer to a GET of `path` by somebody who takes `accept`."""
        found = self._paths.get(urlsplit(path).path)
        return found(accept) if found else (404, _TEXT, b"there are /metrics, /healthz and /readyz\n")

    def _index(self, accept: str) -> Answer:
        del accept
        return 200, _TEXT, _INDEX.encode()

    def _metrics(self, accept: str) -> Answer:
        try:
            from prometheus_client import CollectorRegistry
            from prometheus_client.exposition import choose_encoder
        except ImportError:
            return 501, _TEXT, f"{_missing()}\n".encode()
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self._collector)
        encode, content_type = choose_encoder(accept)
        return 200, content_type, encode(registry)

    def _health(self, accept: str) -> Answer:
        del accept
        status = self._status()
        return _json(
            200 if status.is_moving else 503,
            status="ok" if status.is_moving else "stuck",
            progress_age_s=round(status.progress_age_s, 1),
            waits_for_store=status.store_reason,
            queued_bytes=status.queued_bytes,
        )

    def _ready(self, accept: str) -> Answer:
        del accept
        reason = self._status().unready
        return _json(503 if reason else 200, ready=not reason, reason=reason)


def _json(code: int, **values: object) -> Answer:
    return code, "application/json", json.dumps(values, ensure_ascii=False).encode() + b"\n"


class _Server(ThreadingMixIn, TCPServer):
    """A thread a connection. Bound to loopback, it answers only who asks for this machine by a name of its own.

    Without that, a web page could have its visitor's browser read what is served: its own name may lead here.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, answers: _Answers) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.answers = answers
        super().__init__((host, port), _Handler)
        self.is_private = _is_loopback(self.server_address[0])  # type: ignore[arg-type] # a text, as it is no path
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that break are their client's business."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _IDLE_S
    server_version = "logship"
    sys_version = ""

    def do_GET(self) -> None:
        self._send(with_body=True)

    def do_HEAD(self) -> None:
        self._send(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - so it is called
        """Requests are not told to anybody."""

    def _send(self, *, with_body: bool) -> None:
        code, content_type, body = self._answer()
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _answer(self) -> Answer:
        if self.server.is_private and not self._is_meant():
            return 421, _TEXT, b"ask for localhost or a loopback address\n"
        return self.server.answers.answer(self.path, self.headers.get("Accept", ""))

    def _is_meant(self) -> bool:
        """Whether the request names this machine; one without a name comes from no browser."""
        named = self.headers.get("Host")
        try:
            return named is None or _is_loopback(urlsplit(f"//{named}").hostname or "")
        except ValueError:
            return False
