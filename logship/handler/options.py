"""Names and limits that `CloudWatchHandler` works out from its parameters and the environment."""

from __future__ import annotations

import os
import re
import sys
from typing import Final
from urllib.parse import unquote

from logship.cloudwatch.limits import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, RETENTION_DAYS
from logship.errors import SettingsError
from logship.naming import Naming, service_of_group

MIN_MESSAGE_BYTES: Final = 8 * 1024
"""Smallest `max_message_size`: a piece repeats the record's head and still holds some of its text."""
LOG_CLASSES: Final = ("STANDARD", "INFREQUENT_ACCESS", "DELIVERY")
# CreateLogGroup, logGroupClass.


def service_name(group: str | None) -> str:
    """OTEL_SERVICE_NAME, else the group's last part, else the program's name."""
    named = os.environ.get("OTEL_SERVICE_NAME") or (service_of_group(group) if group else "")
    program = os.path.basename(sys.argv[0] if sys.argv else "")  # noqa: PTH119  # the fastest of them
    return named or program.removesuffix(".py") or "python"


def group_name(service: str) -> str:
    """The log group of a service by the one naming rule, LOGSHIP_APP being the app."""
    app = os.environ.get("LOGSHIP_APP") or "app"
    return Naming(app=app).group_name(re.sub(r"[^.\-_/#A-Za-z0-9]", "-", service))


def resource_of(*, version: str | None, environment: str | None) -> dict[str, str]:
    """Fields of every line beside the service's name: OTEL_RESOURCE_ATTRIBUTES, and what was given over it."""
    found = {}
    for pair in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        name, equals, value = pair.partition("=")
        if equals and name.strip() not in ("", "service.name"):
            found[name.strip()] = unquote(value.strip())
    given = {"service.version": version, "deployment.environment.name": environment}
    return found | {name: value for name, value in given.items() if value}


def check_sizes(max_batch_size: int, max_batch_count: int, max_message_size: int, queue_bytes: int) -> None:
    """Raises SettingsError where a limit is beyond CloudWatch's, or too small to work with."""
    if not MIN_MESSAGE_BYTES <= max_batch_size <= MAX_BATCH_BYTES:
        raise SettingsError(f"max_batch_size={max_batch_size!r}; use {MIN_MESSAGE_BYTES} to {MAX_BATCH_BYTES} bytes")
    if not 1 <= max_batch_count <= MAX_BATCH_EVENTS:
        raise SettingsError(f"max_batch_count={max_batch_count!r}; use 1 to {MAX_BATCH_EVENTS} events")
    if not MIN_MESSAGE_BYTES <= max_message_size <= MAX_BATCH_BYTES:
        raise SettingsError(
            f"max_message_size={max_message_size!r}; use {MIN_MESSAGE_BYTES} to {MAX_BATCH_BYTES} bytes"
        )
    if queue_bytes < MIN_MESSAGE_BYTES:
        raise SettingsError(f"queue_bytes={queue_bytes!r}; use at least {MIN_MESSAGE_BYTES}")


def check_group(retention_days: int | None, log_class: str | None) -> None:
    """Raises SettingsError where CloudWatch knows no such retention or class."""
    if retention_days is not None and retention_days not in RETENTION_DAYS:
        days = ", ".join(map(str, sorted(RETENTION_DAYS)))
        raise SettingsError(f"log_group_retention_days={retention_days!r}; CloudWatch takes {days}")
    if log_class is not None and log_class not in LOG_CLASSES:
        raise SettingsError(f"log_group_class={log_class!r}; CloudWatch takes {', '.join(LOG_CLASSES)}")


def check_choice(name: str, value: object, known: tuple[object, ...]) -> None:
    """Raises SettingsError where a value is none of those that are known."""
    if not any(value is one or (type(value) is type(one) and value == one) for one in known):
        raise SettingsError(f"{name}={value!r} is unknown; use one of {', '.join(map(str, known))}")
