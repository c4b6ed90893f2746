"""Which service writes a log group, for lines that do not say it: `[[service]] groups`, else the group's name."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING, Final

from logship import naming
from logship.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.settings import Settings

_WILD: Final = re.compile(r"[*?\[]")


def service_of(settings: Settings) -> Callable[[str], str]:
    """The service of a log group: the most specific pattern decides, a name before any pattern with wildcards.

    Of two patterns the one with more characters that are none of `*`, `?` and sets is more specific; among equals
    the first of the file is taken.

    Raises:
        SettingsError: a pattern that matches nothing, or that two services claim.
    """
    places: dict[str, str] = {}
    found: list[tuple[tuple[bool, int], re.Pattern[str], str]] = []
    for number, described in enumerate(settings.service):
        for index, pattern in enumerate(described.groups):
            _check(pattern, f"service[{number}].groups[{index}]", places)
            found.append((_rank(pattern), re.compile(translate(pattern)), described.name))
    found.sort(key=lambda entry: entry[0])  # stable: among equals the first of the file comes first

    def named(group: str) -> str:
        for _, matcher, name in found:
            if matcher.match(group):
                return name
        return naming.service_of_group(group)

    return named if found else naming.service_of_group


def _rank(pattern: str) -> tuple[bool, int]:
    """Less is more specific."""
    literal = re.sub(r"\[.[^\]]*\]|[*?\[]", "", pattern)
    return bool(_WILD.search(pattern)), -len(literal)


def _check(pattern: str, place: str, places: dict[str, str]) -> None:
    if not pattern:
        raise SettingsError(f"key '{place}' is empty, and no log group is; write a name or a pattern such as '/shop/*'")
    if pattern in places:
        raise SettingsError(
            f"key '{place}' = {pattern!r} is {places[pattern]}'s already: lines of a group that name no service "
            "have one; remove it from one of them"
        )
    places[pattern] = place
