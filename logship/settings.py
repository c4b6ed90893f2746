"""logship.toml and the environment → typed settings. Every complaint names file and key.

The environment wins over the file: ``LOGSHIP_STORE`` over `store`, ``LOGSHIP_APP`` over `naming.app`.
``LOGSHIP_CONFIG`` names the file when `--config` does not.
"""

from __future__ import annotations

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from logship.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_FILE: Final = "logship.toml"


class Naming(msgspec.Struct, frozen=True, kw_only=True):
    """`[naming]`: patterns of log group and log stream names."""

    app: str = "app"
    group: str = "/{app}/{service}"
    stream: str = "{host}/{pid}"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """`[[forward.source]]`: where events come from."""

    type: Literal["cloudwatch"] = "cloudwatch"
    region: str | None = None
    """AWS region; None takes the SDK's own choice."""
    groups: list[str] = []
    """Names or patterns with `*` and `?`; empty means every group."""
    start: str = "1h"
    """How far back the first run reads: a span or an ISO time."""


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """`[forward]`: the forwarder."""

    state: str = "./state"
    """Folder of checkpoints and dead letters."""
    interval_s: float = 1.0
    """Pause between two rounds over a group, in seconds."""
    source: list[Source] = []


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """`[stores.NAME]`: a named store."""

    location: str


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """`[[service]]`: one description for agent config, logging wiring, forwarding and IAM."""

    name: str
    framework: str | None = None
    recipe: str | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of logship.toml."""

    store: str = "./data"
    stores: dict[str, Store] = {}
    naming: Naming = Naming()
    forward: Forward = Forward()
    service: list[Service] = []


def load(path: str | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of a run.

    Args:
        path: the file; None takes ``LOGSHIP_CONFIG``, then ``./logship.toml`` if there is one.
        environ: the environment; ``os.environ`` when None.

    Raises:
        SettingsError: a named file cannot be read, or a file holds what cannot be used.
    """
    env = os.environ if environ is None else environ
    named = path or env.get("LOGSHIP_CONFIG")
    file = Path(named or DEFAULT_FILE)
    found = _read(file) if named or file.is_file() else {}
    _check_names(found, Settings, str(file), "")
    try:
        settings = msgspec.convert(found, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{file}: {_in_words(str(error))}") from None
    return _with_environment(settings, env)


def resolve_store(where: str | None, settings: Settings, *, environ: Mapping[str, str] | None = None) -> str:
    """The folder or address that `--store WHERE` means; None means the settings' own.

    Text with a `/` or starting with `.` is a folder, an ``http(s)`` URL is a server, ``env:NAME`` reads a
    variable, any other word is a ``[stores.NAME]`` profile.

    Raises:
        SettingsError: no such profile or variable.
    """
    env = os.environ if environ is None else environ
    text = where or settings.store
    if text.startswith("env:"):
        name = text.removeprefix("env:")
        if not env.get(name):
            raise SettingsError(f"--store {text!r}: the variable {name} is not set; export it, or name a folder")
        text = env[name]
    if "/" in text or text.startswith("."):
        return text
    if text in settings.stores:
        return settings.stores[text].location
    near = get_close_matches(text, settings.stores, 1)
    hint = f"did you mean {near[0]}?" if near else f"write ./{text} for a folder"
    raise SettingsError(f"--store {text!r} is no folder and there is no [stores.{text}] in {DEFAULT_FILE}; {hint}")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {str(file)!r}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is no TOML: {error}") from None


def _check_names(found: Any, kind: Any, file: str, place: str) -> None:
    """Names the nearest known key of the first unknown one, at any depth."""
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
        _check_names(value, kind.cls, file, place)
    elif isinstance(kind, msgspec.inspect.ListType) and isinstance(value, list):
        for item in value:
            _check_value(item, kind.item_type, file, place)
    elif isinstance(kind, msgspec.inspect.DictType) and isinstance(value, dict):
        for key, item in value.items():
            _check_value(item, kind.value_type, file, f"{place}{key}.")


def _in_words(complaint: str) -> str:
    problem, _, place = complaint.partition(" - at `$.")
    return f"key {place.rstrip('`')!r}: {problem[0].lower()}{problem[1:]}" if place else problem


def _with_environment(settings: Settings, env: Mapping[str, str]) -> Settings:
    naming = settings.naming
    if app := env.get("LOGSHIP_APP"):
        naming = msgspec.structs.replace(naming, app=app)
    return msgspec.structs.replace(settings, naming=naming, store=env.get("LOGSHIP_STORE") or settings.store)
