"""What may stand at a position of a query: fields, operators, values with their counts, stages.

Works on text that is not finished, or broken. Knows levels, kinds and words for times without a store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

from logship.errors import QuerySyntaxError
from logship.query import names
from logship.query.explain import escaped_pattern, field_name, field_value, quoted, write
from logship.query.parser import parse
from logship.query.place import Place, place_at
from logship.query.tree import All, Wildcard
from logship.record import SEVERITY_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from logship.query.tree import Node
    from logship.timerange import TimeRange

Kind = Literal["field", "operator", "value", "stage"]

_KINDS: Final = ("log", "request", "call", "internal", "change", "deploy")
_TIMES: Final = {
    "15m": "15 minutes ago", "1h": "an hour ago", "24h": "a day ago", "7d": "a week ago",
    "today": "since midnight UTC", "yesterday": "the day before", "now": "this moment",
}  # fmt: skip
_DAYS: Final = ("today", "yesterday")
_SPANS: Final = ("100ms", "500ms", "1s", "10s", "1m")
_SIZES: Final = ("1kb", "100kb", "1mb", "1gb")
_STAGES: Final = {
    "stats": "figures, such as stats count() by service",
    "top": "most frequent values",
    "timechart": "figures over time",
    "sort": "order",
    "limit": "the first rows",
    "fields": "columns to show",
    "dedup": "one row a value",
    "where": "conditions on rows",
    "related": "records of the same trace",
}
_FUNCTIONS: Final = ("count()", "p50(", "p95(", "p99(", "avg(", "min(", "max(", "sum(", "distinct(")
_LAST_END: Final = 2
_COMPARED: Final = {">=": "at least", "<": "less than"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A piece of text to put in place of text[start:end]."""

    text: str
    start: int
    end: int
    kind: Kind
    detail: str = ""
    """What it is, or how many records have the value."""


class _Reader(Protocol):
    """The part of a store's reader that knows values."""

    def terms(
        self, query: Node, field_name: str, within: TimeRange | None = None, *, size: int = 10
    ) -> list[tuple[str, int]]: ...


def complete(
    text: str, position: int, *, fields: Sequence[str], values: Callable[[str, str], list[tuple[str, int]]]
) -> list[Candidate]:
    """What may stand at a position, best first: short names before long ones, frequent values before rare ones.

    Args:
        text: the query, and stages behind it if there are any.
        position: where the cursor stands, 0 to ``len(text)``.
        fields: canonical names that records have; empty when no store is at hand.
        values: the values of a field (canonical name) with their counts, among the records that the rest of
            the query (text) finds; `from_reader` makes one.
    """
    place = place_at(text, max(0, min(position, len(text))))
    if place.stage is not None:
        return _in_stage(place, fields)
    if place.bounds == 1:
        return [_candidate(place, "TO ", "operator", "the other end")] if _begins("TO", place.word) else []
    if place.bounds is not None and place.bounds > _LAST_END:
        return []
    if place.field is not None:
        return _values_of(place, values)
    return [] if place.quoted else [*_fields(place, fields, ":"), *_operators(place, fields)]


def from_reader(reader: _Reader, within: TimeRange | None = None) -> Callable[[str, str], list[tuple[str, int]]]:
    """Values as a store counts them."""

    def values(rest: str, field: str) -> list[tuple[str, int]]:
        return reader.terms(parse(rest), field, within, size=50)

    return values


def none(rest: str, field: str) -> list[tuple[str, int]]:
    """No values: what `complete` is given where no store is at hand."""
    del rest, field
    return []


def _in_stage(place: Place, fields: Sequence[str]) -> list[Candidate]:
    if place.stage == "":
        return [_candidate(place, name, "stage", said) for name, said in _STAGES.items() if _begins(name, place.word)]
    if place.quoted:
        return []
    functions = _FUNCTIONS if place.stage in ("stats", "timechart") else ()
    found = [_candidate(place, name, "operator") for name in functions if _begins(name, place.word)]
    return [*found, *_fields(place, fields, "")]


def _fields(place: Place, fields: Sequence[str], behind: str) -> list[Candidate]:
    if place.in_list:
        return []
    behind = "" if place.followed else behind
    known = [names.canonical(name) for name in names.SHORT_NAMES]
    known = [name for name in known if not fields or name in fields] + sorted(set(fields) - set(known))
    ranked = [(rank, name) for name in known if (rank := _rank(name, place.word)) is not None]
    ranked.sort(key=lambda pair: pair[0])
    return [
        _candidate(place, field_name(name) + behind, "field", name if names.short(name) != name else "")
        for _, name in ranked
    ]


def _rank(name: str, word: str) -> int | None:
    """0 for a name that begins so, 1 for a long name that does, 2 for one with such a part; None for others."""
    if _begins(field_name(name), word):
        return 0
    if _begins(name, word):
        return 1
    return 2 if any(_begins(part, word) for part in name.split(".")) else None


def _operators(place: Place, fields: Sequence[str]) -> list[Candidate]:
    words = {"AND": "both", "OR": "one of both"} if place.behind_operand else {}
    words["NOT"] = "what does not match"
    found = [
        _candidate(place, f"{word} ", "operator", said) for word, said in words.items() if _begins(word, place.word)
    ]
    canonical = names.canonical(place.word)
    if place.word and _is_ordered(canonical) and (not fields or canonical in fields) and not place.followed:
        found += [_candidate(place, place.word + sign, "operator", said) for sign, said in _COMPARED.items()]
    return found


def _is_ordered(field: str) -> bool:
    return (
        field in names.TIMES
        or field in (names.SEVERITY, names.SHORT_NAMES["status"])
        or names.is_duration_ms(field)
        or names.is_bytes(field)
    )


def _values_of(place: Place, values: Callable[[str, str], list[tuple[str, int]]]) -> list[Candidate]:
    field = place.field or ""
    if place.operator == "=~":
        return []
    if place.operator != ":" or field in names.TIMES:
        return [_candidate(place, word, "value", said) for word, said in _words_for(place) if _begins(word, place.word)]
    counted = [] if field == names.BODY else _counted(place, field, values)
    known = {value for value, _ in counted}
    offered = [(value, f"{count:,}") for value, count in counted]
    offered += [(value, "") for value in _fixed(field) if value not in known]
    found = [
        _candidate(place, quoted(value) if place.quoted else field_value(value), "value", said)
        for value, said in offered
        if _begins(value, place.word)
    ]
    if not place.word and not place.quoted and not place.in_list:
        found.append(_candidate(place, "*", "operator", "any value"))
    return found


def _counted(place: Place, field: str, values: Callable[[str, str], list[tuple[str, int]]]) -> list[tuple[str, int]]:
    """The most frequent values; where none begins as written, the most frequent of those that do."""
    rest = _readable(place.rest)
    found = values(rest, field)
    if not found or not place.word or any(_begins(value, place.word) for value, _ in found):
        return found
    return values(f"{rest} {write(Wildcard(field, escaped_pattern(place.word) + '*'))}".strip(), field)


def _fixed(field: str) -> Iterable[str]:
    """The values that a field may have whatever the store holds."""
    if field == names.SEVERITY:
        return SEVERITY_NUMBERS
    return _KINDS if field == names.SHORT_NAMES["kind"] else ()


def _words_for(place: Place) -> Iterable[tuple[str, str]]:
    """What a field may be compared with."""
    field = place.field or ""
    if place.quoted:
        return ()
    if field in names.TIMES:
        return ((word, said) for word, said in _TIMES.items() if place.operator != ":" or word in _DAYS)
    if field == names.SEVERITY:
        return ((level, "") for level in SEVERITY_NUMBERS)
    if names.is_duration_ms(field):
        return ((span, "") for span in _SPANS)
    return ((size, "") for size in _SIZES) if names.is_bytes(field) else ()


def _readable(rest: str) -> str:
    """The rest of the query, or nothing where it is broken: then values of all records are offered."""
    try:
        return "" if isinstance(parse(rest), All) else rest
    except QuerySyntaxError:
        return ""


def _begins(text: str, word: str) -> bool:
    return text.lower().startswith(word.lower())


def _candidate(place: Place, text: str, kind: Kind, detail: str = "") -> Candidate:
    return Candidate(text, place.start, place.end, kind, detail)
