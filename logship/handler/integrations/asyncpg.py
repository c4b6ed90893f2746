"""asyncpg: a ``call`` record for each statement that is slow or fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logship.handler.completion import CALL_LOGGER, logger_of
from logship.handler.integrations.sql import SLOW_MS, record_statement

if TYPE_CHECKING:
    import logging


def instrument(connection: Any, *, slow_ms: float = SLOW_MS, logger: logging.Logger | str = CALL_LOGGER) -> Any:
    """Make a connection write records; returns it. With a pool: ``create_pool(..., init=...)``.

    Args:
        connection: of asyncpg 0.29 or later.
        slow_ms: quicker statements that succeed write nothing; 0 writes all.
        logger: where records go; without a level of its own it is set to INFO.
    """
    where = logger_of(logger)

    def told(query: Any) -> None:
        record_statement(
            where,
            query.query,
            seconds=query.elapsed,
            system="postgresql",
            address=str(query.conn_addr[0]) if isinstance(query.conn_addr, tuple) else "",
            database=query.conn_params.database or "",
            slow_ms=slow_ms,
            error=query.exception,
        )

    connection.add_query_logger(told)
    return connection
