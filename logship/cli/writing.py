"""What the `generate` commands have in common: the settings as the file has them, and files written or compared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from logship.cli import diagnostics, options, output
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


def own_settings() -> tuple[Settings, Path]:
    """The settings as the file has them, and the file: variables of this machine are not those of the other."""
    from logship.settings import DEFAULT_FILE, load

    named = options.context().find_root().obj or os.environ.get("LOGSHIP_CONFIG")
    return load(named, environ={}), Path(named or DEFAULT_FILE)


def done(command: str, folder: Path, found: list[Found], *, check: bool, diff: bool, force: bool) -> int:
    """Writes the files, or says how they stand; the exit status.

    Args:
        command: for messages: ``stack``.
        folder: where they are.
        found: how each stands.
        check: only whether they are up to date.
        diff: only what would change.
        force: also those that were edited by hand.
    """
    if check or diff:
        return _show(command, folder, found, diff=diff)
    return _write(folder, found, force=force)


def _show(command: str, folder: Path, found: list[Found], *, diff: bool) -> int:
    changed = [file for file in found if file.state != "same"]
    for file in changed:
        for line in file.diff(folder) if diff else ():
            output.write_line(output.printable(line).encode("utf-8", "replace"))
        if not diff:
            diagnostics.say(f"{folder / file.name}: {_WORDS[file.state]}; run: logship generate {command}")
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
