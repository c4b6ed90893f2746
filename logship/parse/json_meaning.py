"""What becomes of the values of lines with these names and these types of values, as expressions of Python.

A line's values are called `v0`, `v1` and so on; what else an expression names is what `json_code` and `json_columns`
have at hand. Nothing of a line stands in an expression but its names, each as `repr` writes it. What they say together
is what `json_lines` and `normalise` do step by step.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import orjson

from logship.parse import dialects, json_lines, times
from logship.record import (
    ACCOUNT,
    DURATION_MS,
    EVENT_TIME,
    GROUP,
    HANDLER_ID,
    KIND,
    ORIGINAL,
    REGION,
    SERVICE,
    STREAM,
    record_id,
    record_ids,
    severities,
    severity,
)


class Origin(Protocol):
    """What is the same for all lines of one stream."""

    service: str
    """Of its group."""
    account: str
    region: str
    plain: bool
    """Whether the names of group, stream, service, account and region are as a `Shape` promises."""


PLACED: Final = {GROUP: "group", STREAM: "stream", EVENT_TIME: "timestamp_ms"}
NUMBERS: Final = frozenset({int, float})
INT64: Final = 9.2e18
SURELY_EXACT: Final = 9.0e15
"""A little less than 2**63 and 2**53: most numbers are compared with such a float in less time."""
DAY_US: Final = 86_400_000_000
_SPACE: Final = {
    "all_rounded": json_lines.all_rounded,
    "describe": json_lines.describe,
    "dumps": orjson.dumps,
    "kind_of": dialects.KINDS.get,
    "milliseconds": json_lines.milliseconds,
    "pino": dialects.PINO.get,
    "record_id": record_id,
    "record_ids": record_ids,
    "severities": severities,
    "severity": severity,
    "status_code": json_lines.status_code,
    "time_of": json_lines.time_of,
    "zoned_text_us": times.zoned_text_us,
    "zoned_texts_us": times.zoned_texts_us,
    "zoned_us": times.zoned_us,
}
"""What the names in expressions mean that are no values of a line or an event."""
_CLOUD: Final = {ACCOUNT: "origin.account", REGION: "origin.region"}
_STATUS: Final = json_lines.STATUS


class Meaning:
    """The expressions for one shape of lines.

    Args:
        names: of the line's fields.
        types: of their values.
        cloud: names of what is known of where the group lies; see `record.Cloud`.

    Attributes:
        values: what the line's values are called.
        types: by name; of what is not null.
        attributes: name → expression.
        known: of each attribute and part of the resource its type, None if its text decides.
        guards: statements that come first, which may return None.
        refusals: conditions under which a line is none of these.
        milliseconds: the expression of a duration that is a number, before it is rounded.
    """

    def __init__(self, names: tuple[str, ...], types: tuple[type, ...], cloud: tuple[str, ...]) -> None:
        self._cloud = cloud
        self.values = [f"v{place}" for place in range(len(names))]
        self.types = {name: kind for name, kind in zip(names, types, strict=True) if kind is not type(None)}
        self.of = dict(zip(names, self.values, strict=True))
        self.attributes: dict[str, str] = {}
        self.known: dict[str, type | None] = {}
        self.guards: list[str] = []
        self.refusals: list[str] = []
        self.milliseconds = ""
        self._resource: dict[str, str] = {}
        self._is_plain = bool(names)
        for name in self.types:
            self._place(name)
        self.body = self._body()

    def is_plain(self) -> bool:
        """Whether every value has a place of its own."""
        return self._is_plain and not {*PLACED, ORIGINAL}.intersection(self.known)

    def present(self, wanted: tuple[str, ...]) -> list[tuple[str, str, type]]:
        """Of some names those that the line has: name, value, type."""
        return [(name, self.of[name], self.types[name]) for name in wanted if name in self.types]

    def _place(self, name: str) -> None:
        value, kind = self.of[name], self.types[name]
        if name in dialects.HANDLED:
            return
        if name in dialects.RESOURCE:
            self._put(self._resource, dialects.RESOURCE[name], value, kind)
        elif name in dialects.DURATIONS and kind in NUMBERS:
            self.milliseconds = f"{value} * {dialects.DURATIONS[name]!r}"
            self._put(self.attributes, DURATION_MS, _rounded(self.milliseconds), float)
        elif name in dialects.DURATIONS and kind is str:
            self.guards += [f"{value} = milliseconds({name!r}, {value})", f"if {value} is None: return None"]
            self._put(self.attributes, DURATION_MS, value, None)
        elif (target := dialects.ATTRIBUTE.get(name, name)) == _STATUS and kind is str:
            self._put(self.attributes, target, f"status_code({value})", None)
        else:
            self._put(self.attributes, target, value, kind)

    def _put(self, fields: dict[str, str], name: str, value: str, kind: type | None) -> None:
        self._is_plain = self._is_plain and name not in self.known
        fields[name] = value
        self.known[name] = kind

    @property
    def resource(self) -> dict[str, str]:
        """What the line says, and what its origin does where the line does not."""
        known = {SERVICE: "origin.service"} | {name: _CLOUD[name] for name in self._cloud}
        return self._resource | {name: value for name, value in known.items() if name not in self._resource}

    def own_time(self) -> str:
        """Microseconds, or None."""
        present = self.present(dialects.TIME)
        if len(present) <= 1:
            return f"zoned{'_text' if present[0][2] is str else ''}_us({present[0][1]})" if present else "None"
        fields = literal({name: value for name, value, _ in present})
        return f"at[0] if (at := time_of({fields})) and at[1] else None"

    def level(self) -> str:
        """The severity."""
        said = []
        for _, value, kind in self.present(dialects.LEVEL):
            if kind is str:
                said.append(f"severity({value})")
            elif kind in NUMBERS:
                said.append(f"(pino({value}, '') if type({value}) is int else '')")
        return " or ".join(said) or "''"

    def text(self, wanted: tuple[str, ...]) -> str:
        """The first of some names that the line has, as text."""
        for _, value, kind in self.present(wanted):
            return value if kind is str else f"dumps({value}).decode()"
        return "''"

    def identities(self) -> list[str]:
        """The ids of trace, span and parent span."""
        return [self.text(names) for names in (dialects.TRACE, dialects.SPAN, dialects.PARENT)]

    def _body(self) -> str:
        text = self.text(dialects.BODY)
        if text.startswith("v") and DURATION_MS not in self.attributes:
            self.refusals.append(f"{text}.startswith({json_lines.STATEMENT!r})")
        return text

    def identity(self) -> str:
        """The record's id."""
        handler_id = f", {self.of[HANDLER_ID]}" if self.types.get(HANDLER_ID) is str else ""
        return f"record_id(timestamp_ms, group, stream, event_id{handler_id})"

    def kind(self) -> tuple[list[str], dict[str, str]]:
        """The lines that set the kind where that may add and take attributes away, or those that it surely adds."""
        is_request = _STATUS in self.attributes and DURATION_MS in self.attributes
        routed = "operation" in self.attributes and "http.route" not in self.attributes
        said = [found for found in self.present(dialects.KIND_NAMES) if found[2] is str or found[2] in NUMBERS]
        if not said:
            route = {"http.route": self.of["operation"]} if routed else {}
            return [], {KIND: "'request'", **route} if is_request else {}
        if not routed and [name for name, _, kind in said] == [KIND] and said[0][2] is str:
            value = said[0][1]
            known = f"kind_of({value}) or kind_of({value}.lower())"
            return [], {KIND: f"{known} or " + ("'request'" if is_request else value)}
        return self._kind_lines(said, is_request=is_request, routed=routed), {}

    def _kind_lines(self, said: list[tuple[str, str, type]], *, is_request: bool, routed: bool) -> list[str]:
        lines = []
        for place, (name, value, kind) in enumerate(said):
            found = f"kind_of({value}) or kind_of({value}.lower())" if kind is str else f"kind_of(str({value}))"
            lines.append(f"{'el' if place else ''}if known := {found}:")
            lines.append(f"    attributes[{KIND!r}] = known")
            if name != KIND:
                lines.append(f"    attributes.pop({name!r}, None)")
        lines += ["else:", f"    known = attributes[{KIND!r}] = 'request'" if is_request else "    known = ''"]
        if routed:
            lines.append(f"if known == 'request': attributes['http.route'] = {self.of['operation']}")
        return lines


def compiled(source: str, **names: Any) -> Any:
    """The function `make` that a source defines, of expressions of a meaning.

    Args:
        source: all of it.
        names: what else it names.
    """
    space: dict[str, Any] = {**_SPACE, **names}
    exec(compile(source, "<plan>", "exec"), space)  # noqa: S102 - a line's names stand there as `repr` writes them
    return space["make"]


def literal(fields: dict[str, str]) -> str:
    """The expression of a dict."""
    return "{" + ", ".join(f"{name!r}: {value}" for name, value in fields.items()) + "}"


def _rounded(number: str) -> str:
    """What `json_lines.rounded` does, without the call."""
    return f"(x if 0.0 <= (x := {number}) < 1e9 and int(x * 1e6 + 0.5) / 1e6 == x else round(x, 6))"
