"""One config, or several that are layers of one: read, checked, and told with places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from logship.agent.document import Document, parse
from logship.agent.findings import ORDER, Finding
from logship.agent.lint.rules import RULES
from logship.agent.lint.schema import check
from logship.agent.lint.systems import check_system
from logship.agent.options import CONFIG, SINCE, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, kw_only=True)
class Linter:
    """What to look for.

    Args:
        system: linux, windows or darwin; "" asks no questions about it.
        agent_version: of the agent that will read the config; "" is the table's own.
        schema: checks against the user's own schema instead of the table; gives findings.
    """

    system: str = ""
    agent_version: str = ""
    schema: Callable[[Any], Iterator[Finding]] | None = None

    def lint(self, data: bytes, file: str = "") -> tuple[Document, list[Finding]]:
        """The findings of a text, in the order of the text."""
        document = parse(data)
        found = list(_unique(self._of(document)))
        placed = []
        for one in found:
            place = document.place(one.path)
            if document.broken is not None and one.rule == document.broken.rule:
                place = document.place_of(document.broken.at)
            placed.append(one.placed(file, place.line, place.column))
        return document, sorted(placed, key=lambda one: (one.line, one.column, ORDER[one.severity], one.rule))

    def _of(self, document: Document) -> Iterator[Finding]:
        if document.broken is not None:
            broken = document.broken
            yield Finding(path="", rule=broken.rule, severity="error", message=broken.message, fix=broken.fix)
            return
        for path, _at in document.repeated:
            yield Finding(
                path=path, rule="duplicate-key", severity="warning",
                message=f"the key {path.rpartition('/')[2]!r} is repeated in one object, and the last one wins without a word",
                fix="delete one of the two",
            )  # fmt: skip
        config = document.value
        newer = _number(self.agent_version) > _number(VERSION)
        if self.schema is not None:
            yield from self.schema(config)
        else:
            yield from check(config, CONFIG, unknown="warning" if newer else "error")
        yield from self._too_new(config)
        for rule in RULES:
            yield from rule(config)
        if self.system:
            yield from check_system(config, self.system)

    def _too_new(self, config: Any) -> Iterator[Finding]:
        if not self.agent_version:
            return
        for path, version in SINCE.items():
            value = config
            for key in path.split("/")[1:]:
                value = value.get(key) if isinstance(value, dict) else None
            if value is not None and _number(self.agent_version) < _number(version):
                yield Finding(
                    path=path, rule="too-new", severity="error",
                    message=f"{path.rpartition('/')[2]} is known from agent {version} on, and this is {self.agent_version}",
                    fix="update the agent, or delete it",
                )  # fmt: skip


def lint_document(data: bytes, file: str = "", **options: Any) -> list[Finding]:
    """The findings of one config; see `Linter` for the options."""
    return Linter(**options).lint(data, file)[1]


def _unique(found: Iterator[Finding]) -> Iterator[Finding]:
    """One finding of a rule for a place: a wrong type is told once, not by each rule that meets it."""
    seen = set()
    for one in found:
        key = (one.path, one.rule, one.message)
        if key not in seen:
            seen.add(key)
            yield one


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
