"""The check against the schema that lies beside an installed agent, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from logship.agent.document import pointer
from logship.agent.findings import Finding
from logship.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def checker(path: Path) -> Callable[[Any], Iterator[Finding]]:
    """What checks configs against a JSON schema of draft 4.

    Raises:
        DataError: the file is no schema.
        SettingsError: jsonschema is not installed.
    """
    try:
        from jsonschema import Draft4Validator
        from jsonschema.exceptions import SchemaError
    except ImportError:
        raise SettingsError("--schema needs jsonschema; pip install 'logship[agent]'") from None
    try:
        schema = json.loads(path.read_bytes())
        Draft4Validator.check_schema(schema)
    except (OSError, ValueError, SchemaError) as error:
        raise DataError(
            f"{str(path)!r} is no JSON schema: {str(error).splitlines()[0]}; name the agent's own"
        ) from None
    validator = Draft4Validator(schema)

    def check(config: Any) -> Iterator[Finding]:
        for error in validator.iter_errors(config):
            yield from _told(error)

    return check


def _told(error: Any) -> Iterator[Finding]:
    """One complaint; of an ``anyOf`` those of the branch that comes nearest."""
    if error.context and error.validator in ("anyOf", "oneOf"):
        wanted = [sorted(one.validator_value) for one in error.context if one.validator == "required"]
        if len(wanted) == len(error.context):
            names = " or ".join(repr(name) for names in wanted for name in names)
            yield _finding(error, f"has none of {names}", f"add {names}")
            return
        branches: dict[Any, list[Any]] = {}
        for one in error.context:
            branches.setdefault(one.schema_path[0], []).append(one)
        nearest = min(
            branches.values(),
            key=lambda found: (any(one.validator == "type" and not one.path for one in found), len(found)),
        )
        for one in nearest:
            yield from _told(one)
        return
    words = {
        "type": f"is {_shown(error.instance)}, and has to be {_kinds(error.validator_value)}",
        "enum": f"is {_shown(error.instance)}; it can be {', '.join(map(str, _as_list(error.validator_value)))}",
        "required": f"lacks {_missing(error)}",
        "additionalProperties": error.message.replace("Additional properties are not allowed", "has unknown keys"),
    }
    yield _finding(error, words.get(error.validator, error.message), "see the agent's documentation of that option")


def _finding(error: Any, message: str, fix: str) -> Finding:
    path = pointer(*error.absolute_path)
    name = path.rpartition("/")[2] or "the config"
    return Finding(path=path, rule="schema", severity="error", message=f"{name} {message}", fix=fix)


def _missing(error: Any) -> str:
    instance = error.instance if isinstance(error.instance, dict) else {}
    return " and ".join(repr(key) for key in _as_list(error.validator_value) if key not in instance)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _kinds(value: Any) -> str:
    names = {"integer": "a whole number", "string": "text", "boolean": "true or false", "object": "an object",
             "array": "a list", "number": "a number"}  # fmt: skip
    return " or ".join(names.get(one, str(one)) for one in _as_list(value))


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004 - half a line
