"""The source: a few threads read all shards of a stream that are this process's, each shard by one at a time."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.backoff import REFUSED_S, is_said
from logship.cloudwatch.client import code_of, is_denied, is_retriable, translate
from logship.cloudwatch.paging import Retry
from logship.errors import ConnectError, LogshipError, Stopped, UsageError
from logship.forward.checkpoints.port import SAVED_LATER, LeaseLost
from logship.forward.outside.status import SourceStatus
from logship.forward.sources.kinesis.due import Due
from logship.forward.sources.kinesis.place import Place, loads
from logship.forward.sources.kinesis.shard import Shard
from logship.forward.sources.kinesis.stream import Listed, Stream
from logship.forward.storing import LETTERS, ONCE_S, Patience
from logship.forward.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship.forward.checkpoints.port import Checkpoints
    from logship.forward.letters.dead_letters import DeadLetter
    from logship.forward.port import Batch
    from logship.forward.sources.kinesis.consumed import Consumed

_THREADS: Final = 4
_TRIES: Final = 4
"""A listing that fails so often has failed: the first one ends the start, later ones leave the shards as they are."""
_LOOK_S: Final = 0.1


class KinesisSource:
    """Reads a data stream that subscription filters write to; see the port.

    Args:
        client: of Kinesis, which tries each request once.
        checkpoints: where reading stands, a key a shard.
        wanted: what to read.
        keep: takes payloads that cannot be read; returns when they are safe. No room for them now is waited for.
        say: told what people should know, a line each.
    """

    def __init__(
        self,
        client: Any,
        checkpoints: Checkpoints,
        wanted: Consumed,
        *,
        keep: Callable[[Sequence[DeadLetter]], object],
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._stream = Stream(client, wanted.stream)
        self.name = f"kinesis {wanted.account + ' ' if wanted.account else ''}{self._stream.name}"
        self.retried = 0
        self._checkpoints, self._wanted, self._keep, self._say = checkpoints, wanted, keep, say
        self._prefix = f"kinesis/{wanted.account}/{client.meta.region_name}/{self._stream.name}"
        self._first: dict[str, Place] = {}
        """Where the shards of the first run begin; every other one follows on what was read, and is read whole."""
        self._shards: dict[str, Shard] = {}
        self._finished: dict[str, Place] = {}
        """Where shards ended of which all is stored, by name."""
        self._unlisted = Trouble(say, "meanwhile the shards that are known are read")
        self._unsaved = Trouble(say, SAVED_LATER)
        self._denied = Trouble(say, "it is tried again every 5 minutes, other sources go on")
        self._saving = threading.Lock()
        self._ours: set[str] = set()
        """Keys that are this process's, as of the last look."""
        self._is_listed = False
        self._due = Due()
        self._look = threading.Event()
        self._began_s = 0.0
        self._saved_s = float("-inf")
        self._failure: BaseException | None = None

    @property
    def lags_ms(self) -> dict[str, int]:
        """How far behind the newest record the shards of this process are, by name, as of their last page."""
        return {shard.name: shard.lag_ms for shard in list(self._shards.values()) if shard.lag_ms is not None}

    def describes(self) -> SourceStatus:
        """How its shards are doing."""
        lag_ms = max(self.lags_ms.values(), default=None)
        return SourceStatus(
            name=self.name,
            ready=self._is_listed,
            retried=self.retried,
            lag_s=None if lag_ms is None else lag_ms / 1000,
        )

    def run(self, deliver: Callable[[Batch], None], stop: threading.Event) -> None:
        """Reads until stopped, or with `once` until what was there at the start is read.

        Raises:
            ConnectError, AccessError, UsageError: the stream cannot be read.
            DataError: a checkpoint cannot be.
        """
        self._began_s = time.monotonic()
        ended = threading.Event()  # ends the threads of this source; `stop` ends everything
        listed = self._stream.shards(Retry(stop, tries=_TRIES))
        if not any(self._checkpoints.load(self._key(shard.name)) for shard in listed):
            self._first = {shard.name: Place(start_ms=self._wanted.start_ms) for shard in listed}
        self._open(listed)
        self._is_listed = True
        work = (deliver, self._insisting(ended), ended)
        threads = [
            threading.Thread(target=self._work, args=work, name=f"logship-kinesis-{number}", daemon=True)
            for number in range(_THREADS)
        ]
        for thread in threads:
            thread.start()
        try:
            self._tend(listed, stop, ended)
        finally:
            ended.set()
            self._due.end()
            for thread in threads:
                thread.join()
        if self._failure:
            raise self._failure

    def save(self, *, now: bool = False) -> None:
        """Keeps the places of the shards that have moved; see the port."""
        if now or not self._checkpoints.save_interval_s:  # else it takes its time, and `_tend` does it
            self._save_all(last=now)

    def _save_when_due(self) -> None:
        """Where saving takes its time: not in the thread that stores, in which other sources would wait for it."""
        interval_s = self._checkpoints.save_interval_s
        if interval_s and time.monotonic() - self._saved_s >= interval_s:
            self._saved_s = time.monotonic()
            self._save_all()

    def _save_all(self, *, last: bool = False) -> None:
        try:
            for shard in list(self._shards.values()):
                self._save(shard)
        except ConnectError as error:
            if last and self._wanted.once:  # there is no later
                raise
            self._unsaved.met(error)

    def _save(self, shard: Shard) -> None:
        """Keeps the place of a shard, if it has moved."""
        with self._saving:
            place = shard.to_save()
            if place is None:
                return
            try:
                shard.saved(place, self._checkpoints.save(self._key(shard.name), place.dumps(), shard.version))
            except LeaseLost:
                self._let_go(shard)
                return
            self._unsaved.over()
        if place.ended:
            self._finished[shard.name] = place
            self._let_go(shard)
            self._look.set()

    def _key(self, shard: str) -> str:
        return f"{self._prefix}:{shard}"

    def _tend(self, listed: list[Listed], stop: threading.Event, ended: threading.Event) -> None:
        """Saves, looks for new shards, and whether all is done, until the end."""
        next_list_s = time.monotonic() + self._wanted.list_interval_s
        while not ended.is_set() and not stop.wait(_LOOK_S):
            self._save_when_due()
            if self._look.is_set() or time.monotonic() >= next_list_s:
                next_list_s = time.monotonic() + self._wanted.list_interval_s
                self._look.clear()
                try:
                    listed = self._relisted(listed, stop)
                except Stopped:
                    return
                try:
                    self._open(listed)
                except ConnectError as error:  # checkpoints are out of reach; the next look tries again
                    self._unsaved.met(error)
            elif self._wanted.once and self._is_done(listed):
                return

    def _relisted(self, listed: list[Listed], stop: threading.Event) -> list[Listed]:
        """The shards of now; those that were listed before where that cannot be known."""
        try:
            found = self._stream.shards(Retry(stop, tries=_TRIES))
        except LogshipError as error:
            if self._wanted.once and not isinstance(error, ConnectError):
                raise
            if isinstance(error, UsageError):  # there is no such stream: its shards may be other ones next
                self._finished.clear()
            self._unlisted.met(error)
            return [replace(shard, is_open=False) for shard in listed]  # by now, perhaps
        self._unlisted.over()
        return found

    def _is_done(self, listed: Sequence[Listed]) -> bool:
        """Whether this process's shards are read up to where they stood at the start."""
        for shard in listed:
            if self._key(shard.name) not in self._ours or self._has_finished(shard):
                continue
            held = self._shards.get(shard.name)
            if held is None or not held.caught_up:
                return False
        return True

    def _open(self, listed: Sequence[Listed]) -> None:
        """Begins to read the shards that are this process's and whose parents are finished; lets others go."""
        names = {shard.name: shard for shard in listed}
        unfinished = [self._key(shard.name) for shard in listed if not self._has_finished(shard)]
        ours = self._ours = self._checkpoints.share(unfinished)
        for shard in listed:
            held = self._shards.get(shard.name)
            is_ours = self._key(shard.name) in ours
            if held and not is_ours:
                self._give_back(held)
            elif held and not shard.has(held.read):
                self._let_go(held)
            elif is_ours and not held and all(self._is_finished(names.get(parent)) for parent in shard.parents):
                self._begin(shard)
        for held in [held for held in list(self._shards.values()) if held.name not in names]:
            if not held.read.ended:
                self._say(
                    f"Kinesis stream {self._stream.name!r}, {held.name} is no longer listed: its records have expired, "
                    "and what was not read of them is lost"
                )
            self._let_go(held)

    def _has_finished(self, shard: Listed) -> bool:
        """Whether all of a shard is stored. A listing may not know yet that one has ended of which nothing was read."""
        place = self._finished.get(shard.name)
        return place is not None and (not place.after or shard.has(place))

    def _is_finished(self, parent: Listed | None) -> bool:
        """Whether all of a parent is stored; one that is no longer listed has expired with its records."""
        if parent is None or self._has_finished(parent):
            return True
        key = self._key(parent.name)
        if (found := self._checkpoints.load(key)) and (place := loads(found[0], key)).ended:
            self._finished[parent.name] = place
        return self._has_finished(parent)

    def _begin(self, shard: Listed) -> None:
        """Begins to read a shard at its checkpoint.

        One without gets it now, so that it is known to be no new one, and so does one whose checkpoint is of a stream
        that was there before: that one would have us wait for records that are never read.
        """
        key = self._key(shard.name)
        found = self._checkpoints.load(key)
        place, version = (loads(found[0], key), found[1]) if found else (self._first.get(shard.name, Place()), 0)
        is_of_another = not shard.has(place)
        if is_of_another:
            place = Place()
        if not found or is_of_another:
            try:
                version = self._checkpoints.save(key, place.dumps(), version)
            except LeaseLost:
                return
        if is_of_another:
            self._say(
                f"Kinesis stream {self._stream.name!r}, {shard.name} is not the shard that its checkpoint names: the "
                "stream was deleted and made anew; it is read from its oldest record"
            )
        if place.ended:
            self._finished[shard.name] = place
            return
        begun = self._shards[shard.name] = Shard(shard.name, self._stream.name, place, version)
        self._due.put(begun)

    def _give_back(self, shard: Shard) -> None:
        """Another process has asked for a shard: it goes on where this one stands, and has not to wait for it."""
        with suppress(ConnectError):  # else it reads from the last save on
            self._save(shard)
        self._let_go(shard)
        self._checkpoints.release(self._key(shard.name))

    def _let_go(self, shard: Shard) -> None:
        shard.closed = True
        if self._shards.get(shard.name) is shard:
            self._shards.pop(shard.name, None)

    def _insisting(self, ended: threading.Event) -> Callable[[Sequence[DeadLetter]], object]:
        """What keeps payloads, however often that has to be tried: their shard does not move past them before."""
        patience = Patience(ended, self._say, longest_s=ONCE_S if self._wanted.once else float("inf"), of=LETTERS)

        def keep(letters: Sequence[DeadLetter]) -> None:
            patience.insist(lambda: self._keep(letters))
            patience.over()

        return keep

    def _work(
        self,
        deliver: Callable[[Batch], None],
        keep: Callable[[Sequence[DeadLetter]], object],
        ended: threading.Event,
    ) -> None:
        try:
            while (shard := self._due.take()) is not None:
                if not shard.closed:
                    self._page(shard, deliver, keep)
        except Stopped:
            pass
        except BaseException as error:  # handed to the thread that runs the source
            self._failure = self._failure or error
        finally:
            ended.set()
            self._due.end()

    def _page(
        self,
        shard: Shard,
        deliver: Callable[[Batch], None],
        keep: Callable[[Sequence[DeadLetter]], object],
    ) -> None:
        """Fetches a shard's next page and delivers what is in it."""
        from botocore.exceptions import BotoCoreError, ClientError

        called_s = time.monotonic()
        try:
            if shard.iterator is None:
                shard.iterator = self._stream.iterator(shard.name, shard.read)
            page = self._stream.page(shard.iterator, shard.limit)
        except (BotoCoreError, ClientError) as error:
            self._failed(shard, error)
            return
        shard.failures = 0
        self._denied.over()
        pause_s = shard.pace(page, self._wanted.interval_s)
        for batch in shard.batches(page, keep):
            deliver(batch)
        shard.iterator = page.get("NextShardIterator")
        if shard.iterator is None:
            self._look.set()
            return
        # Read up to `lag` before the call: that is behind the start once as much time has passed since.
        shard.caught_up = shard.caught_up or (shard.lag_ms or 0) / 1000 <= called_s - self._began_s
        self._due.put(shard, called_s + pause_s)

    def _failed(self, shard: Shard, error: Exception) -> None:
        """Puts the shard off, begins it anew where it stands, or lets it go.

        Raises:
            LogshipError: nothing can be read any more.
        """
        code = code_of(error)
        what = f"Kinesis stream {self._stream.name!r}, {shard.name}"
        if code == "ExpiredIteratorException":
            shard.iterator = None
            self._due.put(shard)
        elif is_retriable(error):
            self._put_off(shard, translate(error, what))
        elif is_denied(error) and not self._wanted.once:
            needs = self._stream.needs(getattr(error, "operation_name", ""))
            self._denied.met(translate(error, f"Kinesis stream {self._stream.name!r}", needs=needs))
            self._due.put(shard, time.monotonic() + REFUSED_S)
        elif code == "InvalidArgumentException" and shard.iterator:
            shard.iterator = None  # of a stream of the same name that was there before, perhaps
            self._put_off(shard, translate(error, what))
        elif code == "InvalidArgumentException" and shard.iterator is None and shard.read.after:
            self._say(
                f"{what} no longer has the record {shard.read.after!r} that its checkpoint names; "
                "it is read from its oldest record, and what expired before that is lost"
            )
            shard.read = Place()
            self._due.put(shard)
        elif code == "ResourceNotFoundException":
            # The shard has expired, or the stream is gone; the listing tells.
            self._let_go(shard)
            if not self._unlisted.reason:  # else the next listing is soon enough
                self._look.set()
        else:
            raise translate(error, what) from error

    def _put_off(self, shard: Shard, error: LogshipError) -> None:
        self.retried += 1
        wait_s = shard.back_off()
        if is_said(shard.failures):
            self._say(f"{error}; trying again")
        self._due.put(shard, time.monotonic() + wait_s)
