"""The code of a plan: a function that makes the record of a line with these names and these types of values.

It is written as text and compiled, since a function without any table or loop is what Python runs fastest. It returns
None where a value would change what becomes of the others; see `json_meaning`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from logship.parse.json_lines import is_deep
from logship.parse.json_meaning import DAY_US, INT64, NUMBERS, PLACED, Meaning, Origin, compiled, literal
from logship.record import ORIGINAL, LogEvent, Record

Make = Callable[[tuple[Any, ...], LogEvent, str, Origin], Record | None]
"""Of the values of a line, its event, its text and its stream; None when the plan does not cover it."""


def maker(meaning: Meaning, *, keep_original: bool) -> Make | None:
    """The function for one shape; None when what becomes of a line depends on the order of its names.

    Args:
        meaning: of lines of that shape.
        keep_original: whether records carry the line.
    """
    if not meaning.is_plain():
        return None
    make: Make = compiled(_source(meaning, keep_original=keep_original), Record=Record, is_deep=is_deep)
    return make


def _source(meaning: Meaning, *, keep_original: bool) -> str:
    kind, settled = meaning.kind()
    first = meaning.attributes | settled | ({} if kind else PLACED)
    if keep_original and not kind:
        first[ORIGINAL] = "message"
    ids = ", ".join(meaning.identities())
    lines = [
        f"{', '.join(meaning.values)}, = values",
        "group, stream, timestamp_ms, _, event_id, ingestion_ms, _ = event",
        *_number_guards(meaning),
        *(f"if is_deep({meaning.of[name]}): return None" for name, kind in meaning.types.items() if kind is list),
        *meaning.guards,
        *(f"if {refusal}: return None" for refusal in meaning.refusals),
        f"own = {meaning.own_time()}",
        "time_us = timestamp_ms * 1000",
        f"if own is not None and {-DAY_US} <= own - time_us <= {DAY_US}: time_us = own",
        f"body = {meaning.body}",
        f"resource = {literal(meaning.resource)}",
        f"attributes = {literal(first)}",
        *kind,
        "if not body: body = describe(attributes)",
        *_original(keep_original=keep_original, late=bool(kind)),
        f"identity = {meaning.identity()}",
        f"return Record(identity, time_us, body, {meaning.level()}, ingestion_ms, {ids}, resource, attributes)",
    ]
    return "def make(values, event, message, origin):\n" + "".join(f"    {line}\n" for line in lines)


def _number_guards(meaning: Meaning) -> list[str]:
    """Whole numbers beyond 64 bits become text, and our two readers of JSON read them differently."""
    numbers = [meaning.of[name] for name, kind in meaning.types.items() if kind in NUMBERS]
    inside = " and ".join(f"{-INT64!r} < {value} < {INT64!r}" for value in numbers)
    return [f"if not ({inside}): return None"] if inside else []


def _original(*, keep_original: bool, late: bool) -> list[str]:
    """Where, and whether, the line itself and its origin are added."""
    placed = [f"attributes[{name!r}] = {value}" for name, value in PLACED.items()] if late else []
    if keep_original and late:
        placed.append(f"if body != message: attributes[{ORIGINAL!r}] = message")
    elif keep_original:
        placed.append(f"if body == message: del attributes[{ORIGINAL!r}]")
    return placed
