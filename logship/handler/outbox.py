"""What the sender has in its hands: records taken from the backlog, redacted, and cut into batches until delivered."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from logship.handler.batch import Batch, pieces
from logship.handler.streams import END, divided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from logship.handler.backlog import Backlog
    from logship.handler.batch import Event
    from logship.handler.spool.files import Files
    from logship.handler.spool.segment import Segment

_CHUNK_RECORDS: Final = 100
"""Redacted together, between two calls of `pace`."""
_NOT_LAST: Final = 0
_OWN: Final = -1

Owner = int
"""Whose record ends with a held event: `_OWN`, a recovered one's end in its file, or `_NOT_LAST` of several pieces."""


@dataclass(slots=True)
class _Held:
    """Records of one stream, one after the other, that are in hand and in no round yet."""

    stream: str
    """"" is the process's own."""
    events: list[Event]
    owners: list[Owner]


class Round(NamedTuple):
    """What is sent before the next is taken in hand."""

    batches: dict[str, Batch]
    """By stream; "" is the process's own."""
    records: int
    """Of this process, how many end in it."""


class Outbox:
    """Gives batches, oldest record first; what dead processes left comes before what waits.

    Args:
        backlog: this process's records.
        files: those of dead processes; None where there are none.
        redact: takes secrets out of lines; gives back the same object for a line that has none.
        max_batch_bytes, max_batch_events, max_message_bytes: the limits of a call.
        pace: called between two steps that take less than a millisecond.
    """

    def __init__(
        self,
        backlog: Backlog,
        files: Files | None,
        redact: Callable[[Sequence[str]], Sequence[str]] | None,
        *,
        max_batch_bytes: int,
        max_batch_events: int,
        max_message_bytes: int,
        pace: Callable[[], None] = lambda: None,
    ) -> None:
        self._backlog, self._files, self._redact, self._pace = backlog, files, redact, pace
        self._max_batch = (max_batch_bytes, max_batch_events)
        self._max_message_bytes = max_message_bytes
        self._held: deque[_Held] = deque()
        self._round_owners: list[Owner] = []
        self._left: deque[Segment] = deque()
        """Of dead processes."""
        self._current: Segment | None = None
        """The one that is being sent; the next is begun when all of it is delivered."""
        self._reading: Iterator[Event | None] | None = None
        self._ends: deque[int] = deque()
        self.recovered = 0
        self.corrupt = 0

    def look_for_left(self) -> bool:
        """Adopts what dead processes have left; whether there is any."""
        if self._files is not None and not self._left:
            self._left.extend(self._files.adopt())
        return bool(self._left or self._current)

    def next_round(self) -> Round:
        """Events for one call, or for one a stream where there are several: together about what one may hold."""
        batches: dict[str, Batch] = {}
        owners = self._round_owners
        owners.clear()
        left_bytes = self._max_batch[0]
        while left_bytes > 0 and (self._held or self._fill()):
            held = self._held[0]
            batch = batches.get(held.stream)
            if batch is None:
                batch = batches[held.stream] = Batch(*self._max_batch)
            left_bytes += batch.size_bytes
            taken = batch.extend(held.events)
            left_bytes -= batch.size_bytes
            owners += held.owners[:taken]
            if taken < len(held.events):
                del held.events[:taken], held.owners[:taken]
                break
            self._held.popleft()
        return Round({stream: batch for stream, batch in batches.items() if batch.events}, owners.count(_OWN))

    def prepare(self) -> None:
        """Takes as much into hand as the next round may need, while this one is on its way."""
        held, held_bytes = 0, 0
        while True:
            held_bytes += sum(len(line) for one in islice(self._held, held, None) for _at, line in one.events)
            held = len(self._held)
            if held_bytes >= self._max_batch[0] or not self._fill():
                return

    def delivered(self) -> None:
        """The last round is delivered, or refused for good."""
        own = self._round_owners.count(_OWN)
        ends = [owner for owner in self._round_owners if owner > 0]
        self._round_owners.clear()
        if own:
            self._backlog.acknowledge(own)
        if ends and self._current is not None:
            self.recovered += len(ends)
            self._current.delivered(ends[-1])
        self._end_current()

    def disown(self) -> None:
        """A forked child lets go of files that the parent has adopted."""
        for segment in (*self._left, *([self._current] if self._current else [])):
            segment.close(remove=False)
        self._left.clear()
        self._current = None

    def _fill(self) -> bool:
        """Takes some records into hand; False when there are none."""
        self._pace()
        before = len(self._held)
        while self._current is not None or self._left:
            self._fill_from_left()
            if len(self._held) > before:
                return True
            if self._current is not None:  # all of it is in hand or on its way; the next file waits for that
                break
        taken = self._backlog.take(_CHUNK_RECORDS)
        self._hold(taken, [_OWN] * len(taken))
        return bool(taken)

    def _fill_from_left(self) -> None:
        if self._current is None and self._left:
            self._current = self._left.popleft()
            self._reading = self._rest_of(self._current)
        if self._reading is None:
            return
        taken, ends = [], []
        for event in self._reading:
            if event is None:
                self.corrupt += 1
                continue
            taken.append(event)
            ends.append(self._ends.popleft())
            if len(taken) == _CHUNK_RECORDS:
                break
        else:
            self._reading = None
        self._hold(taken, ends)
        self._end_current()

    def _end_current(self) -> None:
        """Deletes the dead process's file when nothing of it is left to deliver."""
        in_hand = chain(self._round_owners, *(held.owners for held in self._held))
        if self._current is not None and self._reading is None and not any(owner > 0 for owner in in_hand):
            self._current.close(remove=True)
            self._current = None

    def _rest_of(self, segment: Segment) -> Iterator[Event | None]:
        for found in segment.rest():
            if found is None:
                yield None
            else:
                self._ends.append(found.end)
                yield found.timestamp_ms, found.line

    def _hold(self, events: list[Event], owners: list[Owner]) -> None:
        """Takes records into hand, in their order: what is delivered is always the oldest."""
        if not any(END in line for _at, line in events):
            self._hold_run("", events, owners)
            return
        named = [(*divided(line), at, owner) for (at, line), owner in zip(events, owners, strict=True)]
        for stream, run in groupby(named, key=itemgetter(0)):
            of_stream = [*run]
            self._hold_run(
                stream, [(at, line) for _, line, at, _ in of_stream], [owner for _, _, _, owner in of_stream]
            )

    def _hold_run(self, stream: str, events: list[Event], owners: list[Owner]) -> None:
        events = self._clean(events)
        if any(len(line) > self._max_message_bytes for _at, line in events):
            events, owners = self._cut(events, owners)
        if events:
            self._held.append(_Held(stream, events, owners))

    def _cut(self, events: list[Event], owners: list[Owner]) -> tuple[list[Event], list[Owner]]:
        """The same with oversize lines in pieces."""
        cut: list[Event] = []
        of_them: list[Owner] = []
        for (at, line), owner in zip(events, owners, strict=True):
            parts = pieces(line, self._max_message_bytes)
            cut += [(at, part) for part in parts]
            of_them += [_NOT_LAST] * (len(parts) - 1) + [owner]
        return cut, of_them

    def _clean(self, events: list[Event]) -> list[Event]:
        if self._redact is None or not events:
            return events
        texts = [line.decode("utf-8", "replace") for _at, line in events]
        clean = self._redact(texts)
        if clean is texts:
            return events
        return [
            event if new is old else (event[0], new.encode())
            for event, old, new in zip(events, texts, clean, strict=True)
        ]
