"""Centralized log aggregation and query for people who run services on AWS.

Importing this package loads no vendor SDK: every name below is imported on first use (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logship.errors import ExitCode, LogshipError
    from logship.handler.context import bind
    from logship.handler.setup import setup
    from logship.record import Record
    from logship.timerange import TimeRange

__all__ = ["ExitCode", "LogshipError", "Record", "TimeRange", "__version__", "bind", "setup"]

__version__ = "0.1.0"

_EXPORTS = {
    "ExitCode": "logship.errors",
    "LogshipError": "logship.errors",
    "Record": "logship.record",
    "TimeRange": "logship.timerange",
    "bind": "logship.handler.context",
    "setup": "logship.handler.setup",
}


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
