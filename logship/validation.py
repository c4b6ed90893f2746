"""What a settings file may not say: unknown names, values of other types, keys that nobody reads."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import msgspec

from logship.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ACCOUNT: Final = frozenset({"type", "region", "role", "external_id"})
_FILTERS: Final = frozenset({"groups", "exclude_groups", "tags"})
SOURCE_KEYS: Final = {
    "cloudwatch": _ACCOUNT | _FILTERS | {"linked_accounts", "live_tail", "start", "tps"},
    "kinesis": _ACCOUNT | {"stream", "start"},
    "firehose": {"type", "listen", "access_key"},
    "s3": _ACCOUNT | {"queue", "buckets"},
}
"""Which keys of `[[forward.source]]` each type reads."""


def check_names(found: Any, kind: Any, file: str, place: str = "") -> None:
    """Names the nearest known key of the first unknown one, at any depth.

    Args:
        found: a table of the file.
        kind: the struct that it is to become.
        file: its name.
        place: the table's key and a dot; empty for the whole file.

    Raises:
        SettingsError: a key is unknown.
    """
    if not isinstance(found, dict):
        return
    known = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in found.items():
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys are {', '.join(sorted(known))}"
            raise SettingsError(f"{file}: unknown key {place + key!r}; {hint}")
        _check_value(value, msgspec.inspect.type_info(known[key]), file, f"{place}{key}.")


def _check_value(value: Any, kind: msgspec.inspect.Type, file: str, place: str) -> None:
    if isinstance(kind, msgspec.inspect.StructType):
        check_names(value, kind.cls, file, place)
    elif isinstance(kind, msgspec.inspect.ListType) and isinstance(value, list):
        for item in value:
            _check_value(item, kind.item_type, file, place)
    elif isinstance(kind, msgspec.inspect.DictType) and isinstance(value, dict):
        for key, item in value.items():
            _check_value(item, kind.value_type, file, f"{place}{key}.")


def in_words(complaint: str) -> str:
    """What msgspec says of a value, with its key in front."""
    problem, _, place = complaint.partition(" - at `$.")
    return f"key {place.rstrip('`')!r}: {problem[0].lower()}{problem[1:]}" if place else problem


def check_sources(found: Mapping[str, Any], file: str) -> None:
    """Looks whether each key of `[[forward.source]]` is one that its type reads.

    Args:
        found: what stands in the file, values of the right types: defaults and flags are nobody's mistake.
        file: its name.

    Raises:
        SettingsError: a key would be without effect.
    """
    for at, source in enumerate(found.get("forward", {}).get("source", [])):
        kind, place = source.get("type", "cloudwatch"), f"{file}: key 'forward.source[{at}]"
        for key in source:
            if key not in SOURCE_KEYS[kind]:
                raise SettingsError(f"{place}.{key}' is not read by type {kind!r}; {_remedy(key)}")
        if source.get("external_id") and not source.get("role"):
            raise SettingsError(f'{place}.external_id\' goes with a role alone; add role = "arn:…", or leave it out')


def _remedy(key: str) -> str:
    if key in _FILTERS:
        return "leave it out, and choose among what is sent by [[forward.rule]] with a query such as 'group:/shop/*'"
    readers = " or ".join(repr(kind) for kind, keys in SOURCE_KEYS.items() if key in keys)
    return f"leave it out; it is of type {readers}"
