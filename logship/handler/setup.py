"""`logship.setup`: everything that an application needs to log to CloudWatch, in one call."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

from logship.handler.front import CloudWatchHandler
from logship.handler.options import service_name

if TYPE_CHECKING:
    from types import TracebackType

_UNCAUGHT = "logship.uncaught"


class _Installed:
    """Of this process."""

    handler: CloudWatchHandler | None = None
    hooked = False


def setup(
    service: str | None = None,
    *,
    group: str | None = None,
    stream: str | None = None,
    level: int | str = logging.INFO,
    **options: Any,
) -> CloudWatchHandler:
    """Send what the root logger gets to CloudWatch Logs; a second call replaces the first.

    Uncaught exceptions of the main thread and of others are logged, too. Handlers that the application has
    installed stay.

    Args:
        service: `service.name` of every record; None asks OTEL_SERVICE_NAME, then takes the program's name.
        group: log group; None means ``/{app}/{service}``, app being the variable LOGSHIP_APP or ``app``.
        stream: log stream; None means ``{host}/{pid}``.
        level: of the root logger.
        options: further parameters of `CloudWatchHandler`.

    Raises:
        SettingsError: a parameter that cannot be used.
    """
    handler = CloudWatchHandler(group, stream, service=service or service_name(group), **options)
    root, before = logging.getLogger(), _Installed.handler
    root.addHandler(handler)
    root.setLevel(level)
    _Installed.handler = handler
    if before is not None:
        root.removeHandler(before)
        before.close()
    if not _Installed.hooked:
        _Installed.hooked = True
        _hook_exceptions()
    return handler


def _hook_exceptions() -> None:
    of_main, of_threads = sys.excepthook, threading.excepthook

    def main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, Exception):
            logging.getLogger(_UNCAUGHT).critical("uncaught exception", exc_info=(kind, error, trace))
        of_main(kind, error, trace)

    def thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and issubclass(args.exc_type, Exception):
            name = args.thread.name if args.thread else "?"
            logging.getLogger(_UNCAUGHT).critical(
                "uncaught exception in thread %s", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
            )
        of_threads(args)

    sys.excepthook, threading.excepthook = main, thread
