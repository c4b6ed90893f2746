"""A node with the security plugin: TLS by a throw-away authority, basic auth, real roles."""

from __future__ import annotations

import shutil
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

from logship.errors import AccessError, ConnectError, LogshipError
from logship.settings import Store
from logship.store.opensearch.connection import Cluster
from logship.testing.opensearch_node import Node, fetch

if TYPE_CHECKING:
    from pathlib import Path

ADMIN = "admin"
"""User and password of the plugin's demo configuration."""


@dataclass(frozen=True)
class Secured:
    node: Node
    authority: str
    passwords: Path

    def store(self, user: str = ADMIN, *, index: str = "logship-logs", authority: str | None = None) -> Store:
        """The store as that user sees it; each user's password is in a file of their name."""
        return Store(
            location=self.node.url,
            index=index,
            replicas=0,
            username=user,
            password=f"file:{self.passwords / user}",
            ca_cert=self.authority if authority is None else authority,
        )

    def add_user(self, name: str, *roles: str) -> None:
        (self.passwords / name).write_text("Kp7-wq3-Zt9")
        with_rights = Cluster(self.store())
        with_rights.request("PUT", f"/_plugins/_security/api/internalusers/{name}", {"password": "Kp7-wq3-Zt9"})
        for role in roles:
            held = with_rights.request("GET", "/_plugins/_security/api/rolesmapping").get(role, {})
            with_rights.request(
                "PUT", f"/_plugins/_security/api/rolesmapping/{role}", {"users": [*held.get("users", ()), name]}
            )
        with_rights.close()


def start(folder: Path) -> Secured:
    """A running node; whoever starts it stops it."""
    home = fetch(security=True)
    conf = folder / "conf"
    shutil.copytree(home / "plugins" / "opensearch-security" / "config", conf / "opensearch-security")
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1", common_name="node")
    authority.cert_pem.write_to_path(str(conf / "ca.pem"))
    own.private_key_pem.write_to_path(str(conf / "node.key"))
    (conf / "node.pem").write_bytes(b"".join(blob.bytes() for blob in own.cert_chain_pems))
    (conf / "node.key").chmod(0o600)
    security = "plugins.security."
    settings = {f"{security}ssl.{side}.{name}": file for side in ("transport", "http") for name, file in _FILES.items()}
    context = ssl.create_default_context(cafile=str(conf / "ca.pem"))
    node = Node(
        folder,
        fast_start=True,
        home=home,
        ssl_context=context,
        settings={
            **settings,
            f"{security}ssl.http.enabled": "true",
            f"{security}ssl.transport.enforce_hostname_verification": "false",
            f"{security}allow_default_init_securityindex": "true",
            f"{security}restapi.roles_enabled": "all_access",
            f"{security}authcz.admin_dn": "CN=nobody",
            f"{security}nodes_dn": "CN=node*",
        },
    )
    passwords = folder / "passwords"
    passwords.mkdir()
    (passwords / ADMIN).write_text(ADMIN)
    node.start()
    secured = Secured(node, str(conf / "ca.pem"), passwords)
    _wait_until_initialised(secured)
    return secured


_FILES = {
    "pemcert_filepath": "node.pem",
    "pemkey_filepath": "node.key",
    "pemtrustedcas_filepath": "ca.pem",
}


def _wait_until_initialised(secured: Secured) -> None:
    cluster = Cluster(secured.store())
    deadline = time.monotonic() + 60
    while True:
        try:
            cluster.request("GET", "/", patient=False)
        except (AccessError, ConnectError, LogshipError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            cluster.close()
            return
