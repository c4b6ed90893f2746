"""What values an option may have: the words of the table of options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Text:
    """Text of so many characters."""

    least: int = 0
    most: int | None = None
    choices: tuple[str, ...] = ()
    """The only values, if any."""
    refused: tuple[str, ...] = ()
    variable: bool = False
    """Whether ``${NAME}`` is taken whatever its length."""


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A whole number."""

    least: int | None = None
    most: int | None = None
    choices: tuple[int, ...] = ()


@dataclass(frozen=True)
class Flag:
    """true or false."""


@dataclass(frozen=True)
class Anything:
    """Any value."""


@dataclass(frozen=True)
class Items:
    """A list."""

    of: Kind
    least: int = 0
    most: int | None = None
    unique: bool = False


@dataclass(frozen=True)
class Either:
    """One of several kinds; the first that the value's type fits is what complaints are about."""

    kinds: tuple[Kind, ...]


@dataclass(frozen=True)
class Group:
    """An object."""

    fields: Mapping[str, Kind] = field(default_factory=dict)
    others: Kind | Literal[False] = False
    """What keys that are not named may hold; False refuses them."""
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    """At least one of these keys has to be there."""
    least: int = 0
    most: int | None = None


Kind = Text | Whole | Flag | Anything | Items | Either | Group
