"""A settings file → values, if there is nothing in it that no run could mean: unknown names, keys that nobody reads."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from logship.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")
ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/.+\Z")
_REGION: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
_BUCKET: Final = re.compile(r"[A-Za-z0-9._-]+")
_ACCOUNT: Final = frozenset({"type", "region", "role", "external_id"})
_FILTERS: Final = frozenset({"groups", "exclude_groups", "tags"})
SOURCE_KEYS: Final = {
    "cloudwatch": _ACCOUNT | _FILTERS | {"linked_accounts", "live_tail", "start", "tps"},
    "kinesis": _ACCOUNT | {"stream", "start"},
    "firehose": {"type", "listen", "access_key"},
    "s3": _ACCOUNT | {"queue", "buckets"},
}
"""Which keys of `[[forward.source]]` each type reads."""


def converted(found: Any, kind: type[T], file: str, place: str = "") -> T:
    """What stands in the file as a value of a type, once every key and choice in it is known.

    Args:
        found: a table of the file, or a value.
        kind: what it is to become.
        file: its name.
        place: its key; empty for the whole file.

    Raises:
        SettingsError: a key is unknown, or a value cannot be what its key stands for.
    """
    _check(found, msgspec.inspect.type_info(kind), file, place)
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        key = (place + path.rstrip("`")).removeprefix(".")
        raise SettingsError(f"{file}: key {key!r}: {problem[0].lower()}{problem[1:]}") from None


def _check(value: Any, kind: msgspec.inspect.Type, file: str, place: str) -> None:
    """Looks for what msgspec would not name: unknown keys and choices, and what stands in a map, at any depth."""
    if isinstance(kind, msgspec.inspect.StructType) and isinstance(value, dict):
        _check_names(value, kind.cls, file, place)
    elif isinstance(kind, msgspec.inspect.ListType) and isinstance(value, list):
        for at, item in enumerate(value):
            _check(item, kind.item_type, file, f"{place}[{at}]")
    elif isinstance(kind, msgspec.inspect.DictType) and isinstance(value, dict):
        for key, item in value.items():
            converted(item, getattr(kind.value_type, "cls", str), file, f"{place}.{key}")
    elif isinstance(kind, msgspec.inspect.LiteralType) and isinstance(value, str) and value not in kind.values:
        choices = ", ".join(repr(choice) for choice in kind.values)
        raise SettingsError(f"{file}: key {place!r} = {value!r} is none of {choices}; write one of them")


def _check_names(found: Mapping[str, Any], kind: Any, file: str, place: str) -> None:
    known = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in found.items():
        here = f"{place}.{key}" if place else key
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys are {', '.join(sorted(known))}"
            raise SettingsError(f"{file}: unknown key {here!r}; {hint}")
        _check(value, msgspec.inspect.type_info(known[key]), file, here)


def check_sources(found: Mapping[str, Any], file: str) -> None:
    """Looks whether each key of `[[forward.source]]` is one that its type reads, and names what it should.

    Args:
        found: what stands in the file, values of the right types: defaults and flags are nobody's mistake.
        file: its name.

    Raises:
        SettingsError: a key would be without effect, or names nothing of AWS.
    """
    for at, source in enumerate(found.get("forward", {}).get("source", [])):
        if problem := _unread(source) or _unnamed(source):
            raise SettingsError(f"{file}: key 'forward.source[{at}].{problem}")


def _unread(source: Mapping[str, Any]) -> str:
    """The first key that nothing reads, and why; "" where there is none."""
    kind = source.get("type", "cloudwatch")
    for key in source:
        if key not in SOURCE_KEYS[kind]:
            return f"{key}' is not read by type {kind!r}; {_remedy(key)}"
    if source.get("external_id") and not source.get("role"):
        return 'external_id\' goes with a role alone; add role = "arn:…", or leave it out'
    return ""


def _remedy(key: str) -> str:
    if key in _FILTERS:
        return "leave it out, and choose among what is sent by [[forward.rule]] with a query such as 'group:/shop/*'"
    readers = " or ".join(repr(kind) for kind, keys in SOURCE_KEYS.items() if key in keys)
    return f"leave it out; it is of type {readers}"


def _unnamed(source: Mapping[str, Any]) -> str:
    """The first key whose value names nothing of AWS, and what to write; "" where there is none."""
    role, region = source.get("role"), source.get("region")
    if role and not ROLE.match(role):
        return f"role' = {role!r} is no ARN of a role; write arn:aws:iam::123456789012:role/NAME"
    if region and not _REGION.fullmatch(region):
        return f"region' = {region!r} is no region; write one such as eu-central-1"
    for at, bucket in enumerate(source.get("buckets", [])):
        if not _BUCKET.fullmatch(bucket):
            name = bucket.rpartition(":")[2].partition("/")[0]
            return f"buckets[{at}]' = {bucket!r} is no name of a bucket; write {name or 'shop-archive'!r}"
    return ""
