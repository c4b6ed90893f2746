"""Live Tail against LocalCloudWatch: whatever ends a session, the next one goes on; closing never waits."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from logship.cloudwatch.client import logs_client
from logship.cloudwatch.live_tail import LiveTail, group_of
from logship.cloudwatch.quotas import Governor
from logship.errors import AccessError, UnknownGroupError
from logship.testing import Faults, LocalCloudWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAST_TPS = 1_000.0
ONCE = Config(retries={"total_max_attempts": 1})


@pytest.fixture
def cw() -> Iterator[LocalCloudWatch]:
    with LocalCloudWatch(live_tail_every_s=0.02) as server:
        client = server.client()
        for group in ("/a", "/b"):
            client.create_log_group(logGroupName=group)
            client.create_log_stream(logGroupName=group, logStreamName="s")
        yield server


def put(cw: LocalCloudWatch, group: str, message: str) -> None:
    event = {"timestamp": int(time.time() * 1000), "message": message}
    cw.client().put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])


class Watched:
    """A tail that a thread iterates over, and what came of it."""

    def __init__(self, cw: LocalCloudWatch, *groups: str, client: Any = None) -> None:
        self.said: list[str] = []
        self.messages: list[str] = []
        self.sampled = False
        self.error: Exception | None = None
        self.tail = LiveTail(
            client or cw.client(config=ONCE),
            groups,
            say=self.said.append,
            starts=Governor(FAST_TPS),
            first_wait_s=0.005,
        )
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            for update in self.tail:
                self.messages += [event.message for event in update.events]
                self.sampled |= update.sampled
        except Exception as error:
            self.error = error

    def close(self) -> float:
        """Seconds until its thread has ended."""
        began_s = time.monotonic()
        self.tail.close()
        self.thread.join(10)
        return time.monotonic() - began_s


@pytest.fixture
def watch(cw: LocalCloudWatch) -> Iterator[Callable[..., Watched]]:
    """Begins tails, which end with the test."""
    begun: list[Watched] = []

    def begin(*groups: str, client: Any = None) -> Watched:
        begun.append(Watched(cw, *groups, client=client))
        return begun[-1]

    yield begin
    for watched in begun:
        watched.close()


def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition, ten seconds at most."""
    end_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end_s, "it did not come true"
        time.sleep(0.005)


def test_events_come_without_ids_as_they_are_taken_in(cw: LocalCloudWatch, watch: Callable[..., Watched]) -> None:
    """A session over several groups gives the events of each by the group's name."""
    watched = watch("/a", "/b")
    until(lambda: watched.tail.is_open)
    put(cw, "/a", "one")
    put(cw, "/b", "two")
    until(lambda: len(watched.messages) == 2)

    assert (watched.messages, cw.live_tails) == (["one", "two"], [frozenset({"/a", "/b"})])


@pytest.mark.parametrize(
    "faults",
    [Faults(session_timeout_s=0.1), Faults(session_error_rate=0.3), Faults(session_reset_rate=0.3)],
    ids=["timeout", "error", "reset"],
)
def test_a_session_that_ends_is_opened_again(
    cw: LocalCloudWatch, watch: Callable[..., Watched], faults: Faults
) -> None:
    """A timeout, an error in the stream and a broken connection are followed by the next session, which goes on."""
    cw.faults = faults
    watched = watch("/a")
    until(lambda: watched.tail.sessions >= 3)
    cw.faults = Faults()
    put(cw, "/a", "before")
    until(lambda: watched.tail.is_open and len(cw.live_tails) == 1)
    time.sleep(0.1)  # a session that was begun under the faults ends meanwhile
    until(lambda: watched.tail.is_open)
    put(cw, "/a", "after")
    until(lambda: "after" in watched.messages)

    assert watched.error is None


def test_throttled_starts_are_tried_again_and_said(cw: LocalCloudWatch, watch: Callable[..., Watched]) -> None:
    """A start that is refused for now is tried again, and said at the third time."""
    cw.faults = Faults(operations=frozenset({"StartLiveTail"}), throttle_rate=1)
    watched = watch("/a")
    until(lambda: bool(watched.said))
    cw.faults = Faults()
    until(lambda: watched.tail.is_open)

    assert watched.said[0] == "Live Tail of log group '/a': ThrottlingException: Rate exceeded; trying again"


def test_a_role_that_may_not_is_told_what_is_missing(cw: LocalCloudWatch, watch: Callable[..., Watched]) -> None:
    """The error is final and carries the statement that the role's policy lacks."""
    cw.faults = Faults(denied=frozenset({"StartLiveTail"}))
    watched = watch("/a")
    watched.thread.join(10)

    assert isinstance(watched.error, AccessError)
    assert str(watched.error).endswith(
        '; its policy lacks {"Effect": "Allow", "Action": "logs:StartLiveTail", '
        '"Resource": ["arn:aws:logs:us-east-1:*:log-group:/a"]}'
    )


def test_groups_that_cannot_be_tailed_are_left_out(cw: LocalCloudWatch, watch: Callable[..., Watched]) -> None:
    """A deleted group, or one of a class without Live Tail, does not stand in the way of the others."""
    cw.client().create_log_group(logGroupName="/rare", logGroupClass="INFREQUENT_ACCESS")
    watched = watch("/gone", "/a", "/rare")
    until(lambda: watched.tail.is_open)

    assert (cw.live_tails, watched.error) == ([frozenset({"/a"})], None)


def test_a_refused_session_is_asked_for_again(cw: LocalCloudWatch) -> None:
    """The refusal may have passed: a group was just made. Whoever iterates again after the error opens a session."""
    client, asked = cw.client(config=ONCE), list[str]()
    refusal = {"Error": {"Code": "ResourceNotFoundException", "Message": "not yet"}}

    def refuse_once(model: Any, **_: Any) -> None:
        asked.append(model.name)
        if len(asked) == 1:
            raise ClientError(refusal, model.name)

    client.meta.events.register("before-call.cloudwatch-logs.StartLiveTail", refuse_once)
    tail = LiveTail(client, ["/a", "/b"], starts=Governor(FAST_TPS))
    with pytest.raises(UnknownGroupError, match="not yet"):
        next(iter(tail))
    update = next(iter(tail))
    tail.close()

    assert (asked, list(update.events), tail.covered) == (["StartLiveTail"] * 2, [], ["/a", "/b"])


def test_no_group_that_can_be_tailed_is_an_error(watch: Callable[..., Watched]) -> None:
    """Where none is left, the error says so."""
    watched = watch("/gone")
    watched.thread.join(10)

    assert isinstance(watched.error, UnknownGroupError)


def test_sampling_is_told(cw: LocalCloudWatch, watch: Callable[..., Watched]) -> None:
    """Who is given a sample knows it."""
    watched = watch("/a")
    until(lambda: watched.tail.is_open)
    now_ms = int(time.time() * 1000)
    events = [{"timestamp": now_ms, "message": f"{number}"} for number in range(800)]
    cw.client().put_log_events(logGroupName="/a", logStreamName="s", logEvents=events)
    until(lambda: bool(watched.messages))

    assert (watched.sampled, len(watched.messages)) == (True, 500)


def test_closing_does_not_wait_for_a_silent_stream(cw: LocalCloudWatch, watch: Callable[..., Watched]) -> None:
    """Although no update comes and the read has 60 s to wait, closing takes less than a second; time is counted."""
    cw.faults = Faults(session_silent=True)
    watched = watch("/a")
    until(lambda: watched.tail.is_open)
    time.sleep(0.1)
    took_s = watched.close()
    counted_s = watched.tail.seconds

    assert (took_s < 1, watched.thread.is_alive(), watched.error) == (True, False, None)
    assert 0.1 <= counted_s < 5
    assert watched.tail.seconds == counted_s


def test_a_tail_that_is_closed_before_it_begins_opens_nothing(cw: LocalCloudWatch) -> None:
    """Closing holds, whenever it comes."""
    tail = LiveTail(cw.client(), ["/a"])
    tail.close()

    assert ([*tail], cw.requests.get("StartLiveTail")) == ([], None)


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        (None, "stream-logs.eu-west-1.amazonaws.com"),
        ("http://127.0.0.1:4566", "127.0.0.1:4566"),
        ("https://vpce-1.logs.eu-west-1.vpce.amazonaws.com", "vpce-1.logs.eu-west-1.vpce.amazonaws.com"),
    ],
)
def test_the_host_has_a_prefix_on_aws_alone(monkeypatch: pytest.MonkeyPatch, endpoint: str | None, host: str) -> None:
    """AWS streams from a host of its own; an endpoint that is named by the user is called by that name."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    client = logs_client(region="eu-west-1")
    LiveTail(client, ["/a"])
    called: list[str] = []

    def answer(request: Any, **_: Any) -> None:
        called.append(request.url)
        raise ConnectionError

    client.meta.events.register("before-send.cloudwatch-logs.StartLiveTail", answer)
    with pytest.raises(ConnectionError):
        client.start_live_tail(logGroupIdentifiers=["arn:aws:logs:eu-west-1:123456789012:log-group:/a"])

    assert [url.partition("//")[2].rstrip("/") for url in called] == [host]


@pytest.mark.parametrize(
    "identifier",
    ["/a/b", "123456789012:/a/b", "arn:aws:logs:us-east-1:123456789012:log-group:/a/b", "arn:x:log-group:/a/b:*"],
)
def test_groups_are_known_however_they_are_named(identifier: str) -> None:
    """The service names groups by name, by account and name, or by ARN."""
    assert group_of(identifier) == "/a/b"
