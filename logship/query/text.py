"""What a word is: the one rule of tokens, lower-casing and lengths, for every engine and the matcher.

A token is a run of letters, marks, digits and `_`, lower-cased code point by code point, of at most
256 characters. Longer runs are no words.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TOKEN_CHARS: Final = 256
MAX_VALUE_BYTES: Final = 1024
"""Text fields other than the body compare over this many bytes of UTF-8."""

TOKEN_PATTERN: Final = r"[\p{L}\p{M}\p{N}_]+"  # noqa: S105 - no password
_ASCII_TOKEN: Final = re.compile(r"[A-Za-z0-9_]+")
_META: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")
_SMALLEST_PART: Final = 2
_LONG_RUN: Final = re.compile(rf"\w{{{MAX_TOKEN_CHARS + 1},}}")


@cache
def _re2() -> Any:
    import re2

    return re2


def compile_re2(pattern: str, *, ignore_case: bool = False) -> Any:
    """A compiled RE2 pattern. Raises `re2.error` with the reason for a pattern that is none."""
    re2 = _re2()
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignore_case
    return re2.compile(pattern, options=options)


@cache
def _unicode_tokens() -> Callable[[str], list[str]]:
    return compile_re2(TOKEN_PATTERN).findall  # type: ignore[no-any-return]


def lower(text: str) -> str:
    """Lower case, each code point by itself (Σ → σ wherever it stands)."""
    return text.lower() if text.isascii() else "".join(char.lower() for char in text)


def runs(text: str) -> list[str]:
    """The token runs of a text as they stand, of any length and case."""
    if text.isascii():
        return _ASCII_TOKEN.findall(text)
    return _unicode_tokens()(text.encode("utf-8", "replace").decode())


def pattern_runs(text: str) -> list[str]:
    """The token runs of a text in which `*` and `?` count as part of a word."""
    found: list[str] = compile_re2(r"[\p{L}\p{M}\p{N}_*?]+").findall(text.encode("utf-8", "replace").decode())
    return found


def tokens(text: str) -> list[str]:
    """The words of a text, in order; runs that are too long are passed over."""
    return [run for run in runs(lower(text)) if len(run) <= MAX_TOKEN_CHARS]


def indexable(text: str) -> str:
    """The text for an engine's analyzer: runs that are no words are blanked, lone surrogates replaced."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    if has_long_run(text):
        for run in sorted(set(runs(text)), key=len, reverse=True):
            if len(run) <= MAX_TOKEN_CHARS:
                break
            text = text.replace(run, "\x00")
    return text


def required_runs(pattern: str) -> list[str]:
    """Pieces of words that every match of a regular expression must contain, lower-cased; [] when unsure.

    Only patterns of plain characters, `.`, `.*` and `.+` are read; anything else narrows nothing.
    """
    plain = re.sub(r"\.[*+?]?", "\x00", pattern)
    if _META.search(plain):
        return []
    return [run for run in runs(lower(plain)) if len(run) >= _SMALLEST_PART and run.isascii()]


def has_long_run(value: str) -> bool:
    """Whether a text has a run that is no word because of its length, so that no index knows it."""
    return len(value) > MAX_TOKEN_CHARS and bool(_LONG_RUN.search(value))


def clip(value: str) -> str:
    """The part of a field's text that takes part in comparisons: its first 1,024 bytes, whole characters."""
    if len(value) * 4 <= MAX_VALUE_BYTES and value.isascii():
        return value
    return value.encode("utf-8", "replace")[:MAX_VALUE_BYTES].decode("utf-8", "ignore")
