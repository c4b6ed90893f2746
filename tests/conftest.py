"""What every test shares: a machine without the developer's settings and credentials."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"


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


@pytest.fixture
def incidents() -> Path:
    """The labelled incidents, read in place."""
    folder = SHARED / "incidents"
    if not folder.is_dir():
        pytest.skip("the incidents folder is not beside this checkout (../shared/incidents)")
    return folder
