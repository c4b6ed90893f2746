"""`capture_logs`: what an application logs, as logship would send it, for its tests."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from logship.handler.line import LineBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def capture_logs(
    logger: logging.Logger | str = "", *, level: int | str = logging.DEBUG, service: str = "test"
) -> Iterator[list[dict[str, Any]]]:
    """Collect the records that a logger gets, each as the JSON object that would be sent.

    Args:
        logger: the root logger unless another is named; loggers below it count where they propagate.
        level: what the logger lets through meanwhile.
        service: `service.name` of the lines.

    >>> with capture_logs("orders") as lines:
    ...     logging.getLogger("orders").warning("stock is %d", 0, extra={"sku": "sku-7"})
    >>> lines[0]["body"], lines[0]["severity_text"], lines[0]["sku"]
    ('stock is 0', 'WARN', 'sku-7')
    """
    named = logging.getLogger(logger) if isinstance(logger, str) else logger
    handler = _Collector(service)
    before = named.level
    named.addHandler(handler)
    named.setLevel(level)
    try:
        yield handler.lines
    finally:
        named.removeHandler(handler)
        named.setLevel(before)


class _Collector(logging.Handler):
    def __init__(self, service: str) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []
        self._builder = LineBuilder(service)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(orjson.loads(self._builder.build(record)))
