"""The queue that tells of objects: its messages are held while they are worked on, and deleted when all is stored."""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from logship.cloudwatch.client import is_retriable, translate
from logship.cloudwatch.paging import STRANGE, Retry
from logship.cloudwatch.permissions import allow, queue_arn
from logship.errors import AccessError
from logship.forward.trouble import Trouble

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

HOLD_S: Final = 120
"""How long nobody else gets a message that we have; renewed while it is worked on."""
_AT_ONCE: Final = 4
"""Messages of one call: few, so that several processes share a queue well."""
WAIT_S: Final = 5
"""How long the queue waits for a message before it answers: a forwarder that is to end waits as long."""
_DELETE_S: Final = 0.5
"""So often messages are deleted that are finished."""
_FIRST_TRIES: Final = 4
_MOST_ENTRIES: Final = 10
"""Amazon SQS, DeleteMessageBatch and ChangeMessageVisibilityBatch: entries of one call."""


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """A message that we hold."""

    id: str
    body: str
    receipt: str


class Queue:
    """A queue of SQS. Any thread may call `finish` and `delete`.

    Args:
        client: of SQS, which tries each request once.
        url: of the queue.
        say: told what people should know.
    """

    def __init__(self, client: Any, url: str, say: Callable[[str], None] = lambda _: None) -> None:
        self.name = url.rstrip("/").rpartition("/")[2]
        self._client, self._url, self._say = client, url, say
        self._arn = queue_arn(url)
        self._tries: int | None = _FIRST_TRIES
        self._held: dict[str, Message] = {}
        self._finished: deque[Message] = deque()
        self.undeleted = Trouble(say, "its messages come again, and nothing of them is stored twice")
        self._unheld = Trouble(say, f"messages that take longer than {HOLD_S} s are worked on twice")

    @property
    def has_answered(self) -> bool:
        """Whether it was read once."""
        return self._tries is None

    def receive(self, stop: threading.Event, *, wait_s: int = WAIT_S, waits: bool = True) -> list[Message]:
        """The next messages; none if there are none for a while.

        Args:
            stop: ends the waiting.
            wait_s: how long SQS waits for messages.
            waits: whether a queue that has answered, and is gone, is waited for.

        Raises:
            Stopped, LogshipError: see `Retry.call`.
        """
        answer = Retry(stop, tries=self._tries, say=self._say, answered=waits and self.has_answered).call(
            f"SQS queue {self.name!r}",
            self._client.receive_message,
            needs=self._needs("ReceiveMessage"),
            QueueUrl=self._url,
            MaxNumberOfMessages=_AT_ONCE,
            WaitTimeSeconds=wait_s,
            VisibilityTimeout=HOLD_S,
        )
        self._tries = None
        found = [Message(item["MessageId"], item["Body"], item["ReceiptHandle"]) for item in answer.get("Messages", [])]
        self._held |= {message.receipt: message for message in found}
        return found

    def leave(self, message: Message) -> None:
        """Lets a message go: the queue gives it out again, or moves it to its own dead letters."""
        self._held.pop(message.receipt, None)

    def finish(self, message: Message) -> None:
        """All that a message tells of is stored."""
        self._finished.append(message)

    def delete(self, until_s: float = float("inf")) -> None:
        """Deletes the messages that are finished; one that cannot be now comes again, and is finished again.

        Args:
            until_s: when to leave the rest for the next time, by the monotonic clock.

        Raises:
            AccessError: we may not.
        """
        while self._finished and time.monotonic() < until_s:
            done: list[Message] = []
            with suppress(IndexError):  # another thread may take them, too
                while len(done) < _MOST_ENTRIES:
                    done.append(self._finished.popleft())
            try:
                self._call(self._client.delete_message_batch, "DeleteMessage", done)
            finally:
                for message in done:
                    self.leave(message)

    def tend(self, ended: threading.Event) -> None:
        """Deletes messages that are finished, and renews the hold on the others, until the event is set."""
        hold_s = time.monotonic() + HOLD_S / 3
        while not ended.wait(_DELETE_S):
            try:
                self.delete(hold_s)
            except AccessError as error:
                self.undeleted.met(error)
            else:
                self.undeleted.over()
            if time.monotonic() >= hold_s:
                hold_s = time.monotonic() + HOLD_S / 3
                self._hold()

    def _hold(self) -> None:
        try:
            self._call(
                self._client.change_message_visibility_batch,
                "ChangeMessageVisibility",
                list(self._held.values()),
                VisibilityTimeout=HOLD_S,
            )
        except AccessError as error:
            self._unheld.met(error)
        else:
            self._unheld.over()

    def _call(self, request: Callable[..., Any], permission: str, messages: Sequence[Message], **of_each: Any) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        for some in _tens(messages):
            entries = [
                {"Id": str(number), "ReceiptHandle": message.receipt, **of_each} for number, message in enumerate(some)
            ]
            try:
                request(QueueUrl=self._url, Entries=entries)
            except (BotoCoreError, ClientError, *STRANGE) as error:
                failure = translate(error, f"SQS queue {self.name!r}", needs=self._needs(permission))
                if isinstance(failure, AccessError) and not is_retriable(error):
                    raise failure from error
                self._say(f"{failure}; its messages come again")

    def _needs(self, permission: str) -> dict[str, Any] | None:
        """The statement of a policy that permits a call; None where the URL does not tell whose queue it is."""
        return allow(f"sqs:{permission}", self._arn) if self._arn else None


def _tens(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    for start in range(0, len(messages), _MOST_ENTRIES):
        yield messages[start : start + _MOST_ENTRIES]
