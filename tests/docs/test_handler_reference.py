"""The reference of the handler names what there is."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import fields
from pathlib import Path

from logship.handler import CloudWatchHandler
from logship.handler.stats import Stats

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/handler.md").read_text()


def first_column(heading: str) -> dict[str, str]:
    """The names in a section's table, each with its second column."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {name: row[1] for row in rows for name in re.findall(r"`(\w+)`", row[0])}


def test_every_parameter_is_there_with_its_default() -> None:
    """In the constructor's order."""
    parameters = inspect.signature(CloudWatchHandler).parameters.values()
    defaults = {one.name: f"`{one.default!r}`" for one in parameters}

    assert list(first_column("Parameters").items()) == list(defaults.items())


def test_every_counter_is_there() -> None:
    """As `Stats` has them."""
    assert list(first_column("What became of the records")) == [field.name for field in fields(Stats)]


def test_the_line_is_json() -> None:
    """The example is one object."""
    assert json.loads(PAGE.split("```json\n")[1].split("\n```")[0])["service.name"] == "orders"
