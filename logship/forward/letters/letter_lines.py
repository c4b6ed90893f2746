"""Dead letters where there is no disk: objects of S3, or lines that the platform keeps.

Each is the event in the shape of FilterLogEvents with its group, the id its record would have had, and the reason:
what `logship import` reads once whatever was wrong is mended.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from logship.forward.letters.dead_letters import DeadLetter

_PIECE_CHARACTERS: Final = 32 * 2**10
"""Lambda cuts lines at 256 KB, and a character may take six bytes of JSON."""


def line(letter: DeadLetter) -> dict[str, Any]:
    """A letter as the event it was, with what is known of it."""
    event = letter.event
    return {
        "logGroup": event.group,
        "logStreamName": event.stream,
        "timestamp": event.timestamp_ms,
        "eventId": event.event_id,
        "message": event.message,
        "logship.dead_letter": letter.id,
        "reason": letter.reason,
    }


def print_letters(letters: Sequence[DeadLetter], write: Callable[[str], object] | None = None) -> None:
    """Writes letters to stderr, a line each, long ones in several that name their part.

    Args:
        letters: the letters.
        write: what takes the lines instead.
    """
    for letter in letters:
        for piece in _pieces(letter):
            (write or sys.stderr.write)(orjson.dumps(piece).decode() + "\n")


def _pieces(letter: DeadLetter) -> Iterator[dict[str, Any]]:
    whole = line(letter)
    message = letter.event.message
    if len(message) <= _PIECE_CHARACTERS:
        yield whole
        return
    starts = range(0, len(message), _PIECE_CHARACTERS)
    for number, start in enumerate(starts, 1):
        piece = message[start : start + _PIECE_CHARACTERS]
        yield {**whole, "message": piece, "logship.part": f"{number}/{len(starts)}"}


class LetterBucket:
    """Keeps letters as objects of S3, named by their ids: one that comes again is the same object.

    Args:
        place: ``s3://BUCKET/PREFIX``.
        client: of S3, made on first use; None makes one.

    Raises:
        SettingsError: the place names no bucket.
    """

    def __init__(self, place: str, client: Any = None) -> None:
        self._bucket, _, prefix = place.removeprefix("s3://").partition("/")
        if not place.startswith("s3://") or not self._bucket:
            raise SettingsError(f"LOGSHIP_DEAD_LETTERS = {place!r} is no place of S3; write s3://BUCKET/PREFIX")
        self._prefix = f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""
        self._client = client

    def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Keeps letters; returns when they are safe.

        Raises:
            AccessError, ConnectError, UsageError: S3 does not take them.
        """
        from logship.cloudwatch.client import explained
        from logship.cloudwatch.session import open_client, open_session

        if self._client is None:
            self._client = open_client("s3", open_session())
        for letter in letters:
            with explained(f"dead letters in s3://{self._bucket}"):
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=f"{self._prefix}{letter.id}.ndjson",
                    Body=orjson.dumps(line(letter)) + b"\n",
                )
