"""An event of CloudWatch Logs or of a file → the one record shape."""

from __future__ import annotations

from collections import OrderedDict
from operator import is_not
from typing import TYPE_CHECKING, Any, Final

from logship import naming
from logship.events import columns_of, messages_of
from logship.parse import access_log, json_lines, logfmt, plain, postgres, servers, stack, wrappers
from logship.parse.json_plans import LONGEST, Plans
from logship.parse.parsed import Parsed
from logship.parse.streams import Stream
from logship.record import (
    ACCOUNT,
    CONTINUES,
    EVENT_TIME,
    GROUP,
    HANDLER_ID,
    NO_CLOUD,
    ORIGINAL,
    PARSE_ERROR,
    REGION,
    SERVICE,
    STREAM,
    Cloud,
    LogEvent,
    Record,
    record_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.table import Table

_DAY_US: Final = 86_400_000_000
_STREAMS: Final = 10_000
"""How many streams' last events are remembered, to link continuation lines; some 2 MB."""
_TEXT_FORMATS: Final = (access_log.parse, postgres.parse, servers.parse, plain.parse)


class Parser:
    """Makes records of events, in the order of each stream. It never raises, whatever the text.

    Args:
        service_of: names the service of a log group, for lines that do not say it.
        keep_original: whether records carry the line as it arrived where `body` is not all of it.
    """

    def __init__(
        self,
        service_of: Callable[[str], str] = naming.service_of_group,
        *,
        keep_original: bool = True,
    ) -> None:
        self._service_of, self._keep_original = service_of, keep_original
        self._services: dict[str, str] = {}
        self._streams: OrderedDict[tuple[str, str, Cloud], Stream] = OrderedDict()
        self._plans: dict[tuple[str, ...], Plans] = {}
        """By what is known of where groups lie: the names of `Cloud`."""

    def records(self, events: Sequence[LogEvent], messages: Sequence[str] | None = None) -> list[Record]:
        """The records of a batch, in less time than one by one.

        Args:
            events: in the order of each stream, with their messages as they arrived: ids do not depend on redaction.
            messages: their redacted texts; None takes them as they are.
        """
        if messages is None:
            messages = messages_of(events)
        self._begin_batch()
        made: list[Record] = []
        group = name = cloud = None
        for event, message in zip(events, messages, strict=True):
            if event[1] != name or event[0] != group or event[6] is not cloud:
                if event[6] is not cloud:
                    cloud = event[6]
                    plans = self._plans_of(cloud)
                group, name = event[0], event[1]
                stream = self._stream(group, name, cloud)
            made.append(self._one(event, message, stream, plans))
        return made

    def tables(
        self, events: Sequence[LogEvent], redact: Callable[[Sequence[str]], Sequence[str]] | None = None
    ) -> tuple[list[Table], list[Record]]:
        """The same records in half the time: tables of those that are alike, and the others; in any order.

        Args:
            events: some hundred, as for `records`.
            redact: gives the redacted texts of messages, or all of them themselves if none has a secret.
        """
        if not events:
            return [], []
        columns = columns_of(events)
        groups, names, times_ms, originals, _, _, clouds = columns
        messages = originals if redact is None else redact(originals)
        may_hide_ids = messages is not originals and _hide_ids(originals, messages)
        if may_hide_ids or clouds.count(clouds[0]) < len(events):
            return [], self.records(events, messages)
        self._begin_batch()
        plans = self._plans_of(clouds[0])
        streams = self._streams_of(groups, names, clouds[0])
        are_one = streams.count(streams[0]) == len(events)
        try:
            found = plans.tables(columns, messages, streams)
        except Exception:  # one line cannot be read: one by one, the others can
            found = []
        if are_one and len(found) == 1 and len(found[0][0]) == len(events):
            streams[0].begin_all(times_ms, found[0][0].ids)
            return [found[0][0]], []
        ids = [""] * len(events)
        for table, places in found:
            for place, identity in zip(places, table.ids, strict=True):
                ids[place] = identity
        others = []
        for place, (at_ms, stream, identity) in enumerate(zip(times_ms, streams, ids, strict=True)):
            if identity:
                stream.begin(at_ms, identity)
            else:
                others.append(self._one(events[place], messages[place], stream, plans))
        return [table for table, _ in found], others

    def _begin_batch(self) -> None:
        for plans in self._plans.values():
            plans.begin_batch()

    def _one(self, event: LogEvent, message: str, stream: Stream, plans: Plans) -> Record:
        """The record of the next event of a stream."""
        found: Record | Parsed | None = None
        if message is event[3] or not _hides_id(event[3], message):
            try:
                found = plans.read(message, event, stream)
            except Exception:  # `parse_line` marks a line that cannot be read
                found = None
        if isinstance(found, Record):
            stream.begin(event[2], found.id)
            return found
        return self._record(event, message, found or parse_line(message), stream)

    def _plans_of(self, cloud: Cloud) -> Plans:
        found = self._plans.get(cloud.names)
        if found is None:
            found = self._plans[cloud.names] = Plans(keep_original=self._keep_original, cloud=cloud.names)
        return found

    def record(self, event: LogEvent, parsed: Parsed | None = None, *, redacted: str | None = None) -> Record:
        """The record of one event.

        Args:
            event: with its message as it arrived, since ids do not depend on what is redacted.
            parsed: what `parse_line` made of that message, if it is known.
            redacted: the message without its secrets; None takes it as it is.
        """
        message = event.message if redacted is None else redacted
        if parsed is None or message is not event.message:
            parsed = parse_line(message)
        return self._record(event, message, parsed, self._stream(event.group, event.stream, event.cloud))

    def _record(self, event: LogEvent, message: str, parsed: Parsed, stream: Stream) -> Record:
        attributes = parsed.attributes
        handler_id = attributes.get(HANDLER_ID, "")
        if message is not event.message:
            handler_id = parse_line(event.message).attributes.get(HANDLER_ID, "")
        identity = record_id(
            event.timestamp_ms,
            event.group,
            event.stream,
            event.event_id,
            handler_id if isinstance(handler_id, str) else "",
        )
        attributes[GROUP] = event.group
        attributes[STREAM] = event.stream
        attributes[EVENT_TIME] = event.timestamp_ms
        if self._keep_original and not parsed.whole and parsed.body != message:
            attributes[ORIGINAL] = message
        _link(event.timestamp_ms, message, parsed, identity, stream)
        resource = parsed.resource
        if SERVICE not in resource:
            resource[SERVICE] = stream.service
        if event.cloud is not NO_CLOUD:
            for place, value in ((ACCOUNT, stream.account), (REGION, stream.region)):
                if value:
                    resource.setdefault(place, value)
        return Record(
            identity,
            _time(parsed, event.timestamp_ms * 1000),
            parsed.body,
            parsed.severity,
            event.ingestion_ms,
            parsed.trace_id,
            parsed.span_id,
            parsed.parent_span_id,
            resource,
            attributes,
        )

    def mark(self) -> object:
        """Where each stream stands, for `rewind`."""
        return {key: stream.mark() for key, stream in self._streams.items()}

    def rewind(self, mark: object) -> None:
        """Goes back to where `mark` was taken, so that the same events may be parsed again."""
        assert isinstance(mark, dict)
        self._streams.clear()
        for (group, name, cloud), at in mark.items():
            self._stream(group, name, cloud).rewind(at)

    def _streams_of(self, groups: Sequence[str], names: Sequence[str], cloud: Cloud) -> list[Stream]:
        """Of each event; mostly all are of one group."""
        if groups.count(groups[0]) < len(groups):
            return [self._stream(group, name, cloud) for group, name in zip(groups, names, strict=True)]
        by_name = {name: self._stream(groups[0], name, cloud) for name in dict.fromkeys(names)}
        return [by_name[name] for name in names]

    def _stream(self, group: str, name: str, cloud: Cloud) -> Stream:
        key = (group, name, cloud)
        stream = self._streams.get(key)
        if stream is None:
            service = self._services.get(group) or self._service(group)
            stream = self._streams[key] = Stream(group, name, service, cloud)
            if len(self._streams) > _STREAMS:
                self._streams.popitem(last=False)
        else:
            self._streams.move_to_end(key)
        return stream

    def _service(self, group: str) -> str:
        self._services[group] = name = self._service_of(group)
        return name


def _link(at_ms: int, message: str, parsed: Parsed, identity: str, stream: Stream) -> None:
    """Marks a continuation line with the id of its first event."""
    if parsed.time_us is None and not message.startswith("{") and stack.continues(message):
        if first := stream.continued(at_ms):
            parsed.attributes[CONTINUES] = first
        return
    stream.begin(at_ms, identity)


def _hide_ids(messages: Sequence[str], redacted: Sequence[str]) -> bool:
    """Whether any of many redacted lines may have lost its id."""
    if not any(map(is_not, redacted, messages)):
        return False
    return any(new is not old and _hides_id(old, new) for old, new in zip(messages, redacted, strict=True))


def _hides_id(message: str, redacted: str) -> bool:
    """Whether redaction may have touched the id that our handler gave a line, which stands last in its lines."""
    at = message.find(HANDLER_ID)
    return at >= 0 and not redacted.endswith(message[at:])


def parse_line(message: str) -> Parsed:
    """The parts of a line in whichever format it is; a line that nothing reads is its own body. It never raises."""
    try:
        return _read(message)
    except Exception as error:  # one line must not keep all others from the store
        return _unread(message, f"cannot be read: {type(error).__name__}")


def _read(message: str) -> Parsed:
    first = message[:1]
    parsed: Parsed | None
    if len(message) > LONGEST:
        parsed = None
    elif first == "{" and (inner := wrappers.docker(message)):
        parsed = _unwrapped(*inner)
    elif first == "{":
        parsed = json_lines.parse(message)
        if parsed is None:
            parsed = _unread(message, "begins like JSON but is none")
    else:
        parsed = _text(message)
    if parsed is None:
        parsed = _whole(message)
    if "\n" in message:
        stack.lift(parsed, str(parsed.attributes.get("exception.stacktrace") or message))
    return parsed


def _unwrapped(line: str, stream: str, at: tuple[int, bool] | None) -> Parsed:
    """The container's own line; Docker's time where it has none."""
    parsed = parse_line(line)
    if parsed.time_us is None and at is not None:
        parsed.time_us, parsed.zoned = at
    parsed.attributes["log.iostream"] = stream
    parsed.whole = False
    return parsed


def _text(message: str) -> Parsed | None:
    if "=" in message and (found := logfmt.parse(message)):
        return found
    for parse in _TEXT_FORMATS:
        if found := parse(message):
            return found
    return None


def _whole(message: str) -> Parsed:
    return Parsed(message, whole=True)


def _unread(message: str, why: str) -> Parsed:
    return Parsed(message, attributes={PARSE_ERROR: why}, whole=True)


def _time(parsed: Parsed, event_us: int) -> int:
    """The line's own time where it names its zone and lies within a day of CloudWatch's."""
    own: Any = parsed.time_us
    return own if own is not None and parsed.zoned and abs(own - event_us) <= _DAY_US else event_us
