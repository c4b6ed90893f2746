"""Each recipe: a config that the agent takes and the linter likes, and samples that become what they say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from logship.agent.lint import lint_document
from logship.agent.multiline import cut, start_of
from logship.agent.timestamps import Reader
from logship.generate.agent.config import System, make
from logship.naming import GROUP_NAME
from logship.parse import Parser
from logship.record import LogEvent
from logship.settings import Service, Settings
from logship_agent_configs import names, recipe

NOW = datetime(2026, 11, 25, tzinfo=UTC)
SYSTEMS: tuple[System, ...] = ("linux", "windows", "darwin")


def systems(name: str) -> list[System]:
    """Where a recipe finds something."""
    known = recipe(name)
    found = {"linux" if place in ("debian", "rhel") else place for file in known.file for place in file.paths}
    found |= {"windows"} if known.event else set()
    found |= {"linux"} if known.journal else set()
    return [one for one in SYSTEMS if one in found]


def test_there_are_forty_of_them() -> None:
    """Each has a legal name for a group, somewhere to be found, and a sample for every file."""
    assert len(names()) >= 40
    for name in names():
        assert GROUP_NAME.match(name)
        assert systems(name)
        assert all(file.sample for file in recipe(name).file), name


@pytest.mark.parametrize("name", names())
def test_its_config_is_what_the_agent_takes(name: str) -> None:
    """No finding of the linter at all, on each system that it is for."""
    import json

    settings = Settings(service=[Service(name=name, recipe=name)])
    for system in systems(name):
        [made] = make(settings, system)
        assert lint_document(json.dumps(made.config).encode(), system=system) == []


@pytest.mark.parametrize("name", [name for name in names() if recipe(name).file])
def test_its_samples_are_cut_dated_and_parsed(name: str) -> None:
    """The agent cuts the lines into these events and reads these times; our parser finds level, status and duration."""
    for file in recipe(name).file:
        lines = [line for sample in file.sample for line in sample.event.split("\n")]
        assert list(cut(lines, start_of(file.multi_line, file.timestamp))) == [one.event for one in file.sample]

        reader = Reader(file.timestamp, file.timezone, now=NOW) if file.timestamp else None
        for sample in file.sample:
            time = reader.read(sample.event).time if reader else None
            assert time == (datetime.fromisoformat(sample.time) if sample.time else None)
            at_ms = int((time or NOW).timestamp() * 1000)
            [record] = Parser().records([LogEvent("/g", "s", at_ms, sample.event, "1")])
            found = {
                "level": record.severity,
                "status": record.attributes.get("http.response.status_code"),
                "duration_ms": record.attributes.get("duration_ms"),
            }
            assert {key: found[key] for key in sample.record} == sample.record
            assert time is None or abs(record.time_us / 1e6 - time.timestamp()) < 1
