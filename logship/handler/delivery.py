"""The way from the application's threads to CloudWatch: one bounded backlog, one daemon thread, its counters.

Memory: at most `queue_bytes`, and one batch under way (its lines as bytes, as text and as the request, about 4 MiB).
"""

from __future__ import annotations

import _thread
import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from logship.handler import exits, forks
from logship.handler.backlog import Backlog, Overflow
from logship.handler.pace import Pace
from logship.handler.spool.files import Files
from logship.handler.stats import Stats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from logship.handler.batch import Event
    from logship.handler.outbox import Outbox
    from logship.handler.sender import Sender

SENDER_THREADS: Final[set[int]] = set()
"""Idents of every sender's thread in this process: what is logged there is never fed back."""
forks.in_child(SENDER_THREADS.clear)  # a child's own threads may have the same

_POLL_SECONDS: Final = 0.005
_COMPLAIN_EVERY_SECONDS: Final = 60.0
_MIN_PAUSE_SECONDS: Final = 0.02
_FIRST_PAUSE_SECONDS: Final = 0.001
"""The thread sleeps so long before it begins, so that whoever put the first record goes on at once."""
_FORKING_SECONDS: Final = 3.0
"""Longer than a master of uWSGI takes from loading the application to forking its workers."""
_FORKING_POLL_SECONDS: Final = 0.1
_LOCK_SECONDS: Final = 1.0
"""Far longer than the sender's thread, or another caller, ever holds the backlog's lock."""
_PRESSED_MS: Final = 5_000
"""A record that waits longer for its turn says that the sender does not keep up."""
_LOOK_EVERY_SECONDS: Final = 10.0
"""So often this process looks for what dead ones have left."""


class HeldBack(Protocol):
    """Lines that are put later than they were logged; asked by several threads, and in signal handlers."""

    left_out: int

    def ended(self, *, all_of_them: bool = False) -> list[Event]:
        """Lines whose time has come, or all that there are; each is given once."""
        ...

    def after_fork(self) -> None:
        """In a child: forget what the parent will send."""
        ...


class Delivery:
    """Takes lines, sends them in the background, and answers for what became of them.

    Args:
        group: log group name.
        stream: gives the log stream name, asked once in each process, since it may hold the process id.
        options: the other fields of `sender.Destination`, which is not imported before the thread runs.
        queue_bytes, overflow, block_timeout: see `Backlog`.
        send_interval: longest time in seconds that a record waits for company.
        max_batch_bytes, max_batch_events, max_message_bytes: cut smaller than CloudWatch asks.
        spool: folder of the queue's files; None keeps the queue in memory.
        emf_service: writes the counters into the stream each minute, for that service; None does not.
        held_back: lines that come later, such as the counts of bursts; asked each `send_interval` and at each flush.
        redact: makes what takes secrets out of lines, in the sender's thread; None sends lines as they are.
    """

    def __init__(
        self,
        *,
        group: str,
        stream: Callable[[], str],
        options: Mapping[str, Any],
        queue_bytes: int,
        overflow: Overflow,
        block_timeout: float,
        send_interval: float,
        max_batch_bytes: int,
        max_batch_events: int,
        max_message_bytes: int,
        spool: Path | None = None,
        emf_service: str | None = None,
        held_back: HeldBack | None = None,
        redact: Callable[[], Callable[[Sequence[str]], Sequence[str]]] | None = None,
    ) -> None:
        self.group, self._stream, self._options = group, stream, dict(options)
        self._queue = (queue_bytes, overflow, block_timeout)
        self._send_interval = send_interval
        self._limits = {
            "max_batch_bytes": max_batch_bytes,
            "max_batch_events": max_batch_events,
            "max_message_bytes": max_message_bytes,
        }
        self._spool, self._make_redact, self._emf_service = spool, redact, emf_service
        self._held_back = held_back
        self._forked = False
        self._pace = Pace(self._is_pressed)
        self._begin()
        self.backlog.prepare()
        exits.watch(self)
        if forks.is_uwsgi_master() or forks.is_importing_for_parent():
            self._recovering = False  # its workers look for it, or its parent
        elif self._recovering:
            self._start()

    def _begin(self) -> None:
        """Everything that belongs to one process."""
        self._files = None if self._spool is None else Files(self._spool, self._queue[0], self._complain)
        self.backlog = Backlog(*self._queue, self._files)
        self._outbox: Outbox | None = None
        self._recovering = self._files is not None and self._files.has_others()
        """Whether dead processes may have left something that is not sent yet."""
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        self._sent = self._rejected = self._retried = self._abandoned = 0
        self._last_error = ""
        self._waiters = 0
        self._closing = False
        self._oldest_ms = 0
        self._said_trouble = False
        self._last_complaint = float("-inf")

    def after_fork(self) -> None:
        """In the child: what was queued is the parent's to send."""
        self._forked = True
        self.backlog.disown()
        if self._outbox is not None:
            self._outbox.disown()
        if self._held_back is not None:
            self._held_back.after_fork()
        self._begin()

    def put(self, timestamp_ms: int, line: bytes) -> None:
        """Queue one line; never waits, except for the policy "block"."""
        backlog = self.backlog
        if not backlog.put(timestamp_ms, line):
            self._complain("the queue is full, records are being dropped")
        if backlog.trouble and not self._said_trouble:
            self._say_trouble()
        if self._thread is None:
            self._start()

    def flush(self, timeout: float) -> bool:
        """Wait until everything put before is delivered.

        Does not wait while the calling thread holds logging's own lock (as dictConfig does when it closes
        handlers), since the sender needs that lock; the sender goes on by itself.

        Returns:
            Whether everything was delivered, or refused for good, within so many seconds.
        """
        forks.check()
        self._put_held_back(all_of_them=True)
        target = self.backlog.put_count - self.backlog.dropped_oldest
        if self._is_done(target):
            return True
        if self._thread is None:
            self._start()
        self._waiters += 1
        try:
            self.backlog.wake.set()
            deadline = time.monotonic() + (0 if holds_logging_lock() else timeout)
            while not self._is_done(target):
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                time.sleep(min(_POLL_SECONDS, left))
            return True
        finally:
            self._waiters -= 1

    def close(self) -> None:
        """Let the thread end once the backlog is delivered; a later `put` starts a new one."""
        self._put_held_back(all_of_them=True)
        self._closing = True
        self.backlog.wake.set()

    def abandon(self) -> None:
        """The process ends: say what it could not deliver, and leave to the next what lies in files."""
        stats = self.stats()
        lost = max(0, stats.queued - stats.spooled)
        self._last_complaint = float("-inf")
        if lost and not self._abandoned:
            self._abandoned = lost
            self._complain(f"{lost} records were not delivered before the process ended")
        elif stats.spooled:
            self._complain(f"{stats.spooled} records wait in {self._spool} for the next process of the service")
        if not stats.queued:
            self.backlog.let_go(_LOCK_SECONDS)

    def stats(self) -> Stats:
        """The counters now."""
        backlog, outbox = self.backlog, self._outbox
        done = self._sent + self._rejected
        queued = max(0, backlog.put_count - backlog.dropped_oldest - done - self._abandoned)
        return Stats(
            queued=queued,
            sent=self._sent,
            retried=self._retried,
            spooled=backlog.spooled,
            dropped=backlog.dropped + self._abandoned,
            rejected=self._rejected,
            recovered=outbox.recovered if outbox else 0,
            corrupt=outbox.corrupt if outbox else 0,
            left_out=self._held_back.left_out if self._held_back else 0,
            lag_seconds=max(0.0, time.time() - self._oldest_ms / 1000) if self._oldest_ms else 0.0,
            last_error=self._last_error,
        )

    def _put_held_back(self, *, all_of_them: bool = False) -> None:
        if self._held_back is not None:
            for timestamp_ms, line in self._held_back.ended(all_of_them=all_of_them):
                self.put(timestamp_ms, line)

    def _is_done(self, target: int) -> bool:
        if self._recovering:
            return False
        done = self._sent + self._rejected
        return done >= target or done >= self.backlog.put_count - self.backlog.dropped_oldest

    # The sender's thread.

    def _start(self) -> None:
        with self._start_lock:
            if self._thread is not None:
                return
            self._closing = False
            thread = threading.Thread(target=self._run, name="logship-sender", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is ending and starts no threads any more
                return
            self._thread = thread
        exits.thread_started()

    def _run(self) -> None:
        ident = _thread.get_ident()
        SENDER_THREADS.add(ident)
        try:
            self._send_until_closed()
        finally:
            SENDER_THREADS.discard(ident)
            self._thread = None
            if len(self.backlog):  # put while this thread was ending
                self._start()

    def _send_until_closed(self) -> None:
        sender: Sender | None = None
        self._let_others_begin()
        self.backlog.warm(self._pace)
        outbox = self._outbox = self._outbox or self._load_outbox()
        next_look_s = time.monotonic()
        if self._emf_service is not None:
            with exits.importing():
                from logship.handler.metrics import EVERY_S, emf_line
            self._emf_due_s, before = time.monotonic() + EVERY_S, None
        while True:
            if not self._closing:
                self.backlog.rest()
                self.backlog.wake.wait(self._send_interval)
            self.backlog.tend(self._pace)
            self._put_held_back()
            if self._emf_service is not None and time.monotonic() >= self._emf_due_s:
                stats = self.stats()
                self.backlog.put(int(time.time() * 1000), emf_line(stats, before, self._emf_service))
                self._emf_due_s, before = time.monotonic() + EVERY_S, stats
            if time.monotonic() >= next_look_s:
                next_look_s = time.monotonic() + _LOOK_EVERY_SECONDS
                self._recovering = outbox.look_for_left()
            while True:
                batches, records = outbox.next_round()
                if not batches:
                    break
                sender = sender or self._load_sender()
                self._oldest_ms = next(iter(batches.values())).events[0][0]
                rejected = sum(sender.deliver(batch.chronological(), stream) for stream, batch in batches.items())
                outbox.delivered()
                self.backlog.tend(self._pace)  # before whoever waits for the count may end the process
                self._count(records, min(records, rejected))
            self._oldest_ms = 0
            self._recovering = False
            if self._closing:
                self.backlog.let_go()
                return

    def _let_others_begin(self) -> None:
        """The application goes on, and a master of uWSGI forks its workers, before the first work of this thread."""
        until_s = time.monotonic() + (_FORKING_SECONDS if forks.is_uwsgi_master() else 0.0)
        time.sleep(_FIRST_PAUSE_SECONDS)
        while time.monotonic() < until_s and not (self._closing or self._waiters):
            time.sleep(_FORKING_POLL_SECONDS)

    def _count(self, records: int, rejected: int) -> None:
        if rejected:
            self._complain(f"CloudWatch refused {rejected} records")
        else:
            self._last_error = ""
        self._rejected += rejected
        self._sent += records - rejected

    def _load_outbox(self) -> Outbox:
        with exits.importing():
            from logship.handler.outbox import Outbox

            redact = self._make_redact() if self._make_redact is not None else None
        return Outbox(self.backlog, self._files, redact, **self._limits, pace=self._pace)

    def _load_sender(self) -> Sender:
        attempt = 0
        while True:
            try:
                with exits.importing():
                    return self._make_sender()
            except Exception as error:  # no region, no such profile: the application may run on, and say it later
                self._failed(f"{type(error).__name__}: {error}")
                self._pause(min(10.0, 0.2 * 2 ** min(attempt, 10)))
                attempt += 1

    def _make_sender(self) -> Sender:
        from logship.handler.sender import Destination, Sender

        if self._forked and self._options["client"] is not None:
            self._options["client"].close()  # the parent's sockets; the client opens its own
        destination = Destination(group=self.group, stream=self._stream(), **self._options)
        return Sender(
            destination,
            pause=self._pause,
            pace=self._pace,
            meanwhile=self._prepare_next,
            hurried=self._is_hurried,
            on_failure=self._failed,
        )

    def _pause(self, seconds: float) -> None:
        self.backlog.tend(self._pace)
        time.sleep(min(seconds, _MIN_PAUSE_SECONDS))
        if seconds > _MIN_PAUSE_SECONDS:
            self.backlog.wake.wait(seconds - _MIN_PAUSE_SECONDS)

    def _prepare_next(self) -> None:
        if self._outbox is not None:
            self._outbox.prepare()

    def _is_hurried(self) -> bool:
        return self._waiters > 0

    def _is_pressed(self) -> bool:
        """Whether keeping up is more urgent than leaving the interpreter to others."""
        if self._waiters or self.backlog.size_bytes > self._queue[0] // 4:
            return True
        is_own = self._oldest_ms and not self._recovering
        return bool(is_own and time.time() * 1000 - self._oldest_ms > _PRESSED_MS)

    def _failed(self, error: str) -> None:
        self._retried += 1
        self._last_error = error
        self._complain(f"lines do not get through and wait in {self._spool if self.backlog.spooled else 'memory'}")

    def _say_trouble(self) -> None:
        """Once: the queue's files cannot be used, and what survives the process is less than was asked for."""
        self._said_trouble = True
        self._last_complaint = float("-inf")
        self._complain(
            f"the queue is kept in memory, since {self._spool} cannot be used: {self.backlog.trouble}; "
            "name another folder as spool, or None"
        )

    def _complain(self, what: str) -> None:
        """One line on stderr, at most one a minute: logging must not be used to say that logging fails."""
        now = time.monotonic()
        if now - self._last_complaint < _COMPLAIN_EVERY_SECONDS or not logging.raiseExceptions:
            return
        self._last_complaint = now
        because = f" ({self._last_error})" if self._last_error else ""
        try:
            print(f"logship: {self.group}: {what}{because}", file=sys.stderr)  # noqa: T201
        except (OSError, ValueError, AttributeError):  # stderr is closed, or the process has none
            return


def holds_logging_lock() -> bool:
    """Whether the calling thread holds the lock of the logging module."""
    owned = getattr(getattr(logging, "_lock", None), "_is_owned", None)
    return bool(owned and owned())
