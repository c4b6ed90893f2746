"""Where stages begin and end in a text, and the tokens of one stage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn

from logship.errors import QuerySyntaxError

_TOKEN: Final = re.compile(r'\s*(?:("(?:\\.|[^"\\])*")|([(),=])|((?:\\.|[^\s(),="\\])+|[\\"]))', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


class Piece(NamedTuple):
    """A part of the whole text: [start, end)."""

    start: int
    end: int


def split(text: str) -> list[Piece]:
    """The query and its stages: the text cut at each lone `|` outside quotes and parentheses; `||` means OR.

    Raises:
        QuerySyntaxError: a quote is never closed.
    """
    pieces, start, depth, opened, escaped = [], 0, 0, -1, False
    for position, char in enumerate(text):
        if escaped or char == "\\":
            escaped = not escaped
        elif char == '"':
            opened = position if opened < 0 else -1
        elif opened >= 0:
            continue
        elif char == "(":
            depth += 1
        elif char == ")":
            depth = max(0, depth - 1)
        elif (
            char == "|" and not depth and "|" not in (text[position - 1 : position], text[position + 1 : position + 2])
        ):
            pieces.append(Piece(start, position))
            start = position + 1
    if opened >= 0:
        raise QuerySyntaxError(text, opened, "this quote is never closed", suggestion='add a " at the end')
    return [*pieces, Piece(start, len(text))]


@dataclass(frozen=True, slots=True)
class Token:
    """A name, number or sign of a stage, and where it stands in the whole text."""

    text: str
    start: int
    end: int
    quoted: bool = False

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these words, in any case, outside quotes."""
        return not self.quoted and self.text.lower() in words


class Cursor:
    """Reads the tokens of one stage from left to right."""

    def __init__(self, text: str, piece: Piece) -> None:
        self.text, self.end = text, piece.end
        self._tokens = _tokens(text, piece)
        self._next = 0

    @property
    def peek(self) -> Token | None:
        """The token that comes next; None at the end of the stage."""
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    @property
    def last(self) -> Token:
        """The token taken last."""
        return self._tokens[max(0, self._next - 1)]

    def take(self) -> Token:
        """The next token, which must be there."""
        self._next += 1
        return self._tokens[self._next - 1]

    def sign(self) -> str:
        """Takes the `-` or `+` that the next token begins with; "" when it has none."""
        token = self.peek
        if token is None or token.quoted or token.text[:1] not in ("-", "+"):
            return ""
        if len(token.text) == 1:
            self._next += 1
        else:
            self._tokens[self._next] = Token(token.text[1:], token.start + 1, token.end)
        return token.text[0]

    def accept(self, *words: str) -> bool:
        """Takes the next token if it is one of these."""
        found = self.peek is not None and self.peek.is_word(*words)
        self._next += found
        return found

    def name(self, wanted: str, example: str) -> Token:
        """Takes a name; fails with what was wanted and an example."""
        token = self.peek
        if token is None or (not token.quoted and token.text in ("(", ")", ",", "=")):
            self.fail(f"{wanted} is missing", f"write {example}")
        return self.take()

    def finish(self, example: str) -> None:
        """Fails unless the stage ends here."""
        if self.peek is not None:
            self.fail(f"{self.peek.text!r} is not expected here", f"write {example}")

    def fail(self, problem: str, suggestion: str = "", token: Token | None = None) -> NoReturn:
        """Raises the error that points at a token: the next one if none is given, else behind the last."""
        token = token or self.peek
        start, end = (token.start, token.end) if token else (self.last.end, self.last.end + 1)
        raise QuerySyntaxError(self.text, start, problem, length=end - start, suggestion=suggestion)


def _tokens(text: str, piece: Piece) -> list[Token]:
    found = []
    for match in _TOKEN.finditer(text, piece.start, piece.end):
        quoted = match[1] is not None
        raw = match[1][1:-1] if quoted else match[2] or match[3]
        found.append(Token(_ESCAPED.sub(r"\1", raw), match.start(match.lastindex or 0), match.end(), quoted))
    return found
