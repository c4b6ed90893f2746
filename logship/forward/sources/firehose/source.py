"""The source: serves the endpoint on a port until the forwarder ends."""

from __future__ import annotations

import asyncio
import socket
import threading
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from logship.errors import UsageError
from logship.forward.outside.status import SourceStatus
from logship.forward.sources.firehose.app import FirehoseApp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.forward.letters.dead_letters import DeadLetter
    from logship.forward.port import Batch

_LOOK_S: Final = 0.1
_LAST_ANSWERS_S: Final = 5
"""How long requests under way may take once the forwarder is to end; the others are sent again by Firehose."""
_MOST_CONNECTIONS: Final = 256


class FirehoseSource:
    """Serves `FirehoseApp` with uvicorn; see the port.

    Args:
        host: to listen on; not of this machine alone only with an access key, which the caller sees to.
        port: 0 takes a free one.
        access_key: what deliveries must carry; "" asks for nothing.
        keep: takes payloads that cannot be read; returns when they are safe.
        say: told what people should know, a line each.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        keep: Callable[[Sequence[DeadLetter]], object],
        access_key: str = "",
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name = f"firehose [{host}]:{port}" if ":" in host else f"firehose {host}:{port}"
        self.listening = threading.Event()
        """Set once connections are taken."""
        self.port = port
        """Where it listens, once it does."""
        self._host, self._keep, self._access_key, self._say = host, keep, access_key, say

    def describes(self) -> SourceStatus:
        """Whether connections are taken."""
        return SourceStatus(name=self.name, ready=self.listening.is_set())

    def run(self, deliver: Callable[[Batch], None], stop: threading.Event) -> None:
        """Serves until stopped.

        Raises:
            UsageError: the port cannot be listened on.
        """
        import uvicorn

        app = FirehoseApp(deliver, self._keep, access_key=self._access_key, say=self._say)
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_LAST_ANSWERS_S,
        )
        with self._bind() as listener:
            self.port = listener.getsockname()[1]
            asyncio.run(self._serve(uvicorn.Server(config), listener, stop))

    def save(self, *, now: bool = False) -> None:
        """Nothing: Firehose itself sends again what was not answered."""

    def _bind(self) -> socket.socket:
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            return socket.create_server((self._host, self.port), family=family)
        except OSError as error:
            raise UsageError(
                f"cannot listen on {self._host}:{self.port}: {error.strerror or error}; "
                'name another: listen = "127.0.0.1:8089" under [[forward.source]]'
            ) from None

    async def _serve(self, server: Any, listener: socket.socket, stop: threading.Event) -> None:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not stop.is_set() and not serving.done():
            await asyncio.sleep(_LOOK_S)
            if server.started:
                self.listening.set()
        server.should_exit = True
        await serving


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
