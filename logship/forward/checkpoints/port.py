"""The port of checkpoints: small texts by key, moved on by compare-and-swap, shared out among processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

SAVED_LATER: Final = "checkpoints are saved later"
"""What people are told, behind the reason, where a checkpoint could not be saved."""


class Checkpoints(Protocol):
    """Keeps one text a key. Any thread may call.

    Not promised: that a process learns at once that another one has taken a key over. Until its next `save`, which
    is refused, both may read; what both store has the same ids.
    """

    save_interval_s: float
    """How often a key that moves should be saved: what lies behind the last save is read again after a crash.
    0 where saving costs next to nothing; else it is a request over the network."""
    share_interval_s: float
    """How often `share` should be called."""
    place: str
    """Where they are kept, for messages: ``the DynamoDB table 'logship'``."""

    def load(self, key: str) -> tuple[str, int] | None:
        """The text of a key and its version; None for a new key.

        Raises:
            ConnectError: not now; try again later.
            DataError: what is kept is no checkpoint.
        """

    def save(self, key: str, value: str, version: int) -> int:
        """Keeps a text if the key still has that version, 0 for a new key; the new version.

        Raises:
            StoreLockedError: somebody else has moved it, and nothing but a person can tell who is right.
            LeaseLost: another process works on that key now.
            ConnectError: not now; nothing is lost by trying again later.
            DataError: it cannot be kept.
        """

    def share(self, keys: Collection[str]) -> set[str]:
        """Which of these keys this process is to work on now, of all keys that the caller knows.

        A key that was among them and no longer is has to be let go: read no further, wait for what is on its way to
        the store or give it up, save, `release`. Keys that no caller names any more are released by and by.

        Raises:
            AccessError, DataError: the keys cannot be shared.
        """

    def release(self, key: str) -> None:
        """This process has stopped working on a key: another may take it."""

    def close(self) -> None:
        """Gives every key back and lets go of the file or connection."""


class LeaseLost(Exception):  # noqa: N818 - an outcome, not an error
    """Another process works on a key by now: whoever asked stops working on it."""
