"""The service's time, read from the Date header of its answers: our own clock may be minutes off."""

from __future__ import annotations

import sys
import time
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_TOLERANCE_MS: Final = 2_000
"""The header gives whole seconds and the answer travels; smaller differences are not looked at."""
_AGREEING: Final = 3
"""So many answers in a row that agree move the clock: one may have been slow, or somebody else's."""
_elapsed_s: Final = partial(time.clock_gettime, time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic
"""Goes on while the machine sleeps, where there is such a clock."""
_BEGAN_S: Final = time.time() - _elapsed_s()


def steady_s() -> float:
    """Seconds since 1970 by our clock as it was when we began.

    Setting it right later moves nothing, so what is known of the service's clock stays true.
    """
    return _BEGAN_S + _elapsed_s()


class ServiceClock:
    """Milliseconds since 1970 by the service's clock; by our own until an answer has told.

    Args:
        clock: our clock, seconds since 1970; one that is never set.
    """

    def __init__(self, clock: Callable[[], float] = steady_s) -> None:
        self._clock = clock
        self.offset_ms = 0
        """What the service's clock is ahead of ours."""
        self._is_first = True
        self._other_ms, self._agreed = 0, 0
        """Another offset than this one, and how many of the last answers told it."""

    def now_ms(self) -> int:
        """Now."""
        return int(self._clock() * 1000) + self.offset_ms

    def observe(self, answer: dict[str, Any]) -> None:
        """Compares the clocks, by an answer of the SDK that has just arrived: the first sets ours, later ones agree."""
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        try:
            theirs_ms = int(parsedate_to_datetime(date).timestamp() * 1000) + 500
        except (ValueError, TypeError):
            return
        self._learn(theirs_ms - int(self._clock() * 1000))

    def _learn(self, offset_ms: int) -> None:
        if abs(offset_ms - self.offset_ms) <= _TOLERANCE_MS:
            self._agreed, self._is_first = 0, False
            return
        self._agreed = self._agreed + 1 if abs(offset_ms - self._other_ms) <= _TOLERANCE_MS else 1
        self._other_ms = offset_ms
        if self._is_first or self._agreed >= _AGREEING:
            self.offset_ms = offset_ms if abs(offset_ms) > _TOLERANCE_MS else 0
            self._agreed, self._is_first = 0, False
