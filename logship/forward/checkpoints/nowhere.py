"""Checkpoints that nobody keeps, for sources that are made to see whether they can be, and never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


class Nowhere:
    """See the port: every key is new and ours."""

    save_interval_s: float = 0.0
    share_interval_s: float = 10.0
    place: str = "nowhere"

    def load(self, key: str) -> tuple[str, int] | None:
        """Nothing is kept."""

    def save(self, key: str, value: str, version: int) -> int:
        """Counts on."""
        del key, value
        return version + 1

    def share(self, keys: Collection[str]) -> set[str]:
        """All of them."""
        return set(keys)

    def release(self, key: str) -> None:
        """Nobody else waits for it."""

    def close(self) -> None:
        """There is nothing to let go of."""
