"""Outgoing calls through urllib3 itself: one ``call`` record each, whatever its retries and redirects."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from logship.handler.calls import Peer, begin_call
from logship.handler.completion import CALL_LOGGER, logger_of

if TYPE_CHECKING:
    import logging

    import urllib3


def instrument(
    manager: urllib3.PoolManager, *, peer: Peer = None, logger: logging.Logger | str = CALL_LOGGER
) -> urllib3.PoolManager:
    """Make a pool manager write a record for each call; returns the manager. A second call changes nothing.

    Args:
        manager: whose ``request`` and ``urlopen`` are recorded.
        peer: fills `peer.service`; where it says nothing, a host that is a name does.
        logger: where records go; without a level of its own it is set to INFO.
    """
    if not isinstance(manager.urlopen, _Recorded):
        manager.urlopen = _Recorded(manager, peer, logger_of(logger))  # type: ignore[method-assign]  # of this manager alone
    return manager


class _Recorded:
    """In place of a manager's ``urlopen``. The record is written with the answer, or its headers if it is streamed."""

    def __init__(self, manager: urllib3.PoolManager, peer: Peer, logger: logging.Logger) -> None:
        self._manager, self._open, self._peer, self._logger = manager, manager.urlopen, peer, logger
        self._within = threading.local()

    def __call__(self, method: str, url: str, redirect: bool = True, **options: Any) -> urllib3.BaseHTTPResponse:
        if getattr(self._within, "call", False):  # the manager follows a redirect
            return self._open(method, url, redirect, **options)
        headers = dict(options.pop("headers", None) or self._manager.headers)
        parts = urlsplit(url)
        completion = begin_call(
            self._logger,
            method=method.upper(),
            host=parts.hostname or "",
            port=parts.port,
            path=parts.path or "/",
            headers=headers,
            peer=self._peer,
        )
        self._within.call = True
        try:
            response = self._open(method, url, redirect, headers=headers, **options)
            completion.status = response.status
        except BaseException as error:
            completion.write(error)
            raise
        finally:
            self._within.call = False
        completion.write()
        return response
