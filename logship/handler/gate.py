"""Which records are sent: repeated ones are counted instead, and of a level only a part may be kept."""

from __future__ import annotations

import logging
import random
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from logship.errors import SettingsError
from logship.handler.context import FIELDS
from logship.record import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REPEATED: Final = "logship.repeated"
"""How many more records like this one there were, which are not sent."""
_MOST_KEYS: Final = 1_000
_TRACE_DIGITS: Final = 8

Key = tuple[str, int, Any, Any]


@dataclass(slots=True)
class _Burst:
    ends_s: float
    count: int = 0
    last: logging.LogRecord | None = None


class Gate:
    """Decides for each record, in the thread that logs.

    Args:
        dedupe_s: within so many seconds after a record, others of the same logger, level, template and exception
            are counted; the last of them is sent when the time is over, with `REPEATED`. None sends all.
        sample: the part of a level that is kept, 0 to 1, by the level's name. Records of one trace are kept or
            left out together. Kept ones carry the rate.
        clock: monotonic seconds.

    Raises:
        SettingsError: a level that is unknown, or a rate that is none.
    """

    def __init__(
        self, *, dedupe_s: float | None, sample: Mapping[str, float] | None, clock: Callable[[], float]
    ) -> None:
        self._dedupe_s, self._clock = dedupe_s, clock
        self._rates = {_level(name): _rate(name, rate) for name, rate in (sample or {}).items()}
        self._bursts: OrderedDict[Key, _Burst] = OrderedDict()
        self._lock = threading.RLock()
        self.left_out = 0
        """Records that were sampled out or counted as repeated."""

    def passes(self, record: logging.LogRecord) -> bool:
        """Whether the record is sent; it may be given fields."""
        rate = self._rates.get(record.levelno)
        if rate is not None:
            if not _is_kept(rate):
                self.left_out += 1
                return False
            record.__dict__[SAMPLE_RATE] = rate
        return self._dedupe_s is None or self._is_first(record)

    def ended(self, *, all_of_them: bool = False) -> list[logging.LogRecord]:
        """Records that stand for bursts whose time is over.

        Args:
            all_of_them: also for those whose time is not over.
        """
        now_s, found = self._clock(), []
        with self._lock:
            while self._bursts:
                key, burst = next(iter(self._bursts.items()))
                if burst.ends_s > now_s and not all_of_them and len(self._bursts) <= _MOST_KEYS:
                    break
                del self._bursts[key]
                if burst.last is not None:
                    # Counted as left out while it was held; it stands for the others now.
                    self.left_out -= 1
                    burst.last.__dict__[REPEATED] = burst.count
                    found.append(burst.last)
        return found

    def _is_first(self, record: logging.LogRecord) -> bool:
        key = (record.name, record.levelno, _hashable(record.msg), record.exc_info and record.exc_info[0])
        with self._lock:
            burst = self._bursts.get(key)
            if burst is None or burst.ends_s <= self._clock():
                if burst is None or burst.last is None:
                    self._bursts.pop(key, None)
                    assert self._dedupe_s is not None
                    self._bursts[key] = _Burst(self._clock() + self._dedupe_s)
                return True
            burst.count += 1
            burst.last = record
            self.left_out += 1
            return False


def _is_kept(rate: float) -> bool:
    trace = FIELDS.get().get("trace_id")
    if isinstance(trace, str) and len(trace) >= _TRACE_DIGITS:
        try:
            return int(trace[-_TRACE_DIGITS:], 16) < rate * 16**_TRACE_DIGITS
        except ValueError:
            pass
    return random.random() < rate  # noqa: S311 - no secret


def _hashable(message: object) -> object:
    return message if isinstance(message, str) else type(message)


def _level(name: str) -> int:
    number = logging.getLevelName(name.upper())
    if not isinstance(number, int):
        known = "DEBUG, INFO, WARNING, ERROR, CRITICAL"
        raise SettingsError(f"sample names the level {name!r}, which is unknown; use one of {known}")
    return number


def _rate(name: str, rate: float) -> float:
    if not 0 <= rate <= 1:
        raise SettingsError(f"sample[{name!r}]={rate!r}; use a part from 0 to 1")
    return float(rate)
