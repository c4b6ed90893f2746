"""Cutting a stream of lines into PutLogEvents calls that stay within every limit, and oversize lines into pieces."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship.cloudwatch.limits import EVENT_OVERHEAD_BYTES, MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_BATCH_SPAN_MS
from logship.record import HANDLER_ID, PART, SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEAD: Final = ("timestamp", "severity_text", SERVICE, "trace_id", "span_id", "parent_span_id", "logger",
               "@timestamp", "log.level", "trace.id", "span.id", "parent.id", "log.logger", "ecs.version")  # fmt: skip
_MAX_HEAD_BYTES: Final = 256  # a longer value is no name or id, and is split as any other field
_MAX_NAME_BYTES: Final = 512
_PART_ROOM_BYTES: Final = 64  # what `logship.part` and the longer id add to a piece
MIN_MESSAGE_BYTES: Final = 8 * 1024
"""Smallest piece that holds the repeated head of a record and still some of its text."""


Event = tuple[int, bytes]
"""One event to send: its time in milliseconds since 1970, and its message as UTF-8. A bare tuple: made per record."""


@dataclass(slots=True)
class Batch:
    """The events of one call while they gather; `add` says False when the next one belongs to the next call."""

    max_bytes: int = MAX_BATCH_BYTES
    max_events: int = MAX_BATCH_EVENTS
    events: list[Event] = field(default_factory=list)
    size_bytes: int = 0
    """As CloudWatch counts it."""
    _first_ms: int = 0
    _last_ms: int = 0

    def add(self, event: Event) -> bool:
        """Take the event unless it would break a limit; an empty batch takes anything."""
        size_bytes = len(event[1]) + EVENT_OVERHEAD_BYTES
        at = event[0]
        if not self.events:
            self._first_ms = self._last_ms = at
        else:
            first_ms, last_ms = min(self._first_ms, at), max(self._last_ms, at)
            if (
                self.size_bytes + size_bytes > self.max_bytes
                or len(self.events) >= self.max_events
                or last_ms - first_ms > MAX_BATCH_SPAN_MS
            ):
                return False
            self._first_ms, self._last_ms = first_ms, last_ms
        self.events.append(event)
        self.size_bytes += size_bytes
        return True

    def extend(self, events: Sequence[Event]) -> int:
        """Take events from the first on, until one would break a limit; how many."""
        if self._take_all(events):
            return len(events)
        for taken, event in enumerate(events):
            if not self.add(event):
                return taken
        return len(events)

    def _take_all(self, events: Sequence[Event]) -> bool:
        """All or none of them, in a third of the time of one by one."""
        times = [at for at, _line in events]
        if self.events:
            times += (self._first_ms, self._last_ms)
        first_ms, last_ms = min(times), max(times)
        size_bytes = self.size_bytes + sum([len(line) for _at, line in events]) + EVENT_OVERHEAD_BYTES * len(events)
        if (
            size_bytes > self.max_bytes
            or len(self.events) + len(events) > self.max_events
            or last_ms - first_ms > MAX_BATCH_SPAN_MS
        ):
            return False
        self.events += events
        self.size_bytes, self._first_ms, self._last_ms = size_bytes, first_ms, last_ms
        return True

    def chronological(self) -> list[Event]:
        """The events in order of time; equal times keep the order they came in."""
        return sorted(self.events, key=itemgetter(0))


def pieces(line: bytes, max_message_bytes: int) -> list[bytes]:
    """The line as lines of at most that many bytes; a line that fits is returned as it is.

    Pieces repeat the head (time, level, service, ids, logger), carry ids of their own (``…-42.1``, ``…-42.2``)
    and `PART`. Nothing is lost: joining each field's texts in order gives the field back (what was no
    text is its JSON text).

    Args:
        line: a JSON object as `line.LineBuilder` writes it.
        max_message_bytes: at least `MIN_MESSAGE_BYTES`.
    """
    if len(line) <= max_message_bytes:
        return [line]
    document: dict[str, Any] = orjson.loads(line)
    identity = str(document.pop(HANDLER_ID, ""))
    head = {name: document.pop(name) for name in _HEAD if _is_short(document.get(name))}
    room = max_message_bytes - len(orjson.dumps(head)) - _PART_ROOM_BYTES - len(identity)
    parts = list(_packed(document, room))
    count = len(parts)
    tail = head.pop("logger", None)
    return [
        orjson.dumps(
            head
            | {"body": ""}
            | part
            | ({} if tail is None else {"logger": tail})
            | {PART: f"{number}/{count}", HANDLER_ID: f"{identity}.{number}"}
        )
        for number, part in enumerate(parts, 1)
    ]


def _is_short(value: object) -> bool:
    return isinstance(value, str) and len(orjson.dumps(value)) <= _MAX_HEAD_BYTES


def _packed(document: dict[str, Any], room: int) -> Iterator[dict[str, Any]]:
    """The fields in groups whose JSON members take at most `room` bytes; texts are sliced, others become JSON text."""
    part: dict[str, Any] = {}
    left = room
    for name, value in _sliceable(document):
        whole = _member_size(name, value)
        if whole <= left:
            part[name] = value
            left -= whole
            continue
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        while text:
            space = left - _member_size(name, "")
            taken = _fitting(text, space) if space > room // 8 or _member_size(name, text) <= left else 0
            if taken:
                part[name] = text[:taken]
                left -= _member_size(name, part[name])
                text = text[taken:]
            if text:
                yield part
                part, left = {}, room
    yield part


def _sliceable(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if len(orjson.dumps(name)) <= _MAX_NAME_BYTES:
            yield name, value
        else:  # a name too long to repeat in every piece travels with its value, as JSON text
            yield "logship.long_name", orjson.dumps({name: value}).decode()


def _member_size(name: str, value: object) -> int:
    return len(orjson.dumps(name)) + len(orjson.dumps(value)) + 2  # the colon and the comma


def _fitting(text: str, space: int) -> int:
    """How many characters of the text take at most `space` bytes as JSON, quotes not counted."""
    count = min(len(text), space)
    while count > 0:
        size = len(orjson.dumps(text[:count])) - 2
        if size <= space:
            return count
        count = min(count - 1, count * space // size)
    return 0
