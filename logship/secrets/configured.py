"""`[redact]` of the settings → a redactor: rules turned off, and rules of one's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from logship.errors import SettingsError
from logship.secrets.patterns import NAME, Span, compiled
from logship.secrets.redactor import Redactor
from logship.secrets.rules import BUILT_IN

if TYPE_CHECKING:
    from logship.settings import Redact, RedactRule

_NAME: Final = re.compile(NAME)
_PLACED: Final = re.compile(r"(?<!\[)\^|\$|\\[AzQ]|\(\?P?<")
"""What means another thing in a pattern that is searched in many texts at once, or with other patterns."""


@dataclass(frozen=True)
class _Own:
    """A rule of the settings: the groups that took part in a match are secrets, or all of it where none did."""

    name: str
    pattern: Any
    anchor: str
    """The pattern itself; "" where each text has to be searched by itself."""

    def find(self, data: bytes) -> list[Span]:
        groups = range(1, self.pattern.groups + 1)
        found: list[Span] = []
        for match in self.pattern.finditer(data):
            taken = [match.span(group) for group in groups if match.start(group) >= 0] or [match.span()]
            found += (Span(start, end) for start, end in taken if end > start)
        return found


def from_settings(settings: Redact) -> Redactor | None:
    """The redactor that the settings want; None where they want none.

    Raises:
        SettingsError: a pattern is no RE2 or matches the empty text, a name is unknown, taken, or none.
    """
    if not settings.enabled:
        return None
    known = list(dict.fromkeys(rule.name for rule in BUILT_IN))
    for index, name in enumerate(settings.off):
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"the rules are {', '.join(known)}"
            raise SettingsError(f"key 'redact.off[{index}]': no rule is named {name!r}; {hint}")
    own = [_own(rule, index, settings, known) for index, rule in enumerate(settings.rule)]
    return Redactor((rule for rule in BUILT_IN if rule.name not in settings.off), own)


def _own(rule: RedactRule, index: int, settings: Redact, known: list[str]) -> _Own:
    import re2

    place = f"key 'redact.rule[{index}]"
    if not _NAME.fullmatch(rule.name):
        raise SettingsError(
            f"{place}.name': {rule.name!r} is no name; write letters, digits, '-', '_' and '.', 40 at most"
        )
    if rule.name in known or any(other.name == rule.name for other in settings.rule[:index]):
        raise SettingsError(f"{place}.name': {rule.name!r} is taken; give the rule another name")
    try:
        pattern = compiled(rule.pattern)
    except re2.error as error:
        reason = (
            error.args[0].decode("utf-8", "replace") if error.args and isinstance(error.args[0], bytes) else str(error)
        )
        raise SettingsError(
            f"{place}.pattern': {rule.pattern!r} is no RE2 ({reason}); it has no look-around and no back-references"
        ) from None
    if pattern.match(b""):
        raise SettingsError(
            f"{place}.pattern': {rule.pattern!r} matches the empty text; write what every such secret has, with '+' in "
            "place of '*'"
        )
    return _Own(rule.name, pattern, "" if _PLACED.search(rule.pattern) else rule.pattern)
