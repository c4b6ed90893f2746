"""One cluster: address, authentication, TLS, and its complaints in our words.

opensearch-py keeps the connection pool and signs requests; bodies are made and read by orjson.
"""

from __future__ import annotations

import logging
import os
import ssl
import time
import traceback
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import orjson
from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth, Urllib3HttpConnection
from opensearchpy.exceptions import (
    AuthenticationException,
    AuthorizationException,
    ConnectionTimeout,
    SerializationError,
    SSLError,
    TransportError,
)
from opensearchpy.exceptions import ConnectionError as NoConnectionError
from opensearchpy.serializer import Serializer
from urllib3.exceptions import ProtocolError

from logship.errors import AccessError, ConnectError, DiskFullError, LogshipError, SettingsError, StoreError
from logship.settings import secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from logship.settings import Store

_POOL_SIZE: Final = 4
TOO_LARGE: Final = 413
_BUSY: Final = frozenset({408, 429})
_SERVER_ERRORS: Final = 500
"""From that status on it is the server, or what stands before it, that failed."""
_FAILED_SEARCH: Final = "search_phase_execution_exception"
_BUSY_WAITS_S: Final = (0.2, 0.5, 1.0, 2.0, 4.0)
_LONGEST_BROKEN_WAIT_S: Final = 0.5
"""A connection that breaks again after so long a pause is an outage, and for callers to decide on."""
_NO_ACCESS: Final = frozenset({401, 403})
_DEEPEST_CAUSE: Final = 5
_AWS_HOSTS: Final = ".amazonaws.com"

# The SDK reports each failed request as a warning; what matters reaches people as our own errors.
logging.getLogger("opensearch").addHandler(logging.NullHandler())


_NO_ERRORS: Final = '{"errors":false,'


class _Json(Serializer):
    """Bodies as bytes; what is bytes or text already is passed on."""

    mimetype = "application/json"

    def dumps(self, data: Any) -> Any:
        return data if isinstance(data, (bytes, str)) else orjson.dumps(data)

    def loads(self, s: str) -> Any:
        # Of a bulk request that had no errors nothing else is read: its items say so once more, each.
        return {"errors": False} if s.startswith(_NO_ERRORS) else orjson.loads(s)


class _Connection(Urllib3HttpConnection):
    """Leaves the server's deprecation notes alone: they are for us, not for whoever runs a query."""

    def _raise_warnings(self, warning_headers: Any) -> None:
        del warning_headers


class RefusedError(StoreError):
    """The server understood the request and refused it.

    Attributes:
        status: of HTTP.
        kind: the server's name for the reason, such as ``index_not_found_exception``; "" if it gives none.
    """

    def __init__(self, message: str, status: int, kind: str) -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


class StrangeError(StoreError):
    """An answer that is none of OpenSearch's, from a cluster that is not known."""


class StandInError(ConnectError):
    """Something answered in place of a known cluster, which may be back later.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Cluster:
    """Requests to one cluster; every failure is one of ours. Safe to use from several threads."""

    def __init__(self, store: Store) -> None:
        self.url = store.location.rstrip("/")
        self.is_known = False
        """Whether it has shown itself an OpenSearch: whoever answers otherwise then stands before it, for now."""
        self._store = store
        self._client = OpenSearch(
            hosts=[self.url],
            connection_class=_Connection,
            serializer=_Json(),
            timeout=store.timeout_s,
            max_retries=0,
            pool_maxsize=_POOL_SIZE,
            http_auth=_authentication(store),
            **_tls(store),
        )

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        patient: bool = True,
    ) -> Any:
        """The answer to one request.

        Args:
            method: of HTTP.
            path: begins with ``/``.
            body: bytes as they are, anything else as JSON.
            params: of the URL.
            headers: more of them.
            patient: whether a busy server is asked again, up to 8 s, and one that broke the connection off, up to
                0.7 s. That is safe for every request of ours: what is made twice is there already.

        Raises:
            ConnectError: the server does not answer, or is too busy; or it is known, and something else answers.
            AccessError: it does not know us, or does not let us.
            DiskFullError: it takes no more writes because its disk is full.
            RefusedError: any other refusal.
            StoreError: what answers is no OpenSearch.
        """
        waits = list(_BUSY_WAITS_S) if patient else []
        while True:
            try:
                answer = self._client.transport.perform_request(
                    method, path, params=dict(params or {}), body=body, headers=dict(headers or {})
                )
            except (AttributeError, ValueError, SerializationError):  # the SDK reads any answer as an object
                raise self.strange(f"{method} {path}") from None
            except TransportError as error:
                _let_go(error)
                if not waits or not _is_worth_it(error, waits[0]):
                    raise self._explained(error, f"{method} {path}") from None
                time.sleep(waits.pop(0))
            else:
                if isinstance(answer, dict):
                    return answer
                raise self.strange(f"{method} {path}")

    def close(self) -> None:
        """Lets go of the connections."""
        self._client.close()

    def strange(self, asked: str) -> LogshipError:
        """The complaint about an answer that is none of OpenSearch's."""
        if self.is_known:
            return ConnectError(f"{self.url} answered {asked} as no OpenSearch does; see what stands before it")
        return StrangeError(f"{self.url} does not answer as OpenSearch does; is the URL right?")

    def _explained(self, error: TransportError, asked: str) -> LogshipError:
        if isinstance(error, SSLError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return ConnectError(
                f"{self.url}: its certificate is not trusted ({_short(error.info)}); "
                "name its authority as ca_cert in [stores.NAME]"
            )
        if isinstance(error, ConnectionTimeout):
            return ConnectError(f"{self.url} did not answer {asked} within {self._store.timeout_s:.0f} s")
        if isinstance(error, NoConnectionError):
            return ConnectError(f"{self.url} does not answer ({_short(error.info)}); is it running, is the URL right?")
        return self._refusal(error, asked)

    def _refusal(self, error: TransportError, asked: str) -> LogshipError:
        status, kind, reason = int(error.status_code), *_complaint(error)
        if is_full_disk(reason):
            return DiskFullError(f"{self.url} takes no more writes, its disk is full: {_short(reason)}")
        if isinstance(error, AuthenticationException):
            return AccessError(f"{self.url} does not know us (401); check username and password of the store")
        if isinstance(error, AuthorizationException) and "block" not in kind:
            return AccessError(f"{self.url} does not permit {asked}: {_short(reason)}")
        if may_pass(status) and not _is_of_query(error):
            return ConnectError(
                f"{self.url} is too busy, or failed ({_short(f'{status} {kind}' if kind else reason)}); try again later"
            )
        if kind:
            return RefusedError(f"{self.url} refused {asked} ({status} {kind}): {_short(reason)}", status, kind)
        if self.is_known and status != TOO_LARGE:
            return StandInError(f"{self.url} refused {asked}: {_short(reason)}; see what stands before it", status)
        return RefusedError(f"{self.url} refused {asked}: {_short(reason)}", status, kind)


def may_pass(status: int) -> bool:
    """Whether a server that answers so may take the same request later."""
    return status in _BUSY or status >= _SERVER_ERRORS


def _is_worth_it(error: TransportError, wait_s: float) -> bool:
    """Whether asking again after that pause may help."""
    if isinstance(error, NoConnectionError):
        return isinstance(error.info, ProtocolError) and wait_s <= _LONGEST_BROKEN_WAIT_S
    return may_pass(int(error.status_code)) and not is_full_disk(str(error)) and not _is_of_query(error)


def _is_of_query(error: TransportError) -> bool:
    """Whether a query fails on what it finds, such as percentiles of a kind that takes no negative numbers."""
    return error.status_code == _SERVER_ERRORS and error.error == _FAILED_SEARCH


def _let_go(error: BaseException | None) -> None:
    """Frees what a failed request holds: its frames and errors name each other, the body among them.

    Otherwise each try would keep its megabytes until the collector of cycles runs, which is seldom.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        if isinstance(error, TransportError) and isinstance(error.info, BaseException):
            _let_go(error.info)
        error = error.__cause__ or error.__context__


def _complaint(error: TransportError) -> tuple[str, str]:
    """The kind and the words of a refusal; no kind where it is none of OpenSearch's, whose words may be a page."""
    status, text = f"HTTP {error.status_code}", str(error.error or "")
    if isinstance(error.info, dict):
        of_aws = error.info.get("Message") or error.info.get("message")  # said before a request reaches a domain
        return ("", f"{of_aws} ({status})") if of_aws else reason_of(error.info, error.error)
    if "<" in text:
        return "", f"an answer that is not OpenSearch's: {status}"
    return "", f"{text} ({status})" if text else f"an empty answer: {status}"


def reason_of(info: Any, fallback: Any = "") -> tuple[str, str]:
    """The kind and the words of a server's complaint, from the innermost cause that names one."""
    found = info.get("error", {}) if isinstance(info, dict) else {}
    if not isinstance(found, dict):
        return str(fallback), str(found)
    failed = [shard.get("reason", {}) for shard in found.get("failed_shards", ())]
    told = next((cause for cause in [*found.get("root_cause", ()), *failed] if cause.get("reason")), found)
    kind, reasons = str(told.get("type", fallback)), [str(told.get("reason", ""))]
    cause = found.get("caused_by") or told.get("caused_by")
    while cause and len(reasons) < _DEEPEST_CAUSE:
        if cause.get("reason") and str(cause["reason"]) not in reasons:
            reasons.append(str(cause["reason"]))
        cause = cause.get("caused_by")
    return kind, ": ".join(reasons)


def is_full_disk(reason: str) -> bool:
    """Whether disks are full: indices are read-only (the flood stage), or none is made any more (the high watermark).

    OpenSearch docs, "Cluster settings", disk; it lifts both blocks by itself.
    """
    signs = ("flood-stage", "read-only-allow-delete", "create-index blocked")
    return any(sign in reason for sign in signs)


def _short(reason: Any) -> str:
    return " ".join(str(reason).split())[:300]


def _authentication(store: Store) -> tuple[str, str] | Callable[..., Any] | None:
    host = urlsplit(store.location).hostname or ""
    kind = store.auth
    if kind == "auto":
        kind = "basic" if store.username else "sigv4" if host.endswith(_AWS_HOSTS) else "none"
    if kind == "basic":
        if not store.username:
            raise SettingsError('auth = "basic" needs username and password in [stores.NAME]')
        return store.username, secret(store.password, "stores password")
    return _signer(store, host) if kind == "sigv4" else None


def _signer(store: Store, host: str) -> Callable[..., Any]:
    """Signs requests with the role of this machine or person."""
    import boto3

    session = boto3.Session(region_name=store.region or os.environ.get("AWS_REGION"))
    credentials = session.get_credentials()
    if credentials is None:
        raise AccessError(f"{store.location}: no AWS credentials were found; give this machine a role, or log in")
    region = store.region or session.region_name
    if not region:
        raise SettingsError(f"{store.location}: no AWS region; write region in [stores.NAME]")
    service = store.service if store.service != "auto" else "aoss" if ".aoss." in host else "es"
    return Urllib3AWSV4SignerAuth(credentials, region, service)


def _tls(store: Store) -> dict[str, Any]:
    if not store.location.startswith("https://"):
        return {}
    try:
        context = ssl.create_default_context(cafile=store.ca_cert or None)
        if store.client_cert:
            context.load_cert_chain(store.client_cert, store.client_key or None)
    except (OSError, ssl.SSLError) as error:
        named = f"ca_cert {store.ca_cert!r}" if not store.client_cert else f"client_cert {store.client_cert!r}"
        raise SettingsError(f"{named} of [stores.NAME] cannot be used: {error}") from None
    return {"use_ssl": True, "ssl_context": context}
