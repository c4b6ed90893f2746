"""Dead letters where there is no disk: objects of S3, or lines that the platform keeps.

Each is the event in the shape of FilterLogEvents with its group, and all that is known of the letter: `logship import`
reads it once whatever was wrong is mended, and makes of it what would have been stored at once.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from logship.errors import SettingsError
from logship.forward.letters.dead_letters import DeadLetter, Kind
from logship.record import Cloud, LogEvent
from logship.timerange import LATEST_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_ID: Final = "logship.dead_letter"
_Time = Annotated[int, msgspec.Meta(ge=0, lt=LATEST_US // 1000)]
_PIECE_CHARACTERS: Final = 32 * 2**10
"""Lambda cuts lines at 256 KB, and a character may take six bytes of JSON."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A letter as a line of JSON, or one part of it."""

    group: str = msgspec.field(name="logGroup")
    stream: str = msgspec.field(name="logStreamName")
    timestamp_ms: _Time = msgspec.field(name="timestamp")
    event_id: str = msgspec.field(name="eventId")
    ingestion_ms: _Time = msgspec.field(name="ingestionTime", default=0)
    message: str
    account: str = ""
    region: str = ""
    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")] = msgspec.field(name=_ID)
    kind: Kind
    continues: str = ""
    reason: str
    part: Annotated[str, msgspec.Meta(pattern="^[1-9][0-9]{0,3}/[1-9][0-9]{0,3}$|^$")] = msgspec.field(
        name="logship.part", default=""
    )
    """Which part of the message this is, such as ``2/3``; "" is all of it."""

    @property
    def letter(self) -> DeadLetter:
        """The letter, with as much of its message as the line holds."""
        cloud = Cloud(self.account, self.region)
        event = LogEvent(
            self.group, self.stream, self.timestamp_ms, self.message, self.event_id, self.ingestion_ms, cloud
        )
        return DeadLetter(self.id, event, self.reason, kind=self.kind, continues=self.continues)


def line(letter: DeadLetter) -> Line:
    """A letter as the event it was, with all that is known of it."""
    event = letter.event
    return Line(
        group=event.group,
        stream=event.stream,
        timestamp_ms=event.timestamp_ms,
        event_id=event.event_id,
        ingestion_ms=event.ingestion_ms,
        message=event.message,
        account=event.cloud.account,
        region=event.cloud.region,
        id=letter.id,
        kind=letter.kind,
        continues=letter.continues,
        reason=letter.reason,
    )


class LetterLines:
    """Makes letters of lines again. Parts may come in any order, and again."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, int], dict[int, Line]] = {}
        """By the letter's id and how many parts it has, those that have come."""

    @property
    def open(self) -> int:
        """How many letters lack parts."""
        return len(self._parts)

    def take(self, found: dict[str, Any]) -> list[DeadLetter] | None:
        """The letter that a line completes; empty while parts are missing, None where the line is of no letter."""
        if _ID not in found:  # most lines, and failing to convert one takes its time
            return None
        try:
            read = msgspec.convert(found, Line)
        except msgspec.ValidationError:
            return None
        if not read.part:
            return [read.letter]
        number, _, total = read.part.partition("/")
        key = (read.id, int(total))
        parts = self._parts.setdefault(key, {})
        parts[int(number)] = read
        if len(parts) < int(total):
            return []
        del self._parts[key]
        message = "".join(parts[at].message for at in sorted(parts))
        return [msgspec.structs.replace(read, message=message).letter]


def print_letters(letters: Sequence[DeadLetter], write: Callable[[str], object] | None = None) -> None:
    """Writes letters to stderr, a line each, long ones in several that name their part.

    Args:
        letters: the letters.
        write: what takes the lines instead.
    """
    for letter in letters:
        for piece in _pieces(letter):
            (write or sys.stderr.write)(msgspec.json.encode(piece).decode() + "\n")


def _pieces(letter: DeadLetter) -> Iterator[Line]:
    whole = line(letter)
    message = letter.event.message
    if len(message) <= _PIECE_CHARACTERS:
        yield whole
        return
    starts = range(0, len(message), _PIECE_CHARACTERS)
    for number, start in enumerate(starts, 1):
        piece = message[start : start + _PIECE_CHARACTERS]
        yield msgspec.structs.replace(whole, message=piece, part=f"{number}/{len(starts)}")


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
                    Body=msgspec.json.encode(line(letter)) + b"\n",
                )
