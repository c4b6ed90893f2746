"""Payloads are kept without their secrets, and whole where they are packed."""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING

from logship.forward.letters.payload_letters import redacting
from logship.forward.sources import subscription
from logship.secrets import from_settings
from logship.settings import Redact

if TYPE_CHECKING:
    from logship.forward.letters.dead_letters import DeadLetter


def test_texts_are_redacted_and_packed_payloads_are_not() -> None:
    """A text that is no payload may hold anything; base64 has to be readable again."""
    packed = gzip.compress(b"password=hunter22 " * 100)[:-1]
    redactor = from_settings(Redact())
    assert redactor
    letters: list[DeadLetter] = []
    keep = redacting(letters.extend, redactor.redact)
    for data in (b"password=hunter22 it is no JSON", packed):
        bad = subscription.read(data).bad
        keep([subscription.letter(one, group="kinesis:a", stream="", timestamp_ms=0, event_id="1") for one in bad])
    texts = [letter.event.message for letter in letters]

    assert texts == ["password=[redacted:password] it is no JSON", base64.b64encode(packed).decode()]


def test_without_redaction_letters_are_kept_as_they_are() -> None:
    """`[redact] enabled = false` holds for letters, too."""
    letters: list[DeadLetter] = []

    assert redacting(letters.extend, None) == letters.extend
