"""Lines for log files and journals: ``time=… level=info event=progress stored=… rate=… lag_s=… groups=…``."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from logship.forward.news import News

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logship.forward.outside.rates import Rate
    from logship.forward.outside.status import ForwardStatus

PROGRESS_S: Final = 30.0
_BARE: Final = re.compile(r"[^\s\"=\\\x00-\x1f\x7f]+")
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def logfmt(at_s: float, level: str, event: str, fields: Mapping[str, str | float]) -> str:
    """One line; values are quoted where they have to be, and control characters never get out.

    >>> logfmt(0.0, "info", "notice", {"msg": "two words", "n": 2})
    'time=1970-01-01T00:00:00.000Z level=info event=notice msg="two words" n=2'
    """
    time = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"time": time, "level": level, "event": event}
    return " ".join(f"{key}={_value(value)}" for key, value in {**head, **fields}.items())


def notice(at_s: float, text: str) -> str:
    """What people should know, as a line."""
    return logfmt(at_s, "info" if isinstance(text, News) else "warn", "notice", {"msg": text})


def progress(at_s: float, status: ForwardStatus, rate: Rate) -> str:
    """How a forwarder stands, as a line."""
    fields: dict[str, str | float] = {
        "stored": status.stored,
        "existing": status.existing,
        "rate": round(rate.events, 1),
        "read_bytes_rate": round(rate.read_bytes),
        "lag_s": round(status.lag_s, 1),
        "backlog_s": round(status.backlog_s, 1),
        "groups": len(status.groups),
        "sources": len(status.sources),
        "queued_bytes": status.queued_bytes,
        "throttled": sum(source.throttled or 0 for source in status.sources),
        "retried": sum(source.retried or 0 for source in status.sources),
        "rejected": status.rejected,
        "store": "waiting" if status.store_reason else "ok",
    }
    wrong = status.wrong
    if wrong:
        fields["wrong"] = wrong[0]
    return logfmt(at_s, "warn" if wrong else "info", "progress", fields)


def _value(value: str | float) -> str:
    text = str(value)
    if _BARE.fullmatch(text):
        return text
    escaped = text.translate(_ESCAPES)
    return '"' + "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in escaped) + '"'
