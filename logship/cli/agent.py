"""`logship agent`: configs of the CloudWatch Agent checked, merged, compared and looked through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from logship.cli import diagnostics, output
from logship.cli.agent_push import push
from logship.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from logship.agent.document import Document
    from logship.agent.findings import Finding
    from logship.agent.lint import Linter
    from logship.agent.preview import Seen

_LAYERS = "amazon-cloudwatch-agent.d"
_SHOWN = 100
_FILES = 3


@click.group()
def command() -> None:
    """Configs of the CloudWatch Agent: lint, preview, merge, diff, push, import-legacy."""


@command.command()
@click.argument("names", nargs=-1, required=True, metavar="FILE|DIR|ssm:NAME...")
@click.option("--os", "system", type=click.Choice(["linux", "windows", "darwin"]), default=None,
              help="The system that the config is for.")  # fmt: skip
@click.option("--agent-version", default="", metavar="X.Y", help="Of the agent that will read it.")
@click.option("--schema", "schema", metavar="FILE", help="Check against the schema of your own agent instead.")
@click.option("--merged", is_flag=True, help="Also check the files together, as layers of one config.")
@click.option("--fix", is_flag=True, help="Write what is surely meant into the files.")
@click.option("--format", "wanted", type=click.Choice(["text", "json", "sarif", "github"]), default="text",
              show_default=True)  # fmt: skip
def lint(
    names: tuple[str, ...],
    system: str | None,
    agent_version: str,
    schema: str | None,
    *,
    merged: bool,
    fix: bool,
    wanted: str,
) -> int:
    """What is wrong with configs, and what to write instead. Exit status 1 where there are errors."""
    from logship.agent.lint import Linter
    from logship.agent.schema_file import checker
    from logship.agent.sources import read

    linter = Linter(system=system or "", agent_version=agent_version, schema=checker(Path(schema)) if schema else None)
    found: list[Finding] = []
    documents: list[tuple[str, Document]] = []
    for name, data in read(names):
        document, findings = linter.lint(data, name)
        if fix and not name.startswith("ssm:"):
            document, findings = _fix(linter, name, document, findings)
        documents.append((name, document))
        found += findings
    if merged or any(Path(name).name == _LAYERS for name in names):
        found += _across(documents)
    _tell(found, wanted, len(documents))
    return ExitCode.FINDINGS if any(one.severity == "error" for one in found) else ExitCode.DONE


def _fix(linter: Linter, name: str, document: Document, findings: list[Finding]) -> tuple[Document, list[Finding]]:
    """The file without what is surely wrong; what is left of the findings. A repaired text is fixed once more."""
    from logship.agent.fixing import fixed

    total = 0
    for _ in range(3):
        text, count = fixed(document, findings)
        if not count:
            break
        total += count
        document, findings = linter.lint(text.encode(), name)
    if total:
        Path(name).write_bytes(document.text.encode())
        diagnostics.say(f"{name}: {diagnostics.counted(total, 'fix')}".replace("fixs", "fixes"))
    return document, findings


def _across(documents: list[tuple[str, Document]]) -> list[Finding]:
    """What is wrong with files only together."""
    from logship.agent.findings import Finding
    from logship.agent.merge import merge

    whole = [(name, document) for name, document in documents if document.broken is None]
    found = []
    for conflict in merge([(name, document.value) for name, document in whole]).conflicts:
        document = next((one for name, one in whole if name == conflict.files[1]), whole[-1][1])
        place = document.place(conflict.path)
        found.append(Finding(
            path=conflict.path, rule="merge-conflict", severity="error", message=str(conflict),
            fix="give both files the same value, or leave it out of one", file=conflict.files[1], line=place.line,
            column=place.column,
        ))  # fmt: skip
    return found


def _tell(found: list[Finding], wanted: str, files: int) -> None:
    from logship import __version__
    from logship.agent import findings as forms

    if wanted == "json":
        output.write_line(output.dumps(forms.as_json(found), indent=True))
    elif wanted == "sarif":
        output.write_line(output.dumps(forms.as_sarif(found, __version__), indent=True))
    else:
        for line in forms.as_github(found) if wanted == "github" else forms.as_text(found):
            output.write_line(output.printable(line).encode("utf-8", "replace"))
    counts = {name: sum(one.severity == name for one in found) for name in ("error", "warning", "hint")}
    told = ", ".join(diagnostics.counted(count, name) for name, count in counts.items() if count)
    diagnostics.say(f"{diagnostics.counted(files, 'file')}: {told or 'nothing to complain about'}")


@command.command()
@click.argument("names", nargs=-1, required=True, metavar="FILE|DIR|ssm:NAME...")
def merge(names: tuple[str, ...]) -> int:
    """One config of several, as the agent makes it of layers. Exit status 1 where they contradict each other."""
    from logship.agent.merge import merge as merged
    from logship.agent.sources import read_objects

    result = merged(sorted(read_objects(names)))
    for conflict in result.conflicts:
        diagnostics.say(output.printable(str(conflict)))
    if result.conflicts:
        return ExitCode.FINDINGS
    output.write_line(json.dumps(result.config, indent=2, ensure_ascii=False).encode("utf-8", "replace"))
    return ExitCode.DONE


@command.command()
@click.argument("before", metavar="FILE|ssm:NAME")
@click.argument("after", metavar="FILE|ssm:NAME")
def diff(before: str, after: str) -> int:
    """What differs in meaning; order of keys and entries says nothing. Exit status 1 where something does."""
    from logship.agent.compare import differences
    from logship.agent.sources import read_objects

    (_, old), (_, new) = (read_objects((name,))[0] for name in (before, after))
    found = list(differences(old, new))
    for line in found:
        output.write_line(output.printable(line).encode("utf-8", "replace"))
    return ExitCode.FINDINGS if found else ExitCode.DONE


@command.command()
@click.argument("name", metavar="CONFIG")
@click.option("--root", default="/", show_default=True, metavar="DIR", help="Folder that stands for /.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="Value of a placeholder: instance_id=i-1.")
@click.option("--format", "wanted", type=click.Choice(["table", "json"]), default="table", show_default=True)
def preview(name: str, root: str, given: tuple[str, ...], wanted: str) -> int:
    """What a config would do here: which files, which events, which times, which streams, and what it costs."""
    from logship.agent.preview import preview as looked
    from logship.agent.sources import read_objects

    if not Path(root).is_dir():
        raise UsageError(f"--root {root!r} is no folder; name one that stands for /")
    if wrong := [one for one in given if "=" not in one]:
        raise UsageError(f"--set {wrong[0]!r} has no =; write instance_id=i-1")
    values = dict(one.split("=", 1) for one in given)
    (_, config), *_ = read_objects((name,))
    seen = list(looked(config, root=root, names=values))
    if wanted == "json":
        output.write_line(output.dumps({"entries": [_as_json(one) for one in seen]}, indent=True))
        return ExitCode.DONE
    for one in seen:
        for line in _as_lines(one):
            output.write_line(output.printable(line).encode("utf-8", "replace"))
    if not seen:
        diagnostics.say(f"{name} collects no logs")
    return ExitCode.DONE


def _as_json(seen: Seen) -> dict[str, Any]:
    return {
        "path": seen.path, "source": seen.source, "file_path": seen.pattern, "group": seen.group, "stream": seen.stream,
        "files": seen.files, "tailed": seen.tailed, "undated": seen.undated, "looked_at": seen.looked_at,
        "events": [{"text": one.text, "time": one.time.isoformat() if one.time else None} for one in seen.events],
        "bytes_a_day": round(seen.bytes_a_day), "dollars_a_month": round(seen.dollars_a_month, 2), "notes": seen.notes,
    }  # fmt: skip


def _as_lines(seen: Seen) -> list[str]:
    lines = [f"{seen.pattern or seen.source} -> {seen.group} {seen.stream}"]
    if seen.files:
        named = ", ".join(seen.tailed[:_FILES]) + (" ..." if len(seen.tailed) > _FILES else "")
        lines.append(f"  reads {len(seen.tailed)} of {len(seen.files)} files: {named}")
    for one in seen.events:
        when = one.time.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z" if one.time else "no time read"
        more = one.text.count("\n")
        text = one.text.split("\n", 1)[0]
        lines.append(f"  {when:24} {text[:_SHOWN]}" + (f"  (+{diagnostics.counted(more, 'line')})" if more else ""))
    if seen.undated and seen.undated < seen.looked_at:
        lines.append(f"  {seen.undated} of {seen.looked_at} events have no time that could be read")
    if seen.tailed:
        lines.append(
            f"  about {seen.bytes_a_day / 1e6:,.1f} MB a day, {seen.dollars_a_month:,.2f} $ a month (us-east-1)"
        )
    return lines + [f"  ! {note}" for note in seen.notes]


@command.command(name="import-legacy")
@click.argument("names", nargs=-1, required=True, metavar="FILE...")
def import_legacy(names: tuple[str, ...]) -> int:
    """Configs of the agents before this one, made one of this one: awslogs.conf, and the SSM plugin's JSON."""
    from logship.agent.document import read_text
    from logship.agent.legacy import convert
    from logship.agent.merge import merge as merged

    configs = []
    for name in names:
        made = convert(read_text(Path(name)).decode("utf-8-sig", "replace"), name)
        configs.append((name, made.config))
        for warning in made.warnings:
            diagnostics.say(f"{name}: {output.printable(warning)}")
    result = merged(configs)
    for conflict in result.conflicts:
        diagnostics.say(output.printable(str(conflict)))
    output.write_line(json.dumps(result.config, indent=2, ensure_ascii=False).encode("utf-8", "replace"))
    return ExitCode.FINDINGS if result.conflicts else ExitCode.DONE


command.add_command(push)
