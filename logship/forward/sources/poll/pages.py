"""Fetches the next page of a reading, and decides what becomes of a reading whose page does not come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.backoff import REFUSED_S, backoff_s, is_said
from logship.cloudwatch.client import code_of, is_denied, is_retriable, is_throttled, no_cloudwatch, translate
from logship.cloudwatch.paging import STRANGE, events_of
from logship.cloudwatch.permissions import allow, partition
from logship.errors import ConnectError, LogshipError, UnknownGroupError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from logship.cloudwatch.discovery import FoundGroup
    from logship.cloudwatch.service_clock import ServiceClock
    from logship.events import Events
    from logship.forward.sources.poll.group import GroupReader
    from logship.forward.sources.poll.reading import Reading
    from logship.forward.sources.poll.scheduler import Scheduler

_BAD_TOKEN: Final = frozenset({"InvalidParameterException", "InvalidNextTokenException"})


class Pages:
    """The calls of one poller. Any thread may fetch.

    Args:
        client: of CloudWatch Logs, which tries each request once.
        scheduler: takes back the readings that failed.
        clock: the service's, which each page sets.
        found: the groups by name; it grows.
        lost: told of a group that is not there any more.
        refused: told why a group may not be read, once.
        say: told what people should know, a line each.
    """

    def __init__(
        self,
        client: Any,
        scheduler: Scheduler,
        clock: ServiceClock,
        found: Mapping[str, FoundGroup],
        *,
        lost: Callable[[GroupReader], None],
        refused: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        self.retried = self.throttled = 0
        self._client, self._scheduler, self._clock, self._found = client, scheduler, clock, found
        self._lost, self._refused, self._say = lost, refused, say
        self._has_read = False
        """Whether any page was one of CloudWatch Logs."""

    def fetch(self, reading: Reading) -> tuple[Events, str | None] | None:
        """A reading's next page, and the token of the one after it; None if it is tried again, or given up.

        Raises:
            LogshipError: nothing can be read any more.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        group = reading.group
        request = group.request(reading, self._clock.now_ms())
        try:
            page = self._client.filter_log_events(**self._found[group.name].address, **request)
        except (BotoCoreError, ClientError) as error:
            self._failed(reading, error)
            return None
        except STRANGE:
            self._strange(reading)
            return None
        self._scheduler.governor.accepted()
        try:
            events = self._events(group, page)
        except ConnectError:
            self._strange(reading)
            return None
        self._clock.observe(page)
        group.refused, self._has_read = "", True
        group.figures.bytes += _size(page)
        return events, page.get("nextToken") or None

    def _events(self, group: GroupReader, page: dict[str, Any]) -> Events:
        """Those of a page; one that has none may leave the word out.

        Raises:
            ConnectError: it is no page of events.
        """
        found = self._found[group.name]
        if "events" not in page and page.keys().isdisjoint({"nextToken", "searchedLogStreams"}):
            raise no_cloudwatch(f"log group {group.name!r}")
        return events_of(found.name, {"events": ()} | page, found.cloud)

    def _strange(self, reading: Reading) -> None:
        """Puts a reading off whose answer is none of CloudWatch's: something in between gave it, and may not again.

        Raises:
            ConnectError: nothing was ever read: something else is there.
        """
        failure = no_cloudwatch(f"log group {reading.group.name!r}")
        if not self._has_read:
            raise failure
        reading.group.restart(reading)
        self._put_off(reading, failure)

    def _failed(self, reading: Reading, error: Exception) -> None:
        """Puts the reading off, restarts it, or gives its group up.

        Raises:
            LogshipError: nothing can be read any more.
        """
        group, code = reading.group, code_of(error)
        if is_throttled(error):
            self.throttled += 1
            self._scheduler.governor.throttle()
        if code in _BAD_TOKEN and reading.token:
            group.restart(reading)
            self._scheduler.give_back(reading, wait_s=0.0)
        elif is_retriable(error):
            self._put_off(reading, translate(error, f"log group {group.name!r}"))
        elif is_denied(error):
            self._refuse(reading, error)
        else:
            self._end_of(reading, error, code)

    def _end_of(self, reading: Reading, error: Exception, code: str) -> None:
        """What is wrong will not be over soon: with one group, or with everything."""
        failure = translate(error, f"log group {reading.group.name!r}")
        if isinstance(failure, UnknownGroupError):
            self._lost(reading.group)
            self._scheduler.give_back(reading)  # nothing of it is on its way any more
        elif isinstance(failure, UsageError) and code:  # AWS does for the others what it does not for this one
            self._refuse(reading, error)
        elif isinstance(failure, ConnectError) and self._has_read:  # something in between has answered
            self._put_off(reading, failure)
        else:
            raise failure from error

    def _put_off(self, reading: Reading, failure: LogshipError) -> None:
        self.retried += 1
        reading.failures += 1
        if is_said(reading.failures):
            self._say(f"{failure}; trying again")
        self._scheduler.give_back(reading, wait_s=backoff_s(reading.failures))

    def _refuse(self, reading: Reading, error: Exception) -> None:
        """A group that cannot be read is said once, and tried again now and then; the others go on."""
        group = reading.group
        if not group.refused:
            group.refused = str(translate(error, f"log group {group.name!r}", needs=self._needs(group, error)))
            self._refused(group.refused)
        self._scheduler.give_back(reading, wait_s=REFUSED_S)

    def _needs(self, group: GroupReader, error: Exception) -> dict[str, Any] | None:
        """The statement that permits reading; None where another call was refused, such as taking on the role."""
        if getattr(error, "operation_name", "") != "FilterLogEvents":
            return None
        found, region = self._found[group.name], self._client.meta.region_name
        arn = found.arn or f"arn:{partition(region)}:logs:{region}:*:log-group:{found.name}"
        return allow("logs:FilterLogEvents", f"{arn}:*")


def _size(page: dict[str, Any]) -> int:
    """Bytes of the answer, as the service counts a page."""
    return int(page.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("content-length", 0))
