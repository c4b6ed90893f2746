"""A clock that a test moves."""

from __future__ import annotations


class FakeClock:
    """Seconds since 1970, standing still until told otherwise.

    >>> clock = FakeClock(1_000.0)
    >>> clock.advance(2.5)
    >>> clock()
    1002.5
    """

    def __init__(self, seconds: float = 1_795_443_665.0) -> None:
        self._seconds = seconds

    def __call__(self) -> float:
        """Now, in seconds since 1970."""
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Moves the clock on."""
        self._seconds += seconds
