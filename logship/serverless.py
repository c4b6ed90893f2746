"""The Lambda entry point: ``logship.serverless.handler``.

It takes the events of an event source mapping on a Kinesis data stream, those of a log group's direct subscription,
and those of a mapping on a queue that a bucket tells of its new objects. The store is the one of ``LOGSHIP_STORE`` or
of a logship.toml beside the code. What it needs is made at the first event and kept for the container's later ones;
importing this module loads no vendor SDK.

**What is answered.** An event's batch is stored in parts. If a part cannot be, what follows must come again:

- If nothing is stored, the error is raised. Lambda sends the whole batch again.
- If earlier parts are stored, the answer is ``{"batchItemFailures": [{"itemIdentifier": SEQUENCE}]}`` with the first
  Kinesis record that is not. A stream has an order, so Lambda takes this as "all before it is done": it goes on from
  that record and sends every later one again, whatever else is listed. The event source mapping must have
  ``ReportBatchItemFailures`` among its `FunctionResponseTypes`; without it Lambda would count the batch as done.
- Messages of a queue stand alone: the answer lists each of which an object could not be read, and Lambda gives these
  back to the queue, which moves them to its own dead letters in time. This mapping needs ``ReportBatchItemFailures``,
  too. If no message at all could be worked on, the error is raised.
- Direct subscriptions have no partial answers: errors are raised, and Lambda tries twice more. Give the function an
  on-failure destination for what is left then.

Nothing is stored twice by any of this: the same event has the same id.

**What can never be stored** (a record that is no payload, one that the store rejects) does not come again, since it
would not be better then. It is kept as a dead letter: as an object below ``LOGSHIP_DEAD_LETTERS=s3://BUCKET/PREFIX``,
or, if that is not set, as a line of JSON on stderr, which is the function's own log group. A letter that S3 does not
take counts as not stored.
"""

from __future__ import annotations

import base64
import binascii
import os
import sys
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from logship.errors import DataError, LogshipError, SettingsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from logship.forward.letters.dead_letters import DeadLetter
    from logship.forward.sources.subscription import Payload
    from logship.forward.storing import Prepare
    from logship.record import LogEvent
    from logship.settings import Settings, Store
    from logship.store.port import StoreWriter

_PART_EVENTS: Final = 5_000
_TRIES: Final = 4
_PART_CHARACTERS: Final = 8 * 2**20


def handler(event: dict[str, Any], context: object = None) -> dict[str, Any]:
    """Stores what Lambda hands over; see the module for what it answers.

    Raises:
        LogshipError: nothing of the event is stored; it should come again.
    """
    del context
    return _forwarder().handle(event)


@cache
def _forwarder() -> LambdaForwarder:
    """What a container keeps from one event to the next; nothing is kept of a first event that failed."""
    from logship import settings, wiring
    from logship.forward.between.prepare import prepare_of
    from logship.forward.letters.letter_lines import LetterBucket, print_letters
    from logship.forward.letters.payload_letters import redacting
    from logship.secrets import from_settings

    wanted = settings.load()
    place = os.environ.get("LOGSHIP_DEAD_LETTERS", "")
    redactor = from_settings(wanted.redact)
    keep = redacting(LetterBucket(place).keep if place else print_letters, redactor.redact if redactor else None)
    prepare = prepare_of(wanted)
    writer = wiring.open_writer(_store_of(wanted), "serverless")
    return LambdaForwarder(writer, prepare, keep)


def _store_of(wanted: Settings) -> Store:
    """The store of the settings; not the one that everybody has who names none.

    Raises:
        SettingsError: there is no such store, or none is named.
    """
    from logship import settings

    if wanted.store == settings.Settings().store:
        raise SettingsError(
            f"the store {wanted.store!r} would go with the function's container; "
            "set LOGSHIP_STORE, or store in a logship.toml beside the code, to the URL of a cluster"
        )
    return settings.resolve_store(None, wanted)


@dataclass(slots=True)
class _Part:
    """What is stored at a time."""

    first: str
    """Which record it begins with."""
    events: list[LogEvent] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    characters: int = 0


class LambdaForwarder:
    """Stores the events of Lambda, one after the other.

    Args:
        writer: the store.
        prepare: makes records of events.
        keep: takes what can never be stored; returns when it is safe.
        s3: client of S3; None makes one when an object is to be read.
    """

    def __init__(
        self,
        writer: StoreWriter,
        prepare: Prepare,
        keep: Callable[[Sequence[DeadLetter]], object],
        *,
        s3: Any = None,
    ) -> None:
        self._writer, self._prepare, self._keep, self._s3 = writer, prepare, keep, s3

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        """Stores one event; see the module.

        Raises:
            LogshipError: nothing of it is stored.
        """
        records = event.get("Records")
        if isinstance(event.get("awslogs"), dict):
            return self._subscription(event["awslogs"])
        if isinstance(records, list) and all(record.get("eventSource") == "aws:kinesis" for record in records):
            return self._kinesis(records)
        if isinstance(records, list) and all(record.get("eventSource") == "aws:sqs" for record in records):
            return self._queue(records)
        raise UsageError(
            f"an event with {', '.join(sorted(event)) or 'nothing'} is none that logship.serverless.handler knows; "
            "let an event source mapping of Kinesis or SQS, or a log group's subscription filter, call it"
        )

    def _subscription(self, awslogs: dict[str, Any]) -> dict[str, Any]:
        from logship.forward.sources import subscription

        region = os.environ.get("AWS_REGION", "")  # a log group calls functions of its own region alone
        found = _decoded(awslogs.get("data"), region=region)
        part = _Part("")
        part.events = found.events
        for number, bad in enumerate(found.bad):
            # There is nothing that tells one delivery from another but what it holds.
            origin = f"{_digest(bad.data)}-{number}"
            part.letters.append(
                subscription.letter(
                    bad, group="lambda:awslogs", stream="", timestamp_ms=0, event_id=origin, region=region
                )
            )
        self._store(part)
        return {}

    def _kinesis(self, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
        failed = ""
        for number, part in enumerate(_parts(records)):
            try:
                self._store(part)
            except LogshipError as error:
                if number == 0:
                    raise
                _say(f"{error}; Lambda sends again from {part.first}")
                failed = part.first
                break
        return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}

    def _queue(self, messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
        failed: list[str] = []
        error: LogshipError | None = None
        for message in messages:
            try:
                self._objects(str(message.get("body", "")))
            except LogshipError as problem:
                error = problem
                _say(f"{error}; message {message['messageId']} goes back to its queue")
                failed.append(message["messageId"])
        if error and len(failed) == len(messages):
            raise error
        return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}

    def _objects(self, body: str) -> None:
        """Stores the objects that a message tells of."""
        from logship.cloudwatch.paging import Retry
        from logship.cloudwatch.session import open_client, open_session
        from logship.forward.sources.s3 import notice, objects

        try:
            notices = notice.read(body)
        except notice.NoNotice as error:
            raise DataError(f"a message of the queue cannot be read: {error}") from None
        if self._s3 is None and notices:
            self._s3 = open_client("s3", open_session())
        for one in filter(objects.is_log, notices):
            try:
                for events in objects.batches(objects.read(self._s3, one, Retry(tries=_TRIES))):
                    self._store(_Part(one.key, events))
            except objects.GoneError as gone:
                _say(f"{gone} has been deleted; it is left out")

    def _store(self, part: _Part) -> None:
        """Makes a part safe: its events in the store, its letters where letters go."""
        from logship.forward.pipeline import letters_of
        from logship.forward.storing import Chunk

        mark = self._prepare.mark()
        try:
            result = self._writer.add(self._prepare(part.events))
            self._writer.commit()
        except BaseException:
            self._prepare.rewind(mark)
            raise
        letters = part.letters + letters_of(Chunk([part.events], rejected=list(result.rejected)), self._prepare.clean)
        if letters:
            self._keep(letters)


def _parts(records: Iterable[dict[str, Any]]) -> Iterator[_Part]:
    """The records in parts that are small enough to be stored at once."""
    part: _Part | None = None
    for record in records:
        kinesis = record["kinesis"]
        part = part or _Part(kinesis["sequenceNumber"])
        found = _decoded(kinesis.get("data"))
        part.letters += _letters(found, record)
        part.events += found.events
        part.characters += sum(len(event.message) for event in found.events)
        if len(part.events) >= _PART_EVENTS or part.characters >= _PART_CHARACTERS:
            yield part
            part = None
    if part:
        yield part


def _letters(found: Payload, record: dict[str, Any]) -> list[DeadLetter]:
    """Letters of the same ids that `logship forward` gives them."""
    from logship.forward.sources import subscription

    kinesis = record["kinesis"]
    return [
        subscription.letter(
            bad,
            group=f"kinesis:{str(record.get('eventSourceARN', '')).rpartition('/')[2]}",
            stream=str(record.get("eventID", "")).partition(":")[0],
            timestamp_ms=int(float(kinesis.get("approximateArrivalTimestamp") or 0) * 1000),
            event_id=f"{kinesis['sequenceNumber']}-{number}",
        )
        for number, bad in enumerate(found.bad)
    ]


def _decoded(data: object, *, region: str = "") -> Payload:
    from logship.forward.sources.subscription import Payload, read
    from logship.forward.sources.unpacking import BadPayload

    text = data if isinstance(data, str) else ""
    try:
        return read(base64.b64decode(text, validate=True), region=region)
    except (binascii.Error, ValueError):
        return Payload(bad=[BadPayload("it is no base64", text.encode("utf-8", "replace"))])


def _say(line: str) -> None:
    """A line in the function's log."""
    print(f"logship: {line}", file=sys.stderr)  # noqa: T201


def _digest(data: bytes) -> str:
    from hashlib import blake2b

    return blake2b(data, digest_size=16).hexdigest()
