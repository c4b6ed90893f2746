"""One config cut into layers, which the agent merges again: a base, and a file for each service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logship.generate.agent.config import Made


def layers(made: Made) -> list[tuple[str, dict[str, Any]]]:
    """(file, config) of each layer.

    Entries of journald stay in the base: the agent merges files and windows_events, and refuses two journald sections.
    """
    collected = made.config["logs"]["logs_collected"]
    base = {key: value for key, value in made.config.items() if key != "logs"}
    base["logs"] = {key: value for key, value in made.config["logs"].items() if key != "logs_collected"}
    if "journald" in collected:
        base["logs"]["logs_collected"] = {"journald": collected["journald"]}
    split: dict[str, dict[str, Any]] = {}
    for kind in ("files", "windows_events"):
        for entry in collected.get(kind, {}).get("collect_list", ()):
            service = made.groups[entry["log_group_name"]]
            held = split.setdefault(service, {}).setdefault(kind, {"collect_list": []})
            held["collect_list"].append(entry)
    stem = made.name.removesuffix(".json")
    found = [(f"{stem}-{service}.json", {"logs": {"logs_collected": sources}}) for service, sources in split.items()]
    if "logs_collected" in base["logs"] or "metrics_collected" in base["logs"]:
        return [(f"{stem}-base.json", base), *found]
    # `logs` alone, without anything to collect, is refused: what all have in common goes into the first layer.
    name, first = found[0]
    first["logs"] = {**base.pop("logs"), **first["logs"]}
    return [(name, {**base, **first}), *found[1:]]
