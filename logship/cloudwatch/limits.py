"""The documented limits of CloudWatch Logs, each once.

Source: the API reference of PutLogEvents, FilterLogEvents and StartLiveTail, and "CloudWatch Logs quotas" in the
user guide.
"""

from __future__ import annotations

from typing import Final

MAX_BATCH_BYTES: Final = 1_048_576
"""PutLogEvents: sum of all messages in UTF-8 plus `EVENT_OVERHEAD_BYTES` for each event."""
EVENT_OVERHEAD_BYTES: Final = 26
MAX_BATCH_EVENTS: Final = 10_000
MAX_EVENT_BYTES: Final = MAX_BATCH_BYTES - EVENT_OVERHEAD_BYTES
"""An event may be 1 MB, and has to fit into a batch with its overhead."""
MAX_BATCH_SPAN_MS: Final = 24 * 3_600_000
MAX_PAST_MS: Final = 14 * 24 * 3_600_000
"""Older events are rejected, the rest of their batch is kept."""
MAX_FUTURE_MS: Final = 2 * 3_600_000
"""Events further ahead are rejected, the rest of their batch is kept."""

MAX_PAGE_BYTES: Final = 1_048_576
"""FilterLogEvents and GetLogEvents: a page is at most 1 MB …"""
MAX_PAGE_EVENTS: Final = 10_000
"""… and at most that many events; it may be part-full, or empty with a token."""
MAX_DESCRIBED: Final = 50
"""DescribeLogGroups, ListLogGroups, DescribeLogStreams: the default page; DescribeLogStreams allows no more."""

LIVE_TAIL_GROUPS: Final = 10
"""StartLiveTail: log groups of one session."""
LIVE_TAIL_SESSIONS: Final = 15
"""Open at the same time in an account and region; may be raised."""
LIVE_TAIL_TPS: Final = 5.0
LIVE_TAIL_SESSION_S: Final = 3 * 3600.0
"""A session ends after that long."""
LIVE_TAIL_EVENTS: Final = 500
"""Of one update, and there is one a second; of more events a sample is given."""
LIVE_TAIL_WAITING_UPDATES: Final = 10
LIVE_TAIL_WAITING_EVENTS: Final = 5_000
"""Where more wait for a slow reader, the oldest are dropped."""

RETENTION_DAYS: Final = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)
"""The values that PutRetentionPolicy takes."""
