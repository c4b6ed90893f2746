"""Which records are sent: repeated ones are counted instead, and of a level only a part may be kept."""

from __future__ import annotations

import logging
import random
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship.errors import SettingsError
from logship.handler.context import context_fields
from logship.handler.streams import divided, joined
from logship.record import HANDLER_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from logship.handler.batch import Event

REPEATED: Final = "logship.repeated"
"""How many more records like this one there were, itself included, which are not sent."""
MOST_BURSTS: Final = 1_000
MOST_HELD_BYTES: Final = 4 * 2**20
_LONGEST_TEMPLATE: Final = 10_000
"""Characters; a longer message is a key too costly to keep, and is sent each time."""
_TRACE_DIGITS: Final = 8

_Key = tuple[str, int, Any, Any]


@dataclass(slots=True)
class _Burst:
    ends_s: float
    count: int = 0
    last: Event | None = None


class Gate:
    """Decides for each record, in the thread that logs; several threads may ask at once.

    What it holds back are finished lines, so that neither the application's objects nor its contexts live on here.

    Args:
        dedupe_s: within so many seconds after a record, others of the same logger, level, template and exception
            type are counted; the last of them is sent when the time is over, with `REPEATED`. None sends all.
        sample: the part of a level that is kept, 0 to 1, by the level's name. Records of one trace are kept or
            left out together.
        clock: monotonic seconds.

    Raises:
        SettingsError: a level that is unknown, or a rate or time that is none.
    """

    def __init__(
        self, *, dedupe_s: float | None, sample: Mapping[str, float] | None, clock: Callable[[], float]
    ) -> None:
        if dedupe_s is not None and not dedupe_s > 0:
            raise SettingsError(f"dedupe={dedupe_s!r}; use seconds above 0, or None to send each record")
        self._dedupe_s, self._clock = dedupe_s, clock
        self._rates = {_level(name): _rate(name, rate) for name, rate in (sample or {}).items()}
        self.after_fork()

    def after_fork(self) -> None:
        """In a child: what is held back is the parent's to send."""
        self._bursts: OrderedDict[_Key, _Burst] = OrderedDict()
        """In the order in which they end."""
        self._over: list[tuple[Event, int]] = []
        self._held_bytes = 0
        self._lock = threading.RLock()  # re-entrant: a signal handler may log
        self.left_out = 0
        """Records that were sampled out or counted as repeated."""

    def rate(self, record: logging.LogRecord) -> float | None:
        """The part of the record's level that is kept; None where all of it is."""
        return self._rates.get(record.levelno)

    def keeps(self, record: logging.LogRecord, rate: float) -> bool:
        """Whether the record is in the part that is kept."""
        kept = _is_kept(record, rate)
        if not kept:
            self.left_out += 1
        return kept

    def is_first(self, record: logging.LogRecord, timestamp_ms: int, line: bytes) -> bool:
        """Whether the record is none of a burst's, which are held back."""
        if self._dedupe_s is None or (isinstance(record.msg, str) and len(record.msg) > _LONGEST_TEMPLATE):
            return True
        key = (record.name, record.levelno, _template(record.msg), record.exc_info and record.exc_info[0])
        with self._lock:
            burst, now_s = self._bursts.get(key), self._clock()
            if burst is None or burst.ends_s <= now_s:
                self._begin(key, now_s + self._dedupe_s)
                return True
            if not self._hold(burst, (timestamp_ms, line)):
                return True
            burst.count += 1
            self.left_out += 1
            return False

    def ended(self, *, all_of_them: bool = False) -> list[Event]:
        """Lines that stand for bursts whose time is over.

        Args:
            all_of_them: also for those whose time is not over.
        """
        with self._lock:
            now_s = self._clock()
            while self._bursts and (all_of_them or next(iter(self._bursts.values())).ends_s <= now_s):
                self._end(self._bursts.popitem(last=False)[1])
            found, self._over = self._over, []
            self.left_out -= len(found)  # each stands for the others of its burst now
            self._held_bytes -= sum(len(last[1]) for last, _count in found)
        return [(last[0], _counted(last[1], count)) for last, count in found]

    def _begin(self, key: _Key, ends_s: float) -> None:
        if key in self._bursts:
            self._end(self._bursts.pop(key))
        elif len(self._bursts) == MOST_BURSTS:
            self._end(self._bursts.popitem(last=False)[1])
        self._bursts[key] = _Burst(ends_s)

    def _end(self, burst: _Burst) -> None:
        if burst.last is not None:
            self._over.append((burst.last, burst.count))

    def _hold(self, burst: _Burst, event: Event) -> bool:
        """Let this one stand for its burst; where there is no room an earlier one does, else False."""
        more_bytes = len(event[1]) - (len(burst.last[1]) if burst.last else 0)
        if self._held_bytes + more_bytes > MOST_HELD_BYTES:
            return burst.last is not None
        self._held_bytes += more_bytes
        burst.last = event
        return True


def _counted(line: bytes, count: int) -> bytes:
    """The line with its burst's count; its id stays the last field. Its stream may be named before it."""
    stream, text = divided(line)
    document: dict[str, Any] = orjson.loads(text)
    identity = document.pop(HANDLER_ID)
    return joined(stream, orjson.dumps(document | {REPEATED: count, HANDLER_ID: identity}))


def _is_kept(record: logging.LogRecord, rate: float) -> bool:
    trace = record.__dict__.get("trace_id") or context_fields().get("trace_id")
    if isinstance(trace, str) and len(trace) >= _TRACE_DIGITS:
        try:
            return int(trace[-_TRACE_DIGITS:], 16) < rate * 16**_TRACE_DIGITS
        except ValueError:
            pass
    return random.random() < rate  # noqa: S311 - no secret


def _template(message: object) -> object:
    return message if isinstance(message, str) else type(message)


def _level(name: str) -> int:
    number = logging.getLevelName(str(name).upper())
    if not isinstance(number, int):
        known = "DEBUG, INFO, WARNING, ERROR, CRITICAL"
        raise SettingsError(f"sample names the level {name!r}, which is unknown; use one of {known}")
    return number


def _rate(name: str, rate: float) -> float:
    if not 0 <= rate <= 1:
        raise SettingsError(f"sample[{name!r}]={rate!r}; use a part from 0 to 1")
    return float(rate)
