"""What every test shares: a machine without the developer's settings and credentials."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from logship.testing.opensearch_node import Node, NodeUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVELOPER = {name: os.environ[name] for name in os.environ if name == "HOME" or "OPENSEARCH" in name or "CACHE" in name}
REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Inherited from a shell that runs the tests in the background; the commands under test have to take Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A red run is about the change: the same examples each time, unless `make soak` asks for new ones.
# How long examples take to draw says how busy the machine is.
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("searching", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("LOGSHIP_HYPOTHESIS", "repeatable"))


@pytest.fixture(autouse=True)
def _no_developer(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neither settings nor credentials of whoever runs the tests reach them."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "LOGSHIP_")):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "aws-credentials"))


@pytest.fixture(autouse=True)
def _databases_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test may leave to its end what a process leaves to its own; since Python 3.13 an open database is told of."""
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def remembered(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", remembered)
    yield
    for database in opened:
        with suppress(sqlite3.ProgrammingError):  # of a thread that has ended
            database.close()


@pytest.fixture(scope="session")
def opensearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real OpenSearch on loopback; where there can be none, the test is skipped, or fails in CI."""
    if url := DEVELOPER.get("LOGSHIP_TEST_OPENSEARCH_URL"):
        yield url
        return
    node = Node(tmp_path_factory.mktemp("opensearch"), fast_start=True)
    with opensearch_available():
        url = node.start()
    yield url
    node.stop()


@contextmanager
def opensearch_available() -> Iterator[None]:
    """Starting a node uses the developer's cache; where none can be started, skips, or fails in CI."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in DEVELOPER.items():
            patch.setenv(name, value)
        try:
            yield
        except NodeUnavailableError as error:
            if "LOGSHIP_REQUIRE_OPENSEARCH" in DEVELOPER:
                pytest.fail(f"no OpenSearch node: {error}")
            pytest.skip(f"no OpenSearch node: {error}")


@pytest.fixture
def incidents() -> Path:
    """The labelled incidents, read in place."""
    folder = SHARED / "incidents"
    if not folder.is_dir():
        pytest.skip("the incidents folder is not beside this checkout (../shared/incidents)")
    return folder
