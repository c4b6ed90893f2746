"""Commands that take a query without stages read it as `logship search` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from logship.cli import diagnostics
from logship.cli.main import logship
from logship.record import Record, record_id
from logship.store.tantivy.writer import open_writer

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = [
    ["fields"],
    ["fields", "--field", "service"],
    ["incident", "--query"],
    ["store", "export", "--format=ndjson"],
]
every_command = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One record in `./data` of the folder that a command runs in."""
    monkeypatch.chdir(tmp_path)
    writer = open_writer(tmp_path / "data", "test", long_running=True)
    identity = record_id(1_795_443_665_000, "/shop/edge", "web", "1")
    resource = {"service.name": "edge"}
    writer.add([Record(identity, 1_795_443_665_000_000, "served", "INFO", 0, resource=resource, attributes={})])
    writer.close()


@every_command
@pytest.mark.parametrize("stages", ["| limit 5", "|limit 5"])
def test_stages_where_none_can_follow_are_pointed_at(
    command: list[str], stages: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """They are never taken for words to search for."""
    status = diagnostics.guarded(lambda: logship.main([*command, f"service:edge {stages}"], standalone_mode=False))
    out, said = capfd.readouterr()

    assert (status, out) == (2, "")
    assert f"service:edge {stages}\n{' ' * 13}^\nstages make tables" in said


@every_command
def test_a_query_that_means_something_else_gets_its_hints(
    command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """A field that nobody has is named with near ones, and small letters of an operator are told."""
    diagnostics.guarded(lambda: logship.main([*command, "servic:edge and served"], standalone_mode=False))
    said = capfd.readouterr().err

    assert "no record has the field 'servic'; did you mean service" in said
    assert "write AND to join conditions" in said
