"""What is wrong with a config, and the forms in which that is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Severity = Literal["error", "warning", "hint"]
ORDER: Final = {"error": 0, "warning": 1, "hint": 2}
_SARIF_LEVELS: Final = {"error": "error", "warning": "warning", "hint": "note"}
_GITHUB_LEVELS: Final = {"error": "error", "warning": "warning", "hint": "notice"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong."""

    path: str
    """JSON pointer of what it is about."""
    rule: str
    severity: Severity
    message: str
    fix: str
    """What to write instead, in words."""
    file: str = ""
    line: int = 1
    column: int = 1
    value: Any = None
    """What to put there, where `--fix` may; None where it may not."""
    rename: str = ""
    """The right key, where `--fix` may rename it."""

    def placed(self, file: str, line: int, column: int) -> Finding:
        """The same, with its place in a file."""
        return replace(self, file=file, line=line, column=column)


def as_text(findings: Sequence[Finding]) -> Iterator[str]:
    """A line each, as compilers have it."""
    for one in findings:
        fix = f"; {one.fix}" if one.fix else ""
        yield f"{one.file}:{one.line}:{one.column}: {one.severity} {one.rule}: {one.message}{fix}"


def as_github(findings: Sequence[Finding]) -> Iterator[str]:
    """Workflow commands, which GitHub shows beside the line."""
    for one in findings:
        text = f"{one.message}; {one.fix}" if one.fix else one.message
        place = f"file={_property(one.file)},line={one.line},col={one.column},title={one.rule}"
        yield f"::{_GITHUB_LEVELS[one.severity]} {place}::{_data(text)}"


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The documented object."""
    names = ("file", "path", "line", "column", "rule", "severity", "message", "fix")
    return {"findings": [{name: value for name, value in asdict(one).items() if name in names} for one in findings]}


def as_sarif(findings: Sequence[Finding], version: str) -> dict[str, Any]:
    """SARIF 2.1.0, which code scanning reads."""
    rules = sorted({one.rule for one in findings})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "logship", "version": version, "rules": [{"id": rule} for rule in rules]}},
                "results": [_result(one, rules) for one in findings],
            }
        ],
    }


def _result(one: Finding, rules: Sequence[str]) -> dict[str, Any]:
    return {
        "ruleId": one.rule,
        "ruleIndex": rules.index(one.rule),
        "level": _SARIF_LEVELS[one.severity],
        "message": {"text": f"{one.message}; {one.fix}" if one.fix else one.message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": one.file},
                    "region": {"startLine": one.line, "startColumn": one.column},
                },
                "logicalLocations": [{"fullyQualifiedName": one.path, "kind": "member"}],
            }
        ],
    }


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
