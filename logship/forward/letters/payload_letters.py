"""Secrets are taken out of payloads that nobody could read, too, before they are kept."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.forward.letters.dead_letters import DeadLetter

    Keep = Callable[[Sequence[DeadLetter]], object]

_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}\Z")


def redacting(keep: Keep, redact: Callable[[str], str] | None) -> Keep:
    """What keeps letters, with their texts redacted first.

    Base64 is left as it is: cut anywhere it could not be read again, and it is what compressed payloads are kept as.
    Letters of events are redacted already.

    Args:
        keep: takes the letters.
        redact: takes secrets out of a text; None leaves all as it is.
    """
    if redact is None:
        return keep

    def clean(letter: DeadLetter) -> DeadLetter:
        message = letter.event.message
        if letter.kind != "payload" or _BASE64.match(message):
            return letter
        return replace(letter, event=letter.event._replace(message=redact(message)))

    return lambda letters: keep([clean(letter) for letter in letters])
