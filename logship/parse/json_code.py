"""The code of a plan: a function that makes the record of a line with these names and these types of values.

It is written as text and compiled, since a function without any table or loop is what Python runs fastest. Nothing of
a line stands in that text but its names, each as `repr` writes it. What the function does is what `json_lines` and
`normalise` do step by step; where a value would change what becomes of the others, it returns None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from logship.parse import dialects, json_lines, times
from logship.record import (
    DURATION_MS,
    EVENT_TIME,
    GROUP,
    HANDLER_ID,
    KIND,
    ORIGINAL,
    SERVICE,
    STREAM,
    LogEvent,
    Record,
    record_id,
    severity,
)

Make = Callable[[tuple[Any, ...], LogEvent, str, str], Record | None]
"""Of the values of a line, its event, its text and the service of its group; None when the plan does not cover it."""
_PLACED: Final = {GROUP: "group", STREAM: "stream", EVENT_TIME: "timestamp_ms"}
_NUMBERS: Final = frozenset({int, float})
_STATUS: Final = json_lines.STATUS
_NAMES: Final = {
    "Record": Record,
    "describe": json_lines.describe,
    "dumps": orjson.dumps,
    "kind_of": dialects.KINDS.get,
    "milliseconds": json_lines.milliseconds,
    "pino": dialects.PINO.get,
    "record_id": record_id,
    "rounded": json_lines.rounded,
    "severity": severity,
    "status_code": json_lines.status_code,
    "time_of": json_lines.time_of,
    "zoned_us": times.zoned_us,
}


def maker(names: tuple[str, ...], types: tuple[type, ...], *, keep_original: bool) -> Make | None:
    """The function for one shape; None when what becomes of a line depends on the order of its names."""
    shape = _Shape(names, types)
    if not shape.is_plain():
        return None
    space: dict[str, Any] = dict(_NAMES)
    exec(compile(shape.source(keep_original=keep_original), "<plan>", "exec"), space)  # noqa: S102 - see above
    make: Make = space["make"]
    return make


class _Shape:
    def __init__(self, names: tuple[str, ...], types: tuple[type, ...]) -> None:
        self._all = [f"v{place}" for place in range(len(names))]
        self._types = {name: kind for name, kind in zip(names, types, strict=True) if kind is not type(None)}
        self._of = dict(zip(names, self._all, strict=True))
        self._resource: list[tuple[str, str]] = []
        self._attributes: list[tuple[str, str]] = []
        self._guards: list[str] = []
        for name in self._types:
            self._place(name)

    def is_plain(self) -> bool:
        """Whether every value has a place of its own."""
        targets = [name for name, _ in (*self._resource, *self._attributes)]
        return bool(self._all) and len(set(targets)) == len(targets) and not {*_PLACED, ORIGINAL}.intersection(targets)

    def source(self, *, keep_original: bool) -> str:
        placed = [*_PLACED.items()]
        kind, settled = self._kind()
        first = [*self._attributes, *settled, *(placed if not kind else [])]
        body, described = self._body()
        ids = ", ".join(map(self._text, (dialects.TRACE, dialects.SPAN, dialects.PARENT)))
        lines = [
            f"{', '.join(self._all)}, = values",
            "group, stream, timestamp_ms, _, event_id, ingestion_ms = event",
            *self._number_guards(),
            *self._guards,
            f"own = {self._own_time()}",
            "time_us = timestamp_ms * 1000",
            "if own is not None and -86_400_000_000 <= own - time_us <= 86_400_000_000: time_us = own",
            f"body = {body}",
            f"resource = {_literal(self._with_service())}",
            f"attributes = {_literal(first)}",
            *kind,
            *described,
            *(f"attributes[{name!r}] = {value}" for name, value in (placed if kind else [])),
            *([f"if body != message: attributes[{ORIGINAL!r}] = message"] if keep_original else []),
            f"identity = {self._identity()}",
            f"return Record(identity, time_us, body, {self._level()}, ingestion_ms, {ids}, resource, attributes)",
        ]
        return "def make(values, event, message, service):\n" + "".join(f"    {line}\n" for line in lines)

    def _present(self, wanted: tuple[str, ...]) -> list[tuple[str, str, type]]:
        return [(name, self._of[name], self._types[name]) for name in wanted if name in self._types]

    def _place(self, name: str) -> None:
        value, kind = self._of[name], self._types[name]
        if name in dialects.HANDLED:
            return
        if name in dialects.RESOURCE:
            self._resource.append((dialects.RESOURCE[name], value))
        elif name in dialects.DURATIONS and kind in _NUMBERS:
            self._attributes.append((DURATION_MS, f"rounded({value} * {dialects.DURATIONS[name]!r})"))
        elif name in dialects.DURATIONS and kind is str:
            self._guards += [f"{value} = milliseconds({name!r}, {value})", f"if {value} is None: return None"]
            self._attributes.append((DURATION_MS, value))
        else:
            target = dialects.ATTRIBUTE.get(name, name)
            self._attributes.append((target, f"status_code({value})" if target == _STATUS and kind is str else value))

    def _with_service(self) -> list[tuple[str, str]]:
        said = any(name == SERVICE for name, _ in self._resource)
        return self._resource if said else [*self._resource, (SERVICE, "service")]

    def _number_guards(self) -> list[str]:
        """Whole numbers beyond 64 bits become text, and our two readers of JSON read them differently."""
        numbers = [self._of[name] for name, kind in self._types.items() if kind in _NUMBERS]
        inside = " and ".join(f"-{dialects.INT64} <= {value} < {dialects.INT64}" for value in numbers)
        return [f"if not ({inside}): return None"] if inside else []

    def _own_time(self) -> str:
        present = self._present(dialects.TIME)
        if len(present) <= 1:
            return f"zoned_us({present[0][1]})" if present else "None"
        fields = _literal([(name, value) for name, value, _ in present])
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

    def _body(self) -> tuple[str, list[str]]:
        """The body, and the lines that make one of the attributes where it is empty."""
        text = self._text(dialects.BODY)
        if text.startswith("v") and all(name != DURATION_MS for name, _ in self._attributes):
            self._guards.append(f"if {text}.startswith({json_lines.STATEMENT!r}): return None")
        return text, ["if not body: body = describe(attributes)"]

    def _identity(self) -> str:
        handler_id = f", {self._of[HANDLER_ID]}" if self._types.get(HANDLER_ID) is str else ""
        return f"record_id(timestamp_ms, group, stream, event_id{handler_id})"

    def _kind(self) -> tuple[list[str], list[tuple[str, str]]]:
        """The lines that set the kind as a value says, or the kind that is settled by names alone."""
        targets = {name for name, _ in self._attributes}
        is_request = _STATUS in targets and DURATION_MS in targets
        routed = "operation" in targets and "http.route" not in targets
        said = [found for found in self._present(dialects.KIND_NAMES) if found[2] is str or found[2] in _NUMBERS]
        if not said:
            route = [("http.route", self._of["operation"])] if routed else []
            return [], [(KIND, "'request'"), *route] if is_request else []
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
        return lines, []


def _literal(fields: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{name!r}: {value}" for name, value in fields) + "}"
