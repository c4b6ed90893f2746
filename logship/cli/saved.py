"""Saved queries: `logship search @NAME more terms`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from logship.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from logship.settings import SavedQuery


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for, once its saved query stands in it."""

    text: str
    name: str = ""
    """Of the saved query; "" when there is none."""
    since: str | None = None
    """Of the saved query; None when there is none."""
    format: str | None = None


def expand(words: Sequence[str], saved: Mapping[str, SavedQuery]) -> Asked:
    """The query that words mean; a first word `@NAME` stands for a saved one.

    More words narrow the saved query: they join its search, in front of its stages. More stages follow its own.

    Raises:
        SettingsError: no saved query has that name.
    """
    first, _, more = " ".join(words).strip().partition(" ")
    if not first.startswith("@"):
        return Asked(" ".join(words))
    found = saved.get(first[1:])
    if found is None:
        raise SettingsError(f"{first!r} is no saved query; {_hint(first[1:], saved)}")
    return Asked(_joined(found.query, more.strip()), first[1:], found.since or None, found.format or None)


def _joined(query: str, more: str) -> str:
    """Both searches have to match; the stages of the saved query come before further ones."""
    search, stages = _split(query)
    narrower, further = _split(more)
    both = [f"({part.strip()})" for part in (search, narrower) if part.strip()]
    text = " ".join(both) if len(both) > 1 else (search.strip() or narrower.strip())
    return " ".join(part for part in (text, stages, further) if part)


def _split(text: str) -> tuple[str, str]:
    """The search, and the stages from their first `|` on."""
    from logship.query.stages.lexer import split

    end = split(text)[0].end
    return text[:end], text[end:].strip()


def _hint(name: str, saved: Mapping[str, SavedQuery]) -> str:
    from difflib import get_close_matches

    if near := get_close_matches(name, saved, 1, 0.5):
        return f"did you mean @{near[0]}?"
    if saved:
        return f"saved are {', '.join('@' + known for known in sorted(saved))}"
    return f'save it in logship.toml: [queries.{name or "NAME"}] with query = "…"'
