"""`logship generate`: files written from the settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from logship.cli import diagnostics, options
from logship.errors import ExitCode

if TYPE_CHECKING:
    from logship.generate.written import Found
    from logship.settings import Settings

_WORDS: Final = {
    "new": "is missing",
    "outdated": "is out of date",
    "edited": "was edited by hand",
    "unwanted": "is no longer wanted",
}


@click.group()
def command() -> None:
    """Files written from the settings: what runs a forwarder, and what permits it to."""


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

    settings, name = _settings()
    seen = os.path.relpath(folder, name.parent)
    place = Place(version=__version__, program=program, account=account, settings=name.name, folder=seen)
    into = Path(folder)
    found = compare(into, files_of(settings, place))
    if check or diff:
        return _show(into, found, diff=diff)
    return _write(into, found, force=force)


def _settings() -> tuple[Settings, Path]:
    """The settings as the file has them, and the file: variables of this machine are not those of the other."""
    from logship.settings import DEFAULT_FILE, load

    named = options.context().find_root().obj or os.environ.get("LOGSHIP_CONFIG")
    return load(named, environ={}), Path(named or DEFAULT_FILE)


def _show(folder: Path, found: list[Found], *, diff: bool) -> int:
    from logship.cli import output

    changed = [file for file in found if file.state != "same"]
    for file in changed:
        for line in file.diff(folder) if diff else ():
            output.write_line(output.printable(line).encode("utf-8", "replace"))
        if not diff:
            diagnostics.say(f"{folder / file.name}: {_WORDS[file.state]}; run: logship generate stack")
    return ExitCode.FINDINGS if changed else ExitCode.DONE


def _write(folder: Path, found: list[Found], *, force: bool) -> int:
    from logship.generate.written import write

    kept = write(folder, found, force=force)
    for file in found:
        if file in kept:
            diagnostics.say(f"{folder / file.name} was edited by hand and is left as it is; see --diff, or say --force")
        elif file.state != "same":
            diagnostics.say(f"{'wrote' if file.after else 'deleted'} {folder / file.name}")
    return ExitCode.FINDINGS if kept else ExitCode.DONE
