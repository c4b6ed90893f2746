"""The code of a plan: a function that makes the record of a line with these names and these types of values.

It is written as text and compiled, since a function without any table or loop is what Python runs fastest. Nothing of
a line stands in that text but its names, each as `repr` writes it. What the function does is what `json_lines` and
`normalise` do step by step; where a value would change what becomes of the others, it returns None.
"""

from __future__ import annotations

from collections.abc import Callable
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
    PLAIN_CHARS,
    REGION,
    SERVICE,
    STREAM,
    LogEvent,
    Record,
    Shape,
    record_id,
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


Make = Callable[[tuple[Any, ...], LogEvent, str, Origin], Record | None]
"""Of the values of a line, its event, its text and its stream; None when the plan does not cover it."""
_CLOUD: Final = {ACCOUNT: "origin.account", REGION: "origin.region"}
_PLACED: Final = {GROUP: "group", STREAM: "stream", EVENT_TIME: "timestamp_ms"}
_NUMBERS: Final = frozenset({int, float})
_STATUS: Final = json_lines.STATUS
_INT64: Final = 9.2e18
_SURELY_EXACT: Final = 9.0e15
"""A little less than 2**63 and 2**53: most numbers are compared with such a float in less time."""
_NAMES: Final = {
    "Record": Record,
    "describe": json_lines.describe,
    "dumps": orjson.dumps,
    "kind_of": dialects.KINDS.get,
    "milliseconds": json_lines.milliseconds,
    "pino": dialects.PINO.get,
    "record_id": record_id,
    "severity": severity,
    "status_code": json_lines.status_code,
    "time_of": json_lines.time_of,
    "zoned_text_us": times.zoned_text_us,
    "zoned_us": times.zoned_us,
}


def maker(
    names: tuple[str, ...], types: tuple[type, ...], *, keep_original: bool, cloud: tuple[str, ...] = ()
) -> Make | None:
    """The function for one shape; None when what becomes of a line depends on the order of its names.

    Args:
        names: of the line's fields.
        types: of their values.
        keep_original: whether records carry the line.
        cloud: names of what is known of where the group lies; see `record.Cloud`.
    """
    shape = _Shape(names, types, cloud)
    if not shape.is_plain():
        return None
    space: dict[str, Any] = {**_NAMES, "shape": shape.promise(keep_original=keep_original)}
    exec(compile(shape.source(keep_original=keep_original), "<plan>", "exec"), space)  # noqa: S102 - see above
    make: Make = space["make"]
    return make


class _Shape:
    def __init__(self, names: tuple[str, ...], types: tuple[type, ...], cloud: tuple[str, ...]) -> None:
        self._cloud = cloud
        self._all = [f"v{place}" for place in range(len(names))]
        self._types = {name: kind for name, kind in zip(names, types, strict=True) if kind is not type(None)}
        self._of = dict(zip(names, self._all, strict=True))
        self._resource: dict[str, str] = {}
        self._attributes: dict[str, str] = {}
        self._promised: dict[str, type | None] = {}
        """Of each attribute and part of the resource its type, None if its text decides."""
        self._guards: list[str] = []
        self._is_plain = bool(names)
        for name in self._types:
            self._place(name)

    def is_plain(self) -> bool:
        """Whether every value has a place of its own."""
        return self._is_plain and not {*_PLACED, ORIGINAL}.intersection(self._promised)

    def promise(self, *, keep_original: bool) -> Shape | None:
        """What is known of all records of the plan; None when names or types depend on values."""
        lines, settled = self._kind()
        if lines or list in self._types.values() or not all(self._promised.values()):
            return None
        types: dict[str, Any] = {
            SERVICE: str,
            ACCOUNT: str,
            REGION: str,
            "http.route": self._promised.get("operation"),
            **self._promised,
        }
        types |= {KIND: str, GROUP: str, STREAM: str, EVENT_TIME: int, ORIGINAL: str}
        attributes = [*(self._attributes | settled), *_PLACED, *([ORIGINAL] if keep_original else [])]
        return Shape({name: types[name] for name in self._whole_resource()}, {name: types[name] for name in attributes})

    def source(self, *, keep_original: bool) -> str:
        kind, settled = self._kind()
        first = self._attributes | settled | ({} if kind else _PLACED)
        if keep_original and not kind:
            first[ORIGINAL] = "message"
        body = self._body()
        ids = ", ".join(map(self._text, (dialects.TRACE, dialects.SPAN, dialects.PARENT)))
        lines = [
            f"{', '.join(self._all)}, = values",
            "group, stream, timestamp_ms, _, event_id, ingestion_ms, _ = event",
            *self._number_guards(),
            *self._guards,
            f"own = {self._own_time()}",
            "time_us = timestamp_ms * 1000",
            "if own is not None and -86_400_000_000 <= own - time_us <= 86_400_000_000: time_us = own",
            f"body = {body}",
            f"resource = {_literal(self._whole_resource())}",
            f"attributes = {_literal(first)}",
            *kind,
            "if not body: body = describe(attributes)",
            *self._original(keep_original=keep_original, late=bool(kind)),
            f"identity = {self._identity()}",
            f"record = Record(identity, time_us, body, {self._level()}, ingestion_ms, {ids}, resource, attributes)",
            f"if shape is not None and {self._as_promised()}: record.shape = shape",
            "return record",
        ]
        return "def make(values, event, message, origin):\n" + "".join(f"    {line}\n" for line in lines)

    def _original(self, *, keep_original: bool, late: bool) -> list[str]:
        """Where, and whether, the line itself and its origin are added."""
        placed = [f"attributes[{name!r}] = {value}" for name, value in _PLACED.items()] if late else []
        if keep_original and late:
            placed.append(f"if body != message: attributes[{ORIGINAL!r}] = message")
        elif keep_original:
            placed.append(f"if body == message: del attributes[{ORIGINAL!r}]")
        return placed

    def _as_promised(self) -> str:
        """Text without escapes holds no value that is longer than it, or not ASCII."""
        checks = ["origin.plain", "message.isascii()", f"len(message) <= {PLAIN_CHARS}", r"'\\' not in message"]
        for name, kind in self._types.items():
            if kind in _NUMBERS and name not in dialects.HANDLED:
                value = self._of[name]
                exact = f" and type({value}) is {kind.__name__}" if name not in dialects.DURATIONS else ""
                checks.append(f"{-_SURELY_EXACT!r} < {value} < {_SURELY_EXACT!r}{exact}")
        return " and ".join(checks)

    def _present(self, wanted: tuple[str, ...]) -> list[tuple[str, str, type]]:
        return [(name, self._of[name], self._types[name]) for name in wanted if name in self._types]

    def _place(self, name: str) -> None:
        value, kind = self._of[name], self._types[name]
        if name in dialects.HANDLED:
            return
        if name in dialects.RESOURCE:
            self._put(self._resource, dialects.RESOURCE[name], value, kind)
        elif name in dialects.DURATIONS and kind in _NUMBERS:
            self._put(self._attributes, DURATION_MS, _rounded(f"{value} * {dialects.DURATIONS[name]!r}"), float)
        elif name in dialects.DURATIONS and kind is str:
            self._guards += [f"{value} = milliseconds({name!r}, {value})", f"if {value} is None: return None"]
            self._put(self._attributes, DURATION_MS, value, None)
        elif (target := dialects.ATTRIBUTE.get(name, name)) == _STATUS and kind is str:
            self._put(self._attributes, target, f"status_code({value})", None)
        else:
            self._put(self._attributes, target, value, kind)

    def _put(self, fields: dict[str, str], name: str, value: str, kind: type | None) -> None:
        self._is_plain = self._is_plain and name not in self._promised
        fields[name] = value
        self._promised[name] = kind

    def _whole_resource(self) -> dict[str, str]:
        """What the line says, and what its origin does where the line does not."""
        known = {SERVICE: "origin.service"} | {name: _CLOUD[name] for name in self._cloud}
        return self._resource | {name: value for name, value in known.items() if name not in self._resource}

    def _number_guards(self) -> list[str]:
        """Whole numbers beyond 64 bits become text, and our two readers of JSON read them differently."""
        numbers = [self._of[name] for name, kind in self._types.items() if kind in _NUMBERS]
        inside = " and ".join(f"{-_INT64!r} < {value} < {_INT64!r}" for value in numbers)
        return [f"if not ({inside}): return None"] if inside else []

    def _own_time(self) -> str:
        present = self._present(dialects.TIME)
        if len(present) <= 1:
            return f"zoned{'_text' if present[0][2] is str else ''}_us({present[0][1]})" if present else "None"
        fields = _literal({name: value for name, value, _ in present})
        return f"at[0] if (at := time_of({fields})) and at[1] else None"

    def _level(self) -> str:
        said = []
        for _, value, kind in self._present(dialects.LEVEL):
            if kind is str:
                said.append(f"severity({value})")
            elif kind in _NUMBERS:
                said.append(f"(pino({value}, '') if type({value}) is int else '')")
        return " or ".join(said) or "''"

    def _text(self, wanted: tuple[str, ...]) -> str:
        for _, value, kind in self._present(wanted):
            return value if kind is str else f"dumps({value}).decode()"
        return "''"

    def _body(self) -> str:
        text = self._text(dialects.BODY)
        if text.startswith("v") and DURATION_MS not in self._attributes:
            self._guards.append(f"if {text}.startswith({json_lines.STATEMENT!r}): return None")
        return text

    def _identity(self) -> str:
        handler_id = f", {self._of[HANDLER_ID]}" if self._types.get(HANDLER_ID) is str else ""
        return f"record_id(timestamp_ms, group, stream, event_id{handler_id})"

    def _kind(self) -> tuple[list[str], dict[str, str]]:
        """The lines that set the kind where that may add and take attributes away, or those that it surely adds."""
        is_request = _STATUS in self._attributes and DURATION_MS in self._attributes
        routed = "operation" in self._attributes and "http.route" not in self._attributes
        said = [found for found in self._present(dialects.KIND_NAMES) if found[2] is str or found[2] in _NUMBERS]
        if not said:
            route = {"http.route": self._of["operation"]} if routed else {}
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
            lines.append(f"if known == 'request': attributes['http.route'] = {self._of['operation']}")
        return lines


def _literal(fields: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name!r}: {value}" for name, value in fields.items()) + "}"


def _rounded(number: str) -> str:
    """What `json_lines.rounded` does, without the call."""
    return f"(x if 0.0 <= (x := {number}) < 1e9 and int(x * 1e6 + 0.5) / 1e6 == x else round(x, 6))"
