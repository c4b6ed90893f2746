"""A tree as text again: the canonical query, and a drawing of how it was understood."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from logship.query import names
from logship.query.match import value_text
from logship.query.tree import (
    All,
    And,
    Exists,
    Fuzzy,
    Network,
    Node,
    Not,
    Nothing,
    OneOf,
    Or,
    Pattern,
    Range,
    Regex,
    Term,
    Wildcard,
    Words,
)
from logship.record import SEVERITY_NUMBERS, format_time

if TYPE_CHECKING:
    from logship.query.tree import Bound

_SAFE_VALUE: Final = re.compile(r"(?!(?:AND|OR|NOT)\Z)[A-Za-z_/][\w./@\-]*\Z|-?\d+(?:\.\d+)?\Z", re.ASCII)
_OPERATOR_LIKE: Final = frozenset({"and", "or", "not"})
_NAME_PART: Final = re.compile(r"[\w.@\-]")
_NAME_START: Final = re.compile(r"[^\W\d]|@")
_PAIRS: Final = re.compile(r"\\.|.", re.DOTALL)
_IN_PATTERN: Final = re.compile(r'[\s()"^~]')
_LEVEL_OF: Final = {number: name for name, number in SEVERITY_NUMBERS.items()}


def write(node: Node) -> str:
    """The query that `parse` reads as a tree with the same matches; short names, quotes where they are needed."""
    match node:
        case And(parts):
            return " ".join(f"({write(part)})" if isinstance(part, (And, Or)) else write(part) for part in parts)
        case Or(parts):
            return " OR ".join(f"({write(part)})" if isinstance(part, Or) else write(part) for part in parts)
        case Not(part):
            return f"-({write(part)})" if isinstance(part, (And, Or, Not, Nothing)) else f"-{write(part)}"
        case _:
            return _leaf(node)


def tree_lines(node: Node) -> list[str]:
    """The tree, drawn: operators, and below each its conditions with what they ask."""
    match node:
        case And(parts) | Or(parts):
            lines = ["AND, all of" if isinstance(node, And) else "OR, at least one of"]
            for part in parts:
                lines += _branch(part, last=part is parts[-1])
            return lines
        case Not(part):
            return ["NOT", *_branch(part, last=True)]
        case _:
            return [f"{_leaf(node)}   {_asked(node)}"]


def _branch(part: Node, *, last: bool) -> list[str]:
    first, *rest = tree_lines(part)
    return [f"{'└─' if last else '├─'} {first}", *(f"{'  ' if last else '│ '} {line}" for line in rest)]


def _leaf(node: Node) -> str:  # noqa: C901, PLR0912 - one line a kind of node
    match node:
        case All():
            return "*"
        case Nothing():
            return "-*"
        case Words(tokens):
            plain = len(tokens) == 1 and tokens[0] not in _OPERATOR_LIKE
            return tokens[0] if plain else quoted(" ".join(tokens))
        case Pattern(tokens):
            return "-".join(tokens)
        case Fuzzy(token, edits):
            return f"{token}~{edits}"
        case Term(field, value):
            return f"{field_name(field)}:{field_value(value)}"
        case OneOf(field, (value,)):
            return f"{field_name(field)}:{field_value(value)}"
        case OneOf(field, several):
            return f"{field_name(field)}:({' OR '.join(field_value(value) for value in several)})"
        case Network(field, cidr):
            return f"{field_name(field)}:{cidr}"
        case Wildcard(field, pattern):
            return f"{field_name(field)}:{_pattern(pattern)}"
        case Exists(field):
            return f"{field_name(field)}:*"
        case Regex(field, pattern):
            return f"{field_name(field)}=~{_expression(pattern)}"
        case Range():
            return _range(node)
        case _:
            raise AssertionError(node)


def _asked(node: Node) -> str:  # noqa: C901, PLR0912 - one line a kind of node
    match node:
        case All():
            return "every record"
        case Nothing():
            return "no record"
        case Words(tokens):
            return "words side by side in the message" if len(tokens) > 1 else "a word in the message"
        case Pattern(tokens):
            return (
                "words like these side by side in the message" if len(tokens) > 1 else "a word like this in the message"
            )
        case Fuzzy(_, edits):
            return f"a word in the message, up to {edits} mistake{'s' * (edits > 1)}"
        case Term(field, _):
            return f"{field} equals"
        case OneOf(field, several):
            return f"{field} equals one of {len(several)}"
        case Network(field, _):
            return f"{field} is an address within"
        case Wildcard(field, _):
            return f"{field} matches the pattern"
        case Exists(field):
            return f"{field} has a value"
        case Regex(field, _):
            return f"{field} matches the regular expression" + (", in any case" if field == names.BODY else "")
        case Range(field, low, high):
            kind = "as text" if isinstance(low, str) or isinstance(high, str) else _unit(field)
            return f"{field} within bounds, {kind}"
        case _:
            raise AssertionError(node)


def _unit(field: str) -> str:
    if field in names.TIMES:
        return "in time"
    if field == names.SEVERITY:
        return "by severity"
    return "in milliseconds" if names.is_duration_ms(field) else "as numbers"


def field_name(field: str) -> str:
    """The shortest name that is read as a field, its signs escaped."""
    name = names.short(field)
    if names.canonical(name) != field or not name or name == "_exists_":
        name = f"attributes.{field}"
    escaped = "".join(char if _NAME_PART.match(char) else f"\\{char}" for char in name)
    return escaped if _NAME_START.match(escaped) or escaped.startswith("\\") else f"\\{escaped}"


def field_value(value: str) -> str:
    """A value as it is written behind a field, in quotes where anything else might be read."""
    return value if _SAFE_VALUE.match(value) else quoted(value)


def quoted(value: str) -> str:
    """The text between quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def escaped_pattern(value: str) -> str:
    """The text as a wildcard pattern that matches it alone."""
    return re.sub(r"([*?\\])", r"\\\1", value)


def _pattern(pattern: str) -> str:
    pieces = _PAIRS.findall(pattern)
    if pieces and pieces[-1] == "\\":
        pieces.pop()
    written = "".join(f"\\{piece}" if _IN_PATTERN.match(piece) else piece for piece in pieces)
    slashed = written.startswith("/") and written.endswith("/")
    return f"\\{written}" if slashed or written[:1] in ("<", ">", "=", "[", "{", "-", ":", "+", "!") else written


def _expression(pattern: str) -> str:
    return '"' + "".join('\\"' if piece in ('"', '\\"') else piece for piece in _PAIRS.findall(pattern)) + '"'


def _range(node: Range) -> str:
    name, low, high = field_name(node.field), _bound(node.field, node.low), _bound(node.field, node.high)
    if node.high is None:
        return f"{name}>{'=' * node.include_low}{low}"
    if node.low is None:
        return f"{name}<{'=' * node.include_high}{high}"
    return f"{name}:{'[' if node.include_low else '{'}{low} TO {high}{']' if node.include_high else '}'}"


def _bound(field: str, limit: Bound | None) -> str:
    if isinstance(limit, str):
        return quoted(limit)
    if field in names.TIMES and limit is not None:
        return format_time(int(limit))
    if field == names.SEVERITY and limit in _LEVEL_OF:
        return _LEVEL_OF[int(limit or 0)]
    return value_text(limit)
