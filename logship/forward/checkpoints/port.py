"""The port of checkpoints: small texts by key, moved on by compare-and-swap, shared out among processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection


class Checkpoints(Protocol):
    """Keeps one text a key. Any thread may call."""

    save_interval_s: float
    """How often a key that moves should be saved: what lies behind the last save is read again after a crash."""

    def load(self, key: str) -> tuple[str, int] | None:
        """The text of a key and its version; None for a new key."""

    def save(self, key: str, value: str, version: int) -> int:
        """Keeps a text if the key still has that version, 0 for a new key; the new version.

        Raises:
            StoreLockedError: somebody else has moved it, and nothing but a person can tell who is right.
            LeaseLost: another process works on that key now.
            DataError: it cannot be kept.
        """

    def share(self, keys: Collection[str]) -> set[str]:
        """Which of these keys this process is to work on now. Called every few seconds, with all known keys."""

    def close(self) -> None:
        """Gives every key back and lets go of the file or connection."""


class LeaseLost(Exception):  # noqa: N818 - an outcome, not an error
    """Another process works on a key by now: whoever asked stops working on it."""
