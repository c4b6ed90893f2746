"""A request that failed is tried again after a wait that grows, however long an outage lasts."""

from __future__ import annotations

from threading import Event

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from logship.cloudwatch.backoff import backoff_s, is_said
from logship.cloudwatch.paging import Retry


@given(failures=st.integers(1, 10**9), first_s=st.floats(0.001, 10), longest_s=st.floats(0.1, 600))
def test_a_wait_is_never_longer_than_the_longest(failures: int, first_s: float, longest_s: float) -> None:
    """An outage of a day makes thousands of failures in a row."""
    assert 0 <= backoff_s(failures, first_s=first_s, longest_s=longest_s) <= longest_s


def test_waits_double() -> None:
    """Up to twice the first after one failure, and so on."""
    longest = [max(backoff_s(failures) for _ in range(2000)) for failures in (1, 2, 3)]

    assert longest == pytest.approx([0.2, 0.4, 0.8], rel=0.05)


def test_an_outage_of_hours_is_waited_for() -> None:
    """A request without a limit of tries is tried until it succeeds, and people hear of it now and then."""

    class Clock(Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            waits.append(timeout)
            return False

    def request() -> str:
        if len(waits) < 5000:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return "there"

    waits: list[float] = []
    said: list[str] = []

    answer = Retry(Clock(), say=said.append).call("listing log groups", request)

    assert (answer, max(waits) <= 20, sum(waits) > 3600) == ("there", True, True)
    assert len(said) == sum(map(is_said, range(1, 5001)))
