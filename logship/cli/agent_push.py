"""`logship agent push`: a config into the parameter store, after the difference was seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from logship.cli import diagnostics, output
from logship.errors import AccessError, ConnectError, ExitCode, UsageError

if TYPE_CHECKING:
    from logship.agent.document import Document

STANDARD_BYTES: Final = 4_096
ADVANCED_BYTES: Final = 8_192
# AWS Systems Manager, "Managing parameter tiers".


@click.command()
@click.argument("file", metavar="CONFIG")
@click.option("--parameter", "name", required=True, metavar="NAME", help="The agent may read AmazonCloudWatch-*.")
@click.option("--region", metavar="REGION", help="Of the parameter; the SDK's own choice if not set.")
@click.option("--check", is_flag=True, help="Write nothing; exit status 1 where the parameter differs.")
@click.option("--yes", is_flag=True, help="Write without asking.")
def push(file: str, name: str, region: str | None, *, check: bool, yes: bool) -> int:
    """Put a config into AWS Systems Manager, where agents fetch it from; shows what changes first."""
    from logship.agent.compare import differences
    from logship.agent.sources import find_parameter, ssm_client

    document = _good(file)
    client, parts = ssm_client(region), split(document.value, name)
    changed = False
    for parameter, text in parts:
        before = find_parameter(parameter, client)
        lines = list(differences(json.loads(before) if before else {}, json.loads(text)))
        changed = changed or bool(lines)
        for line in lines:
            output.write_line(output.printable(f"{parameter}: {line}").encode("utf-8", "replace"))
    if not changed or check:
        diagnostics.say("the parameter is up to date" if not changed else f"{name} differs from {file}")
        return ExitCode.FINDINGS if changed else ExitCode.DONE
    if not yes and not click.confirm(f"write {', '.join(one for one, _ in parts)}?", default=False, err=True):
        return ExitCode.FINDINGS
    for parameter, text in parts:
        _put(client, parameter, text)
    diagnostics.say("\n".join(_told(parts)))
    return ExitCode.DONE


def split(config: dict[str, Any], name: str) -> list[tuple[str, str]]:
    """(parameter, text): one where it fits, else parts that the agent appends to each other.

    Raises:
        UsageError: a single entry is larger than a parameter can be.
    """
    whole = _text(config)
    if len(whole.encode()) <= ADVANCED_BYTES:
        return [(name, whole)]
    parts: list[dict[str, Any]] = [{}]
    for piece in _pieces(config):
        together = _merged(parts[-1], piece)
        if len(_text(together).encode()) <= ADVANCED_BYTES:
            parts[-1] = together
        elif len(_text(piece).encode()) <= ADVANCED_BYTES:
            parts.append(piece)
        else:
            raise UsageError(
                f"one entry alone has {len(_text(piece).encode()):,} bytes, and a parameter takes {ADVANCED_BYTES:,}; "
                "shorten it, or ship the config as a file"
            )
    return [(f"{name}-{number}" if number > 1 else name, _text(part)) for number, part in enumerate(parts, 1)]


def _pieces(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The base, then each entry of a list that the agent joins, each a config of its own."""
    collected = config.get("logs", {}).get("logs_collected", {})
    joined = {kind: collected[kind]["collect_list"] for kind in ("files", "windows_events") if kind in collected}
    logs = {key: value for key, value in config.get("logs", {}).items() if key != "logs_collected"}
    rest = {kind: value for kind, value in collected.items() if kind not in joined}
    base = {key: value for key, value in config.items() if key != "logs"}
    entries = [
        {"logs": {"logs_collected": {kind: {"collect_list": [entry]}}}}
        for kind, found in joined.items()
        for entry in found
    ]
    first = {**base, "logs": {**logs, "logs_collected": rest}} if rest else {**base, **({"logs": logs} if logs else {})}
    if entries and not rest:  # `logs` needs something to collect
        first = _merged(first, entries.pop(0))
    return [first, *entries]


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    from logship.agent.merge import merge

    return merge([("a", one), ("b", other)]).config


def _good(file: str) -> Document:
    from logship.agent.document import read_text
    from logship.agent.findings import as_text
    from logship.agent.lint import Linter

    document, findings = Linter().lint(read_text(Path(file)), file)
    errors = [one for one in findings if one.severity == "error"]
    for line in as_text(errors):
        diagnostics.say(output.printable(line))
    if errors:
        raise UsageError(f"{file} has {diagnostics.counted(len(errors), 'error')}, and no agent would take it")
    return document


def _text(config: dict[str, Any]) -> str:
    return json.dumps(config, separators=(",", ":"), ensure_ascii=False)


def _put(client: Any, name: str, text: str) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    tier = "Standard" if len(text.encode()) <= STANDARD_BYTES else "Advanced"
    try:
        client.put_parameter(Name=name, Value=text, Type="String", Tier=tier, Overwrite=True)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code.startswith("AccessDenied"):
            raise AccessError(f"parameter {name!r}: {code}; the role needs ssm:PutParameter on it") from None
        raise ConnectError(f"parameter {name!r}: {error}; correct its name, or try again") from None
    except BotoCoreError as error:
        raise ConnectError(f"parameter {name!r}: {error}; check region and network") from None


def _told(parts: list[tuple[str, str]]) -> list[str]:
    first, *more = [name for name, _ in parts]
    lines = [f"wrote {first}; on the hosts: amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c ssm:{first}"]
    return lines + [
        f"wrote {name}; then: amazon-cloudwatch-agent-ctl -a append-config -m ec2 -s -c ssm:{name}" for name in more
    ]
