"""Objects of S3: which are gone, which are only out of reach, and what is wrong here."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from logship.cloudwatch.paging import Retry
from logship.cloudwatch.session import open_client, open_session
from logship.errors import ConnectError, DataError
from logship.forward.sources.s3 import objects
from logship.forward.sources.s3.notice import Notice
from tests import fake_aws
from tests.stub_server import Server

if TYPE_CHECKING:
    from pathlib import Path

NOTICE = Notice("logs", "shop/app.log")


class Silent:
    """A client of S3 whose body never comes."""

    def get_object(self, **_: Any) -> dict[str, Any]:
        return {"Body": self}

    def iter_chunks(self, chunk_size: int) -> None:
        raise ReadTimeoutError(endpoint_url=f"https://s3, {chunk_size} bytes at a time")


def test_whatever_else_answers_is_not_there_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's page that knows no such address is no word of S3: the message that told of the object is kept."""
    fake_aws.use_credentials(monkeypatch)
    with Server((404, "<html>not found</html>")) as server:
        client = open_client("s3", open_session(region="eu-west-1"), endpoint_url=server.url)
        with pytest.raises(ConnectError, match="no service of AWS"):
            list(objects.read(client, NOTICE, Retry(tries=1)))


def test_a_body_that_does_not_come_is_asked_for_again() -> None:
    """A timeout of the SDK is an error of the system, too, and no sign of a full disk."""
    with pytest.raises(ConnectError, match="timeout"):
        list(objects.read(Silent(), NOTICE, Retry(tries=2)))


def test_no_place_for_a_copy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable that names another."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))

    with pytest.raises(DataError, match="No such file or directory; set TMPDIR"):
        list(objects.read(Silent(), NOTICE, Retry(tries=1)))


def test_a_disk_without_room_for_any_copy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system finds no folder at all then."""

    def nowhere(**_: Any) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(objects, "TemporaryDirectory", nowhere)

    with pytest.raises(DataError, match="No usable temporary directory found; set TMPDIR"):
        list(objects.read(Silent(), NOTICE, Retry(tries=1)))
