"""The syntax tree of a query: small frozen values, which every store compiles and `match` defines.

Field names in a tree are canonical, as `names.canonical` gives them: ``service.name``, never ``service``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Node: TypeAlias = (
    "All | Nothing | And | Or | Not | Words | Pattern | Fuzzy | Term | OneOf | Network | Wildcard"
    " | Range | Exists | Regex"
)
Field: TypeAlias = "Term | OneOf | Network | Wildcard | Range | Exists | Regex"
Bound: TypeAlias = "int | float | str"


@dataclass(frozen=True, slots=True)
class All:
    """Every record: the empty query, or `*`."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """No record: a word that cannot be one, such as one of more than 256 characters."""


@dataclass(frozen=True, slots=True)
class And:
    """Records that match all parts; at least two."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Records that match at least one part; at least two."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Records that do not match the part."""

    part: Node


@dataclass(frozen=True, slots=True)
class Words:
    """Tokens that stand in `body` side by side, in order; already lower-cased, at least one."""

    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Tokens of `body` side by side, each given with `*` and `?` as wildcards; lower-cased."""

    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """A token of `body` that becomes this one by at most `edits` (1 or 2) steps; lower-cased.

    A step inserts, deletes or replaces a character, or swaps two neighbours, no character twice (optimal
    string alignment).
    """

    token: str
    edits: int


@dataclass(frozen=True, slots=True)
class Term:
    """A field equals a value: the number, the boolean and the text of that spelling alike."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """A field equals one of several values, each as `Term` has it; at least one."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """A field's text is an IP address within a network; IPv4 and its IPv6-mapped form are the same address."""

    field: str
    cidr: str
    """Normalised, such as ``10.0.0.0/8`` or ``2001:db8::/32``; host bits are zero."""


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A field's text matches a pattern with `*` and `?`, case included, over its first 1,024 bytes."""

    field: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Range:
    """A field lies between two bounds; None is open. Numbers compare with numbers, text with text.

    Bounds of `severity` are severity numbers, bounds of times are microseconds since 1970.
    """

    field: str
    low: Bound | None
    high: Bound | None
    include_low: bool = True
    include_high: bool = True


@dataclass(frozen=True, slots=True)
class Exists:
    """A field has a value; the core fields of a record count empty text as none."""

    field: str


@dataclass(frozen=True, slots=True)
class Regex:
    """RE2, unanchored, over the whole value; any case on `body`."""

    field: str
    pattern: str


def both(*parts: Node) -> Node:
    """All of the parts, flattened; `All` parts vanish."""
    flat = [leaf for part in parts for leaf in (part.parts if isinstance(part, And) else (part,))]
    kept = [part for part in flat if not isinstance(part, All)]
    if not kept:
        return All()
    return kept[0] if len(kept) == 1 else And(tuple(kept))


def fields(node: Node) -> set[str]:
    """The canonical names of all fields that a tree asks about; `body` is not among them."""
    match node:
        case And(parts) | Or(parts):
            return {name for part in parts for name in fields(part)}
        case Not(part):
            return fields(part)
        case Term() | OneOf() | Network() | Wildcard() | Range() | Exists() | Regex():
            return {node.field}
        case _:
            return set()
