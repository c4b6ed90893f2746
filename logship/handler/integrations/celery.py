"""Celery: one ``request`` record for each task that runs, in the trace of whoever sent it.

``instrument()`` in the module that makes the application; both who sends and who works calls it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from logship.handler.completion import REQUEST_LOGGER, Completion, logger_of
from logship.handler.context import current_span, enter_span
from logship.handler.propagation import headers_of, incoming

if TYPE_CHECKING:
    from logship.handler.context import Bound

_RUNNING: Final[dict[str, tuple[Completion, Bound]]] = {}
"""By the task's id, in this process."""
_FAILED: Final[dict[str, BaseException]] = {}
_PROPAGATED: Final = ("traceparent", "tracestate", "x-amzn-trace-id")


def instrument(*, logger: logging.Logger | str = REQUEST_LOGGER) -> None:
    """Connects to Celery's signals; a second call changes nothing.

    Args:
        logger: where records go; without a level of its own it is set to INFO.
    """
    from celery import signals

    _Where.logger = logger_of(logger)
    signals.before_task_publish.connect(_publishing, weak=False, dispatch_uid="logship")
    signals.task_prerun.connect(_begins, weak=False, dispatch_uid="logship")
    signals.task_failure.connect(_failed, weak=False, dispatch_uid="logship")
    signals.task_retry.connect(_retried, weak=False, dispatch_uid="logship")
    signals.task_postrun.connect(_ended, weak=False, dispatch_uid="logship")


class _Where:
    logger: logging.Logger = logging.getLogger(REQUEST_LOGGER)


def _publishing(headers: dict[str, Any] | None = None, **_: Any) -> None:
    span = current_span()
    if headers is not None and span is not None:
        for name, value in headers_of(span).items():
            headers.setdefault(name, value)


def _begins(task_id: str, task: Any, **_: Any) -> None:
    request = task.request
    sent = getattr(request, "headers", None) or {}
    span = incoming(lambda name: getattr(request, name, None) or sent.get(name))
    completion = Completion(_Where.logger, "request", span, "TASK", "", operation=task.name)
    completion.route = task.name
    completion.more |= {"celery.task.id": task_id, "celery.task.retries": getattr(request, "retries", 0)}
    _RUNNING[task_id] = completion, enter_span(span)


def _failed(task_id: str, exception: BaseException, **_: Any) -> None:
    _FAILED[task_id] = exception


def _retried(request: Any, reason: BaseException, **_: Any) -> None:
    if request.id in _RUNNING:
        _RUNNING[request.id][0].more["celery.task.retry_reason"] = repr(reason)[:500]


def _ended(task_id: str, state: str | None = None, **_: Any) -> None:
    running = _RUNNING.pop(task_id, None)
    if running is None:
        return
    completion, bound = running
    completion.outcome = state or ""
    try:
        completion.write(_FAILED.pop(task_id, None))
    finally:
        bound.__exit__(None, None, None)
