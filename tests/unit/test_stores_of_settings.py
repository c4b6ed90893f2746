"""What `--store` and `[stores.NAME]` may say, and what they are told where it is of no use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from logship.errors import SettingsError
from logship.settings import Settings, Store, load, resolve_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("./data", "./data"),
        ("/srv/a:b@c/data", "/srv/a:b@c/data"),
        ("HTTP://127.0.0.1:9200", "http://127.0.0.1:9200"),
        ("https://[::1]:9200/path@x", "https://[::1]:9200/path@x"),
        ("prod", "https://search:9200"),
    ],
)
def test_folders_urls_and_names_are_stores(text: str, location: str) -> None:
    """Whatever case a scheme is written in."""
    settings = Settings(stores={"prod": Store(location="https://search:9200")})

    assert resolve_store(text, settings, environ={}).location == location


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://127.0.0.1:1", "write http:// or https:// for a cluster"),
        ("s3://bucket/x", "write http:// or https:// for a cluster"),
        ("http://127.0.0.1:99999", "Port out of range"),
        ("http://a b/", "is no URL"),
        ("http://", "is no URL"),
        ("https://admin:hunter2@search:9200/x", "write username, and password as a reference"),
    ],
)
@pytest.mark.parametrize("is_named", [False, True])
def test_other_urls_are_refused(text: str, said: str, is_named: bool) -> None:
    """They would be taken for folders; and a password in one is not repeated in what is said of it."""
    with pytest.raises(SettingsError, match=said) as found:
        resolve_store("prod" if is_named else text, Settings(stores={"prod": Store(location=text)}), environ={})

    assert "hunter2" not in str(found.value)
    assert ("stores.prod.location" in str(found.value)) is is_named


def test_a_folder_in_place_of_the_settings_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container makes one where the file it mounts is not there: to read every group into ./data is no answer."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logship.toml").mkdir()

    with pytest.raises(SettingsError, match=r"'logship\.toml': Is a directory"):
        load(environ={})
