"""Lines of JSON, or of pairs, of a shape that comes again and again: records made by a plan of what `json_lines` says.

A service writes lines with the same names, and the same types under them, over and over. What becomes of such a line
depends on its names and types alone, but for the few values that a plan looks at, so it is found out once.
A line that has no plan, or that its plan does not cover, goes the general way.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec.structs import astuple

from logship.parse import json_lines, json_text, logfmt, wrappers
from logship.parse.json_code import maker
from logship.parse.json_columns import table_maker
from logship.parse.json_meaning import Meaning
from logship.table import PLAIN_CHARS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.events import Columns
    from logship.parse.json_code import Make
    from logship.parse.json_columns import MakeTable
    from logship.parse.json_meaning import Origin
    from logship.parse.parsed import Parsed
    from logship.record import LogEvent, Record
    from logship.table import Table

LONGEST: Final = 2**20
"""Longer lines are kept whole as text: CloudWatch has none, and files' need no fields."""
_USUAL: Final = 8
"""A shape that was seen so often gets a plan: making one costs as much as fifty lines."""
_MOST_PLANS: Final = 512
"""Some 10 kB each; when there are more, all are forgotten and those in use come back."""
_MOST_SEEN: Final = 4_096
_MOST_NAMES: Final = 64
_MOST_MISSES: Final = 64
"""Of one count of quotes in one batch; then its lines come in several shapes, and guessing costs more than it saves."""
_FEW_ODD: Final = 4
"""If more than that part of lines with as many quotes are of other shapes, a table of the rest saves nothing."""
_first_of: Final = itemgetter(0)
_JSON_TYPES: Final[dict[type, Any]] = {str: str, bool: bool, int: int | float, float: int | float, type(None): None}


class _Plan:
    """How to make records of one shape, of values that are already known, or straight from the text."""

    __slots__ = ("decode", "make", "make_table", "may_be_wrapped")

    def __init__(
        self, make: Make, make_table: MakeTable | None, decode: Callable[[str], Any] | None, *, may_be_wrapped: bool
    ) -> None:
        self.make, self.make_table, self.decode, self.may_be_wrapped = make, make_table, decode, may_be_wrapped


class Plans:
    """The plans of one parser, at most so many; and which one to expect of a line."""

    def __init__(self, *, keep_original: bool, cloud: tuple[str, ...] = (), usual: int = _USUAL) -> None:
        self._keep_original, self._cloud, self._usual = keep_original, cloud, usual
        self._plans: dict[tuple[object, ...], _Plan | Literal["nested", "none"]] = {}
        self._seen: dict[tuple[object, ...], int] = {}
        self._expected: dict[int, _Plan] = {}
        self._misses: dict[int, int] = {}
        self._only: _Plan | None = None
        """The plan of all lines of the last batch: it refuses others itself, so that nothing is counted for it."""

    def begin_batch(self) -> None:
        """Guesses afresh."""
        self._misses.clear()

    def tables(
        self, events: Columns, messages: Sequence[str], origins: Sequence[Origin]
    ) -> list[tuple[Table, Sequence[int]]]:
        """Tables of those lines that plans for many at once make, and the places of each one's lines.

        `read` makes the same records of the same lines, and those of the others.
        """
        if self._only is not None and _are_plain(messages):
            table = _whole_table(self._only, events, messages, origins)
            if table is not None:
                return [(table, range(len(messages)))]
        found = self._tables_by_plan(events, messages, origins)
        are_one = len(found) == 1 and len(found[0][0]) == len(messages)
        self._only = self._expected.get(messages[0].count('"')) if are_one else None
        return found

    def _tables_by_plan(
        self, events: Columns, messages: Sequence[str], origins: Sequence[Origin]
    ) -> list[tuple[Table, Sequence[int]]]:
        groups: dict[_Plan | None, list[int]] = {}
        for place, message in enumerate(messages):
            groups.setdefault(self._expected.get(message.count('"')), []).append(place)
        found = []
        for plan, places in groups.items():
            if plan is not None and plan.make_table is not None:
                parts = (events, messages, origins)
                if len(places) < len(messages):
                    parts = _chosen(places, *parts)
                if made := _table(plan, places, *parts):
                    found.append(made)
        return found

    def read(self, message: str, event: LogEvent, origin: Origin) -> Record | Parsed | None:
        """The record of a line that is an object of JSON, or pairs; only its parts, if no plan makes it.

        None where that is no matter of plans: the line is neither, or it holds other lines. None of those that plans
        read continues another.
        """
        if "\n" in message or len(message) > LONGEST:
            return None
        if message[:1] != "{":
            fields = logfmt.fields_of(message) if "=" in message else None
            return self._read_fields(fields, message, event, origin) if fields else None
        quotes = message.count('"')
        plan = self._expected.get(quotes)
        if plan is not None and not (plan.may_be_wrapped and wrappers.is_wrapped(message)):
            try:
                values = astuple(plan.decode(message))  # type: ignore[misc]
            except (msgspec.MsgspecError, UnicodeEncodeError):
                self._miss(quotes)
            else:
                if record := plan.make(values, event, message, origin):
                    return record
        return self._read_any(message, event, origin, quotes)

    def _read_fields(self, fields: dict[str, Any], message: str, event: LogEvent, origin: Origin) -> Record | Parsed:
        plan = self._plan_of(fields)
        if isinstance(plan, _Plan) and (record := plan.make(tuple(fields.values()), event, message, origin)):
            return record
        return json_lines.from_object(fields)

    def _miss(self, quotes: int) -> None:
        self._misses[quotes] = self._misses.get(quotes, 0) + 1
        del self._expected[quotes]

    def _read_any(self, message: str, event: LogEvent, origin: Origin, quotes: int) -> Record | Parsed | None:
        if wrappers.is_wrapped(message):
            return None
        try:
            found = json_text.loads(message)
        except (ValueError, RecursionError):
            return None
        fields: dict[str, Any] = found
        plan = self._plan_of(fields)
        if plan == "nested":
            fields = json_lines.flatten(found)
            plan = self._plan_of(fields)
        if not isinstance(plan, _Plan):
            return json_lines.from_object(found)
        if fields is found and plan.decode and self._misses.get(quotes, 0) < _MOST_MISSES:
            self._expected[quotes] = plan
        return plan.make(tuple(fields.values()), event, message, origin) or json_lines.from_object(found)

    def _plan_of(self, fields: dict[str, Any]) -> _Plan | Literal["nested", "none"]:
        shape = (*fields, *map(type, fields.values()))
        return self._plans.get(shape) or self._learned(shape, len(fields))

    def _learned(self, shape: tuple[Any, ...], size: int) -> _Plan | Literal["nested", "none"]:
        names, types = shape[:size], shape[size:]
        if size > _MOST_NAMES:
            return "nested" if dict in types else "none"
        seen = self._seen[shape] = self._seen.get(shape, 0) + 1
        if seen < self._usual:
            if len(self._seen) > _MOST_SEEN:
                self._seen.clear()
            return "nested" if dict in types else "none"
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
            self._expected.clear()
            self._only = None
        plan = self._plans[shape] = "nested" if dict in types else self._new(names, types)
        return plan

    def _new(self, names: tuple[str, ...], types: tuple[type, ...]) -> _Plan | Literal["none"]:
        meaning = Meaning(names, types, self._cloud)
        make = maker(meaning, keep_original=self._keep_original)
        if make is None:
            return "none"
        make_table = table_maker(meaning, keep_original=self._keep_original)
        return _Plan(make, make_table, _decoder(names, types), may_be_wrapped=not wrappers.NAMES.isdisjoint(names))


def _whole_table(plan: _Plan, events: Columns, messages: Sequence[str], origins: Sequence[Origin]) -> Table | None:
    """The table of plain lines, all of which are of the plan's shape; None if they are not."""
    if plan.make_table is None or plan.may_be_wrapped or not all(origin.plain for origin in set(origins)):
        return None
    assert plan.decode is not None
    try:
        values = list(map(astuple, map(plan.decode, messages)))
    except msgspec.MsgspecError:
        return None
    return plan.make_table(values, events, messages, origins)


def _table(
    plan: _Plan, places: Sequence[int], events: Columns, messages: Sequence[str], origins: Sequence[Origin]
) -> tuple[Table, Sequence[int]] | None:
    """The table of those lines that are plain and of the plan's shape; None if there are none."""
    assert plan.decode is not None
    assert plan.make_table is not None
    if plan.may_be_wrapped or not _are_plain(messages) or not all(origin.plain for origin in set(origins)):
        plain = [
            number
            for number, message in enumerate(messages)
            if _are_plain((message,)) and origins[number].plain and not wrappers.is_wrapped(message)
        ]
        places = [places[number] for number in plain]
        events, messages, origins = _chosen(plain, events, messages, origins)
    values: list[Any] = []
    odd: list[int] = []
    while (done := len(values) + len(odd)) < len(messages):
        try:
            values.extend(map(plan.decode, messages[done:]))
        except msgspec.MsgspecError:  # what was read before it is in the list
            odd.append(len(values) + len(odd))
            if len(odd) * _FEW_ODD > len(messages):
                return None
    if odd:
        others = sorted({*range(len(messages))}.difference(odd))
        places = [places[number] for number in others]
        events, messages, origins = _chosen(others, events, messages, origins)
    table = plan.make_table(list(map(astuple, values)), events, messages, origins) if values else None
    if table is not None:
        return table, places
    short = [number for number, message in enumerate(messages) if len(message) <= PLAIN_CHARS]
    if not 0 < len(short) < len(messages):
        return None
    return _table(plan, [places[number] for number in short], *_chosen(short, events, messages, origins))


def _chosen(
    wanted: Sequence[int], events: Columns, messages: Sequence[str], origins: Sequence[Origin]
) -> tuple[Columns, Sequence[str], Sequence[Origin]]:
    """Some of the lines."""
    return events.chosen(wanted), [messages[place] for place in wanted], [origins[place] for place in wanted]


def _are_plain(messages: Sequence[str]) -> bool:
    """Whether lines are objects of ASCII values without escapes, if they are objects."""
    text = "".join(messages)
    return (
        text.isascii()
        and "\\" not in text
        and "\n" not in text
        and max(map(len, messages)) <= LONGEST
        and all(messages)
        and set(map(_first_of, messages)) == {"{"}
    )


def _decoder(names: tuple[str, ...], types: tuple[type, ...]) -> Callable[[str], Any] | None:
    """Reads the values of lines of exactly these names and types, in half the time of a dict; it refuses all others.

    Numbers that 64 bits do not hold it reads otherwise than orjson does: plans do not cover them. Lists may
    hold some, so that they are read by orjson alone.
    """
    if not names or any(kind not in _JSON_TYPES for kind in types) or not all(map(_is_plain, names)):
        return None
    fields = [(f"v{place}", _JSON_TYPES[kind]) for place, kind in enumerate(types)]
    rename = {f"v{place}": name for place, name in enumerate(names)}
    line = msgspec.defstruct("Line", fields, rename=rename, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(line).decode


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isprintable() and '"' not in name and "\\" not in name
