"""Reading the events of a time range page by page, and how long to go on with a request that may succeed later."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.backoff import backoff_s, is_said
from logship.cloudwatch.client import is_retriable, is_throttled, no_cloudwatch, translate
from logship.cloudwatch.permissions import allow
from logship.errors import Stopped, UsageError
from logship.events import Columns, Events
from logship.record import NO_CLOUD, Cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from logship.cloudwatch.discovery import FoundGroup
    from logship.cloudwatch.quotas import Governor

STRANGE: Final = (AttributeError, KeyError, TypeError, ValueError)
"""What the SDK raises of an answer that is none of AWS: it reads any text as UTF-8, and any JSON as an object."""


@dataclass
class Retry:
    """How long to go on with a request that may succeed later."""

    stop: Event = field(default_factory=Event)
    tries: int | None = None
    """None goes on until stopped. A try that was throttled is none of them: it was answered."""
    say: Callable[[str], None] = lambda _: None
    """Told of a request that keeps failing: at its third try, and ever more seldom after that."""
    answered: bool = False
    """Whether the request was answered before: then what it names, and is gone now, is waited for as well."""
    governor: Governor | None = None
    """Gives each call its time, where calls should keep to a quota, and hears how they fared."""
    retried: int = 0
    """Requests that had to be tried again, so far."""

    def call(
        self, what: str, request: Callable[..., Any], *, needs: Mapping[str, Any] | None = None, **arguments: Any
    ) -> Any:
        """Calls an API, with full jitter between tries.

        Args:
            what: is asked for, for messages.
            request: the API.
            needs: the statement of a policy that permits it, for the message of a role that may not.
            arguments: of the API.

        Raises:
            Stopped: the event was set meanwhile.
            LogshipError: the request cannot succeed, or did not within the tries.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        attempt = unanswered = 0
        while True:
            try:
                return self._ask(request, arguments)
            except STRANGE:
                raise no_cloudwatch(what) from None
            except (BotoCoreError, ClientError) as error:
                attempt, throttled = attempt + 1, is_throttled(error)
                unanswered += not throttled
                failure = translate(error, what, needs=needs)
                may_pass = is_retriable(error) or (self.answered and isinstance(failure, UsageError))
                if not may_pass or (unanswered == self.tries and not throttled):
                    raise failure from error
                if is_said(attempt):
                    self.say(f"{failure}; trying again")
            self.retried += 1
            if self.stop.wait(backoff_s(attempt)):
                raise Stopped

    def _ask(self, request: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """One try, in its time."""
        governor = self.governor
        if governor is None:
            return request(**arguments)
        if self.stop.wait(max(0.0, governor.reserve() - time.monotonic())):
            raise Stopped
        try:
            answer = request(**arguments)
        except Exception as error:
            if is_throttled(error):
                governor.throttle()
            raise
        governor.accepted()
        return answer


def filter_pages(client: Any, group: FoundGroup, start_ms: int, end_ms: int | None, retry: Retry) -> Iterator[Events]:
    """The events of [start_ms, end_ms], both included, in order of time; pages may be empty.

    Only a page without a token is the last one.
    """
    what = f"log group {group.key!r}"
    request: dict[str, Any] = {**group.address, "startTime": max(start_ms, 0), "interleaved": True}
    needs = allow("logs:FilterLogEvents", f"{group.arn}:*") if group.arn else None
    if end_ms is not None:
        request["endTime"] = end_ms
    while True:
        page = retry.call(what, client.filter_log_events, needs=needs, **request)
        yield events_of(group.name, page, group.cloud)
        if not page.get("nextToken"):
            return
        request["nextToken"] = page["nextToken"]


def events_of(group: str, page: dict[str, Any], cloud: Cloud = NO_CLOUD) -> Events:
    """The events of a page of FilterLogEvents.

    Args:
        group: its name.
        page: the answer.
        cloud: where the group lies.

    Raises:
        ConnectError: they are no events.
    """
    from logship.cloudwatch.answers import PageEvents

    try:
        found = PageEvents.of(page["events"])
    except ValueError:
        raise no_cloudwatch(f"log group {group!r}") from None
    here = ([group] * len(found), found.streams, found.timestamps_ms, found.messages, found.event_ids)
    return Events(Columns(*here, found.ingestions_ms, [cloud] * len(found)))
