"""Times that people type ("15m", "yesterday", ISO 8601) → one resolved `TimeRange` per run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from logship.errors import TimeRangeError
from logship.record import format_time, time_us_of

_UNITS_US: Final = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 7 * 86_400_000_000,
}
_MANY: Final = 10_000_000
"""Greater numbers of days are no time that a request took, and are shown by their order alone."""
_SPAN: Final = re.compile(r"(?:(\d+(?:\.\d+)?)(us|ms|s|m|h|d|w))+\Z")
_PIECE: Final = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d|w)")
_EPOCH_MS: Final = re.compile(r"\d{12,14}\Z")

EARLIEST_US: Final = -62_135_596_800_000_000
LATEST_US: Final = 253_402_300_800_000_000


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The interval [start_us, end_us), microseconds since 1970, UTC."""

    start_us: int
    end_us: int

    def __contains__(self, time_us: int) -> bool:
        return self.start_us <= time_us < self.end_us

    def __str__(self) -> str:
        return f"{_short(self.start_us)} – {_short(self.end_us)} UTC"

    @property
    def span_us(self) -> int:
        """Length in microseconds."""
        return self.end_us - self.start_us

    def without(self, other: TimeRange) -> list[TimeRange]:
        """The parts of it that lie before and behind another one."""
        parts = (
            TimeRange(self.start_us, min(self.end_us, other.start_us)),
            TimeRange(max(self.start_us, other.end_us), self.end_us),
        )
        return [part for part in parts if part.span_us > 0]

    def before(self, span_us: int) -> TimeRange:
        """The range of that length which ends where this one begins."""
        return TimeRange(self.start_us - span_us, self.start_us)


def parse_span(text: str) -> int:
    """Microseconds of a span such as ``90s``, ``15m`` or ``1h30m``.

    Raises:
        TimeRangeError: the text is no span.
    """
    if not _SPAN.match(text):
        raise TimeRangeError(f"{text!r} is no time span; write a number and a unit, such as 15m, 2h or 7d")
    span_us = sum(float(number) * _UNITS_US[unit] for number, unit in _PIECE.findall(text))
    if span_us > LATEST_US:
        raise TimeRangeError(f"{text[:20]!r} is longer than all times that there are; write 15m, 2h or 7d")
    return round(span_us)


def parse_time(text: str, *, now_us: int) -> int:
    """Microseconds since 1970 of a point in time.

    Reads ISO 8601 (a time without a zone is UTC; a date alone is its midnight), epoch milliseconds,
    ``now``, ``today``, ``yesterday``, and a span such as ``15m``, which means that long before now.

    Raises:
        TimeRangeError: the text is no time.
    """
    word = text.strip()
    midnight = time_us_of(datetime.fromtimestamp(now_us / 1e6, UTC).replace(hour=0, minute=0, second=0, microsecond=0))
    named = {"now": now_us, "today": midnight, "yesterday": midnight - _UNITS_US["d"]}
    if word.lower() in named:
        return named[word.lower()]
    if _SPAN.match(word):
        return now_us - parse_span(word)
    if _EPOCH_MS.match(word):
        return int(word) * 1000
    try:
        at = datetime.fromisoformat(word)
    except ValueError:
        raise TimeRangeError(f"{text!r} is no time; write 2026-11-23T14:00:00Z, 15m, today or yesterday") from None
    return time_us_of(at if at.tzinfo else at.replace(tzinfo=UTC))


def parse_past(text: str, *, now_us: int) -> int:
    """Microseconds since 1970 of a point in time that reading may start at.

    Raises:
        TimeRangeError: the text is no time, or one that is still to come.
    """
    time_us = parse_time(text, now_us=now_us)
    if time_us > now_us:
        raise TimeRangeError(f"{text!r} is still to come; write now, 1h or a time that has passed")
    return time_us


def resolve(since: str | None, start: str | None, end: str | None, *, now_us: int) -> TimeRange | None:
    """The range that `--since`, `--from` and `--to` mean, or None when none was given.

    Raises:
        TimeRangeError: a time cannot be read, both `--since` and `--from` are given, or the end is not
            after the start.
    """
    if since and start:
        raise TimeRangeError(f"--since {since!r} and --from {start!r} both name the start; give one of them")
    if not (since or start or end):
        return None
    first = parse_time(since or start or "", now_us=now_us) if since or start else EARLIEST_US
    last = parse_time(end, now_us=now_us) if end else (now_us if since else LATEST_US)
    return ordered(first, last)


def ordered(start_us: int, end_us: int) -> TimeRange:
    """The range of two times.

    Raises:
        TimeRangeError: the end is not after the start.
    """
    if end_us <= start_us:
        raise TimeRangeError(
            f"the time range ends at {format_time(end_us)}, not after its start {format_time(start_us)}; "
            "swap --from and --to"
        )
    return TimeRange(start_us, end_us)


def human_span(span_us: float) -> str:
    """A span for people, in a few characters whatever it is: ``850 ms``, ``2.1 s``, ``30 m``, ``4 h``, ``3 d``."""
    if span_us < 0:
        return f"-{human_span(-span_us)}"
    for unit, size in (("d", "d"), ("h", "h"), ("m", "m"), ("s", "s"), ("ms", "ms")):
        value = span_us / _UNITS_US[size]
        if value >= 1:
            return f"{value:.0f} {unit}" if 100 <= value < _MANY else f"{value:.3g} {unit}"  # noqa: PLR2004
    return f"{span_us:.0f} us"


def _short(time_us: int) -> str:
    if time_us <= EARLIEST_US:
        return "the beginning"
    if time_us >= LATEST_US:
        return "the end"
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    return at.strftime("%Y-%m-%d %H:%M:%S") + (f".{time_us // 1000 % 1000:03d}" if time_us % 1_000_000 else "")
