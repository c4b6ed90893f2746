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
    """Records in the queue file; always 0, since the queue lives in memory."""
    dropped: int
    """Records given up here: the queue was full, or the process ended before they were delivered."""
    rejected: int
    """Records that CloudWatch refused: older than 14 days, more than 2 hours ahead, past the group's retention."""
    last_error: str = ""
    """Why the last call failed; "" once a call has succeeded."""
