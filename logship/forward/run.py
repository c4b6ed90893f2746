"""`logship forward`: one thread reads the groups in turn, this one parses, stores and acknowledges."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.paging import Retry, Stopped, filter_pages, list_groups
from logship.errors import DataError, LogshipError, UnknownGroupError
from logship.forward.checkpoint import Checkpoints, Position
from logship.forward.pipeline import Counts, Page, Pipeline
from logship.forward.window import Window
from logship.record import to_document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.parse import Parser
    from logship.record import LogEvent, Record
    from logship.store.port import StoreWriter

_RELIST_S: Final = 10.0
_FIRST_TRIES: Final = 4
"""Before the first answer an endpoint counts as out of reach after that many tries."""
_MOST_KNOWN: Final = 400_000
"""Event ids remembered over all groups, some 170 B each: 70 MB. The store recognises what is forgotten."""
_FEWEST_KNOWN: Final = 1_000
"""… but at least so many for each group."""


@dataclass(frozen=True, kw_only=True)
class ForwardOptions:
    """What to forward."""

    groups: Sequence[str] = ()
    """Names and patterns; none means every group."""
    start_ms: int
    """Where a group that has no checkpoint begins."""
    state: str
    """Folder of checkpoints and dead letters."""
    interval_s: float = 1.0
    """Pause between two rounds."""
    once: bool = False
    """Stop when everything that is visible now is stored."""


@dataclass(slots=True)
class ForwardStatus:
    """How far the forwarder is."""

    counts: Counts
    groups: dict[str, int] = field(default_factory=dict)
    """Position of each group, ms since 1970."""
    rounds: int = 0
    retried: int = 0


class Forwarder:
    """Reads log groups into a store until `stop` is set."""

    def __init__(
        self,
        client: Any,
        writer: StoreWriter,
        parser: Parser,
        options: ForwardOptions,
        *,
        stop: threading.Event | None = None,
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.stop = stop or threading.Event()
        self._client, self._options, self._say, self._clock = client, options, say, clock
        self._checkpoints = Checkpoints(options.state)
        self._pipeline = Pipeline(writer, self._checkpoints, parser, reject=self._dead_letter, say=say)
        self._retry = Retry(self.stop, say=say)
        self._most_known = _MOST_KNOWN
        self._open: dict[str, tuple[Position, Window]] = {}
        self._failure: BaseException | None = None
        self.status = ForwardStatus(self._pipeline.counts)

    def run(self) -> ForwardStatus:
        """Forwards until stopped, or until all is stored with `once`.

        Raises:
            ConnectError, AccessError, UnknownGroupError: before the first round.
            StoreError, DiskFullError: the store fails.
        """
        try:
            first = list_groups(self._client, self._options.groups, Retry(self.stop, tries=_FIRST_TRIES))
            reader = threading.Thread(target=self._read, args=(first,), name="logship-reader")
            reader.start()
            try:
                self._pipeline.run(self.stop)
            finally:
                self.stop.set()
                self._drain()
                reader.join()
        finally:
            self._checkpoints.close()
        if self._failure:
            raise self._failure
        return self.status

    def _drain(self) -> None:
        """Lets the reader out of a full queue after the writer has failed."""
        while not self._pipeline.pages.empty():
            self._pipeline.pages.get_nowait()

    def _read(self, groups: list[str]) -> None:
        try:
            self._rounds(groups)
        except Stopped:
            pass
        except BaseException as error:  # handed to the thread that runs the forwarder
            self._failure = error
        finally:
            self._pipeline.pages.put(None)

    def _rounds(self, groups: list[str]) -> None:
        listed = time.monotonic()
        while not self.stop.is_set():
            began = time.monotonic()
            if began - listed > _RELIST_S:
                groups, listed = self._relist(groups), began
            self._share(len(groups))
            for group in groups.copy():
                try:
                    self._round(group)
                except UnknownGroupError:
                    self._say(f"log group {group!r} is gone; what was read of it is stored")
                    groups.remove(group)
                if self.stop.is_set():
                    return
            self.status.rounds += 1
            self.status.retried = self._retry.retried
            if self._options.once:
                return
            self.stop.wait(max(0.0, self._options.interval_s - (time.monotonic() - began)))

    def _share(self, groups: int) -> None:
        """Parts the ids that are remembered among the groups, so that they are bounded together."""
        self._most_known = max(_FEWEST_KNOWN, _MOST_KNOWN // max(groups, 1))
        for _, window in self._open.values():
            window.most_known = self._most_known

    def _relist(self, groups: list[str]) -> list[str]:
        try:
            return list_groups(self._client, self._options.groups, self._retry)
        except LogshipError as error:
            self._say(str(error))
            return groups

    def _round(self, group: str) -> None:
        position, window = self._open.get(group) or self._begin(group)
        now_ms = int(self._clock() * 1000)
        start_ms, settled_ms = window.next_start_ms(now_ms), window.settled_ms
        for events in filter_pages(self._client, group, start_ms, None, self._retry):
            fresh = window.fresh(events, now_ms)
            # Pages come in order of time, so all up to the last event's has been read by now.
            window.read_up_to(events[-1].timestamp_ms if events else start_ms, start_ms=start_ms, now_ms=now_ms)
            if fresh:
                self._hand_over(position, window, fresh)
            if self.stop.is_set():
                return
        window.read_all(start_ms=start_ms, now_ms=now_ms)
        if window.settled_ms != settled_ms:
            self._hand_over(position, window, [])
        self.status.groups[group] = window.position_ms

    def _hand_over(self, position: Position, window: Window, fresh: list[tuple[LogEvent, bytes]]) -> None:
        page = Page(position, fresh, window.position_ms, window.lateness_ms, window.settled_ms, window.horizon_ms)
        self._pipeline.pages.put(page)

    def _begin(self, group: str) -> tuple[Position, Window]:
        position = self._checkpoints.open(group, self._options.start_ms)
        window = Window(
            position.position_ms,
            position.lateness_ms,
            self._checkpoints.seen(position, self._most_known),
            position.settled_ms,
            position.first_ms,
            self._most_known,
        )
        self._open[group] = position, window
        return position, window

    def _dead_letter(self, record: Record, reason: str) -> None:
        """A record that the store can never take is kept beside the checkpoints."""
        line = json.dumps({"reason": reason, "record": to_document(record)}, default=str)
        path = Path(self._options.state) / "dead-letters.ndjson"
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise DataError(f"{str(path)!r} cannot be written: {error.strerror}; nothing was acknowledged") from error
