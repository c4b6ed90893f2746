"""The code of a plan for many lines at once: a function that makes the table of lines of one shape, column by column.

It says the same as the code for one line, out of the same expressions, each within a loop of its own. It returns None
where a value would change what becomes of the others, or breaks what the table's shape promises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from logship.events import Columns
from logship.parse import dialects
from logship.parse.json_lines import STATUS
from logship.parse.json_meaning import DAY_US, INT64, NUMBERS, PLACED, SURELY_EXACT, Origin, compiled
from logship.record import ACCOUNT, DURATION_MS, EVENT_TIME, GROUP, HANDLER_ID, KIND, ORIGINAL, REGION, SERVICE, STREAM
from logship.table import PLAIN_CHARS, Shape, Table

if TYPE_CHECKING:
    from logship.parse.json_meaning import Meaning


MakeTable = Callable[[Sequence[tuple[Any, ...]], Columns, Sequence[str], Sequence[Origin]], Table | None]
"""Of the values of lines, their events, their texts and their streams; the texts are plain."""
_VARIABLE: Final = re.compile(r"\b(v\d+|group|stream|timestamp_ms|event_id|message|origin)\b")
_IN_QUOTES: Final = re.compile(r"'[^']*'")


def table_maker(meaning: Meaning, *, keep_original: bool) -> MakeTable | None:
    """The function for one shape; None when its values decide more than themselves.

    Args:
        meaning: of lines of that shape.
        keep_original: whether records carry the line.
    """
    lines, settled = meaning.kind()
    types = meaning.known
    if lines or list in meaning.types.values() or not all(types.values()) or not meaning.body.startswith("v"):
        return None
    attributes = meaning.attributes | settled | PLACED | ({ORIGINAL: "message"} if keep_original else {})
    known: dict[str, Any] = {SERVICE: str, ACCOUNT: str, REGION: str, "http.route": types.get("operation"), **types}
    known = {name: float if kind is int and name != STATUS else kind for name, kind in known.items()}
    known |= {KIND: str, GROUP: str, STREAM: str, EVENT_TIME: int, ORIGINAL: str}
    shape = Shape({name: known[name] for name in meaning.resource}, {name: known[name] for name in attributes})
    space = {"Table": Table, "chain": chain, "settled_us": _settled_us, "shape": shape}
    make: MakeTable = compiled(_source(meaning, attributes), **space)
    return make


def _source(meaning: Meaning, attributes: dict[str, str]) -> str:
    head = f"{_identities(meaning)}, times_us, {_many(meaning.body)}, {_levels(meaning)}, observed_ms"
    ids = ", ".join(map(_column, meaning.identities()))
    lines = [
        f"{', '.join(map(_many, meaning.values))}, = zip(*values)",
        "groups, streams, timestamps_ms, _, event_ids, observed_ms, _ = columns",
        *_number_guards(meaning),
        *_text_guards(meaning),
        *_identity_guards(meaning),
        *(f"if any({_column(refusal)}): return None" for refusal in meaning.refusals),
        f"if not all({_many(meaning.body)}): return None",
        f"times_us = settled_us({_own_times(meaning)}, timestamps_ms)",
        f"resource = [{', '.join(map(_column, meaning.resource.values()))}]",
        f"attributes = [{', '.join(_attribute(meaning, *attribute) for attribute in attributes.items())}]",
        f"return Table(shape, {head}, {ids}, resource, attributes)",
    ]
    return "def make(values, columns, messages, origins):\n" + "".join(f"    {line}\n" for line in lines)


def _settled_us(own_us: Sequence[Any], timestamps_ms: Sequence[int]) -> Sequence[int]:
    """The lines' own times or None, and where one is not within a day of its event's, that; mostly all are, or none."""
    with suppress(TypeError):  # a line without a time of its own
        lowest_us, highest_us = min(own_us), max(own_us)
        first_us, last_us = min(timestamps_ms) * 1000, max(timestamps_ms) * 1000
        if last_us - lowest_us <= DAY_US and highest_us - first_us <= DAY_US:
            return own_us
        if first_us - highest_us > DAY_US or lowest_us - last_us > DAY_US:
            return [at_ms * 1000 for at_ms in timestamps_ms]
    return [
        own if own is not None and -DAY_US <= own - at_ms * 1000 <= DAY_US else at_ms * 1000
        for own, at_ms in zip(own_us, timestamps_ms, strict=True)
    ]


def _number_guards(meaning: Meaning) -> list[str]:
    """Numbers that are kept are exact ones, and a status is a whole one; see `json_code` for the others."""
    guards = []
    for name, kind in meaning.types.items():
        if kind not in NUMBERS:
            continue
        column, kept = _many(meaning.of[name]), name not in dialects.HANDLED
        limit = SURELY_EXACT if kept else INT64
        guards.append(f"if not {-limit!r} < min({column}) or not max({column}) < {limit!r}: return None")
        if dialects.ATTRIBUTE.get(name, name) == STATUS:
            guards.append(f"if float in set(map(type, {column})): return None")
    return guards


def _text_guards(meaning: Meaning) -> list[str]:
    """Texts but the body are short ones; in a short line all are."""
    names = [value for name, value in meaning.of.items() if meaning.types.get(name) is str and value != meaning.body]
    if not names:
        return []
    texts = f"chain({', '.join(map(_many, names))})"
    return [f"if max(map(len, messages)) > {PLAIN_CHARS} < max(map(len, {texts})): return None"]


def _identity_guards(meaning: Meaning) -> list[str]:
    """An empty id of our handler is none: such a line's is made of its event's id."""
    return [f"if not all({_many(meaning.of[HANDLER_ID])}): return None"] if _has_handler_ids(meaning) else []


def _has_handler_ids(meaning: Meaning) -> bool:
    return meaning.types.get(HANDLER_ID) is str


def _identities(meaning: Meaning) -> str:
    of_handler = _has_handler_ids(meaning)
    parts = _many(meaning.of[HANDLER_ID]) if of_handler else "event_ids"
    return f"record_ids(timestamps_ms, groups, streams, {parts}, of_handler={of_handler})"


def _own_times(meaning: Meaning) -> str:
    present = meaning.present(dialects.TIME)
    if len(present) == 1 and present[0][2] is str:
        return f"zoned_texts_us({_many(present[0][1])})"
    return _column(meaning.own_time())


def _levels(meaning: Meaning) -> str:
    present = meaning.present(dialects.LEVEL)
    if len(present) == 1 and present[0][2] is str:
        return f"severities({_many(present[0][1])})"
    return _column(meaning.level())


def _attribute(meaning: Meaning, name: str, expression: str) -> str:
    if name == DURATION_MS and meaning.milliseconds:
        return f"all_rounded({_column(meaning.milliseconds)})"
    return _column(expression, few=name == KIND)


def _column(expression: str, *, few: bool = False) -> str:
    """The expression for a column: what it names is looked up for each line, or once for all that are equal."""
    names = list(dict.fromkeys(_VARIABLE.findall(_IN_QUOTES.sub("''", expression))))
    if names == [expression]:
        return _many(expression)
    if not names:
        return f"[{expression}] * len(messages)"
    if len(names) == 1 and few:
        column = _many(names[0])
        return f"list(map({{{names[0]}: {expression} for {names[0]} in set({column})}}.__getitem__, {column}))"
    if len(names) == 1:
        return f"[{expression} for {names[0]} in {_many(names[0])}]"
    return f"[{expression} for {', '.join(names)} in zip({', '.join(map(_many, names))})]"


def _many(name: str) -> str:
    """What the column of a value is called."""
    return {"timestamp_ms": "timestamps_ms"}.get(name, f"{name}s")
