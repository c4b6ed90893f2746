"""`python -m logship.demo.service NAME`: one service as a process, with logship embedded as a user would.

Prints its port; stops on SIGTERM or when its standard input ends; leaves its handler's counts in a file.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import uvicorn

from logship.demo.shop import Setting, build
from logship.handler import CloudWatchHandler, RequestLogMiddleware


def main() -> None:
    """Serves until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=URL")
    options = parser.parse_args()
    setting = Setting(options.name, dict(peer.split("=", 1) for peer in options.peer), options.folder)

    # uvicorn raises SIGTERM again once it has shut down; what follows `run` must still happen.
    signal.signal(signal.SIGTERM, lambda *_: None)
    handler = CloudWatchHandler(f"/shop/{setting.name}", service=setting.name, send_interval=0.5)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)

    listening = socket.create_server(("127.0.0.1", 0))
    app = RequestLogMiddleware(build(setting))
    if setting.name == "edge":
        app = AccessLog(app, setting.folder / "access.log")  # type: ignore[assignment]
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    server.run(sockets=[listening])
    handler.flush(10)
    (setting.folder / f"{setting.name}.stats.json").write_text(json.dumps(dataclasses.asdict(handler.stats)))


class AccessLog:
    """Writes nginx's combined format with the request time behind it, for an agent to pick up."""

    def __init__(self, app: RequestLogMiddleware, path: Path) -> None:
        self._app, self._file = app, path.open("a", buffering=1)

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        """Serves one request."""
        import time

        began, status = time.perf_counter(), 0

        async def watched(message) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self._app(scope, receive, watched)
        if scope["type"] == "http":
            at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
            took_s = time.perf_counter() - began
            self._file.write(
                f'127.0.0.1 - - [{at}] "{scope["method"]} {scope["path"]} HTTP/1.1" {status} 40 '
                f'"-" "demo" {took_s:.3f}\n'
            )


def _stop_with_parent() -> None:
    """A closed standard input means that whoever started this service is gone."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
