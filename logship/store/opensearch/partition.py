"""Which index a record belongs to: the UTC month or day of its event time, which no parser changes.

Records of the same event therefore always meet in the same index, where their id makes them one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

OUTSIDE: Final = "other"
"""The one index for all times outside 2000-2100, so that wrong clocks do not make thousands."""
_FIRST_MS: Final = 946_684_800_000  # 2000-01-01
_LAST_MS: Final = 4_102_444_800_000  # 2100-01-01
_DAY_MS: Final = 86_400_000


def suffix(time_ms: int, partition: str) -> str:
    """What follows the alias in an index's name, such as ``2026.11``; `partition` is ``month`` or ``day``."""
    return _of_day(time_ms // _DAY_MS, partition) if _FIRST_MS <= time_ms < _LAST_MS else OUTSIDE


@lru_cache(maxsize=4096)
def _of_day(day: int, partition: str) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y.%m" if partition == "month" else "%Y.%m.%d")
