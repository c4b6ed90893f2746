"""An event of CloudWatch Logs or of a file → the one record shape."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from logship import naming
from logship.parse import access_log, json_lines, logfmt, plain, postgres, stack
from logship.parse.parsed import Parsed
from logship.record import (
    CONTINUES,
    EVENT_TIME,
    GROUP,
    HANDLER_ID,
    ORIGINAL,
    PARSE_ERROR,
    SERVICE,
    STREAM,
    LogEvent,
    Record,
    record_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_DAY_US: Final = 86_400_000_000
_STREAMS: Final = 10_000
"""How many streams' last events are remembered, to link continuation lines; some 2 MB."""
_LONGEST_PARSED: Final = 2**20
"""Longer lines are kept whole as text: CloudWatch has none, and files' need no fields."""
_TEXT_FORMATS: Final = (access_log.parse, postgres.parse, plain.parse)


class Parser:
    """Makes records of events, in the order of each stream. It never raises, whatever the text.

    Args:
        service_of: names the service of a log group, for lines that do not say it.
        keep_original: whether records carry the line as it arrived where `body` is not all of it.
        redact: takes secrets out of a line before anything is made of it; None leaves lines as they are.
    """

    def __init__(
        self,
        service_of: Callable[[str], str] = naming.service_of_group,
        *,
        keep_original: bool = True,
        redact: Callable[[str], str] | None = None,
    ) -> None:
        self._service_of, self._keep_original, self._redact = service_of, keep_original, redact
        self._services: dict[str, str] = {}
        self._first_of: OrderedDict[tuple[str, str], str] = OrderedDict()

    def record(self, event: LogEvent, parsed: Parsed | None = None) -> Record:
        """The record of one event; `parsed` is what `parse_line` made of its redacted message, if that is known."""
        message = self._redact(event.message) if self._redact else event.message
        parsed = parsed or parse_line(message)
        attributes = parsed.attributes
        handler_id = attributes.get(HANDLER_ID, "")
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
        self._link(event, message, parsed, identity)
        resource = parsed.resource
        if SERVICE not in resource:
            resource[SERVICE] = self._services.get(event.group) or self._service(event.group)
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
        return self._first_of.copy()

    def rewind(self, mark: object) -> None:
        """Goes back to where `mark` was taken, so that the same events may be parsed again."""
        assert isinstance(mark, OrderedDict)
        self._first_of = mark.copy()

    def _service(self, group: str) -> str:
        self._services[group] = name = self._service_of(group)
        return name

    def _link(self, event: LogEvent, message: str, parsed: Parsed, identity: str) -> None:
        """Marks a continuation line with the id of its first event."""
        stream = (event.group, event.stream)
        if parsed.time_us is None and not message.startswith("{") and stack.continues(message):
            if first := self._first_of.get(stream):
                parsed.attributes[CONTINUES] = first
            return
        self._first_of[stream] = identity
        self._first_of.move_to_end(stream)
        if len(self._first_of) > _STREAMS:
            self._first_of.popitem(last=False)


def parse_line(message: str) -> Parsed:
    """The parts of a line in whichever format it is; a line that nothing reads is its own body."""
    first = message[:1]
    parsed: Parsed | None
    if len(message) > _LONGEST_PARSED:
        parsed = None
    elif first == "{":
        parsed = json_lines.parse(message)
        if parsed is None:
            parsed = _whole(message)
            parsed.attributes[PARSE_ERROR] = "begins like JSON but is none"
    else:
        parsed = _text(message)
    if parsed is None:
        parsed = _whole(message)
    if "\n" in message:
        stack.lift(parsed, str(parsed.attributes.get("exception.stacktrace") or message))
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


def _time(parsed: Parsed, event_us: int) -> int:
    """The line's own time where it names its zone and lies within a day of CloudWatch's."""
    own: Any = parsed.time_us
    return own if own is not None and parsed.zoned and abs(own - event_us) <= _DAY_US else event_us
