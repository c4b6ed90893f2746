"""What the records of SQL statements have in common: those over a threshold, without their values."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

from logship.handler.completion import Completion
from logship.handler.context import client_span
from logship.record import PEER

if TYPE_CHECKING:
    import logging

SLOW_MS: Final = 100.0
_MOST_CHARS: Final = 2_000
_LITERALS: Final = re.compile(
    r"""'(?:[^']|'')*'            # text
      | \$(\w*)\$.*?\$\1\$        # PostgreSQL's dollar quotes
      | \b0x[0-9a-f]+\b | (?<![\w$%:])\d+(?:\.\d+)?(?:e[+-]?\d+)?\b   # numbers, not $1 or names
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_SPACE: Final = re.compile(r"\s+")


def without_values(statement: str) -> str:
    """The statement on one line with ``?`` for every literal, cut at 2,000 characters.

    >>> without_values("SELECT * FROM orders WHERE id = 42 AND name = 'O''Neil'")
    'SELECT * FROM orders WHERE id = ? AND name = ?'
    """
    return _SPACE.sub(" ", _LITERALS.sub("?", statement[: 4 * _MOST_CHARS])).strip()[:_MOST_CHARS]


def record_statement(
    logger: logging.Logger,
    statement: str,
    *,
    seconds: float,
    system: str,
    address: str = "",
    database: str = "",
    rows: int | None = None,
    slow_ms: float = SLOW_MS,
    error: BaseException | None = None,
) -> None:
    """Writes a ``call`` record for a statement that took long or failed.

    Args:
        logger: where it goes.
        statement: as it was sent; parameters are never looked at.
        seconds: how long it took.
        system: OpenTelemetry's `db.system.name`: postgresql, mysql, sqlite.
        address: host of the server.
        database: its name.
        rows: affected or returned, where that is known.
        slow_ms: quicker ones that succeed write nothing; 0 writes all.
        error: why it failed.
    """
    if seconds * 1000 < slow_ms and error is None:
        return
    text = without_values(statement)
    verb = text.split(" ", 1)[0].upper()
    completion = Completion(logger, "call", client_span(), "SQL", "", operation=verb)
    completion.started = time.perf_counter() - seconds
    more: dict[str, Any] = {"db.system.name": system, "db.query.text": text, PEER: database or system}
    named = {"server.address": address, "db.namespace": database, "db.response.returned_rows": rows}
    completion.more = more | {name: value for name, value in named.items() if value not in ("", None)}
    completion.write(error)
