"""Where the value behind a name ends, in each of the ways that logs write one, and which values are none."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from logship.secrets.patterns import compiled

_HARD: Final = r"[^\s\"'`\\&,;|(){}\[\]<>]"
"""What a bare value is made of."""
_SOFT: Final = r"[&,;|)}\]'>]"
"""What is part of a bare value if more of it follows: `p,w` is a password, `p, w` is not."""
_ESCAPE: Final = r"\\+(?:u(?:0[^0]|[1-9a-fA-F]|00[013-9a-fA-F]|002[0-57-9a-fA-F])|[^nrtu\"'\\\s])"
"""An escape of the JSON string around a bare value, unless it stands for space, a quote or `&`."""
_FIRST: Final = rf"(?:{_HARD}|{_ESCAPE})"
_BARE: Final = rf"{_FIRST}(?:{_HARD}|{_ESCAPE}|{_SOFT}+{_HARD}|[(\[{{]+[A-Za-z0-9]|\"[A-Za-z0-9])*"
_NEXT_PAIR: Final = r"{soft}+[\"']?[A-Za-z_][\w.%\[\]-]{{0,63}}[\"']?[{sign}]"
_SINGLE: Final = r"(?:[^'\"\\]|''|\\+[^\"\\]|\"[^,:}\]\s\"'\\])*"
"""A value in single quotes; SQL doubles one within."""
_PERCENT: Final = r"(?:[^%&\s\"'\\]|%(?:[013-9A-Fa-f][0-9A-Fa-f]|2[013-57-9AaBbD-Fd-f]))*"
"""A percent-encoded value, up to the code of a quote, `&` or a comma."""
_LITERAL: Final = r"-?[0-9][0-9.eE+-]*|true|false|null"
_AFTER_LITERAL: Final = b",}] \t\r\n\\"
_DEEPEST: Final = 3
"""JSON within JSON within JSON within JSON: seven backslashes before each quote."""
_BETWEEN: Final = r"\s*(?:[,:}\]][\s,:{}\[\]0-9eE+.\-truefalsnTFNo\\]*)?"
"""What stands between two strings of JSON or of a Python value: the quote before it ended a string, and began none."""
_NAME: Final = r"[A-Za-z]*(?i:passw(?:or)?d|pass|pwd|pw|secret|token|key|hash)"
"""How a name ends that a placeholder has: `<your-api-key>`, `{db_password}`."""
_WORD: Final = (
    rf"(?i:redacted|filtered|masked|hidden|removed|omitted|sensitive|protected|private|sanitized|scrubbed|encrypted|"
    rf"null|none|nil|undefined|empty|missing|unset|set|unchanged|unknown|default|required|optional|"
    rf"string|str|text|bytes|object|value|your|env|apply|br)|{_NAME}"
)
"""One of these makes a mask of what stands in brackets: `<not set>`, `(known after apply)`, `[32 bytes]`."""
_SEP: Final = "[ .:_-]"
_BESIDE: Final = "(?:[A-Za-z]+|[0-9]{1,4})"
"""A word or a small number that may stand beside it."""
_IN_BRACKETS: Final = (
    rf"(?:[*.xX ]*|[0-9]|{_SEP}*(?:{_BESIDE}{_SEP}+)*(?:{_WORD})(?:{_SEP}+{_BESIDE})*|"
    rf"{_SEP}*(?i:redacted|filtered|masked|hidden|removed)(?:{_SEP}[\w .:-]*)?)"
)
_BRACKETED: Final = (
    r"(?:\{[^\s\"'{}]{1,128}\}|<[^\s\"'<>/][^\s\"'<>]{0,127}>|\([^\s\"'()]{1,128}\)|"
    r"\[[^\s\"'\[\]]{1,128}\]|`[^\s\"'`]{1,128}`)"
)
"""A bare value in brackets, as in ODBC's `Pwd={hunter2};`; none in quotes, which an expression or JSON has."""
_MASK: Final = (
    r"[*.#\x{2022}\x{25cf}-]+|[xX]{3,}|\{\{[^{}]*\}\}|"
    rf"<{_IN_BRACKETS}>|\[{_IN_BRACKETS}\]|\({_IN_BRACKETS}\)|\{{{_IN_BRACKETS}\}}|`{_IN_BRACKETS}`|"
    rf"\?|[$:][0-9]{{1,2}}|[:@]_?(?:[A-Za-z]+_)*{_NAME}|"
    r"\$[({][\w.:/-]*[)}]?|\$[A-Z][A-Z0-9_]*|%s|%\(\w+\)s|%[A-Z_]+%|\\*[\"']{0,2}|"
    r"(?i:null|none|nil|undefined|nan|true|false|yes|n/a|redacted|filtered|masked|hidden|removed)|"
    r"(?:Optional|Union|Literal|[Ll]ist|[Dd]ict)\[.*|arn:.*|(?:env|file|ssm|secretsmanager|keyring|vault):.*"
)
LONGEST_JUDGED: Final = 200
"""Longer values are secrets, whatever they look like."""
_WORDS: Final = frozenset(
    b"a an and any are as at bad be bearer been blank bool but by bytes can cannot changed correct denied "
    b"dict did does empty expected expired expires failed failure field float for found from given had has "
    b"have id if in incorrect input int invalid is it length list long match matches may mismatch missing "
    b"must no none not object of ok on only optional or please provided rejected required reset reused "
    b"self set shall short should size str string text that the this to too type unexpected unknown unset "
    b"updated used user valid value was weak will with without wrong you your".split()
)
"""Words that follow `password:` in prose, or are types of it."""
_ANSWERS: Final = frozenset(
    b"blank bool bytes changed empty expired incorrect int invalid mismatch missing object optional rejected "
    b"required reset reused str string text unexpected unknown unset updated valid".split()
)
"""Those of them that an answer, a schema or a list of changes has as `"password":"required"`."""


class Runs:
    """The bare values of one text, asked for from left to right.

    A run of pairs, `a=1&b=2`, is read once, and searched once for each sign, however many of its names are asked for:
    anything else would cost the square of its length.

    Args:
        data: the UTF-8 of the text.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._end = 0
        """Where the last run ends."""
        self._next: dict[str, int] = {}
        """By sign, where the next pair in it begins."""

    def value_end(self, start: int, sign: str) -> int:
        """The end of a value without quotes, which is where the next pair in its run begins; `start` if there is none.

        Args:
            start: where the value begins.
            sign: of the pairs, `=` or `:`.
        """
        if self._end <= start:
            self._end, self._next = _end(_BARE, self._data, start), {}
        elif _end(_FIRST, self._data, start) == start:
            return start
        if self._next.get(sign, -1) < start:
            found = compiled(_NEXT_PAIR.format(soft=_SOFT, sign=sign)).search(self._data, start, self._end)
            self._next[sign] = int(found.start()) if found else self._end
        return self._next[sign]


@cache
def quoted(level: int) -> str:
    """RE2 of what stands between double quotes in JSON that is `level` strings deep in other JSON.

    Each level doubles the backslashes: the quotes of that depth have 2**level - 1 before them, and one within the
    value has 2 * 2**level - 1, or that and whole pairs more. Fewer end an outer string, where the value is cut off.
    """
    inner = 2 ** (level + 1) - 1
    return rf"(?:[^\"\\]|\\+[^\"\\]|\\{{{inner}}}(?:\\{{{inner + 1}}})*\")*(?:\\{{{inner + 1}}})*"


def quoted_end(data: bytes, start: int, quote: bytes) -> int | None:
    """The end of a value behind `quote`, a double or single one with its backslashes; None where it is no quote."""
    if quote.startswith(b"%"):
        return _end(_PERCENT, data, start)
    level = len(quote).bit_length() - 1
    if quote.endswith(b"'"):
        end = _end(_SINGLE, data, start)
    elif len(quote) == 2**level and level <= _DEEPEST:
        end = _end(quoted(level), data, start)
    else:
        return None
    return None if compiled(_BETWEEN).fullmatch(data, start, end) else end


def bracketed_end(data: bytes, start: int) -> int:
    """The end of a bare value in brackets or backticks; `start` if none stands there."""
    return _end(rf"{_BRACKETED}{_HARD}*", data, start)


def percent_end(data: bytes, start: int) -> int:
    """The end of a percent-encoded value; `start` if there is none."""
    return _end(_PERCENT, data, start)


def literal_end(data: bytes, start: int) -> int:
    """The end of a number, a boolean or null of JSON; `start` if none stands there."""
    end = _end(_LITERAL, data, start)
    return end if data[end : end + 1] in _AFTER_LITERAL else start


def is_mask(value: bytes) -> bool:
    """Whether a value only says that there is one, or none: `****`, `null`, `${PASSWORD}`, `<hidden>`."""
    return bool(compiled(_MASK).fullmatch(value.strip()))


def is_code(value: bytes, after: bytes, name: bytes) -> bool:
    """Whether a value without quotes is an expression, as in the source lines of a stack trace.

    Args:
        value: `self._read`, `token_of(x`, `other.token`.
        after: the byte behind it.
        name: the whole name before the sign.
    """
    if compiled(r"[A-Za-z_][\w.]*").fullmatch(value):
        return after in (b"(", b"[") or is_handed_on(value, name)
    return bool(compiled(r"[A-Za-z_][A-Za-z_.]*[(\[].*|[A-Za-z_.]+\([\w.]+").fullmatch(value))


def is_handed_on(value: bytes, name: bytes) -> bool:
    """Whether a value is a variable that is handed on under its own name: `password=self._password`."""
    last = name[name.rfind(b".") + 1 :]
    if not last or not compiled(r"[A-Za-z_][\w.]*").fullmatch(value):
        return False
    return (b"_" in last and value == last) or (b"." in value and value.lower().endswith(last[-6:].lower()))


def is_pair(value: bytes) -> bool:
    """Whether a value is the next pair, since there was none: `password= user=bob`."""
    return bool(compiled(r"[A-Za-z_][\w.-]*=[^=].*").fullmatch(value))


def is_word(value: bytes) -> bool:
    """Whether a value is a word of prose: `password: must …`."""
    return value.strip(b" .!?:").lower() in _WORDS


def is_message(value: bytes) -> bool:
    """Whether a value is letters alone, or the name of an error: `token: invalid_grant`."""
    return bool(compiled("[A-Za-z]+|[a-z]+(?:_[a-z]+)+").fullmatch(value))


def is_name(value: bytes) -> bool:
    """Whether a value is words and numbers that somebody chose: `expired`, `my-app/v2`, `42:user`, `T_STRING`."""
    piece = "(?:[A-Za-z]*[0-9]{0,2}|[0-9]+)"
    return bool(compiled(rf"[^0-9]*|{piece}(?:[-_./:]{piece})*").fullmatch(value))


def is_answer(value: bytes) -> bool:
    """Whether a value of JSON is a verdict or a type: `"password":"required"`. Other words are values there."""
    return value.strip(b" .!?:").lower() in _ANSWERS


def _end(pattern: str, data: bytes, start: int) -> int:
    found = _whole(pattern).match(data, start)
    return int(found.end()) if found else start


@cache
def _whole(pattern: str) -> Any:
    return compiled(f"(?s:{pattern})")
