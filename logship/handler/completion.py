"""The one record that a served request or an outgoing call writes when it is over."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from logship.handler import request_buffer
from logship.record import DURATION_MS, KIND

if TYPE_CHECKING:
    from logship.handler.context import Span

METHOD: Final = "http.request.method"
ROUTE: Final = "http.route"
PATH: Final = "url.path"
OPERATION: Final = "operation"
STATUS: Final = "http.response.status_code"
DISCONNECTED: Final = "logship.client_disconnected"
"""True on a request whose client left before the answer was complete."""

REQUEST_LOGGER: Final = "logship.request"
CALL_LOGGER: Final = "logship.call"

_SERVER_ERROR: Final = 500


def logger_of(logger: logging.Logger | str) -> logging.Logger:
    """The logger for completion records; one without a level of its own is set to INFO.

    The root logger's default is WARNING, which would silently leave every quick, successful request out.
    """
    found = logging.getLogger(logger) if isinstance(logger, str) else logger
    if found.level == logging.NOTSET:
        found.setLevel(logging.INFO)
    return found


class Completion:
    """Measures from its making to `write`, which writes once.

    Args:
        logger: where the record goes.
        kind: request or call.
        span: its place in the trace.
        method, path: of HTTP; of others the method is a word such as TASK.
        operation: what was done, where it is no HTTP: a task's name, ``S3.PutObject``.
    """

    def __init__(
        self, logger: logging.Logger, kind: str, span: Span, method: str, path: str, *, operation: str = ""
    ) -> None:
        self.status: int | None = None
        """None means that there was no answer."""
        self.route = ""
        self.more: dict[str, Any] = {}
        """Further fields of the record."""
        self.failed = False
        """Whether it failed, where neither a status of HTTP nor an exception says so."""
        self.outcome: str = ""
        """What came of an operation, in its framework's word; of HTTP the status says it."""
        self._logger, self._kind, self._span, self._method, self._path = logger, kind, span, method, path
        self._operation = operation
        self._aside = request_buffer.begin() if kind == "request" else None
        self.started = time.perf_counter()
        """By `time.perf_counter`."""
        self._written = False

    def write(self, error: BaseException | None = None) -> None:
        """Write the record, once: what happens after it changes nothing."""
        if self._written:
            return
        self._written = True
        duration_ms = round((time.perf_counter() - self.started) * 1000, 3)
        failed = self.failed or error is not None or (self.status or 0) >= _SERVER_ERROR
        if self._aside is not None:
            buffer, token = self._aside
            buffer.end(failed=failed, duration_ms=duration_ms)
            request_buffer.leave(token)
        fields: dict[str, Any] = self._span.fields() | {KIND: self._kind, DURATION_MS: duration_ms}
        if self._operation:
            fields[OPERATION] = self._operation
        else:
            fields |= {METHOD: self._method, PATH: self._path}
        if self.route:
            fields[ROUTE] = self.route
        if self.status is not None:
            fields[STATUS] = self.status
        outcome = self.outcome or (self.status if self.status is not None else "failed" if failed else "done")
        if not self._operation and self.status is None:
            outcome = "no answer"
        self._logger.log(
            logging.ERROR if failed else logging.INFO,
            "%s %s %s",
            self._method,
            self._operation or self.route or self._path,
            outcome,
            extra=fields | self.more,
            exc_info=(type(error), error, error.__traceback__) if error is not None else None,
        )
