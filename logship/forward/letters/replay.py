"""Dead letters into the store, once what kept them out of it is mended. Doing it again changes nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from logship.errors import BusyError
from logship.forward.letters.dead_letters import pages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from logship.forward.between.prepare import Preparer
    from logship.forward.letters.dead_letters import Chosen, DeadLetter, DeadLetters
    from logship.record import LogEvent, Record
    from logship.store.port import AddResult, StoreWriter

_PAGE: Final = 1_000
_WAITS_S: Final = (1.0, 2.0, 4.0)


class Bad(Protocol):
    """A part of a payload that cannot be read."""

    @property
    def reason(self) -> str:
        """What is wrong with it."""


class Payload(Protocol):
    """What was found in a payload."""

    @property
    def events(self) -> Sequence[LogEvent]:
        """The events of it that can be read."""

    @property
    def bad(self) -> Sequence[Bad]:
        """What of it cannot."""


class ReadPayload(Protocol):
    """Finds events in a payload."""

    def __call__(self, data: bytes, /, *, region: str = "") -> Payload:
        """What is found; the region is that of its log groups, "" where it is not known."""


@dataclass(slots=True)
class Replayed:
    """What became of the letters."""

    letters: int = 0
    """How many were looked at."""
    stored: int = 0
    """Records that the store took in."""
    existing: int = 0
    """Records that were there already."""
    left_out: int = 0
    """Events that rules leave out now; they are no letters any more."""
    kept: int = 0
    """Letters that still cannot be stored, with the newest reason."""


def replay(
    letters: DeadLetters,
    writer: StoreWriter,
    prepare: Preparer,
    chosen: Sequence[Chosen],
    *,
    read_payload: ReadPayload | None = None,
    progress: Callable[[Replayed], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Replayed:
    """Prepares letters as events are prepared now, adds them, and drops those that the store has.

    A letter is dropped only once its record is committed: whenever this ends, also by force, each letter is in the
    store, or still kept, or both, and then the next replay finds it there.

    Args:
        letters: where they are kept.
        writer: the store.
        prepare: makes their records.
        chosen: which of them.
        read_payload: finds events in payloads; without it payloads stay letters.
        progress: told after every page.
        sleep: waits that many seconds for a store that takes the rest of a batch later.

    Raises:
        ConnectError, StoreError, DiskFullError: the store takes nothing; letters that it has not committed are kept.
    """
    total = Replayed()
    for page in pages(letters, chosen, size=_PAGE):
        work = [work_of(letter, prepare, read_payload) for letter in page]
        rejected = _add(writer, [record for one in work for record in one.records], total, sleep)
        writer.commit()
        _settle(letters, work, rejected, total)
        progress(total)
    return total


@dataclass(frozen=True, slots=True)
class Work:
    """One letter, and what it comes to."""

    letter: DeadLetter
    records: Sequence[Record]
    left_out: int
    """Events of it that rules leave out."""
    problem: str = ""
    """Why it stays, whatever the store says."""


def work_of(letter: DeadLetter, prepare: Preparer, read_payload: ReadPayload | None) -> Work:
    """The records that would have been stored at once, as events are prepared now; see `replay`."""
    if letter.kind == "event":
        record = prepare.alone(letter.event, identity=letter.id, continues=letter.continues)
        return Work(letter, [record] if record else [], int(record is None))
    if read_payload is None:
        return Work(letter, [], 0, letter.reason)
    event = letter.event
    payload = read_payload(event.message.encode("utf-8", "replace"), region=event.cloud.region)
    records = prepare(payload.events)
    return Work(letter, records, len(payload.events) - len(records), payload.bad[0].reason if payload.bad else "")


def _add(
    writer: StoreWriter, records: Sequence[Record], total: Replayed, sleep: Callable[[float], None]
) -> dict[str, str]:
    """Adds records, counts them, and gives the reasons of those that cannot be stored, by their ids."""
    reasons: dict[str, str] = {}

    def count(result: AddResult) -> None:
        total.stored += result.accepted
        total.existing += result.existing
        reasons.update((rejected.record.id, rejected.reason) for rejected in result.rejected)

    for wait_s in _WAITS_S:
        try:
            count(writer.add(records))
        except BusyError as error:
            count(error.so_far)
            records = error.rest
            sleep(wait_s)
        else:
            return reasons
    count(writer.add(records))
    return reasons


def _settle(letters: DeadLetters, work: Sequence[Work], rejected: Mapping[str, str], total: Replayed) -> None:
    """Drops letters whose records are committed; those that stay say why."""
    done: list[str] = []
    stay: list[tuple[str, str]] = []
    for one in work:
        reasons = [rejected[record.id] for record in one.records if record.id in rejected]
        problem = next(iter(reasons), one.problem)
        if problem:
            stay.append((one.letter.id, problem))
        else:
            done.append(one.letter.id)
        total.left_out += one.left_out
    total.letters += len(work)
    total.kept += len(stay)
    letters.explain(stay)
    letters.drop(done)
