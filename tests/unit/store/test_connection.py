"""How a cluster is spoken to: signatures, certificates, patience, and its complaints in one line."""

from __future__ import annotations

import gc
import logging
import ssl
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from logship.errors import AccessError, ConnectError, DiskFullError, SettingsError, StoreError
from logship.settings import Store
from logship.store.opensearch.connection import Cluster, RefusedError
from tests.stub_server import BREAK, Server

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("service", ["es", "aoss"])
def test_requests_to_aws_are_signed(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    """With sigv4 each request carries a signature of the machine's credentials for region and service."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with Server((200, {})) as server:
        store = Store(location=f"http://127.0.0.1:{server.server_port}", auth="sigv4", service=service)  # type: ignore[arg-type]
        cluster = Cluster(store)
        cluster.request("GET", "/")
        cluster.close()
    head = server.heads[0]

    assert head["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDTEST/")
    assert f"/eu-west-1/{service}/aws4_request" in head["authorization"]
    assert "x-amz-content-sha256" in head


def test_without_credentials_or_region_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that is missing has its own line."""
    store = Store(location="https://x.eu-west-1.es.amazonaws.com")
    with pytest.raises(AccessError, match="no AWS credentials"):
        Cluster(store)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    with pytest.raises(SettingsError, match="region"):
        Cluster(store)


def test_a_client_certificate_opens_the_door(tmp_path: Path) -> None:
    """A server that wants one takes ours, and is out of reach without."""
    authority = trustme.CA()
    files = {name: str(tmp_path / name) for name in ("ca.pem", "client.pem", "client.key")}
    authority.cert_pem.write_to_path(files["ca.pem"])
    ours = authority.issue_cert("logship@example.org")
    ours.private_key_pem.write_to_path(files["client.key"])
    ours.cert_chain_pems[0].write_to_path(files["client.pem"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.configure_trust(context)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with Server((200, {"ok": True})) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        location = f"https://127.0.0.1:{server.server_port}"
        trusted = Store(
            location=location, ca_cert=files["ca.pem"], client_cert=files["client.pem"], client_key=files["client.key"]
        )
        with_it, without = Cluster(trusted), Cluster(Store(location=location, ca_cert=files["ca.pem"]))

        assert with_it.request("GET", "/") == {"ok": True}
        with pytest.raises(ConnectError):
            without.request("GET", "/", patient=False)
        with_it.close()
        without.close()


def test_files_that_cannot_be_used_are_named() -> None:
    """Settings, not the network, are to blame."""
    with pytest.raises(SettingsError, match=r"ca_cert '/nowhere\.pem'"):
        Cluster(Store(location="https://127.0.0.1:1", ca_cert="/nowhere.pem"))


def test_a_password_is_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret itself in the settings is refused; a variable is read."""
    with pytest.raises(SettingsError, match="env:NAME or file:PATH"):
        Cluster(Store(location="http://127.0.0.1:1", username="u", password="hunter2"))
    monkeypatch.setenv("THE_PASSWORD", "p")
    with Server((200, {})) as server:
        store = Store(location=f"http://127.0.0.1:{server.server_port}", username="u", password="env:THE_PASSWORD")
        cluster = Cluster(store)
        cluster.request("GET", "/")
        cluster.close()

    assert server.heads[0]["authorization"] == "Basic dTpw"


def error(kind: str, reason: str) -> dict[str, Any]:
    return {"error": {"type": "outer", "reason": "all failed", "root_cause": [{"type": kind, "reason": reason}]}}


FAILED_SEARCH = {
    "error": {
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
        "root_cause": [{"type": "array_index_out_of_bounds_exception", "reason": "value cannot be negative"}],
    }
}


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr("logship.store.opensearch.connection.time.sleep", waited.append)
    return waited


def test_a_busy_server_is_asked_again(no_waiting: list[float]) -> None:
    """429 and 503 are waited for with growing pauses, up to an end."""
    busy = (429, error("rejected_execution_exception", "queue full"))
    with Server(busy, (503, {}), (200, {"ok": 1})) as server:
        cluster = Cluster(Store(location=f"http://127.0.0.1:{server.server_port}"))
        answer = cluster.request("GET", "/")
        cluster.close()
    with Server(busy) as server:
        cluster = Cluster(Store(location=f"http://127.0.0.1:{server.server_port}"))
        with pytest.raises(ConnectError, match="too busy"):
            cluster.request("GET", "/")
        cluster.close()

    assert answer == {"ok": 1}
    assert no_waiting == [0.2, 0.5, 0.2, 0.5, 1.0, 2.0, 4.0]


def test_a_connection_broken_off_is_made_again(no_waiting: list[float]) -> None:
    """Twice, after short pauses; what goes on breaking is an outage, and said."""
    with Server(BREAK, BREAK, (200, {"ok": 1}), BREAK) as server:
        cluster = Cluster(Store(location=server.url))
        answer = cluster.request("GET", "/")
        with pytest.raises(ConnectError, match="does not answer"):
            cluster.request("GET", "/")
        cluster.close()

    assert answer == {"ok": 1}
    assert no_waiting == [0.2, 0.5, 0.2, 0.5]


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (401, {}, AccessError, "check username and password"),
        (403, error("security_exception", "no permissions"), AccessError, "does not permit GET /x: no permissions"),
        (
            429,
            error("cluster_block_exception", "index [x] blocked by: [disk usage exceeded flood-stage watermark]"),
            DiskFullError,
            "its disk is full",
        ),
        (408, {}, ConnectError, "too busy"),
        (500, error("node_closed_exception", "node closed"), ConnectError, "500 node_closed_exception"),
        (520, {}, ConnectError, "too busy"),
        (500, FAILED_SEARCH, RefusedError, "cannot be negative"),
        (400, error("parsing_exception", "unknown field"), RefusedError, r"refused GET /x \(400 parsing_exception\)"),
        (404, b"<html>nf</html>", RefusedError, "refused GET /x: an answer that is not OpenSearch's: HTTP 404$"),
        (400, b"<html>no</html>", RefusedError, "refused GET /x: an answer that is not OpenSearch's: HTTP 400$"),
        (403, b"<html>no</html>", AccessError, "does not permit GET /x: an answer that is not OpenSearch's: HTTP 403$"),
        (403, {"Message": "anonymous may not"}, AccessError, r"permit GET /x: anonymous may not \(HTTP 403\)$"),
        (502, b"<html>bad</html>", ConnectError, r"failed \(an answer that is not OpenSearch's: HTTP 502\)"),
        (503, b"not initialized.", ConnectError, r"failed \(not initialized. \(HTTP 503\)\)"),
        (404, b"", RefusedError, "refused GET /x: an empty answer: HTTP 404$"),
        (404, "no object", StoreError, "does not answer as OpenSearch does"),
        (200, "a page", StoreError, "does not answer as OpenSearch does"),
        (200, None, StoreError, "does not answer as OpenSearch does"),
    ],
)
def test_each_complaint_is_one_of_ours(status: int, body: Any, kind: type[Exception], said: str) -> None:
    """Its status and its reason choose the error; the message holds the reason."""
    with Server((status, body)) as server:
        cluster = Cluster(Store(location=f"http://127.0.0.1:{server.server_port}"))
        with pytest.raises(kind, match=said):
            cluster.request("GET", "/x", patient=False)
        cluster.close()


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (200, b"<html>it is being mended</html>", "answered POST /_bulk as no OpenSearch does"),
        (200, b"", "answered POST /_bulk as no OpenSearch does"),
        (200, [], "answered POST /_bulk as no OpenSearch does"),
        (404, b"<html>nf</html>", "refused POST /_bulk: an answer that is not OpenSearch's: HTTP 404"),
        (404, b"", "refused POST /_bulk: an empty answer: HTTP 404"),
    ],
)
def test_a_cluster_that_is_known_is_waited_for(status: int, answer: Any, said: str) -> None:
    """What a load balancer answers in its place is an outage, and named as what it is."""
    with Server((status, answer)) as server:
        cluster = Cluster(Store(location=server.url))
        cluster.is_known = True
        with pytest.raises(ConnectError, match=f"{said}; see what stands before it"):
            cluster.request("POST", "/_bulk", b"{}")
        cluster.close()


def test_what_a_known_cluster_lacks_is_no_outage() -> None:
    """A document that is not there is answered without an error, and by the cluster itself."""
    with Server((404, {"_index": "logship-meta", "_id": "x", "found": False})) as server:
        cluster = Cluster(Store(location=server.url))
        cluster.is_known = True
        with pytest.raises(RefusedError):
            cluster.request("GET", "/logship-meta/_doc/x")
        cluster.close()


def test_a_request_that_fails_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """While a server is away, each try gives its body's memory back at once, without the collector of cycles."""
    caplog.set_level(logging.CRITICAL, "opensearch")  # pytest keeps log records with their exceptions
    cluster, body = Cluster(Store(location="http://127.0.0.1:1")), b"x" * 1_000_000

    def failing() -> None:
        with suppress(ConnectError):
            cluster.request("POST", "/_bulk", body + b"\n")

    failing()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(10):
            failing()
        held, _most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()

    assert held < 1_500_000
