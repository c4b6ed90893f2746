"""Which framework a project uses, from what it says it depends on."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PACKAGES: Final = {
    "fastapi": "fastapi", "starlette": "fastapi", "flask": "flask", "django": "django", "celery": "celery",
    "gunicorn": "gunicorn", "structlog": "structlog", "loguru": "loguru", "aws-lambda-powertools": "lambda",
    "mangum": "lambda", "jupyter": "script", "notebook": "script",
}  # fmt: skip
"""Package → framework."""
_NAME: Final = re.compile(r"[\s\"'\[,]*([A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclass(frozen=True)
class Seen:
    """A framework, and where it was seen."""

    framework: str
    package: str
    file: str


def detect(folder: Path) -> list[Seen]:
    """The frameworks of a project, in the order of their first mention; nothing else is looked at."""
    found: dict[str, Seen] = {}
    for file in _files(folder):
        for package in _packages(file):
            framework = _PACKAGES.get(package)
            if framework is not None and framework not in found:
                found[framework] = Seen(framework, package, file.name)
    return list(found.values())


def _files(folder: Path) -> Iterator[Path]:
    names = ["pyproject.toml", "Pipfile", "setup.cfg"]
    yield from (folder / name for name in names if (folder / name).is_file())
    yield from sorted(folder.glob("requirements*.txt"))


def _packages(file: Path) -> Iterator[str]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    lines = _of_toml(text) if file.name in ("pyproject.toml", "Pipfile") else text.splitlines()
    for line in lines:
        if match := _NAME.match(line):
            yield re.sub(r"[._-]+", "-", match[1]).lower()


def _of_toml(text: str) -> list[str]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return []
    project, poetry = document.get("project", {}), document.get("tool", {}).get("poetry", {})
    found: list[Any] = [*project.get("dependencies", ())]
    for group in (project.get("optional-dependencies", {}), document.get("dependency-groups", {})):
        found += [item for items in group.values() for item in items]
    found += [*poetry.get("dependencies", ()), *document.get("packages", ()), *document.get("dev-packages", ())]
    return [item for item in found if isinstance(item, str)]
