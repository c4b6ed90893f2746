"""How long a request that failed waits until it is tried again, and how often people hear of it."""

from __future__ import annotations

import random
from typing import Final

REFUSED_S: Final = 300.0
"""What is not permitted is tried again after that long: somebody may have changed the policy."""
AWAY_S: Final = 5.0
"""What does not answer when it is to begin is begun again after that long."""
_MOST_DOUBLINGS: Final = 30
"""More reach every longest wait, and an outage of hours would make a number that no float holds."""
_SAID_AT: Final = frozenset({3, 8, 16})
_SAID_EVERY: Final = 30


def backoff_s(failures: int, *, first_s: float = 0.1, longest_s: float = 20.0) -> float:
    """Seconds to wait, with full jitter: up to a time that doubles with each failure.

    Args:
        failures: in a row, however many; 1 or more.
        first_s: half the longest wait after the first.
        longest_s: the longest wait of all.
    """
    return random.uniform(0, min(longest_s, first_s * 2 ** min(failures, _MOST_DOUBLINGS)))  # noqa: S311 - jitter


def is_said(failures: int) -> bool:
    """Whether people are told of this failure in a row: of the third, and ever more seldom after that."""
    return failures in _SAID_AT or failures % _SAID_EVERY == 0
