"""What can go wrong on purpose, and the API errors that say so."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field


class ApiError(Exception):
    """An error answer of the API: its code, its text, its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


class NoAnswer(Exception):  # noqa: N818 - an outcome, not an error
    """The connection is reset instead of an answer."""


@dataclass(kw_only=True)
class Faults:
    """Rates are probabilities from 0 to 1 for each request; everything is off by default, and may change any time."""

    operations: frozenset[str] = frozenset()
    """Names of the operations that fail; empty means all."""
    throttle_rate: float = 0.0
    """ThrottlingException."""
    error_500_rate: float = 0.0
    error_503_rate: float = 0.0
    reset_rate: float = 0.0
    """The connection is reset before the request is looked at."""
    lost_answer_rate: float = 0.0
    """The request is carried out and then the connection is reset."""
    latency_s: float = 0.0
    """Each answer waits that long."""
    empty_page_rate: float = 0.0
    """FilterLogEvents: a page without events, but with a token."""
    partial_page_rate: float = 0.0
    """FilterLogEvents: a page with fewer events than would fit."""
    expired_token_rate: float = 0.0
    """FilterLogEvents: a token that is no longer taken, as after a day."""
    denied: frozenset[str] = frozenset()
    """Names of the operations that the role's policy does not allow."""
    session_timeout_s: float = 0.0
    """StartLiveTail: how long a session lasts; 0 means three hours, as the service's."""
    session_error_rate: float = 0.0
    """StartLiveTail: a SessionStreamingException instead of an update."""
    session_reset_rate: float = 0.0
    """StartLiveTail: the connection is reset instead of an update."""
    session_silent: bool = False
    """StartLiveTail: no update comes, and the connection stays."""
    denied_groups: frozenset[str] = frozenset()
    """Log groups whose events the caller may not read."""
    tps: dict[str, float] = field(default_factory=dict)
    """Requests a second allowed per operation; more get a ThrottlingException."""


class Mischief:
    """Draws the faults of each request from one seeded source."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self.faults = faults
        self.injected: Counter[str] = Counter()
        self._random = random.Random(seed)  # noqa: S311 - reproducible faults
        self._windows: dict[str, tuple[int, int]] = {}

    def draw(self, rate: float) -> bool:
        """Whether something of that probability happens."""
        return rate > 0 and self._random.random() < rate

    def uniform(self, low: float, high: float) -> float:
        """A number between two."""
        return self._random.uniform(low, high)

    @property
    def random(self) -> random.Random:
        """The source itself, for other distributions."""
        return self._random

    def before(self, operation: str, now_s: float) -> None:
        """Raises what hits a request before it is carried out."""
        faults = self.faults
        self._check_quota(operation, now_s)
        if operation in faults.denied:
            raise ApiError("AccessDeniedException", f"User is not authorized to perform: logs:{operation}")
        if faults.operations and operation not in faults.operations:
            return
        if self.draw(faults.reset_rate):
            self.injected["reset"] += 1
            raise NoAnswer
        for name, rate, error in (
            ("throttle", faults.throttle_rate, ApiError("ThrottlingException", "Rate exceeded")),
            ("500", faults.error_500_rate, ApiError("InternalFailure", "injected", 500)),
            ("503", faults.error_503_rate, ApiError("ServiceUnavailableException", "injected", 503)),
        ):
            if self.draw(rate):
                self.injected[name] += 1
                raise error

    def after(self, operation: str) -> None:
        """Raises what hits a request that was carried out."""
        faults = self.faults
        if (not faults.operations or operation in faults.operations) and self.draw(faults.lost_answer_rate):
            self.injected["lost_answer"] += 1
            raise NoAnswer

    def _check_quota(self, operation: str, now_s: float) -> None:
        allowed = self.faults.tps.get(operation)
        if allowed is None:
            return
        second, used = self._windows.get(operation, (-1, 0))
        used = used + 1 if second == int(now_s) else 1
        self._windows[operation] = (int(now_s), used)
        if used > allowed:
            self.injected["quota"] += 1
            raise ApiError("ThrottlingException", "Rate exceeded")
