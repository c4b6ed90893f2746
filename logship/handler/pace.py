"""How the sender's thread works: in short slices, so that nobody who logs waits long for the interpreter's lock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_SLICE_S: Final = 0.0004
"""Work between two pauses. CPython hands its lock over by itself after 5 ms only (`sys.setswitchinterval`)."""
_PAUSE_S: Final = 0.00002
"""Any sleep, since a lock that is given back and taken again at once goes to nobody else; Linux makes it some 80 µs."""


class Pace:
    """Called between two small steps of work; sleeps for a moment when a slice is over.

    Args:
        is_pressed: whether the work is urgent, so that there are no pauses.
    """

    def __init__(self, is_pressed: Callable[[], bool]) -> None:
        self._is_pressed = is_pressed
        self._began_s = time.perf_counter()

    def __call__(self) -> None:
        """Between two steps."""
        if time.perf_counter() - self._began_s < _SLICE_S:
            return
        if not self._is_pressed():
            time.sleep(_PAUSE_S)
        self._began_s = time.perf_counter()
