"""Regular expressions in the engine's syntax, which match whole terms and know no anchors."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from logship.store.tantivy import schema

if TYPE_CHECKING:
    import tantivy

_DIGITS: Final = "0123456789abcdef"
_SPECIAL: Final = re.compile(r"[\\.+*?()|\[\]{}^$#&\-~]")
_ANY: Final = "(?s:.)*"
_LONGEST: Final = 200
_CLASSES: Final = {"d": "[0-9]", "w": "[0-9A-Za-z_]", "s": "[\t\n\x0c\r ]"}
_PIECE: Final = re.compile(
    r"(?P<letter>\\[dws])|\\(?P<sign>[^\w\s])"
    r"|(?P<same>\[\^?(?:[A-Za-z0-9](?:-[A-Za-z0-9])?|_)+\]|\((?:\?:)?(?!\?)|[)|.]|(?<=.)[*+?](?![?+*]))"
    r"|(?P<char>[^\\\[\](){}|.*+?^$])",
    re.DOTALL,
)


@lru_cache(maxsize=64)
def query(field: str, expression: str) -> tantivy.Query:
    """Building an automaton takes milliseconds, and one question is put several times: page, count, chart."""
    import tantivy

    return tantivy.Query.regex_query(_schema(), field, expression)


@cache
def _schema() -> tantivy.Schema:
    return schema.build()


def escaped(value: str) -> str:
    """The text as an expression that matches it alone."""
    return _SPECIAL.sub(lambda match: "\\" + match[0], value)


def between(first: str, last: str) -> str:
    """The engine's regular expression for the addresses of a network, whose keys differ in their last digits alone."""
    place = next((place for place in range(len(first)) if first[place] != last[place]), len(first))
    if place == len(first):
        return first
    return f"{first[:place]}[{_DIGITS[int(first[place], 16) : int(last[place], 16) + 1]}].*"


def of_wildcard(pattern: str) -> str:
    """A wildcard pattern in the engine's regular expressions, which are anchored at both ends."""
    parts, literal = [], False
    for char in pattern:
        if not literal and char == "\\":
            literal = True
        else:
            parts.append({"*": "(?s:.)*", "?": "(?s:.)"}[char] if char in "*?" and not literal else escaped(char))
            literal = False
    return "".join(parts)


@lru_cache(maxsize=64)
def of_re2(pattern: str) -> str | None:
    """A valid RE2 pattern, to be found anywhere in a text, in the engine's syntax; None for what may differ there."""
    begins, ends = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith("\\$")
    inner = pattern[begins : len(pattern) - ends]
    if len(pattern) > _LONGEST or ((begins or ends) and "|" in inner) or inner[:1] in ("*", "+", "?"):
        return None
    parts, at = [], 0
    while at < len(inner):
        piece = _PIECE.match(inner, at)
        if piece is None:
            return None
        parts.append(_translated(piece))
        at = piece.end()
    found = f"{'' if begins else _ANY}(?:{''.join(parts)}){'' if ends else _ANY}"
    try:
        query("body", found)
    except ValueError:
        return None
    return found


def _translated(piece: re.Match[str]) -> str:
    if piece["letter"]:
        return _CLASSES[piece["letter"][1]]
    return piece["same"] or escaped(piece["sign"] or piece["char"])
