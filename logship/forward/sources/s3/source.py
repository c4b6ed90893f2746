"""The source: takes messages from the queue, reads the objects they tell of, and deletes them once all is stored."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.backoff import REFUSED_S
from logship.cloudwatch.paging import Retry
from logship.errors import AccessError, LogshipError
from logship.forward.outside.status import SourceStatus
from logship.forward.port import Batch
from logship.forward.sources.s3 import notice, objects
from logship.forward.sources.s3.queue import WAIT_S, Queue
from logship.forward.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.forward.sources.s3.notice import Notice
    from logship.forward.sources.s3.queue import Message

_TRIES: Final = 4
_EMPTY_ANSWERS: Final = 2
"""With `once`, so many answers without messages end the reading: one may miss a few."""
_LAST_WAIT_S: Final = 1
_MOST_SAID: Final = 10_000


class S3Source:
    """Reads the objects that a queue tells of, one after the other; see the port.

    What such objects hold has no event ids, so a log group comes this way or another, never by two.

    Args:
        s3: client of S3, which tries each request once.
        sqs: client of SQS, which does too.
        queue: URL of the queue.
        once: end when the queue is empty.
        say: told what people should know, a line each.
    """

    def __init__(
        self,
        s3: Any,
        sqs: Any,
        queue: str,
        *,
        once: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._s3, self._once, self._say = s3, once, say
        self._queue = Queue(sqs, queue, say)
        self.name = f"s3 {self._queue.name}"
        self.objects = 0
        """Objects that were read to their end."""
        self._said: set[str] = set()
        self._denied = Trouble(say, "it is tried again every 5 minutes, other sources go on")

    def describes(self) -> SourceStatus:
        """Whether the queue can be read."""
        return SourceStatus(name=self.name, ready=self._queue.has_answered)

    def run(self, deliver: Callable[[Batch], None], stop: threading.Event) -> None:
        """Reads until stopped, or until the queue is empty with `once`.

        Raises:
            ConnectError, AccessError, UsageError: the queue cannot be read, and never was.
        """
        ended = threading.Event()
        tender = threading.Thread(target=self._queue.tend, args=(ended,), name="logship-s3-tend", daemon=True)
        tender.start()
        try:
            empty = 0
            while not stop.is_set() and not (self._once and empty == _EMPTY_ANSWERS):
                messages = self._received(stop)
                empty = 0 if messages else empty + 1
                for message in messages:
                    self._take(message, deliver, stop)
        finally:
            ended.set()
            tender.join()

    def _received(self, stop: threading.Event) -> list[Message]:
        """The next messages. A role that may read the queue no longer is no reason to end what else is forwarded."""
        try:
            found = self._queue.receive(stop, wait_s=_LAST_WAIT_S if self._once else WAIT_S, waits=not self._once)
        except AccessError as error:
            if self._once or not self._queue.has_answered:
                raise
            self._denied.met(error)
            stop.wait(REFUSED_S)
            return []
        self._denied.over()
        return found

    def save(self, *, now: bool = False) -> None:
        """Deletes the messages of which all is stored; before the end that is done beside the reading.

        A queue may take half a minute to answer, for which the thread that stores does not wait.

        Raises:
            AccessError: with `once`, we may not: they come again.
        """
        if not now:
            return
        try:
            self._queue.delete()
        except AccessError as error:
            self._queue.undeleted.met(error)
        if self._once and self._queue.undeleted.reason:
            raise AccessError(self._queue.undeleted.reason)

    def _take(self, message: Message, deliver: Callable[[Batch], None], stop: threading.Event) -> None:
        """Reads what a message tells of. Batches are acknowledged in their order, so the last one tells of all."""
        try:
            notices = notice.read(message.body)
        except notice.NoNotice as error:
            self._say_once(f"a message of queue {self._queue.name!r} is left there: {error}")
            self._queue.leave(message)
            return
        whole = [self._read(one, deliver, stop) for one in notices if objects.is_log(one)]
        if all(whole):
            deliver(Batch([], lambda: self._queue.finish(message)))
        else:
            self._queue.leave(message)

    def _read(self, one: Notice, deliver: Callable[[Batch], None], stop: threading.Event) -> bool:
        """Delivers an object; whether there is nothing more to do about it."""
        try:
            for batch in objects.batches(objects.read(self._s3, one, Retry(stop, tries=_TRIES))):
                deliver(Batch(batch))
        except objects.GoneError as error:
            self._say(f"{error} has been deleted; it is left out")
        except LogshipError as error:
            self._say_once(f"{error}; the message that told of it is left in queue {self._queue.name!r}")
            return False
        except (ValueError, TypeError, KeyError) as error:  # of this object alone: the others are still to be read
            self._say_once(
                f"{one.uri} cannot be read on: {error!r}; "
                f"the message that told of it is left in queue {self._queue.name!r}"
            )
            return False
        else:
            self.objects += 1
        return True

    def _say_once(self, line: str) -> None:
        """A message that is left comes again and again until the queue gives up on it."""
        if line not in self._said:
            if len(self._said) >= _MOST_SAID:
                self._said.clear()
            self._said.add(line)
            self._say(line)
