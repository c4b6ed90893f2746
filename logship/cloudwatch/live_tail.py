"""Live Tail: events of up to ten log groups as CloudWatch Logs takes them in, before they can be searched.

They carry no ids and may be a sample, so they are good for the screen and for waking who reads, never for storing.
A session is opened again whenever it ends: each one does after three hours.
"""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from logship.cloudwatch import limits
from logship.cloudwatch.backoff import backoff_s, is_said
from logship.cloudwatch.client import is_retriable, translate
from logship.cloudwatch.quotas import Governor
from logship.errors import AccessError, ConnectError, LogshipError, UnknownGroupError
from logship.record import Cloud, LogEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_HOST_PREFIX: Final = re.compile(r"stream(ing)?-")
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 60.0
_START: Final = "StartLiveTail"
_TIMED_OUT: Final = "SessionTimeoutException"
_BROKEN: Final = "SessionStreamingException"
_DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied"})
_OF_GROUPS: Final = frozenset({"ResourceNotFoundException", "InvalidOperationException", "InvalidParameterException"})
"""Codes that mean that one of the groups cannot be tailed."""


@dataclass(frozen=True, slots=True)
class Update:
    """What was taken in within a second."""

    events: Sequence[LogEvent]
    """In order of time, without ids; empty when nothing came."""
    sampled: bool
    """More than 500 came, and these are some of them."""


class LiveTail:
    """Iterates over the updates of some log groups until it is closed.

    A session that times out, breaks or is throttled is opened again, with jitter between tries. One thread
    iterates; any other may call `close`. Not promised: every event. What comes between two sessions is missing,
    and what a slow reader has no time for.

    Args:
        client: of CloudWatch Logs, which tries each request once.
        groups: names of 1 to 10 log groups.
        say: told of a session that keeps failing, a line each time.
        starts: spaces what is called to open sessions; shared by all of an account and region.
        first_wait_s: the longest wait before the second try; it doubles with each.
    """

    def __init__(
        self,
        client: Any,
        groups: Sequence[str],
        *,
        say: Callable[[str], None] = lambda _: None,
        starts: Governor | None = None,
        first_wait_s: float = _FIRST_WAIT_S,
    ) -> None:
        self.groups = tuple(groups)
        self.sessions = 0
        """How many were opened so far."""
        self._client, self._say, self._first_wait_s = client, say, first_wait_s
        self._starts = starts or Governor(limits.LIVE_TAIL_TPS)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._stream: Any = None
        self._open_s: float | None = None
        self._seconds = 0.0
        self._failures = 0
        self._arns: list[str] = []
        self._refused: list[str] = []
        self._refusal: Exception | None = None
        _keep_host(client)

    @property
    def what(self) -> str:
        """Its groups, for people."""
        more = len(self.groups) - 1
        return f"Live Tail of log group {self.groups[0]!r}" + (f" and {more} more" if more else "")

    @property
    def covered(self) -> list[str]:
        """Those of its groups that the session is over; none before the first. The others cannot be tailed."""
        return [group_of(arn) for arn in self._arns]

    @property
    def seconds(self) -> float:
        """How long sessions were open so far: what is charged for."""
        with self._lock:
            return self._counted()

    def _counted(self) -> float:
        return self._seconds + (time.monotonic() - self._open_s if self._open_s is not None else 0.0)

    @property
    def is_open(self) -> bool:
        """Whether there is a session now."""
        return self._open_s is not None

    def close(self) -> None:
        """Ends the session and the iteration, also while it waits for an update; safe to call twice."""
        self._closed.set()
        with self._lock:
            if self._stream is not None:
                _shut(self._stream)

    def wait(self, seconds: float) -> bool:
        """Waits for that long, or until closed; whether it is."""
        return self._closed.wait(seconds)

    def __iter__(self) -> Iterator[Update]:
        """The updates, one a second while a session is open.

        Raises:
            AccessError: the role may not; the message has the IAM statement that is missing.
            LogshipError: none of the groups can be tailed.
        """
        from botocore.eventstream import ParserError
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        while not self._closed.is_set():
            error: Exception | None = None
            try:
                yield from self._session()
            except (BotoCoreError, ClientError, HTTPError, ParserError, OSError) as failure:
                error = failure
            except (AttributeError, ValueError) as failure:
                # What reading raises where another thread has shut the socket.
                if not self._closed.is_set():
                    raise
                error = failure
            if self._closed.is_set() or self._closed.wait(self._wait_s(error)):
                return

    # One session

    def _session(self) -> Iterator[Update]:
        stream = self._start()
        try:
            for message in stream:
                if self._closed.is_set():
                    return
                if (update := message.get("sessionUpdate")) is not None:
                    self._failures = 0
                    yield _update_of(update, self._client.meta.region_name or "")
        finally:
            self._end(stream)

    def _start(self) -> Any:
        if not self._arns:
            self._arns = self._resolve()
        self._pace()
        stream = self._client.start_live_tail(logGroupIdentifiers=self._arns)["responseStream"]
        with self._lock:
            self._stream, self._open_s = stream, time.monotonic()
            self.sessions += 1
            if self._closed.is_set():
                _shut(stream)
        return stream

    def _end(self, stream: Any) -> None:
        with self._lock:
            self._seconds, self._open_s, self._stream = self._counted(), None, None
            stream.close()

    def _pace(self) -> None:
        at_s = self._starts.reserve()
        self._closed.wait(max(0.0, at_s - time.monotonic()))

    # Its groups

    def _resolve(self) -> list[str]:
        """The ARNs of all groups, by that of the first: they differ in the name alone.

        Raises:
            LogshipError: none of them can be tailed.
        """
        if (refusal := self._refusal) is not None:
            arns = [arn for name in self.groups if (arn := self._arn_of(name))]
            is_same = arns == self._refused
            self._refusal, self._refused = None, []  # whoever iterates again later asks again
            if is_same:
                raise translate(refusal, self.what) from refusal
        else:
            first = next(((name, arn) for name in self.groups if (arn := self._arn_of(name))), None)
            arns = [first[1].removesuffix(first[0]) + name for name in self.groups] if first else []
        if not arns:
            raise UnknownGroupError(f"{self.what}: no such group has Live Tail; see: aws logs describe-log-groups")
        return arns

    def _arn_of(self, name: str) -> str | None:
        """The ARN of a group that can be tailed."""
        self._pace()
        found = self._client.describe_log_groups(logGroupNamePrefix=name, limit=1)["logGroups"]
        if not found or found[0]["logGroupName"] != name or found[0].get("logGroupClass", "STANDARD") != "STANDARD":
            return None
        return str(found[0]["arn"]).removesuffix(":*")

    # When it ends

    def _wait_s(self, error: Exception | None) -> float:
        """How long to wait before the next session.

        Raises:
            LogshipError: there will be none.
        """
        code = _code(error)
        if code == _TIMED_OUT:
            return 0.0
        if error is not None and _names_group(error):
            # One of them, perhaps: the next session leaves out those that cannot be tailed.
            self._refusal, self._refused, self._arns = error, self._arns, []
            return 0.0
        failure = self._failure(error, code)
        if not isinstance(failure, ConnectError):
            raise failure from error
        self._failures += 1
        if is_said(self._failures):
            self._say(f"{failure}; trying again")
        return backoff_s(self._failures, first_s=self._first_wait_s, longest_s=_LONGEST_WAIT_S)

    def _failure(self, error: Exception | None, code: str) -> LogshipError:
        """The error of logship; what may pass is a `ConnectError`."""
        if error is None:
            return ConnectError(f"{self.what}: the service has ended the session")
        if code == _BROKEN or is_retriable(error):
            return ConnectError(f"{self.what}: {_words(error)}")
        failure = translate(error, self.what)
        if code in _DENIED and _operation(error) == _START:
            return AccessError(f"{failure}; its policy lacks {self._statement()}")
        return failure

    def _statement(self) -> str:
        region = self._client.meta.region_name
        names = ", ".join(f'"arn:aws:logs:{region}:*:log-group:{name}"' for name in self.groups)
        return f'{{"Effect": "Allow", "Action": "logs:StartLiveTail", "Resource": [{names}]}}'


def group_of(identifier: str) -> str:
    """The name of a log group that is named by its ARN, as ``ACCOUNT:NAME``, or by its name."""
    return identifier.removesuffix(":*").rpartition(":")[2]


def account_of(identifier: str) -> str:
    """The account of a log group that is named by its ARN or as ``ACCOUNT:NAME``; "" where only its name is told."""
    before = identifier.removesuffix(":*").rpartition(":")[0].removesuffix(":log-group")
    return before.rpartition(":")[2]


def _update_of(update: dict[str, Any], region: str) -> Update:
    events = [
        LogEvent(
            group_of(found.get("logGroupIdentifier", "")),
            found.get("logStreamName", ""),
            found.get("timestamp", 0),
            found.get("message", ""),
            "",
            found.get("ingestionTime", 0),
            Cloud(account_of(found.get("logGroupIdentifier", "")), region),
        )
        for found in update.get("sessionResults") or []
    ]
    events.sort(key=lambda event: event.timestamp_ms)
    return Update(events, bool((update.get("sessionMetadata") or {}).get("sampled")))


def _code(error: Exception | None) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _operation(error: Exception) -> str:
    return str(getattr(error, "operation_name", ""))


def _names_group(error: Exception) -> bool:
    """Whether a session is refused for one of its groups, perhaps."""
    return _operation(error) == _START and _code(error) in _OF_GROUPS


def _words(error: Exception) -> str:
    code = _code(error)
    told = getattr(error, "response", {}).get("Error", {}).get("Message", "") if code else str(error)
    return " ".join(f"{code}: {told}".split()) if code else " ".join(told.split())


def _shut(stream: Any) -> None:
    """Wakes the thread that reads a stream; closing it would wait for that thread."""
    raw = stream._raw_stream  # noqa: SLF001 - the SDK has no other way to the connection
    # It may have ended by itself; before urllib3 2.3 it ends with the next update.
    with suppress(AttributeError, OSError, RuntimeError, ValueError):
        raw.shutdown()


def _keep_host(client: Any) -> None:
    """Takes the SDK's prefix off the host's name, unless the endpoint is AWS's own, which wants it."""
    region = client.meta.region_name
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    if host.startswith((f"logs.{region}.", f"logs-fips.{region}.")):
        return
    client.meta.events.register(
        "before-call.cloudwatch-logs.StartLiveTail", _without_prefix, unique_id="logship-live-tail"
    )


def _without_prefix(params: dict[str, Any], **_: Any) -> None:
    url = urlsplit(params["url"])
    params["url"] = urlunsplit(url._replace(netloc=_HOST_PREFIX.sub("", url.netloc, count=1)))
