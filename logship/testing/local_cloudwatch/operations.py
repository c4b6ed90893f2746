"""The operations of CloudWatch Logs, with their limits; requests and answers are JSON objects."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship.cloudwatch import limits
from logship.naming import GROUP_NAME, STREAM_NAME
from logship.testing.local_cloudwatch.facts import group_facts, stream_facts
from logship.testing.local_cloudwatch.faults import ApiError, Mischief, NoAnswer
from logship.testing.local_cloudwatch.groups import Group, Stream
from logship.testing.local_cloudwatch.live_tail import Session, Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.testing.local_cloudwatch.groups import Position

ACCOUNT: Final = "123456789012"
_FAR_MS: Final = 2**62
_CLASSES: Final = frozenset({"STANDARD", "INFREQUENT_ACCESS", "DELIVERY"})
_MOST_GROUPS_LISTED: Final = 1000
_DAY_MS: Final = 86_400_000


class Operations:
    """The service's state; one thread calls it."""

    def __init__(
        self,
        clock: Callable[[], float],
        mischief: Mischief,
        delay_s: Callable[[Mischief], float] | None,
        live_tail_every_s: float = 1.0,
    ) -> None:
        self._clock, self._mischief = clock, mischief
        self.sessions = Sessions(mischief, live_tail_every_s)
        self._delay_s = delay_s
        self.account = ACCOUNT
        self.groups: dict[str, Group] = {}
        self.linked: dict[str, Operations] = {}
        """Accounts whose groups this one sees, as a monitoring account does, by number."""
        self._number = 0

    def call(self, operation: str, request: dict[str, Any]) -> bytes:
        """Carries out a request.

        Raises:
            ApiError: the answer is an error.
            NoAnswer: there is no answer.
        """
        handler = getattr(self, f"_do_{operation}", None)
        if handler is None:
            raise ApiError("UnknownOperationException", f"Unknown operation {operation}")
        self._mischief.before(operation, self._clock())
        answer: bytes | dict[str, Any] | None = handler(request)
        self._mischief.after(operation)
        return answer if isinstance(answer, bytes) else orjson.dumps(answer or {})

    def start_live_tail(self, request: dict[str, Any]) -> Session:
        """Carries out StartLiveTail; the session is to be served.

        Raises:
            ApiError, NoAnswer: as of other operations.
        """
        self._mischief.before("StartLiveTail", self._clock())
        session = self.sessions.start(request, lambda arn: self._named(_group_of_arn(arn)))
        try:
            self._mischief.after("StartLiveTail")
        except NoAnswer:
            self.sessions.open.discard(session)
            raise
        return session

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    # Groups and streams

    def _do_CreateLogGroup(self, request: dict[str, Any]) -> None:  # noqa: N802 - the API's name
        name = _name(request, "logGroupName", GROUP_NAME)
        if name in self.groups:
            raise ApiError("ResourceAlreadyExistsException", "The specified log group already exists")
        log_class = request.get("logGroupClass", "STANDARD")
        if log_class not in _CLASSES:
            raise _invalid(f"1 validation error detected: Value '{log_class}' at 'logGroupClass' is not valid")
        self.groups[name] = Group(
            name, self.account, self._now_ms(), log_class, request.get("kmsKeyId"), dict(request.get("tags") or {})
        )

    def _do_DeleteLogGroup(self, request: dict[str, Any]) -> None:  # noqa: N802
        del self.groups[self._group(request).name]

    def _do_CreateLogStream(self, request: dict[str, Any]) -> None:  # noqa: N802
        group = self._group(request)
        name = _name(request, "logStreamName", STREAM_NAME)
        if name in group.streams:
            raise ApiError("ResourceAlreadyExistsException", "The specified log stream already exists")
        group.streams[name] = Stream(name, self._now_ms(), len(group.streams))

    def _do_PutRetentionPolicy(self, request: dict[str, Any]) -> None:  # noqa: N802
        group, days = self._group(request), request.get("retentionInDays")
        if days not in limits.RETENTION_DAYS:
            raise _invalid(f"1 validation error detected: Value '{days}' at 'retentionInDays' is not valid")
        group.retention_days = days

    def _do_ListTagsForResource(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"tags": self._named(_group_of_arn(request.get("resourceArn", ""))).tags}

    def _do_TagResource(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._named(_group_of_arn(request.get("resourceArn", ""))).tags.update(request.get("tags") or {})
        return {}

    def _do_ListTagsLogGroup(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"tags": self._group(request).tags}

    def _do_DescribeLogGroups(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        prefix, part = request.get("logGroupNamePrefix"), request.get("logGroupNamePattern")
        if prefix and part:
            raise _invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
        groups = [*self.groups.values()]
        if request.get("includeLinkedAccounts"):
            groups += [group for linked in self.linked.values() for group in linked.groups.values()]
        found = {
            group.arn: group for group in groups if group.name.startswith(prefix or "") and (part or "") in group.name
        }
        arns, token = _described(sorted(found, key=lambda arn: (found[arn].name, arn)), request, limits.MAX_DESCRIBED)
        return {"logGroups": [group_facts(found[arn]) for arn in arns]} | token

    def _do_ListLogGroups(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        pattern = request.get("logGroupNamePattern") or ""
        names = [name for name in sorted(self.groups) if re.search(pattern, name)]
        names, token = _described(names, request, _MOST_GROUPS_LISTED)
        facts = ("logGroupName", "logGroupArn", "logGroupClass")
        return {"logGroups": [{key: group_facts(self.groups[name])[key] for key in facts} for name in names]} | token

    def _do_DescribeLogStreams(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        group, prefix = self._group(request), request.get("logStreamNamePrefix") or ""
        by_time = request.get("orderBy") == "LastEventTime"
        if by_time and prefix:
            raise _invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        found = [stream for stream in group.streams.values() if stream.name.startswith(prefix)]
        found.sort(
            key=lambda stream: (stream.last_ms or 0, stream.name) if by_time else (0, stream.name),
            reverse=bool(request.get("descending")),
        )
        names, token = _described([stream.name for stream in found], request, limits.MAX_DESCRIBED)
        return {"logStreams": [stream_facts(group, group.streams[name]) for name in names]} | token

    # Events

    def _do_PutLogEvents(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        group = self._group(request)
        stream = self._stream(group, request)
        events: Sequence[dict[str, Any]] = request.get("logEvents") or []
        _check_batch(events)
        now_ms = self._now_ms()
        oldest = now_ms - limits.MAX_PAST_MS
        expired = now_ms - group.retention_days * _DAY_MS if group.retention_days else oldest
        times = [event["timestamp"] for event in events]
        too_old = sum(time < oldest for time in times)
        past_retention = sum(time < max(expired, oldest) for time in times)
        too_new = next((n for n, time in enumerate(times) if time > now_ms + limits.MAX_FUTURE_MS), len(times))
        taken = events[max(too_old, past_retention) : too_new]
        if taken:
            delay_s = self._delay_s
            group.put(
                stream,
                [(event["timestamp"], event["message"]) for event in taken],
                now_ms=now_ms,
                visible_ms=[now_ms + int(delay_s(self._mischief) * 1000) if delay_s else 0 for _ in taken],
                number=self._number + 1,
            )
            self._number += len(taken)
        if self.sessions.open:
            for event in taken:
                self.sessions.took(group.name, stream.name, _tailed(group, stream, event, now_ms))
        rejected: dict[str, int] = {}
        if too_old:
            rejected["tooOldLogEventEndIndex"] = too_old
        if past_retention > too_old:
            rejected["expiredLogEventEndIndex"] = past_retention
        if too_new < len(times):
            rejected["tooNewLogEventStartIndex"] = too_new
        token = {"nextSequenceToken": f"{self._number:056d}"}
        return token | ({"rejectedLogEventsInfo": rejected} if rejected else {})

    def _do_FilterLogEvents(self, request: dict[str, Any]) -> bytes:  # noqa: N802
        group = self._group(request)
        if group.name in self._mischief.faults.denied_groups:
            raise ApiError(
                "AccessDeniedException",
                f"User: arn:aws:iam::{self.account}:user/test is not authorized to perform: logs:FilterLogEvents "
                f"on resource: {group.arn}:*",
            )
        if group.log_class != "STANDARD":
            raise ApiError(
                "InvalidOperationException",
                f"The log group {group.name} is of log-group-class {group.log_class}. FilterLogEvents is not supported "
                "for this log class.",
            )
        if request.get("filterPattern"):
            raise _invalid("filterPattern is not evaluated by LocalCloudWatch; filter what it gives out")
        streams = _chosen_streams(group, request)
        from_head = request.get("startFromHead", True)
        start: Position = (request.get("startTime") or 0, -1)
        # endTime is included: "Events with a timestamp later than this time are not returned."
        end: Position = (request["endTime"] + 1 if request.get("endTime") is not None else _FAR_MS, -1)
        if token := request.get("nextToken"):
            if self._mischief.draw(self._mischief.faults.expired_token_rate):
                raise _invalid("The specified nextToken is invalid.")
            start, end, from_head = _read_token(token)
        limit = _limit(request)
        if self._mischief.draw(self._mischief.faults.empty_page_rate):
            return _filter_page([], _make_token(start, end, from_head=from_head))
        if self._mischief.draw(self._mischief.faults.partial_page_rate):
            limit = max(1, int(limit * self._mischief.uniform(0.0, 0.1)))
        rows, onward = group.page(start, end, streams=streams, now_ms=self._now_ms(), limit=limit, from_head=from_head)
        if onward is None:
            return _filter_page(rows, None)
        rest = (onward, end) if from_head else (start, onward)
        return _filter_page(rows, _make_token(*rest, from_head=from_head))

    def _do_GetLogEvents(self, request: dict[str, Any]) -> bytes:  # noqa: N802
        group = self._group(request)
        stream = self._stream(group, request)
        start: Position = (request.get("startTime") or 0, -1)
        end: Position = (request["endTime"] if request.get("endTime") is not None else _FAR_MS, -1)
        low, high, limit = start, end, _limit(request)
        token = request.get("nextToken")
        forward = bool(request.get("startFromHead"))
        if token:
            forward = token.startswith("f/")
            at = _read_token(token[2:])[0]
            low, high = (max(at, start), end) if forward else (start, min(at, end))
        chosen = frozenset({stream.number})
        rows, onward = group.page(low, high, streams=chosen, now_ms=self._now_ms(), limit=limit, from_head=forward)
        if not forward:
            rows.reverse()
        first = _row_position(rows[0]) if rows else (low if forward else high)
        last = _behind(_row_position(rows[-1])) if rows else (low if forward else high)
        if not rows and token:
            first = last = _read_token(token[2:])[0]
        del onward
        body = b",".join(_without_id(row) for row in rows)
        return b'{"events":[%s],"nextForwardToken":"f/%s","nextBackwardToken":"b/%s"}' % (
            body,
            _make_token(last, last, from_head=True).encode(),
            _make_token(first, first, from_head=True).encode(),
        )

    # Look-ups

    def _group(self, request: dict[str, Any]) -> Group:
        name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
        if name and identifier:
            raise _invalid("LogGroup name and LogGroup ARN are mutually exclusive parameters.")
        if not (name or identifier):
            raise _invalid("1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint")
        linked = self.linked.get(str(identifier).split(":")[4]) if str(identifier).startswith("arn:") else None
        return (linked or self)._named(name or _group_of_arn(str(identifier)))  # noqa: SLF001 - of the same class

    def _named(self, name: str) -> Group:
        if name not in self.groups:
            raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")
        return self.groups[name]

    def _stream(self, group: Group, request: dict[str, Any]) -> Stream:
        name = _name(request, "logStreamName", STREAM_NAME)
        if name not in group.streams:
            raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")
        return group.streams[name]


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)


def _name(request: dict[str, Any], key: str, legal: re.Pattern[str]) -> str:
    name = request.get(key)
    if not isinstance(name, str) or not legal.match(name):
        raise _invalid(f"1 validation error detected: Value '{name}' at '{key}' failed to satisfy constraint")
    return name


def _check_batch(events: Sequence[dict[str, Any]]) -> None:
    if not 1 <= len(events) <= limits.MAX_BATCH_EVENTS:
        raise _invalid(f"1 validation error detected: 'logEvents' has {len(events)} members, 1 to 10000 are allowed")
    messages: list[Any] = [event.get("message") for event in events]
    times: list[Any] = [event.get("timestamp") for event in events]
    if {*map(type, messages)} != {str} or not all(messages) or {*map(type, times)} != {int} or min(times) < 0:
        raise _invalid("1 validation error detected: an event needs a message of 1 or more characters and a timestamp")
    if times != sorted(times):
        raise _invalid("Log events in a single PutLogEvents request must be in chronological order.")
    size = sum(len(text) if text.isascii() else len(text.encode()) for text in messages)
    size += limits.EVENT_OVERHEAD_BYTES * len(events)
    if size > limits.MAX_BATCH_BYTES:
        raise _invalid(f"Upload too large: {size} bytes exceeds limit of {limits.MAX_BATCH_BYTES}")
    if events[-1]["timestamp"] - events[0]["timestamp"] > limits.MAX_BATCH_SPAN_MS:
        raise _invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")


def _chosen_streams(group: Group, request: dict[str, Any]) -> frozenset[int] | None:
    wanted, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
    if wanted and prefix:
        raise _invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters.")
    if wanted:
        if missing := [name for name in wanted if name not in group.streams]:
            raise ApiError("ResourceNotFoundException", f"The specified log stream does not exist: {missing[0]}")
        return frozenset(group.streams[name].number for name in wanted)
    if prefix:
        return frozenset(stream.number for stream in group.streams.values() if stream.name.startswith(prefix))
    return None


def _limit(request: dict[str, Any]) -> int:
    limit = request.get("limit") or limits.MAX_PAGE_EVENTS
    if not 1 <= limit <= limits.MAX_PAGE_EVENTS:
        raise _invalid(f"1 validation error detected: Value '{limit}' at 'limit' is not between 1 and 10000")
    return int(limit)


def _tailed(group: Group, stream: Stream, event: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """An event as Live Tail gives it: without an id, its group named with the account."""
    return {
        "logGroupIdentifier": f"{ACCOUNT}:{group.name}",
        "logStreamName": stream.name,
        "message": event["message"],
        "timestamp": event["timestamp"],
        "ingestionTime": now_ms,
    }


def _make_token(start: Position, end: Position, *, from_head: bool) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([start, end, from_head])).decode()


def _read_token(token: str) -> tuple[Position, Position, bool]:
    try:
        start, end, from_head = orjson.loads(base64.urlsafe_b64decode(token))
        return (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), bool(from_head)
    except (ValueError, TypeError, IndexError):
        raise _invalid("The specified nextToken is invalid.") from None


def _filter_page(rows: list[bytes], token: str | None) -> bytes:
    onward = b',"nextToken":"%s"' % token.encode() if token else b""
    return b'{"events":[%s],"searchedLogStreams":[]%s}' % (b",".join(rows), onward)


def _row_position(row: bytes) -> Position:
    found = orjson.loads(row)
    return found["timestamp"], int(found["eventId"][32:])


def _behind(position: Position) -> Position:
    return position[0], position[1] + 1


def _without_id(row: bytes) -> bytes:
    """GetLogEvents gives neither the event's id nor its stream."""
    found = orjson.loads(row)
    return orjson.dumps({key: found[key] for key in ("timestamp", "message", "ingestionTime")})


def _described(names: list[str], request: dict[str, Any], most: int) -> tuple[list[str], dict[str, str]]:
    limit = request.get("limit") or limits.MAX_DESCRIBED
    if not 1 <= limit <= most:
        raise _invalid(f"1 validation error detected: Value '{limit}' at 'limit' is not between 1 and {most}")
    start = 0
    if token := request.get("nextToken"):
        start = _read_token(token)[0][0]
    onward = start + limit
    more = {"nextToken": _make_token((onward, 0), (0, 0), from_head=True)} if onward < len(names) else {}
    return names[start:onward], more


def _group_of_arn(identifier: str) -> str:
    return identifier.partition(":log-group:")[2].removesuffix(":*") if identifier.startswith("arn:") else identifier
