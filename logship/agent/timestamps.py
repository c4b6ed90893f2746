"""How the agent reads a line's time: its format, made a regular expression and layouts of Go.

Source: the agent's documentation of `timestamp_format`, and what it was measured to do. The regular expression is
looked for anywhere in the line; what it finds is read by the layouts in turn. A layout is stricter than the
expression in places, which is why some lines that match have no time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

REGEX: Final = {
    "%B": r"\w{7}", "%b": r"\w{3}", "%A": r"\w{6,9}", "%a": r"\w{3}", "%Y": r"\d{4}", "%y": r"\d{2}",
    "%m": r"\s{0,1}\d{1,2}", "%-m": r"\s{0,1}\d{1,2}", "%d": r"\s{0,1}\d{1,2}", "%-d": r"\s{0,1}\d{1,2}",
    "%H": r"\d{2}", "%I": r"\d{2}", "%-I": r"\d{1,2}", "%M": r"\d{2}", "%-M": r"\d{1,2}", "%S": r"\d{2}",
    "%-S": r"\d{1,2}", "%f": r"(\d{1,9})", "%p": r"\w{2}", "%Z": r"\w{3}", "%z": r"[+-]\d{4}",
}  # fmt: skip
"""Directive → what it matches; all others are literal text."""
LAYOUTS: Final = {
    "%B": "January", "%b": "Jan", "%A": "Monday", "%a": "Mon", "%Y": "2006", "%y": "06", "%m": "01", "%-m": "1",
    "%d": "_2", "%-d": "_2", "%H": "15", "%I": "03", "%-I": "3", "%M": "04", "%-M": "4", "%S": "05", "%-S": "5",
    "%f": ".000", "%p": "PM", "%Z": "MST", "%z": "-0700",
}  # fmt: skip
"""Directive → Go's layout."""
_DIRECTIVE: Final = re.compile("%-?[A-Za-z%]")
_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH_NAMES: Final = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAYS: Final = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAY_NAMES: Final = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_FUTURE: Final = timedelta(days=30)
_PIVOT: Final = 69
"""Go: years of two digits from 69 on are of the twentieth century."""


class FormatError(ValueError):
    """A format that the agent refuses."""


def directives(timestamp_format: str) -> list[str]:
    """What looks like a directive, in order; some of them are literal text to the agent."""
    return _DIRECTIVE.findall(timestamp_format)


def pattern_of(timestamp_format: str) -> str:
    """The regular expression, with one group around all.

    Raises:
        FormatError: it does not compile.
    """
    text = "(" + _each(timestamp_format, REGEX, _escaped) + ")"
    # At its beginning a directive has no leading space.
    text = text.replace(r"(\s{0,1}\d{1,2}", r"(\d{1,2}", 1) if text.startswith(r"(\s{0,1}") else text
    try:
        re.compile(text)
    except re.error as error:
        raise FormatError(str(error)) from None
    return text


def layouts_of(timestamp_format: str) -> list[str]:
    """Go's layouts, in the order they are tried: months are read with and without a leading zero."""
    first = _each(timestamp_format, LAYOUTS, lambda text: text)
    for one, other in (("%m", "1"), ("%-m", "01")):
        if one in directives(timestamp_format):
            return [first, _each(timestamp_format, {**LAYOUTS, one: other}, lambda text: text)]
    return [first]


def _each(timestamp_format: str, table: dict[str, str], literal: object) -> str:
    found, at = [], 0
    assert callable(literal)
    for match in re.finditer("%-?[A-Za-z]", timestamp_format):
        known = table.get(match[0])
        if known is None:
            continue
        found += [literal(timestamp_format[at : match.start()]), known]
        at = match.end()
    return "".join([*found, literal(timestamp_format[at:])])


def _escaped(text: str) -> str:
    # A backslash is kept as the writer had it, and may break the expression.
    return re.sub(r"([.+*?()\[\]{}^$|])", r"\\\1", text)


@dataclass(frozen=True)
class Read:
    """What was read of a line."""

    time: datetime | None
    """UTC, cut to milliseconds; None where the agent finds none."""
    trimmed: str
    """The line without it, as with `trim_timestamp`."""
    matched: str = ""
    """What the expression found."""


class Reader:
    """Reads lines as the agent does.

    Args:
        timestamp_format: its directives.
        timezone: UTC, or anything else for the zone of the host.
        local: the host's zone.
        now: the host's time, for formats without a year; None asks the clock.

    Raises:
        FormatError: the agent refuses the format.
    """

    def __init__(
        self,
        timestamp_format: str,
        timezone: str = "",
        *,
        local: tzinfo = UTC,
        now: datetime | None = None,
    ) -> None:
        self.pattern, self.layouts = pattern_of(timestamp_format), layouts_of(timestamp_format)
        self._regex = re.compile(self.pattern, re.ASCII)
        self._zone = UTC if timezone == "UTC" else local
        self._now = now or datetime.now(UTC)
        self._has_year = any("2006" in layout or "06" in layout for layout in self.layouts)

    def read(self, line: str) -> Read:
        """The time of a line or event."""
        match = self._regex.search(line)
        if match is None:
            return Read(None, line)
        text = match[1]
        fraction = next((group for group in match.groups()[1:] if group), None)
        if fraction is not None:
            # The agent rewrites the fraction as Go's ".000" wants it: a dot and three digits.
            at = match.start(2) - match.start(1)
            text = text[:at] + "." + fraction[:3].ljust(3, "0") + text[at + len(fraction) :]
        for layout in self.layouts:
            found = parse(layout, text, self._zone)
            if found is not None:
                trimmed = (line[: match.start(1)] + line[match.end(1) :]).lstrip(" ")
                return Read(self._with_year(found), trimmed, match[1])
        return Read(None, line, match[1])

    def _with_year(self, found: datetime) -> datetime:
        """Without a year in the format it is this year, or the last where that is more than 30 days ahead."""
        if self._has_year:
            return found
        try:
            dated = found.replace(year=self._now.year)
            if dated - self._now > _FUTURE:
                dated = dated.replace(year=self._now.year - 1)
        except ValueError:  # 29 February
            return found
        return dated


def parse(layout: str, text: str, zone: tzinfo) -> datetime | None:
    """Go's time.Parse for the layouts that the agent makes; None where it fails. In UTC."""
    return _Parse(layout, text).run(zone)


_TOKENS: Final = re.compile(r"January|Jan|Monday|Mon|MST|2006|-0700|\.000|,000|_2|01|02|03|04|05|06|15|PM|pm|1|2|3|4|5")


class _Parse:
    def __init__(self, layout: str, text: str) -> None:
        self._layout, self._text, self._at = layout, text, 0
        self._year, self._month, self._day = 0, 1, 1
        self._hour, self._minute, self._second, self._micros = 0, 0, 0, 0
        self._half = ""
        self._zone: tzinfo | None = None

    def run(self, zone: tzinfo) -> datetime | None:
        try:
            at = 0
            for token in _TOKENS.finditer(self._layout):
                self._literal(self._layout[at : token.start()])
                self._take(token[0])
                at = token.end()
            self._literal(self._layout[at:])
            if self._at != len(self._text):
                return None
            return self._made(zone)
        except ValueError:
            return None

    def _made(self, zone: tzinfo) -> datetime:
        hour = self._hour
        if self._half:
            if not 0 <= hour <= 12:  # noqa: PLR2004 - twelve hours
                raise ValueError("hour")
            hour = hour % 12 + (12 if self._half == "PM" else 0)
        made = datetime(
            self._year or 4, self._month, self._day, hour, self._minute, self._second, self._micros,
            tzinfo=self._zone or zone,
        )  # fmt: skip
        return made.astimezone(UTC)

    def _literal(self, text: str) -> None:
        for sign in text:
            if sign == " ":
                # Go: a space in the layout matches any number of spaces, even none at the end.
                start = self._at
                while self._text[self._at : self._at + 1] == " ":
                    self._at += 1
                if start == self._at and self._at < len(self._text):
                    raise ValueError(text)
                continue
            if self._text[self._at : self._at + 1] != sign:
                raise ValueError(text)
            self._at += 1

    def _digits(self, least: int, most: int) -> int:
        end = self._at
        while end < len(self._text) and end - self._at < most and self._text[end].isdigit():
            end += 1
        if end - self._at < least:
            raise ValueError("digits")
        number = int(self._text[self._at : end])
        self._at = end
        return number

    def _word(self, names: list[str]) -> int:
        for number, name in enumerate(names):
            if self._text[self._at : self._at + len(name)].lower() == name:
                self._at += len(name)
                return number
        raise ValueError("name")

    def _take(self, token: str) -> None:
        if token in ("2006", "06"):
            self._take_year(token)
        elif token in ("01", "1", "Jan", "January"):
            self._take_month(token)
        elif token in ("_2", "02", "2"):
            if token == "_2" and self._text[self._at : self._at + 1] == " ":  # noqa: S105 - no secret
                self._at += 1
            self._day = self._digits(2 if token == "02" else 1, 2)  # noqa: S105
        elif token in ("Mon", "Monday"):
            self._word(_DAYS if token == "Mon" else _DAY_NAMES)  # noqa: S105
        elif token in ("-0700", "MST"):
            self._take_zone(token)
        elif token in (".000", ",000"):
            self._take_fraction()
        elif token in ("PM", "pm"):
            self._half = self._text[self._at : self._at + 2]
            if self._half not in ("AM", "PM"):
                raise ValueError("half")
            self._at += 2
        else:
            self._take_clock(token)

    def _take_year(self, token: str) -> None:
        if token == "2006":  # noqa: S105
            self._year = self._digits(4, 4)
            return
        year = self._digits(2, 2)
        self._year = year + (1900 if year >= _PIVOT else 2000)

    def _take_month(self, token: str) -> None:
        if token in ("Jan", "January"):
            self._month = self._word(_MONTHS if token == "Jan" else _MONTH_NAMES) + 1  # noqa: S105
        else:
            self._month = self._digits(2 if token == "01" else 1, 2)  # noqa: S105

    def _take_clock(self, token: str) -> None:
        strict = token in ("15", "03", "04", "05")
        number = self._digits(2 if strict else 1, 2)
        if token in ("15", "03", "3"):
            if token != "15" and number > 12:  # noqa: PLR2004, S105
                raise ValueError("hour")
            self._hour = number
        elif token in ("04", "4"):
            self._minute = number
        else:
            self._second = number
            # Go: a fraction behind the seconds is read although the layout has none.
            rest = self._text[self._at : self._at + 2]
            if len(rest) == 2 and rest[0] in ".," and rest[1].isdigit() and not self._expects_fraction():  # noqa: PLR2004
                self._take_fraction()

    def _expects_fraction(self) -> bool:
        return ".000" in self._layout or ",000" in self._layout

    def _take_fraction(self) -> None:
        if self._text[self._at : self._at + 1] not in (".", ","):
            raise ValueError("fraction")
        self._at += 1
        begin = self._at
        self._digits(1, 9)
        self._micros = int(self._text[begin : self._at][:3].ljust(3, "0")) * 1000

    def _take_zone(self, token: str) -> None:
        if token == "MST":  # noqa: S105
            name = self._text[self._at : self._at + 3]
            if len(name) < 3 or not name.isupper():  # noqa: PLR2004
                raise ValueError("zone")
            self._at += 3
            self._zone = UTC  # Go: an abbreviation that the host's zone does not know has offset 0
            return
        sign = self._text[self._at : self._at + 1]
        if sign not in ("+", "-"):
            raise ValueError("zone")
        self._at += 1
        offset = timedelta(hours=self._digits(2, 2), minutes=self._digits(2, 2))
        self._zone = timezone(offset if sign == "+" else -offset)
