"""Which data stream to read, and how often."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Consumed:
    """Which stream to read, and how often."""

    stream: str
    """Name or ARN."""
    start_ms: int
    """Where the first run begins, milliseconds since 1970; shards that appear later are read whole."""
    interval_s: float = 1.0
    """Pause between two calls for a shard of which nothing is left to read."""
    once: bool = False
    """End when all that was there at the start has been read."""
    account: str = ""
    """Sets the checkpoints of an account apart, where one process reads several."""
    list_interval_s: float = 5.0
    """How often new shards are looked for, and shards shared out among processes."""
