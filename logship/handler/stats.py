"""What became of the records that a handler was given."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """A snapshot of a handler's counters since its process began (a forked child begins at 0).

    Every record ends in exactly one of sent, dropped and rejected; until then it is queued.
    """

    queued: int
    """Records that wait or are being sent."""
    sent: int
    """Records that CloudWatch took in."""
    retried: int
    """PutLogEvents calls that were made again."""
    spooled: int
    """Records of this process in the queue's files, which the next process sends if this one cannot."""
    dropped: int
    """Records given up here: the queue was full, or the process ended before they were delivered."""
    rejected: int
    """Records that CloudWatch refused: older than 14 days, more than 2 hours ahead, past the group's retention."""
    recovered: int = 0
    """Records of processes that died before, sent by this one; not among `sent`."""
    corrupt: int = 0
    """Records of dead processes that were torn or corrupt, and are given up."""
    left_out: int = 0
    """Records that were never queued since the handler is told so: sampled out, or counted as repeated."""
    lag_seconds: float = 0.0
    """Age of the oldest record that is not delivered; 0 when there is none."""
    last_error: str = ""
    """Why the last call failed; "" once a call has succeeded."""
