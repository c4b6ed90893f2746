"""Recipes: how well-known services log, one declarative file each. Adding one needs no code."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import msgspec

__all__ = ["Filter", "Journal", "Recipe", "RecipeFile", "Sample", "WindowsEvents", "names", "recipe"]

Distribution = Literal["debian", "rhel", "darwin", "windows"]


class Sample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A real event, and what has to become of it: the recipe's test."""

    event: str
    """As the agent cuts it; may be several lines."""
    time: str = ""
    """What the agent reads, in UTC on a host whose zone is UTC; empty where it reads none."""
    record: dict[str, Any] = {}
    """Of the record that the forwarder makes: level, status, duration_ms."""


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events of a file are the service's."""

    type: Literal["include", "exclude"]
    expression: str
    """RE2."""


class RecipeFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A log file."""

    paths: dict[Distribution, list[str]]
    """By distribution; may hold ``*``."""
    stream: str = ""
    """Told apart from the recipe's other files by that."""
    timestamp: str = ""
    """In the agent's directives; empty where the agent cannot read the time."""
    timezone: Literal["", "UTC", "Local"] = ""
    multi_line: str = ""
    encoding: str = ""
    note: str = ""
    """What people should know of its times."""
    filters: list[Filter] = []
    sample: list[Sample] = []


class WindowsEvents(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A channel of the Windows event log."""

    event_name: str
    event_levels: list[str]
    event_format: Literal["text", "xml"] = "xml"


class Journal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of the systemd journal."""

    priority: str = "info"
    units: list[str] = []


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one service logs."""

    title: str
    about: str
    retention_days: int
    """Suggested."""
    units: list[str] = []
    """Names of systemd units by which it is detected."""
    readable: str = ""
    """What to do where the agent's user may not read its files."""
    file: list[RecipeFile] = []
    event: list[WindowsEvents] = []
    journal: Journal | None = None


@cache
def names() -> list[str]:
    """The recipes there are, in alphabetical order."""
    folder = files(__name__).joinpath("recipes")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


@cache
def recipe(name: str) -> Recipe:
    """A recipe by its name.

    Raises:
        KeyError: there is none.
    """
    if name not in names():
        raise KeyError(name)
    text = files(__name__).joinpath("recipes", f"{name}.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Recipe)
