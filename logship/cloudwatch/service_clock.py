"""The service's time, read from the Date header of its answers: our own clock may be minutes off."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_TOLERANCE_MS: Final = 2_000
"""The header gives whole seconds and the answer travels; smaller differences are not looked at."""


class ServiceClock:
    """Milliseconds since 1970 by the service's clock; by our own until an answer has told.

    Args:
        clock: our clock, seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.offset_ms = 0
        """What the service's clock is ahead of ours."""

    def now_ms(self) -> int:
        """Now."""
        return int(self._clock() * 1000) + self.offset_ms

    def observe(self, answer: dict[str, Any]) -> None:
        """Compares the clocks, by an answer of the SDK that has just arrived."""
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        try:
            theirs_ms = int(parsedate_to_datetime(date).timestamp() * 1000) + 500
        except (ValueError, TypeError):
            return
        offset_ms = theirs_ms - int(self._clock() * 1000)
        if abs(offset_ms - self.offset_ms) > _TOLERANCE_MS:
            self.offset_ms = offset_ms if abs(offset_ms) > _TOLERANCE_MS else 0
