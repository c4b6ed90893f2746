"""What a stage finds before it: records with any fields, or rows of known columns."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from logship.query import names
from logship.query.stages.tree import Column, Key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logship.query.stages.lexer import Cursor, Token
    from logship.query.stages.tree import Kind

NUMBERS = frozenset({names.SHORT_NAMES["status"]})
"""Fields that hold numbers whatever records say; durations do, too."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What comes out of a stage."""

    columns: tuple[Column, ...] | None = None
    """None for records."""
    values_kind: Kind | None = None
    """Where columns are named after values that are known when it runs: what these hold."""

    def kind(self, name: str) -> Kind:
        """What the cells of a field or column hold."""
        if self.columns is None:
            return kind_of(names.canonical(name))
        found = next((column.kind for column in self.columns if column.name == name), None)
        return found or self.values_kind or "text"

    def is_duration(self, field: str) -> bool:
        """Whether a field (canonical name) holds milliseconds, so that units may be compared with it."""
        if self.columns is None:
            return names.is_duration_ms(field)
        named = next((column.name for column in self.columns if names.canonical(column.name) == field), None)
        if named is None and self.values_kind is None:
            return names.is_duration_ms(field)
        return self.kind(named or field) == "duration_ms"

    def key(self, cursor: Cursor, token: Token, name: str = "") -> Key:
        """The field or column that a token names; fails for a column that is not there."""
        name = name or token.text
        self.check(cursor, token, name)
        return Key(names.canonical(name), name, self.kind(name))

    def check(self, cursor: Cursor, token: Token, name: str) -> None:
        """Fails for a column that is not there, naming near ones."""
        if self.columns is None or self.values_kind or any(column.name == name for column in self.columns):
            return
        cursor.fail(f"no column {name!r} comes out of the stages before", self.suggestion(name), token)

    def suggestion(self, name: str) -> str:
        """What to write instead of a column that is not there."""
        known = [column.name for column in self.columns or ()]
        near = get_close_matches(name, known, 1, 0.5)
        return (f"did you mean {near[0]}? " if near else "") + f"columns are {', '.join(known)}"


def kind_of(field: str) -> Kind:
    """What a field of records holds, as far as its name says."""
    if names.is_duration_ms(field):
        return "duration_ms"
    if field in names.TIMES:
        return "time"
    return "number" if field in NUMBERS else "text"


def twice(columns: Iterable[Column]) -> str:
    """A name that two columns have; "" when there is none."""
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            return column.name
        seen.add(column.name)
    return ""
