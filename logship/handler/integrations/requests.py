"""Outgoing calls through requests: one ``call`` record each, redirects included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from requests.adapters import BaseAdapter

from logship.handler.calls import Peer, begin_call
from logship.handler.completion import CALL_LOGGER, logger_of

if TYPE_CHECKING:
    import logging

    import requests


def instrument(
    session: requests.Session, *, peer: Peer = None, logger: logging.Logger | str = CALL_LOGGER
) -> requests.Session:
    """Make the session write a record for each call; returns the session. A second call changes nothing.

    Args:
        session: whose adapters are wrapped.
        peer: fills `peer.service`; where it says nothing, a host that is a name does.
        logger: where records go; without a level of its own it is set to INFO.
    """
    for prefix, adapter in list(session.adapters.items()):
        if not isinstance(adapter, CallLogAdapter):
            session.adapters[prefix] = CallLogAdapter(adapter, peer=peer, logger=logger)
    return session


class CallLogAdapter(BaseAdapter):
    """Wraps an adapter. The record is written when the answer was read, or its headers where it is streamed."""

    def __init__(self, wrapped: BaseAdapter, *, peer: Peer, logger: logging.Logger | str) -> None:
        super().__init__()
        self._wrapped, self._peer, self._logger = wrapped, peer, logger_of(logger)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Make the call."""
        parts = urlsplit(request.url or "")
        completion = begin_call(
            self._logger,
            method=request.method or "",
            host=parts.hostname or "",
            port=parts.port,
            path=parts.path or "/",
            headers=request.headers,
            peer=self._peer,
        )
        try:
            response = self._wrapped.send(request, *args, **options)
            completion.status = response.status_code
            if not options.get("stream"):
                _ = response.content
        except BaseException as error:
            completion.write(error)
            raise
        completion.write()
        return response

    def close(self) -> None:
        """Close the adapter within."""
        self._wrapped.close()
