"""`logship generate`: files written from the settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logship.cli import diagnostics
from logship.cli.generate_agent import agent
from logship.cli.writing import done, own_settings
from logship.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from logship.settings import Service, Settings


@click.group()
def command() -> None:
    """Files written from the settings: what runs a forwarder and permits it to, and how services log."""


@command.command()
@click.option("--output", "folder", default="./deploy", show_default=True, metavar="DIR", help="Where to write.")
@click.option("--program", default="/usr/local/bin/logship", show_default=True, help="Where logship is, for the unit.")
@click.option("--account", default="*", metavar="NUMBER", help="AWS account of the forwarder; any if not set.")
@click.option("--check", is_flag=True, help="Write nothing; exit status 1 where a file is out of date.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change, exit status 1 if anything.")
@click.option("--force", is_flag=True, help="Overwrite files that were edited by hand, too.")
def stack(folder: str, program: str, account: str, *, check: bool, diff: bool, force: bool) -> int:
    """A systemd unit, a Containerfile and IAM policies for `logship forward`."""
    from logship import __version__
    from logship.generate.stack import Place
    from logship.generate.stack import stack as files_of
    from logship.generate.written import compare
    from logship.wiring import table_of

    settings, name = own_settings()
    table_of(settings.forward)  # which the policy names
    seen = os.path.relpath(folder, name.parent)
    place = Place(version=__version__, program=program, account=account, settings=name.name, folder=seen)
    into = Path(folder)
    found = compare(into, files_of(settings, place))
    return done("stack", into, found, check=check, diff=diff, force=force)


@command.command()
@click.option("--framework", "frameworks", multiple=True, metavar="NAME", help="What to wire; see --list. Repeatable.")
@click.option("--service", "service_name", metavar="NAME", help="Whose logs; all of logship.toml if not set.")
@click.option("--output", "folder", default=".", show_default=True, metavar="DIR", help="Where to write.")
@click.option("--list", "listing", is_flag=True, help="Print the frameworks and their files.")
@click.option("--check", is_flag=True, help="Write nothing; exit status 1 where a file is out of date.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change, exit status 1 if anything.")
@click.option("--force", is_flag=True, help="Overwrite what was edited by hand, too.")
def logging(
    frameworks: tuple[str, ...],
    service_name: str | None,
    folder: str,
    *,
    listing: bool,
    check: bool,
    diff: bool,
    force: bool,
) -> int:
    """Python logging wiring for a framework: from logship.toml, from flags, or from what the project depends on."""
    from logship.cli import output
    from logship.generate.logging.wiring import FRAMEWORKS

    if listing:
        for name, (file, about, _text) in FRAMEWORKS.items():
            output.write_line(f"{name:10} {file:22} {about}".encode())
        return ExitCode.DONE
    settings, _name = own_settings()
    status: int = ExitCode.DONE
    services = _services(settings, service_name, frameworks)
    for service, chosen in services:
        from logship.generate.logging.wiring import files, wired
        from logship.generate.written import compare

        into = Path(folder) / service.name if len(services) > 1 else Path(folder)
        found = compare(into, files(wired(settings, service), chosen), others=None)
        status = max(status, done("logging", into, found, check=check, diff=diff, force=force))
    return status


def _services(settings: Settings, named: str | None, frameworks: tuple[str, ...]) -> list[tuple[Service, list[str]]]:
    """The services to wire, each once and with all its frameworks: several entries may describe parts of one."""
    from logship.settings import Service

    entries = [one for one in settings.service if named in (None, one.name)]
    known = [next(one for one in entries if one.name == name) for name in dict.fromkeys(one.name for one in entries)]
    if named is not None and not known:
        known = [Service(name=named)]
    if frameworks:
        if not known:
            raise UsageError("whose logs? name it with --service, or as a [[service]] of logship.toml")
        return [(one, list(frameworks)) for one in known]
    of_name: dict[str, dict[str, None]] = {}
    for one in entries:
        if one.framework:
            of_name.setdefault(one.name, {})[one.framework] = None
    if of_name:
        return [(one, list(of_name[one.name])) for one in known if one.name in of_name]
    detected = _detected()
    if not known:
        known = [Service(name=Path.cwd().name)]
        diagnostics.say(f"no service is named, so it is {known[0].name!r}, as this folder; --service names another")
    return [(one, detected) for one in known]


def _detected() -> list[str]:
    from logship.generate.logging.detect import detect
    from logship.generate.logging.wiring import FRAMEWORKS

    seen = detect(Path())
    if not seen:
        raise UsageError(
            "no framework is named in logship.toml, by --framework, or in pyproject.toml or requirements*.txt here; "
            f"known are {', '.join(FRAMEWORKS)}"
        )
    for one in seen:
        diagnostics.say(f"{one.framework}: {one.file} names {one.package}")
    return [one.framework for one in seen]


command.add_command(agent)
