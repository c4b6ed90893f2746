"""A request that failed is tried again after a wait that grows, however long an outage lasts."""

from __future__ import annotations

from threading import Event

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from logship.cloudwatch.backoff import backoff_s, is_said
from logship.cloudwatch.paging import Retry
from logship.cloudwatch.quotas import Governor
from logship.errors import ConnectError


@given(failures=st.integers(1, 10**9), first_s=st.floats(0.001, 10), longest_s=st.floats(0.1, 600))
def test_a_wait_is_never_longer_than_the_longest(failures: int, first_s: float, longest_s: float) -> None:
    """An outage of a day makes thousands of failures in a row."""
    assert 0 <= backoff_s(failures, first_s=first_s, longest_s=longest_s) <= longest_s


def test_waits_double() -> None:
    """Up to twice the first after one failure, and so on."""
    longest = [max(backoff_s(failures) for _ in range(2000)) for failures in (1, 2, 3)]

    assert longest == pytest.approx([0.2, 0.4, 0.8], rel=0.05)


class Clock(Event):
    """Time that passes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        return False


def test_an_outage_of_hours_is_waited_for() -> None:
    """A request without a limit of tries is tried until it succeeds, and people hear of it now and then."""

    def request() -> str:
        if len(waits) < 5000:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return "there"

    clock, said = Clock(), list[str]()
    waits = clock.waits

    answer = Retry(clock, say=said.append).call("listing log groups", request)

    assert (answer, max(waits) <= 20, sum(waits) > 3600) == ("there", True, True)
    assert len(said) == sum(map(is_said, range(1, 5001)))


def test_a_throttled_endpoint_is_not_out_of_reach() -> None:
    """Hosts that begin at once use up a quota: the tries that count are those to which there is no answer.

    Whoever spaces the calls learns of it, so that they become fewer.
    """

    def request() -> str:
        answers.append("throttled" if len(answers) < 20 else "lost" if len(answers) < 23 else "there")
        if answers[-1] == "throttled":
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "ListTags")
        if answers[-1] == "lost":
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return "there"

    answers, governor = list[str](), Governor(5.0)

    answer = Retry(Clock(), tries=4, governor=governor).call("tags", request)

    assert (answer, len(answers), governor.rate < 4.0) == ("there", 24, True)
    answers[:] = ["throttled"] * 20
    with pytest.raises(ConnectError):
        Retry(Clock(), tries=3).call("tags", request)
