"""A config against the table of options: every complaint names what was found, what is allowed, and what to write."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from logship.agent.document import kind_of, pointer
from logship.agent.findings import Finding, Severity
from logship.agent.kinds import Anything, Either, Flag, Group, Items, Kind, Text, Whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SHOWN: Final = 60
ALIASES: Final = {
    "datetime_format": "timestamp_format", "time_format": "timestamp_format", "time_zone": "timezone",
    "file": "file_path", "path": "file_path", "log_group": "log_group_name", "group_name": "log_group_name",
    "log_stream": "log_stream_name", "stream_name": "log_stream_name", "multi_line_pattern": "multi_line_start_pattern",
    "multiline_start_pattern": "multi_line_start_pattern", "retention": "retention_in_days",
    "retention_days": "retention_in_days", "log_group_retention_in_days": "retention_in_days", "exclude": "blacklist",
}  # fmt: skip
"""What other agents, and people, call an option."""
_NEVER: Final = {
    "from_beginning": "the agent always begins at the start of a new file, and cannot be told otherwise",
    "pipe": "the agent sets it by itself",
    "initial_position": "the old agent had it; this one always begins at the start of a new file",
    "buffer_duration": "the old agent had it; here logs.force_flush_interval is what comes close",
    "batch_count": "the old agent had it; this one cuts batches by itself",
    "batch_size": "the old agent had it; this one cuts batches by itself",
    "file_fingerprint_lines": "the old agent had it; this one knows files by their state",
}


def check(value: Any, kind: Kind, path: str = "", *, unknown: str = "error") -> Iterator[Finding]:
    """What a value breaks of what its option allows.

    Args:
        value: from the config.
        kind: of the option.
        path: JSON pointer of the value.
        unknown: severity of keys that the table does not know.
    """
    if isinstance(kind, Group):
        yield from _check_group(value, kind, path, unknown)
    elif isinstance(kind, Items):
        yield from _check_items(value, kind, path, unknown)
    elif isinstance(kind, Text):
        yield from _check_text(value, kind, path)
    elif isinstance(kind, Whole):
        yield from _check_whole(value, kind, path)
    elif isinstance(kind, Flag) and not isinstance(value, bool):
        right = {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower())
        yield _wrong(path, value, "true or false", right)
    elif isinstance(kind, Either):
        yield from check(value, _fitting(value, kind), path, unknown=unknown)


def _check_group(value: Any, kind: Group, path: str, unknown: str) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield _wrong(path, value, "an object")
        return
    for key, item in value.items():
        place, known = path + pointer(key), kind.fields.get(key)
        if known is not None:
            yield from check(item, known, place, unknown=unknown)
        elif kind.others is False:
            yield _unknown_key(place, key, kind.fields, value, unknown)
        else:
            yield from check(item, kind.others, place, unknown=unknown)
    for key in kind.required:
        if key not in value:
            near = [name for name in value if ALIASES.get(name) == key]
            hint = f"rename {near[0]!r}" if near else f"add {key!r}"
            yield _finding(path, "missing-key", f"{_name(path)} lacks {key!r}, without which it is refused", hint)
    if kind.one_of and not any(key in value for key in kind.one_of):
        names = _listed(kind.one_of, "or")
        yield _finding(path, "missing-key", f"{_name(path)} has none of {names}", f"add {names}")
    yield from _check_size(len(value), kind.least, kind.most, path, "keys")


def _check_items(value: Any, kind: Items, path: str, unknown: str) -> Iterator[Finding]:
    if not isinstance(value, list):
        yield _wrong(path, value, "a list", [value] if isinstance(value, str | int | dict) else None)
        return
    seen: dict[str, int] = {}
    for number, item in enumerate(value):
        yield from check(item, kind.of, f"{path}/{number}", unknown=unknown)
        if kind.unique:
            text = json.dumps(item, sort_keys=True)
            if text in seen:
                message = f"entry {number} of {_name(path)} is the same as entry {seen[text]}"
                # The agent joins equal entries of a collect_list before it checks anything.
                severity: Severity = "warning" if path.endswith("/collect_list") else "error"
                yield Finding(
                    path=f"{path}/{number}", rule="repeated-entry", severity=severity, message=message,
                    fix="delete one of the two",
                )  # fmt: skip
            seen.setdefault(text, number)
    yield from _check_size(len(value), kind.least, kind.most, path, "entries")


def _check_size(count: int, least: int, most: int | None, path: str, what: str) -> Iterator[Finding]:
    if count < least:
        yield _finding(
            path, "too-few", f"{_name(path)} has {count} {what} and needs {least}", f"add {what}, or delete it"
        )
    if most is not None and count > most:
        yield _finding(path, "too-many", f"{_name(path)} has {count} {what}, at most {most} are taken", "delete some")


def _check_text(value: Any, kind: Text, path: str) -> Iterator[Finding]:
    if not isinstance(value, str):
        right = str(value) if isinstance(value, int) and not isinstance(value, bool) else None
        yield _wrong(path, value, "text" + _choices(kind.choices), right)
        return
    if kind.variable and value.startswith("${") and value.endswith("}"):
        return
    if kind.choices and value not in kind.choices:
        near = _nearest(value, kind.choices)
        yield Finding(
            path=path, rule="wrong-value", severity="error",
            message=f"{_name(path)} is {_shown(value)}; it can be {_listed(kind.choices, 'or')}",
            fix=f"write {json.dumps(near or kind.choices[0])}", value=near,
        )  # fmt: skip
    elif value in kind.refused:
        yield _finding(path, "wrong-value", f"{_name(path)} cannot be {_shown(value)}", "name another one")
    elif len(value) < kind.least:
        yield _finding(path, "wrong-length", f"{_name(path)} is {_shown(value)}, and needs {kind.least} characters",
                       "write it out, or delete the key")  # fmt: skip
    elif kind.most is not None and len(value) > kind.most:
        yield _finding(path, "wrong-length", f"{_name(path)} has {len(value)} characters, at most {kind.most} are taken",
                       "shorten it")  # fmt: skip


def _check_whole(value: Any, kind: Whole, path: str) -> Iterator[Finding]:
    if not isinstance(value, int) or isinstance(value, bool):
        right = int(value) if isinstance(value, str) and value.strip().lstrip("-").isdigit() else None
        if isinstance(value, float) and value.is_integer():
            right = int(value)
        allowed = f"a whole number{_choices(kind.choices)}"
        yield _wrong(path, value, allowed, right if not kind.choices or right in kind.choices else None)
    elif kind.choices and value not in kind.choices:
        near = min(kind.choices, key=lambda choice: (abs(choice - value), choice))
        yield _finding(path, "wrong-value", f"{_name(path)} is {value}; it can be {_listed(kind.choices, 'or')}",
                       f"write {near}, which is nearest")  # fmt: skip
    elif (kind.least is not None and value < kind.least) or (kind.most is not None and value > kind.most):
        limits = f"from {kind.least} to {kind.most}" if kind.most is not None else f"{kind.least} or more"
        yield _finding(
            path, "wrong-value", f"{_name(path)} is {value}; it can be {limits}", "write a number in that range"
        )


def _unknown_key(path: str, key: str, known: Iterable[str], around: dict[str, Any], severity: str) -> Finding:
    names = list(known)
    if key in _NEVER:
        return _finding(path, "unknown-key", f"{key!r} is refused: {_NEVER[key]}", "delete it")
    alias = ALIASES.get(key)
    near = [alias] if alias in names else get_close_matches(key, names, 1)
    if near:
        free = near[0] if near[0] not in around else ""
        return Finding(
            path=path, rule="unknown-key", severity="error" if severity == "error" else "warning",
            message=f"{key!r} is no option of {_name(path.rpartition('/')[0])}", fix=f"did you mean {near[0]!r}?",
            rename=str(free),
        )  # fmt: skip
    fix = f"delete it; options are {_listed(sorted(names), 'and')}" if names else "delete it"
    message = f"{key!r} is no option of {_name(path.rpartition('/')[0])}"
    return Finding(
        path=path, rule="unknown-key", severity="error" if severity == "error" else "warning", message=message, fix=fix
    )


def _fitting(value: Any, kind: Either) -> Kind:
    shapes = {dict: Group, list: Items, str: Text, int: Whole, bool: Flag}
    wanted = shapes.get(type(value), Anything)
    return next((one for one in kind.kinds if isinstance(one, wanted)), kind.kinds[0])


def _wrong(path: str, value: Any, allowed: str, right: Any = None) -> Finding:
    fix = f"write {json.dumps(right)}" if right is not None else f"write {allowed}"
    return Finding(
        path=path, rule="wrong-type", severity="error", fix=fix, value=right,
        message=f"{_name(path)} is {_shown(value)} ({kind_of(value)}), and has to be {allowed}",
    )  # fmt: skip


def _finding(path: str, rule: str, message: str, fix: str) -> Finding:
    return Finding(path=path, rule=rule, severity="error", message=message, fix=fix)


def _name(path: str) -> str:
    """The last key of a pointer, with the number of an entry."""
    parts = path.split("/")[1:]
    if not parts:
        return "the config"
    if parts[-1].isdigit() and len(parts) > 1:
        return f"entry {parts[-1]} of {parts[-2].replace('~1', '/')}"
    return parts[-1].replace("~1", "/").replace("~0", "~")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _choices(choices: tuple[Any, ...]) -> str:
    return f": {_listed(choices, 'or')}" if choices else ""


def _listed(values: Iterable[Any], word: str) -> str:
    texts = [str(value) for value in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {word} {texts[-1]}"


def _nearest(value: str, choices: tuple[str, ...]) -> str | None:
    same = [choice for choice in choices if choice.lower() == value.lower()]
    return same[0] if same else next(iter(get_close_matches(value, choices, 1)), None)
