"""From services to the agent's JSON, with the reason for each line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from logship.errors import SettingsError
from logship.naming import Naming
from logship_agent_configs import Distribution
from logship_agent_configs import names as recipe_names
from logship_agent_configs import recipe as recipe_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.settings import Agent, Service, ServiceFile, Settings
    from logship_agent_configs import Recipe, RecipeFile

System = Literal["linux", "windows", "darwin"]
_WILD: Final = re.compile(r"[*?\[]")
_LINUX: Final[tuple[Distribution, ...]] = ("debian", "rhel")
_METRICS: Final[dict[str, Any]] = {
    "cpu": {"measurement": ["cpu_usage_idle", "cpu_usage_iowait", "cpu_usage_user", "cpu_usage_system"], "totalcpu": True},
    "mem": {"measurement": ["mem_used_percent"]},
    "disk": {"measurement": ["used_percent"], "resources": ["/"]},
    "net": {"measurement": ["bytes_sent", "bytes_recv"], "resources": ["*"]},
    "swap": {"measurement": ["swap_used_percent"]},
    "statsd": {"service_address": ":8125"},
}  # fmt: skip
_WINDOWS_METRICS: Final[dict[str, Any]] = {
    "cpu": ("Processor", {"measurement": ["% Processor Time"], "resources": ["_Total"]}),
    "mem": ("Memory", {"measurement": ["% Committed Bytes In Use"]}),
    "disk": ("LogicalDisk", {"measurement": ["% Free Space"], "resources": ["*"]}),
    "net": ("Network Interface", {"measurement": ["Bytes Total/sec"], "resources": ["*"]}),
}  # fmt: skip


@dataclass
class Made:
    """A config, and why each part of it is there."""

    role: str
    """Of the hosts; "" for all."""
    config: dict[str, Any] = field(default_factory=dict)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    """(JSON pointer, reason)."""
    groups: dict[str, str] = field(default_factory=dict)
    """Log group → service."""

    @property
    def name(self) -> str:
        """Of the file."""
        return f"amazon-cloudwatch-agent{'-' + self.role if self.role else ''}.json"


def make(settings: Settings, system: System) -> list[Made]:
    """One config for each host role; services without a role are in all of them.

    Raises:
        SettingsError: a recipe that is unknown, a service without logs, or a name that CloudWatch refuses.
    """
    shipped = [one for one in settings.service if one.recipe or one.file]
    if not shipped:
        raise SettingsError(
            "no [[service]] has a recipe or a file to ship; add one to logship.toml, or try: logship generate agent --detect"
        )
    roles = sorted({one.host for one in shipped if one.host}) or [""]
    return [_made(settings, role, [one for one in shipped if one.host in ("", role)], system) for role in roles]


def _made(settings: Settings, role: str, services: list[Service], system: System) -> Made:
    made, agent = Made(role), settings.agent
    made.config = {key: value for key, value in (("agent", _agent(agent, made)),) if value}
    logs: dict[str, Any] = {}
    for service in services:
        _collect(made, logs, settings, service, system)
    if not logs:
        raise SettingsError(f"none of the services of role {role!r} logs on {system}; name another --os")
    made.config["logs"] = {
        "logs_collected": {key: logs[key] for key in ("files", "journald", "windows_events") if key in logs}
    }
    if agent.emf:
        made.config["logs"]["metrics_collected"] = {"emf": {}}
        made.reasons.append(("/logs/metrics_collected/emf", "[agent] emf: applications send metrics inside log lines"))
    if agent.endpoint:
        made.config["logs"]["endpoint_override"] = agent.endpoint
        made.reasons.append(("/logs/endpoint_override", "[agent] endpoint"))
    made.config["logs"]["force_flush_interval"] = 5
    made.reasons.append(("/logs/force_flush_interval", "events are sent after five seconds at the latest"))
    if agent.metrics:
        made.config["metrics"] = _metrics(agent, system, made)
    if agent.traces:
        made.config["traces"] = {"traces_collected": {"xray": {}, "otlp": {}}}
        made.reasons.append(("/traces", "[agent] traces: listens to X-Ray and OTLP on their usual ports"))
    return made


def _agent(agent: Agent, made: Made) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in (
        ("region", agent.region),
        ("run_as_user", agent.run_as_user),
        ("credentials", {"role_arn": agent.role} if agent.role else None),
        ("deployment.environment", agent.environment),
    ):
        if value:
            found[key] = value
            made.reasons.append(
                (f"/agent/{key}", f"[agent] {'role' if key == 'credentials' else key.rpartition('.')[2]}")
            )
    return found


def _metrics(agent: Agent, system: System, made: Made) -> dict[str, Any]:
    collected: dict[str, Any] = {}
    for name in agent.metrics:
        if name.startswith("procstat:"):
            entry = {"exe": name.partition(":")[2], "measurement": ["cpu_usage", "memory_rss", "pid_count"]}
            collected.setdefault("procstat", []).append(entry)
        elif system == "windows" and name in _WINDOWS_METRICS:
            key, value = _WINDOWS_METRICS[name]
            collected[key] = value
        elif name in _METRICS:
            collected[name] = _METRICS[name]
        else:
            known = ", ".join([*_METRICS, "procstat:PROGRAM"])
            raise SettingsError(f"[agent] metrics names {name!r}, which is unknown; known are {known}")
        made.reasons.append((f"/metrics/metrics_collected/{name}", f"[agent] metrics names {name}"))
    return {"append_dimensions": {"InstanceId": "${aws:InstanceId}"}, "metrics_collected": collected}


def _collect(made: Made, logs: dict[str, Any], settings: Settings, service: Service, system: System) -> None:
    naming = Naming(app=settings.naming.app, group=settings.naming.group, stream=settings.naming.stream)
    group = naming.group_name(service.name)
    made.groups[group] = service.name
    recipe = _recipe(service)
    common = {"log_group_name": group}
    days = service.retention_days if service.retention_days is not None else (recipe.retention_days if recipe else None)
    stream = agent_stream(naming)
    if recipe is not None:
        for file in recipe.file:
            for path in _paths(file, system):
                entry = _recipe_entry(file, path, stream, recipe, common)
                _add_file(
                    made,
                    logs,
                    entry,
                    days=days,
                    service=service,
                    why=f"recipe {service.recipe}: {recipe.about}{'; ' + file.note if file.note else ''}",
                )
        if recipe.event and system == "windows":
            for event in recipe.event:
                entry = {"event_name": event.event_name, "event_levels": event.event_levels,
                         "event_format": event.event_format, **common, "log_stream_name": f"{stream}/{event.event_name}"}  # fmt: skip
                _add(made, logs, "windows_events", _ending(entry, days, service), f"recipe {service.recipe}")
        if recipe.journal is not None and system == "linux":
            entry = {**common, "log_stream_name": stream, "priority": recipe.journal.priority}
            if recipe.journal.units:
                entry["units"] = recipe.journal.units
            # A class is accepted there and never applied.
            _add(
                made,
                logs,
                "journald",
                entry | ({"retention_in_days": days} if days else {}),
                f"recipe {service.recipe}",
            )
    for own in service.file:
        entry = _own_entry(own, stream, common, several=len(service.file) > 1)
        _add_file(made, logs, entry, days=days, service=service, why="[[service.file]]")


def agent_stream(naming: Naming) -> str:
    """The naming rule's stream as the agent fills it in: a host is its instance, and it knows no process."""
    name = naming.stream.replace("{host}", "{instance_id}").replace("{app}", naming.app)
    name = re.sub(r"[/.\-_#]*\{pid\}", "", name) or "{instance_id}"
    return re.sub(r"[:*]", "-", name)


def _recipe(service: Service) -> Recipe | None:
    if not service.recipe:
        return None
    from difflib import get_close_matches

    try:
        return recipe_of(service.recipe)
    except KeyError:
        near = get_close_matches(service.recipe, recipe_names(), 1)
        hint = f"did you mean {near[0]!r}?" if near else "see: logship generate agent --list"
        raise SettingsError(f"recipe {service.recipe!r} of service {service.name!r} is unknown; {hint}") from None


def _paths(file: RecipeFile, system: System) -> list[str]:
    """The paths of a system; distributions that agree have them once."""
    found = [file.paths.get(name, []) for name in (_LINUX if system == "linux" else (system,))]
    return list(dict.fromkeys(path for paths in found for path in paths))


def _recipe_entry(file: RecipeFile, path: str, stream: str, recipe: Recipe, common: dict[str, Any]) -> dict[str, Any]:
    told_apart = file.stream if len(recipe.file) > 1 else ""
    entry = {"file_path": path, **common, "log_stream_name": f"{stream}/{told_apart}" if told_apart else stream}
    entry |= {key: value for key, value in (
        ("timestamp_format", file.timestamp), ("timezone", file.timezone if file.timestamp else ""),
        ("multi_line_start_pattern", file.multi_line), ("encoding", file.encoding),
    ) if value}  # fmt: skip
    if file.filters:
        entry["filters"] = [{"type": one.type, "expression": one.expression} for one in file.filters]
    return entry


def _own_entry(file: ServiceFile, stream: str, common: dict[str, Any], *, several: bool) -> dict[str, Any]:
    name = re.sub(r"[:*?\[\]{}\s]+", "-", file.path.replace("\\", "/").rstrip("/").rpartition("/")[2]).strip("-")
    own = file.stream or (f"{stream}/{name}" if several and name else stream)
    entry: dict[str, Any] = {"file_path": file.path, **common, "log_stream_name": own}
    entry |= {key: value for key, value in (
        ("timestamp_format", file.timestamp), ("timezone", file.timezone if file.timestamp else ""),
        ("multi_line_start_pattern", file.multi_line), ("encoding", file.encoding),
    ) if value}  # fmt: skip
    return entry


def _add_file(
    made: Made, logs: dict[str, Any], entry: dict[str, Any], *, days: int | None, service: Service, why: str
) -> None:
    if _WILD.search(entry["file_path"]):
        entry["publish_multi_logs"] = True
    held = logs.get("files", {}).get("collect_list", ())
    same = [other for other in held if other["file_path"] == entry["file_path"] and "filters" not in entry]
    if same:
        return  # two services name the same file: the agent reads it once
    _add(made, logs, "files", _ending(entry, days, service), why)


def _ending(entry: dict[str, Any], days: int | None, service: Service) -> dict[str, Any]:
    if days:
        entry["retention_in_days"] = days
    if service.log_class:
        entry["log_group_class"] = service.log_class
    if "file_path" in entry:
        entry["service.name"] = service.name
    return entry


def _add(made: Made, logs: dict[str, Any], kind: str, entry: dict[str, Any], why: str) -> None:
    entries = logs.setdefault(kind, {"collect_list": []})["collect_list"]
    made.reasons.append((f"/logs/logs_collected/{kind}/collect_list/{len(entries)}", why))
    if kind == "files":
        _tell_apart(entries, entry)
    entries.append(entry)


def _tell_apart(entries: list[dict[str, Any]], entry: dict[str, Any]) -> None:
    """Two files of one stream would share a queue, and take each other's times."""
    used = {(other["log_group_name"], other["log_stream_name"]) for other in entries}
    stem, number = entry["log_stream_name"], 2
    while (entry["log_group_name"], entry["log_stream_name"]) in used:
        entry["log_stream_name"] = f"{stem}-{number}"
        number += 1


def reasons(made: Made) -> Iterator[str]:
    """Why each part is there, a line each."""
    width = max((len(path) for path, _ in made.reasons), default=0)
    for path, why in made.reasons:
        yield f"{path:{width}}  {why}"
