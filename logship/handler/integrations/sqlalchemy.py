"""SQLAlchemy: a ``call`` record for each statement that is slow or fails."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from logship.handler.completion import CALL_LOGGER, logger_of
from logship.handler.integrations.sql import SLOW_MS, record_statement

if TYPE_CHECKING:
    import logging

_STARTED: Final = "logship_started"


def instrument(engine: Any, *, slow_ms: float = SLOW_MS, logger: logging.Logger | str = CALL_LOGGER) -> Any:
    """Make an engine write records; returns it.

    Args:
        engine: an ``Engine`` or ``AsyncEngine``.
        slow_ms: quicker statements that succeed write nothing; 0 writes all.
        logger: where records go; without a level of its own it is set to INFO.
    """
    from sqlalchemy import event

    where, sync = logger_of(logger), getattr(engine, "sync_engine", engine)
    url = sync.url
    about = {"system": sync.dialect.name, "address": url.host or "", "database": url.database or ""}

    def begins(connection: Any, *_: Any) -> None:
        connection.info.setdefault(_STARTED, []).append(time.perf_counter())

    def ends(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        seconds = time.perf_counter() - connection.info[_STARTED].pop()
        rows = cursor.rowcount if cursor.rowcount >= 0 else None
        record_statement(where, statement, seconds=seconds, rows=rows, slow_ms=slow_ms, **about)

    def failed(context: Any) -> None:
        started = context.connection.info.get(_STARTED) if context.connection is not None else None
        if started and context.statement is not None:
            seconds = time.perf_counter() - started.pop()
            error = context.original_exception
            record_statement(where, context.statement, seconds=seconds, error=error, slow_ms=slow_ms, **about)

    event.listen(sync, "before_cursor_execute", begins)
    event.listen(sync, "after_cursor_execute", ends)
    event.listen(sync, "handle_error", failed)
    return engine
