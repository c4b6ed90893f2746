"""`logship generate agent`: configs of the CloudWatch Agent from the settings, or from what this host logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logship.cli import diagnostics, output
from logship.cli.writing import done, own_settings
from logship.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from logship.generate.agent.config import Made
    from logship.generate.agent.detect import Proposal
    from logship.settings import Settings


_CONFIGS = "amazon-cloudwatch-agent"
"""How the names of configs begin; those of roles that are gone are deleted."""


@click.command()
@click.option("--output", "folder", default="./agent", show_default=True, metavar="DIR", help="Where to write.")
@click.option("--os", "system", type=click.Choice(["linux", "windows", "darwin"]), default="linux", show_default=True)
@click.option("--recipe", "recipes", multiple=True, metavar="NAME", help="Ship this, too; see --list. Repeatable.")
@click.option("--with", "extras", multiple=True, metavar="WHAT",
              help="Also: policy, commands, systemd, cloudformation, terraform, ansible, cloud-init. Repeatable.")  # fmt: skip
@click.option("--layered", is_flag=True, help="A file for each service, for append-config.")
@click.option("--list", "listing", is_flag=True, help="Print the recipes.")
@click.option("--explain", is_flag=True, help="Print why each part is there.")
@click.option("--detect", "detecting", is_flag=True, help="Look at what logs on this host, and propose recipes.")
@click.option("--root", default="/", show_default=True, metavar="DIR", help="With --detect: an unpacked image.")
@click.option("--save", is_flag=True, help="With --detect: add what was found to logship.toml.")
@click.option("--interactive", is_flag=True, help="Ask what to ship; answers are kept in logship.toml.")
@click.option("--check", is_flag=True, help="Write nothing; exit status 1 where a file is out of date.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change, exit status 1 if anything.")
@click.option("--force", is_flag=True, help="Overwrite files that were edited by hand, too.")
def agent(
    folder: str,
    system: str,
    recipes: tuple[str, ...],
    extras: tuple[str, ...],
    root: str,
    *,
    layered: bool,
    listing: bool,
    explain: bool,
    detecting: bool,
    save: bool,
    interactive: bool,
    check: bool,
    diff: bool,
    force: bool,
) -> int:
    """Configs of the CloudWatch Agent, one for each host role, from logship.toml."""
    if listing:
        return _list()
    settings, file = own_settings()
    if detecting or interactive:
        chosen = _proposals(root, settings)
        if interactive:
            return _ask(chosen, settings, file)
        if save:
            return _save(chosen, file)
        return ExitCode.DONE if chosen else ExitCode.FINDINGS
    from logship.generate.agent.config import make, reasons
    from logship.generate.written import compare

    made = make(_with(settings, recipes), system)  # type: ignore[arg-type]  # click has checked it
    if explain:
        for one in made:
            for line in reasons(one):
                output.write_line(output.printable(line).encode())
        return ExitCode.DONE
    into = Path(folder)
    return done(
        "agent", into, compare(into, _files(made, extras, layered=layered)), check=check, diff=diff, force=force
    )


def _list() -> int:
    from logship_agent_configs import names, recipe

    for name in names():
        known = recipe(name)
        output.write_line(f"{name:20} {known.title:34} {known.about}".encode())
    return ExitCode.DONE


def _with(settings: Settings, recipes: tuple[str, ...]) -> Settings:
    import msgspec

    from logship.settings import Service

    known = {one.recipe for one in settings.service}
    more = [Service(name=name, recipe=name) for name in recipes if name not in known]
    return msgspec.structs.replace(settings, service=[*settings.service, *more])


def _files(made: list[Made], extras: tuple[str, ...], *, layered: bool) -> dict[str, str]:
    from logship.generate.agent.layers import layers
    from logship.generate.agent.snippets import WITH, policy

    files: dict[str, str] = {}
    for one in made:
        for name, config in layers(one) if layered else [(one.name, one.config)]:
            files[name] = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    for extra in extras:
        if extra == "policy":
            files["agent-policy.json"] = json.dumps(policy(made), indent=2) + "\n"
        elif extra in WITH:
            name, text = WITH[extra]
            files |= {name.format(f"-{one.role}" if one.role else ""): text(one) for one in made}
        else:
            raise UsageError(f"--with {extra!r} is unknown; known are policy, {', '.join(WITH)}")
    return files


def _proposals(root: str, settings: Settings) -> list[Proposal]:
    from logship.generate.agent.detect import detect, groups_of

    if not Path(root).is_dir():
        raise UsageError(f"--root {root!r} is no folder; name one that stands for /")
    user = settings.agent.run_as_user or "cwagent"
    found = detect(root, user_groups=groups_of(user))
    known = {one.recipe for one in settings.service}
    for one in found:
        mark = " (in logship.toml already)" if one.recipe in known else ""
        output.write_line(output.printable(f"{one.recipe}: {', '.join(one.because)}{mark}").encode("utf-8", "replace"))
        for line in one.lines:
            output.write_line(output.printable(f"    {line[:160]}").encode("utf-8", "replace"))
        if one.unreadable and user != "root":
            advice = one.advice or f"let {user} read them: setfacl -m u:{user}:r FILE"
            diagnostics.say(f"{one.recipe}: {user} may not read {', '.join(one.unreadable[:3])}; {advice}")
    if not found:
        diagnostics.say(f"no recipe fits what lies in {root!r}; describe files as [[service.file]] in logship.toml")
    return [one for one in found if one.recipe not in known]


def _ask(proposals: list[Proposal], settings: Settings, file: Path) -> int:
    """Questions with defaults; what is answered stands in the settings from then on, so that it is asked once."""
    from logship.generate.agent.detect import as_toml, file_table

    text = _ask_for_all(settings, file)
    chosen = [one for one in proposals if click.confirm(f"ship {one.recipe}?", default=True, err=True)]
    text += as_toml(chosen)
    while path := click.prompt("another log file (empty: no more)", default="", show_default=False, err=True):
        service = click.prompt("  of which service", default=Path(path).stem.replace("*", "") or "app", err=True)
        timestamp = click.prompt("  time of its lines", default="%Y-%m-%d %H:%M:%S", err=True)
        zone = click.prompt("  in which zone", type=click.Choice(["Local", "UTC"]), default="Local", err=True)
        text += file_table(service, path, timestamp.strip(), zone)
    return _append(text, file)


def _ask_for_all(settings: Settings, file: Path) -> str:
    """What all configs have in common, unless the settings say it."""
    text, lines = "", []
    if settings.naming.app == "app" and not _mentions(file, "[naming]"):
        app = click.prompt("name of the application, in the names of log groups", default="app", err=True)
        text = f"\n[naming]\napp = {json.dumps(app)}\n"
    if not _mentions(file, "[agent]"):
        region = click.prompt("region (empty: the host's own)", default="", show_default=False, err=True)
        lines += [f"region = {json.dumps(region)}"] if region else []
        if click.confirm("also metrics of processor, memory and disk?", default=False, err=True):
            lines.append('metrics = ["cpu", "mem", "disk"]')
    return text + ("\n[agent]\n" + "".join(f"{line}\n" for line in lines) if lines else "")


def _mentions(file: Path, table: str) -> bool:
    return file.is_file() and table in file.read_text(encoding="utf-8")


def _save(chosen: list[Proposal], file: Path) -> int:
    from logship.generate.agent.detect import as_toml

    return _append(as_toml(chosen), file)


def _append(text: str, file: Path) -> int:
    """Adds tables behind what is there."""
    if not text:
        diagnostics.say("nothing to add")
        return ExitCode.DONE
    try:
        before = file.read_text(encoding="utf-8") if file.is_file() else ""
        file.write_text(before + ("" if before.endswith("\n") or not before else "\n") + text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {str(file)!r}: {error.strerror}; name another with --config") from None
    diagnostics.say(f"added to {file}; next: logship generate agent")
    return ExitCode.DONE
