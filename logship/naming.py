"""The one rule for log groups and streams: agent configs, handler, forwarder and IAM all ask here."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass

from logship.errors import SettingsError

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
# CloudWatch Logs, CreateLogGroup and CreateLogStream: names of 1 to 512 characters.
MAX_NAME_LENGTH = 512
GROUP_NAME = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}\Z")
STREAM_NAME = re.compile(r"[^:*]{1,512}\Z")


@dataclass(frozen=True, kw_only=True)
class Naming:
    """Patterns of names; `{app}`, `{service}`, `{host}` and `{pid}` are filled in."""

    app: str = "app"
    group: str = "/{app}/{service}"
    stream: str = "{host}/{pid}"

    def group_name(self, service: str) -> str:
        """The log group of a service.

        Raises:
            SettingsError: the pattern has an unknown placeholder, or the name is not legal in CloudWatch.
        """
        name = _fill(self.group, {"app": self.app, "service": service})
        if not GROUP_NAME.match(name):
            raise SettingsError(f"log group {name!r} is not legal; use letters, digits and . - _ / # in [naming] group")
        return name

    def stream_name(self) -> str:
        """The log stream of this process.

        Raises:
            SettingsError: the pattern has an unknown placeholder.
        """
        name = _fill(self.stream, {"app": self.app, "host": socket.gethostname(), "pid": str(os.getpid())})
        return re.sub(r"[:*]", "-", name)[:MAX_NAME_LENGTH]


def service_of_group(group: str) -> str:
    """The service that a group's name suggests: its last path segment (`/shop/orders` is `orders`)."""
    return group.rstrip("/").rsplit("/", 1)[-1]


def _fill(pattern: str, values: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            known = ", ".join(f"{{{k}}}" for k in values)
            raise SettingsError(f"{{{name}}} in [naming] pattern {pattern!r} is unknown; use one of {known}")
        return values[name]

    return _PLACEHOLDER.sub(value, pattern)
