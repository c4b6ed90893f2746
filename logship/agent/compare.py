"""What differs between two configs in meaning: order of keys and entries says nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def differences(before: Any, after: Any) -> Iterator[str]:
    """A line for each difference: ``+`` added, ``-`` gone, ``~`` changed, each with its place."""
    old, new = dict(_flat(before, "")), dict(_flat(after, ""))
    for path in [*old, *(path for path in new if path not in old)]:
        if path not in new:
            yield f"- {path or '/'}: {_text(old[path])}"
        elif path not in old:
            yield f"+ {path}: {_text(new[path])}"
        elif old[path] != new[path]:
            yield f"~ {path}: {_text(old[path])} -> {_text(new[path])}"


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{path}/{key}")
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        seen: dict[str, int] = {}
        for item in value:
            name = _identity(item)
            seen[name] = seen.get(name, 0) + 1
            more = f"#{seen[name]}" if seen[name] > 1 else ""
            yield from _flat(item, f"{path}[{name}{more}]") if item else iter([(f"{path}[{name}{more}]", item)])
    elif isinstance(value, list):
        # Lists of scalars name a set: measurements, units, levels.
        yield path, sorted(value, key=lambda item: json.dumps(item, sort_keys=True))
    else:
        yield path, value


def _identity(item: dict[str, Any]) -> str:
    """What people would call an entry."""
    names = ("file_path", "event_name", "exe", "pattern", "pid_file", "log_group_name", "name", "endpoint", "type")
    return next((str(item[name]) for name in names if name in item), json.dumps(item, sort_keys=True))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
