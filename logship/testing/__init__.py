"""Fakes that are part of the public interface: for our tests, the demo, and the tests of our users."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logship.testing.capture import capture_logs
    from logship.testing.clock import FakeClock
    from logship.testing.local_cloudwatch import Faults, LocalCloudWatch
    from logship.testing.memory_store import MemoryStore

__all__ = ["FakeClock", "Faults", "LocalCloudWatch", "MemoryStore", "capture_logs"]

_EXPORTS = {
    "FakeClock": "logship.testing.clock",
    "Faults": "logship.testing.local_cloudwatch",
    "LocalCloudWatch": "logship.testing.local_cloudwatch",
    "MemoryStore": "logship.testing.memory_store",
    "capture_logs": "logship.testing.capture",
}


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
