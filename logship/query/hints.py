"""What a query probably means otherwise: it can be read, but not as someone from another search bar expects."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(r'"(?:\\.|[^"\\])*"|[()]|(?:\\.|[^\s()"\\])+|\\', re.DOTALL)
_BOOST: Final = re.compile(r"(?<!\\)\^\d+(?:\.\d+)?\Z")
_WILD_NAME: Final = re.compile(r"([\w.@]*\*[\w.@*]*):.")
_GLUED: Final = re.compile(r"\w(&&|\|\|)\w")
_EQUALS: Final = re.compile(r"([\w@]+(?:\.[\w@]+)+)=(?!~)(.+)", re.DOTALL)
_IN_LIST: Final = re.compile(r":\s*\([^()]*\Z")
_WILD_WORD: Final = re.compile(r"\w\*|\*\w")
_CONDITION: Final = re.compile(r"[\w.@\\-]+(?::|[<>]|=~)|[()]\Z")


@dataclass(frozen=True, slots=True)
class Hint:
    """A remark on a piece of a query; the query runs as it is."""

    query: str
    position: int
    """Offset of its first character, 0-based."""
    length: int
    problem: str
    suggestion: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.problem} at column {self.position + 1} of {self.query!r}; {self.suggestion}"


def hints(query: str) -> list[Hint]:
    """What to say on stderr about a query that can be read."""
    tokens = list(_TOKEN.finditer(query))
    found: list[Hint] = []
    for place, token in enumerate(tokens):
        before = tokens[place - 1][0] if place else ""
        after = tokens[place + 1][0] if place + 1 < len(tokens) else ""
        said = _about(token[0], before, after)
        if token[0].endswith(",") and _IN_LIST.search(query, 0, token.start()):
            said = "a comma is part of the value", "write OR between values"
        if said:
            found.append(Hint(query, token.start(), len(token[0]), *said))
    return found


def _about(word: str, before: str, after: str) -> tuple[str, str] | None:
    if word in ("and", "or") and before not in ("", "(") and after not in ("", ")"):
        return f"{word!r} in small letters is a word to search for", f"write {word.upper()} to join conditions"
    if word == "not" and _CONDITION.match(after):
        return "'not' in small letters is a word to search for", "write NOT to exclude"
    if word.startswith('"'):
        if _WILD_WORD.search(word) and not before.endswith("=~"):
            return "* in quotes is a plain sign", "join the words by a sign without quotes, such as wait*-for"
        return None
    if _BOOST.search(word):
        return "boosts such as ^2 do nothing, since results are ordered by time", "remove it, or quote the text"
    if wild := _WILD_NAME.match(word):
        return f"{wild[1]} is taken for words, since names of fields have no wildcards", "name one field"
    if equals := _EQUALS.match(word):
        return f"{word} is taken for words side by side", f"write {equals[1]}:{equals[2]} to ask about a field"
    if glued := _GLUED.search(word):
        return f"{glued[1]} without spaces is part of a word", f"put spaces around {glued[1]}"
    return None
