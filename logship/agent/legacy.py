"""Configs of the agents before this one: awslogs.conf, and the JSON of the SSM agent's CloudWatch plugin."""

from __future__ import annotations

import configparser
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from logship.errors import DataError

_LEFT_OUT: Final = frozenset({
    "file_fingerprint_lines", "batch_count", "batch_size", "buffer_duration", "use_gzip_http_content_encoding",
    "queue_size", "initial_position",
})  # fmt: skip
_LEVELS: Final = ((1, "ERROR"), (2, "WARNING"), (4, "INFORMATION"))
_NET: Final = (
    ("yyyy", "%Y"), ("yy", "%y"), ("MMMM", "%B"), ("MMM", "%b"), ("MM", "%m"), ("M", "%-m"), ("dddd", "%A"),
    ("ddd", "%a"), ("dd", "%d"), ("d", "%-d"), ("HH", "%H"), ("H", "%H"), ("hh", "%I"), ("h", "%-I"), ("mm", "%M"),
    ("m", "%-M"), ("ss", "%S"), ("s", "%-S"), ("fffffff", "%f"), ("ffffff", "%f"), ("fff", "%f"), ("ff", "%f"),
    ("f", "%f"), ("tt", "%p"), ("zzz", "%z"),
)  # fmt: skip


@dataclass
class Imported:
    """A config, and what of the old one has no counterpart."""

    config: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


def convert(text: str, name: str) -> Imported:
    """The agent's config of an old one.

    Args:
        text: of the file.
        name: for messages.

    Raises:
        DataError: it is neither.
    """
    if text.lstrip().startswith("{"):
        return _of_ssm(text, name)
    return _of_awslogs(text, name)


def _of_awslogs(text: str, name: str) -> Imported:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise DataError(f"{name} is no awslogs.conf: {str(error).splitlines()[0]}; name one") from None
    entries, warnings = [], []
    for section in parser.sections():
        options = dict(parser.items(section))
        if section == "general":
            continue
        if "file" not in options:
            warnings.append(f"[{section}] has no file and is left out")
            continue
        entries.append(_awslogs_entry(section, options, warnings))
    if not entries:
        raise DataError(f"{name} is no awslogs.conf: no section names a file; name another one")
    return Imported({"logs": {"logs_collected": {"files": {"collect_list": entries}}}}, warnings)


def _awslogs_entry(section: str, options: dict[str, str], warnings: list[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"file_path": options["file"], "log_group_name": options.get("log_group_name", section)}
    if stream := options.get("log_stream_name"):
        entry["log_stream_name"] = stream
    if found := options.get("datetime_format"):
        entry["timestamp_format"] = found
        entry["timezone"] = "UTC" if options.get("time_zone", "").upper() == "UTC" else "Local"
    if pattern := options.get("multi_line_start_pattern"):
        entry["multi_line_start_pattern"] = pattern.replace("{datetime_format}", "{timestamp_format}")
    if found := options.get("encoding"):
        entry["encoding"] = found.replace("_", "-")
    if options.get("initial_position") == "end_of_file":
        warnings.append(f"[{section}] initial_position: this agent reads new files from their start")
    known = {"file", "log_group_name", "log_stream_name", "datetime_format", "time_zone", "multi_line_start_pattern",
             "encoding"}  # fmt: skip
    warnings += [
        f"[{section}] {key} has no counterpart{'' if key in _LEFT_OUT else ' and is unknown'}"
        for key in options
        if key not in known and key != "initial_position"
    ]
    return entry


def _of_ssm(text: str, name: str) -> Imported:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{name}:{error.lineno}:{error.colno}: {error.msg}; correct the JSON") from None
    for key in ("properties", "EngineConfiguration"):
        found = document.get(key) if isinstance(document, dict) else None
        if isinstance(found, str):
            found = json.loads(found)
        if isinstance(found, dict):
            document = found
    components = document.get("Components") if isinstance(document, dict) else None
    if not isinstance(components, list):
        raise DataError(f"{name} has no EngineConfiguration with Components; name a config of the SSM plugin")
    by_id = {str(one.get("Id")): one for one in components if isinstance(one, dict)}
    made = Imported({})
    flows = document.get("Flows", {}).get("Flows", [])
    for flow in flows if isinstance(flows, list) else []:
        parts = re.findall(r"[\w.-]+", str(flow))
        outputs = [part for part in parts if "Output" in str(by_id.get(part, {}).get("FullName", ""))]
        for source in parts:
            if source in by_id and source not in outputs:
                _flow(made, by_id[source], by_id[outputs[0]] if outputs else {})
    if not made.config:
        made.warnings.append("no flow leads to CloudWatch Logs, so nothing is collected")
    return made


def _flow(made: Imported, source: dict[str, Any], output: dict[str, Any]) -> None:
    full, given = str(source.get("FullName", "")), source.get("Parameters") or {}
    into = output.get("Parameters") or {}
    if into.get("AccessKey") or into.get("SecretKey"):
        made.warnings.append("the old config holds access keys: they are left out, use the role of the instance")
    if region := into.get("Region"):
        made.config.setdefault("agent", {})["region"] = region
    names = {"log_group_name": into.get("LogGroup"), "log_stream_name": into.get("LogStream")}
    target = {key: value for key, value in names.items() if value}
    if "EventLog" in full:
        levels = int(given.get("Levels") or 7)
        entry = {
            "event_name": given.get("LogName", "Application"),
            "event_levels": [level for bit, level in _LEVELS if levels & bit] or ["ERROR"],
            "event_format": "text",
            **target,
        }
        _add(made.config, "windows_events", entry)
    elif "CustomLog" in full or "IisLog" in full:
        folder = str(given.get("LogDirectoryPath", "")).rstrip("\\/")
        entry = {"file_path": f"{folder}\\{given.get('Filter') or '*'}", **target, "publish_multi_logs": True}
        if wanted := given.get("TimestampFormat"):
            entry["timestamp_format"] = _directives(str(wanted))
            entry["timezone"] = "UTC" if given.get("TimeZoneKind") == "UTC" else "Local"
        if wanted := given.get("Encoding"):
            entry["encoding"] = str(wanted).lower()
        _add(made.config, "files", entry)
    else:
        made.warnings.append(
            f"{source.get('Id')}: {full.split(',', maxsplit=1)[0]} is not taken over; see metrics of the agent"
        )


def _add(config: dict[str, Any], kind: str, entry: dict[str, Any]) -> None:
    collected = config.setdefault("logs", {}).setdefault("logs_collected", {})
    held = collected.setdefault(kind, {"collect_list": []})["collect_list"]
    if entry not in held:
        held.append(entry)


def _directives(net_format: str) -> str:
    """.NET's date format as the agent's directives."""
    found, at = [], 0
    while at < len(net_format):
        for name, directive in sorted(_NET, key=lambda pair: -len(pair[0])):
            if net_format.startswith(name, at):
                found.append(directive)
                at += len(name)
                break
        else:
            found.append(net_format[at])
            at += 1
    return "".join(found)
