"""Where in a query a position lies: behind which field, in which list, at which word, in which stage."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from logship.query import names
from logship.query.values import unescaped

_FIELD: Final = re.compile(
    r"([-!+]*)(?!(?:AND|OR|NOT)\s)((?:\\.|[^\W\d]|@)(?:\\.|[\w.@\-])*)\s*(:\s*(?:=~|[<>]=?)|=~|[<>]=?|:)", re.DOTALL
)
_STRING: Final = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
_WORD: Final = re.compile(r'(?:\\.|[^\s()"\\])+|\\', re.DOTALL)
_BOUND: Final = re.compile(r'(?:\\.|[^\s()"\[\]{}\\])+|[\\\[{]', re.DOTALL)
_NAME_END: Final = re.compile(r'[\s()":<>=|]|\Z')
_WORD_END: Final = re.compile(r'[\s()"|\]}]|\Z')
_OPERATORS: Final = frozenset({"AND", "OR", "NOT", "&&", "||", "TO"})
_LONE_OR: Final = re.compile(r"(?:\bOR\b|\|\|)")
_DANGLING: Final = re.compile(r"(?:\s|\b(?:AND|NOT)\b|&&|[-!+(])*\Z")
_LEADING: Final = re.compile(r"\A(?:\s|\bAND\b|&&|\))*")
_STAGE: Final = re.compile(r"\s*(\w*)(.?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a query, and the word that is being written there."""

    word: str
    """What of it stands before the position, without quotes and escapes."""
    start: int
    end: int
    """Where the word begins and ends in the text."""
    field: str | None = None
    """Canonical name of the field whose value is written; None elsewhere."""
    operator: str = ":"
    """``:``, a comparison or ``=~``."""
    quoted: bool = False
    in_list: bool = False
    """Among values in parentheses, or in a range."""
    bounds: int | None = None
    """In a range: how many of its words (an end, TO, an end) stand before; None elsewhere."""
    behind_operand: bool = False
    """Behind a whole condition, so that AND and OR may follow."""
    followed: bool = False
    """Whether a name's ``:`` or comparison stands already behind the word."""
    rest: str = ""
    """The query without the condition that is being written."""
    stage: str | None = None
    """The stage that is being written, "" before its name is; None in the query."""


@dataclass(slots=True)
class _Asked:
    """A field that waits for its value."""

    field: str
    operator: str
    start: int


@dataclass(slots=True)
class _Scan:
    """What has been read from the left."""

    asked: _Asked | None = None
    open: list[_Asked | None] = field(default_factory=list)
    """What stands before each open parenthesis."""
    behind_operand: bool = False
    in_range: bool = False
    bounds: int = 0
    """How many words of a range have been read: its first end, TO, its last end."""

    @property
    def of_list(self) -> _Asked | None:
        return next((asked for asked in reversed(self.open) if asked), None)


def place_at(text: str, position: int) -> Place:
    """Where a position lies. Never fails."""
    stage = _stage_before(text, position)
    if stage is not None:
        return _place_in_stage(text, position, stage)
    scan, at = _Scan(), 0
    while at < position:
        step = _step(scan, text, at, position)
        if isinstance(step, Place):
            return step
        at = step
    return _place(scan, text, position, position)


def _step(scan: _Scan, text: str, at: int, position: int) -> Place | int:
    """Reads one piece of text[at:position]: the place where it is not finished, or where the next begins."""
    char = text[at]
    if char.isspace():
        return at + 1
    if char == '"':
        string = _STRING.match(text, at, position)
        if string is None:
            return _place(scan, text, at, position, quoted=True)
        scan.asked, scan.behind_operand = None, True
        scan.bounds += scan.in_range
        return string.end()
    if char in "()" or (char in "[{" and scan.asked) or (char in "]}" and scan.in_range):
        _bracket(scan, char)
        return at + 1
    named = None if scan.asked or scan.of_list else _FIELD.match(text, at, position)
    if named:
        operator = named[3].replace(":", "").strip() or ":"
        scan.asked = _Asked(names.canonical(unescaped(named[2])), operator, at)
        return named.end()
    word = (_BOUND if scan.in_range else _WORD).match(text, at, position)
    if word is None or word.end() >= position:
        return _place(scan, text, at, position)
    scan.behind_operand, scan.asked = word[0] not in _OPERATORS, None
    scan.bounds += scan.in_range
    return word.end()


def _bracket(scan: _Scan, char: str) -> None:
    scan.in_range, scan.bounds = char in "[{", 0
    if char in "([{":
        scan.open.append(scan.asked)
        scan.behind_operand = False
    else:
        if scan.open:
            scan.open.pop()
        scan.behind_operand = True
    scan.asked = None


def _place(scan: _Scan, text: str, at: int, position: int, *, quoted: bool = False) -> Place:
    """The place of a word that begins at `at` and goes on at `position`."""
    asked = scan.asked or scan.of_list
    start = at
    if not quoted and not scan.asked:
        start += len(text[at:position]) - len(text[at:position].lstrip("-!+"))
    if quoted:
        end = text.find('"', position) + 1 if len(_STRING.sub("", text).split('"')) == 1 else position
        word = unescaped(text[start + 1 : position])
    else:
        end = (_WORD_END if asked else _NAME_END).search(text, position).start()  # type: ignore[union-attr]
        word = unescaped(text[start:position])
    return Place(
        word,
        start,
        end,
        field=asked.field if asked else None,
        operator=asked.operator if asked else ":",
        quoted=quoted,
        in_list=scan.of_list is not None,
        bounds=scan.bounds if scan.in_range else None,
        behind_operand=scan.behind_operand and not quoted and start == at,
        followed=text[end : end + 1] in tuple(":<>="),
        rest=_without(text, asked.start, end) if asked else "",
    )


def _without(text: str, start: int, end: int) -> str:
    """The query around a condition; nothing where an OR makes the rest say nothing about it."""
    rest = _DANGLING.sub("", text[:start]) + " " + _LEADING.sub("", text[end:])
    return "" if _LONE_OR.search(_STRING.sub("", rest)) else rest.strip()


def _stage_before(text: str, position: int) -> int | None:
    """Where the stage begins that a position lies in; None in the query itself."""
    plain = _STRING.sub(lambda match: " " * len(match[0]), text[:position]).partition('"')[0]
    found, depth = None, 0
    for at, char in enumerate(plain):
        depth = max(0, depth + (char == "(") - (char == ")"))
        if char == "|" and not depth and "|" not in (plain[at - 1 : at], text[at + 1 : at + 2]):
            found = at + 1
    return found


def _place_in_stage(text: str, position: int, start: int) -> Place:
    head = text[start:position]
    name = _STAGE.match(head)
    if name and name[1].lower() == "where" and name[2]:
        start += name.end(1)
        found = place_at(text[start:], position - start)
        return replace(found, start=found.start + start, end=found.end + start, rest="")
    word = re.search(r"[\w.@\-]*\Z", head)
    written = word[0].lstrip("-") if word else ""
    quoted = len(_STRING.sub("", head).split('"')) > 1
    end = _NAME_END.search(text, position)
    begun = bool(name and name[2])
    return Place(
        written,
        position - len(written),
        end.start() if end else position,
        quoted=quoted,
        followed=True,
        stage=name[1].lower() if name and begun else "",
    )
