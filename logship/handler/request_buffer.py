"""DEBUG records of a request, kept aside and sent only if the request fails or is slow."""

from __future__ import annotations

import threading
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from contextvars import Token

    from logship.handler.delivery import Delivery

MOST_RECORDS: Final = 1_000
MOST_BYTES: Final = 2**20


@dataclass(frozen=True, kw_only=True)
class BufferDebug:
    """What is kept aside, and when it is sent after all."""

    level: str = "DEBUG"
    """This level and those below."""
    slow_ms: float = 1_000.0
    """A request that takes longer is slow."""
    max_records: int = MOST_RECORDS
    """Of one request; beyond them the oldest go."""
    max_bytes: int = MOST_BYTES


class RequestBuffer:
    """Lines of one request. Tasks and threads that inherit its context share it."""

    def __init__(self) -> None:
        self._lines: deque[tuple[Delivery, BufferDebug, int, bytes]] = deque()
        self._size_bytes = 0
        self._lock = threading.Lock()

    def add(self, delivery: Delivery, wanted: BufferDebug, timestamp_ms: int, line: bytes) -> None:
        """Keeps a line aside."""
        with self._lock:
            self._lines.append((delivery, wanted, timestamp_ms, line))
            self._size_bytes += len(line)
            while len(self._lines) > wanted.max_records or self._size_bytes > wanted.max_bytes:
                self._size_bytes -= len(self._lines.popleft()[3])

    def end(self, *, failed: bool, duration_ms: float) -> None:
        """Sends what was kept, or forgets it."""
        with self._lock:
            lines, self._lines, self._size_bytes = self._lines, deque(), 0
        for delivery, wanted, timestamp_ms, line in lines:
            if failed or duration_ms >= wanted.slow_ms:
                delivery.put(timestamp_ms, line)


CURRENT: ContextVar[RequestBuffer | None] = ContextVar("logship_request_buffer", default=None)
"""That of the request of this context; None outside requests, and after the end of one."""


_WANTED: Final[set[BufferDebug]] = set()


def want(wanted: BufferDebug) -> None:
    """A handler keeps records aside: from now on requests have a buffer."""
    _WANTED.add(wanted)


def begin() -> tuple[RequestBuffer, Token[RequestBuffer | None]] | None:
    """A request begins; None where no handler of the process keeps anything aside."""
    if not _WANTED:
        return None
    buffer = RequestBuffer()
    return buffer, CURRENT.set(buffer)


def leave(token: Token[RequestBuffer | None]) -> None:
    """Its context is left."""
    try:
        CURRENT.reset(token)
    except ValueError:  # ended in another context than it began in, which ends by itself
        CURRENT.set(None)
