"""What all outgoing calls have in common: a span of their own, headers for the callee, and who that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from logship.handler.completion import Completion
from logship.handler.propagation import outgoing
from logship.record import PEER

if TYPE_CHECKING:
    import logging
    from collections.abc import MutableMapping

Peer = str | Mapping[str, str] | Callable[[str], str | None] | None
"""Who is called: a service's name; names by host or ``host:port``; or a function of ``host:port``."""


def begin_call(
    logger: logging.Logger,
    *,
    method: str,
    host: str,
    port: int | None,
    path: str,
    headers: MutableMapping[str, Any],
    peer: Peer,
) -> Completion:
    """A call begins: its headers are given the trace.

    Args:
        logger: where the record goes.
        method: of the request.
        host: of the callee.
        port: None where it is the scheme's own.
        path: without the query.
        headers: of the request; names in any case.
        peer: who it is.
    """
    span, added = outgoing(lambda name: _text(headers.get(name)))
    for name, value in added.items():
        headers[name] = value
    completion = Completion(logger, "call", span, method, path)
    completion.more["server.address"] = host
    if port is not None:
        completion.more["server.port"] = port
    if name := peer_name(host, port, peer):
        completion.more[PEER] = name
    return completion


def peer_name(host: str, port: int | None, peer: Peer) -> str:
    """The callee's name; an address names nobody, and is left to the join with the callee's own request."""
    if isinstance(peer, str):
        return peer
    place = f"{host}:{port}" if port is not None else host
    told = (peer.get(place) or peer.get(host)) if isinstance(peer, Mapping) else peer(place) if peer else None
    return told or ("" if _is_address(host) else host)


def _text(value: Any) -> str | None:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host in ("localhost", "")
    return True
