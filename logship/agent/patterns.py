"""Regular expressions as the agent's own engine takes them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1024)
def complaint(pattern: str) -> str:
    """Why RE2 refuses a pattern; "" where it takes it."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        found = error.args[0]
        return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)
    return ""


def compiled(pattern: str) -> Any:
    """The pattern by RE2, whose ``search`` is the agent's; `complaint` said that it may be used."""
    import re2

    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)
