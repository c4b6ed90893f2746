"""psycopg 3: a ``call`` record for each statement that is slow or fails."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from logship.handler.completion import CALL_LOGGER, logger_of
from logship.handler.integrations.sql import SLOW_MS, record_statement

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator


def instrument(connection: Any, *, slow_ms: float = SLOW_MS, logger: logging.Logger | str = CALL_LOGGER) -> Any:
    """Make the cursors of a connection write records; returns it.

    Args:
        connection: a ``Connection`` or ``AsyncConnection``; with a pool, in its ``configure``.
        slow_ms: quicker statements that succeed write nothing; 0 writes all.
        logger: where records go; without a level of its own it is set to INFO.
    """
    where, base = logger_of(logger), connection.cursor_factory
    wrap = _async_cursor if issubclass(base, psycopg.AsyncCursor) else _cursor
    connection.cursor_factory = wrap(base, where, slow_ms)
    return connection


@contextmanager
def _timed(cursor: Any, query: Any, where: logging.Logger, slow_ms: float) -> Iterator[None]:
    info, started = cursor.connection.info, time.perf_counter()
    about: dict[str, Any] = {"system": "postgresql", "address": info.host or "", "database": info.dbname}
    failure: BaseException | None = None
    try:
        yield
    except BaseException as error:
        failure = error
        raise
    finally:
        seconds = time.perf_counter() - started
        if seconds * 1000 >= slow_ms or failure is not None:
            text = query if isinstance(query, str) else _text(query, cursor)
            rows = cursor.rowcount if cursor.rowcount >= 0 else None
            record_statement(where, text, seconds=seconds, rows=rows, slow_ms=slow_ms, error=failure, **about)


def _text(query: Any, cursor: Any) -> str:
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    return str(query.as_string(cursor)) if hasattr(query, "as_string") else str(query)


def _cursor(base: Any, where: logging.Logger, slow_ms: float) -> Any:
    class LoggingCursor(base):  # type: ignore[misc]  # the connection's own
        def execute(self, query: Any, *args: Any, **options: Any) -> Any:
            with _timed(self, query, where, slow_ms):
                return super().execute(query, *args, **options)

        def executemany(self, query: Any, *args: Any, **options: Any) -> Any:
            with _timed(self, query, where, slow_ms):
                return super().executemany(query, *args, **options)

    return LoggingCursor


def _async_cursor(base: Any, where: logging.Logger, slow_ms: float) -> Any:
    class LoggingCursor(base):  # type: ignore[misc]  # the connection's own
        async def execute(self, query: Any, *args: Any, **options: Any) -> Any:
            with _timed(self, query, where, slow_ms):
                return await super().execute(query, *args, **options)

        async def executemany(self, query: Any, *args: Any, **options: Any) -> Any:
            with _timed(self, query, where, slow_ms):
                return await super().executemany(query, *args, **options)

    return LoggingCursor
