"""RE2 over the UTF-8 of a line: patterns in linear time whatever the text, loaded with the first redactor."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final, NamedTuple

MARK: Final = b"[redacted:"
"""What every replacement begins with."""
NAME: Final = "[A-Za-z0-9][A-Za-z0-9_.-]{0,39}"
"""Of a rule: a mark has it between `MARK` and a bracket. What merely begins as one is no mark, and hides nothing."""
_LONGEST_MARK: Final = 80
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Span(NamedTuple):
    """Where a secret stands, in bytes."""

    start: int
    end: int
    quote: bytes = b""
    """What the replacement is put between, where the secret is a bare number of a JSON object."""


@cache
def compiled(pattern: str) -> Any:
    """A pattern for bytes that are UTF-8. Raises `re2.error` with the reason for a pattern that is none."""
    import re2

    return re2.compile(pattern.encode(), options=_options())


def finder(patterns: list[str]) -> Any:
    """A set of patterns: `Match(data)` gives the indices of those that stand somewhere in it, or None."""
    import re2

    found = re2.Set.SearchSet(_options())
    for pattern in patterns:
        found.Add(pattern.encode())
    found.Compile()
    return found


def encoded(text: str) -> tuple[bytes, bytes]:
    """The bytes to cut and the bytes to search, alike in every offset: RE2 reads no lone surrogates."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass"), _SURROGATE.sub("\ufffd", text).encode()
    return data, data


def in_mark(data: bytes, at: int) -> bool:
    """Whether a place lies within a replacement that was made before."""
    begun = data.rfind(MARK, max(0, at - _LONGEST_MARK), at + len(MARK))
    if begun < 0:
        return False
    mark = compiled(rf"\[redacted:{NAME}\]").match(data, begun)
    return mark is not None and at < mark.end()


def _options() -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    return options
