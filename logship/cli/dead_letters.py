"""`logship dead-letters`: what the store could not take, and what becomes of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from logship.cli import diagnostics, options
from logship.errors import DataError, ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.forward.letters.dead_letters import Chosen, DeadLetter, DeadLetters
    from logship.forward.letters.replay import Replayed

_Command = TypeVar("_Command", bound=Callable[..., Any])
_IDS_AT_ONCE: Final = 500
_PAGE: Final = 500


@click.group()
def command() -> None:
    """What the store could not take, kept on disk with the reason: look, mend, and replay."""


def _state(command: _Command) -> _Command:
    return click.option("--state", metavar="DIR", help="Folder of the forwarder's state; ./state if not set.")(command)


def _chosen(command: _Command) -> _Command:
    """`ID…`, `--group`, `--all`."""
    command = click.option("--all", "everything", is_flag=True, help="All of them.")(command)
    command = click.option("--group", metavar="NAME", help="All of a log group.")(command)
    return click.argument("ids", nargs=-1, metavar="[ID…]")(command)


@command.command("list")
@_state
@click.option(
    "--format",
    "wanted",
    type=click.Choice(["table", "json", "ndjson", "csv", "md"]),
    default="table",
    show_default=True,
)
def list_(state: str | None, wanted: str) -> int:
    """Log groups and reasons, how many of each, and the newest.

    Exit status 1: there are none.
    """
    from logship.cli.letters import write_reasons

    letters = _open(state)
    if write_reasons(letters, wanted):
        return ExitCode.DONE
    if wanted == "json":
        from logship.cli.output import write_line

        write_line(b"[]")
    return _none(letters)


@command.command()
@click.argument("ids", nargs=-1, metavar="[ID…]")
@_state
@click.option("--group", metavar="NAME", help="Those of a log group.")
@click.option("--limit", type=click.IntRange(1), help="So many at most; 100 for text, all for the others.")
@click.option(
    "--format", "wanted", type=click.Choice(["text", "json", "ndjson", "raw"]), default="text", show_default=True
)
def show(ids: tuple[str, ...], state: str | None, group: str | None, limit: int | None, wanted: str) -> int:
    """Letters with their original text, oldest first. IDs may be cut short.

    Exit status 1: there are none.
    """
    from itertools import islice

    from logship.cli.letters import write_letters
    from logship.forward.letters.dead_letters import Chosen, pages

    letters = _open(state)
    chosen = _wanted(letters, ids, group) if ids else [Chosen(group=group or "")]
    most = limit or (100 if wanted == "text" else None)
    total = sum(letters.count(one) for one in chosen)
    found: Iterator[DeadLetter] = (letter for page in pages(letters, chosen, size=_PAGE) for letter in page)
    written = write_letters(islice(found, most), wanted)
    if not written:
        return _none(letters, group)
    if written < total:
        diagnostics.say(f"{written:,} of {total:,} dead letters; --limit shows more")
    return ExitCode.DONE


@command.command()
@_chosen
@_state
@options.store_option
def replay(ids: tuple[str, ...], group: str | None, state: str | None, store: str | None, *, everything: bool) -> int:
    """Into the store, with the parser, the redaction and the rules of now. Doing it again changes nothing.

    While a forwarder holds the store, it is the one that stores them. A letter is dropped once its record is safe.

    Exit status 1: some still cannot be stored, and are kept; or there are none.
    """
    from logship.forward.between.prepare import prepare_of
    from logship.forward.letters.replay import replay as replayed
    from logship.forward.sources.subscription import read
    from logship.wiring import name_of, open_writer

    diagnostics.expect_many_objects()
    letters, target = _open(state), options.chosen_store(store)
    if not store and letters.store and letters.store != name_of(target):
        raise DataError(
            f"the dead letters in {str(letters.path.parent)!r} are of the store {letters.store!r}, not "
            f"{name_of(target)!r}: add --store {letters.store}, or name the other one if you mean it"
        )
    chosen = _wanted(letters, ids, group, everything=everything)
    total = sum(letters.count(one) for one in chosen)
    if not total:
        return _none(letters, group)
    prepare = prepare_of(options.settings())
    progress = diagnostics.Progress()
    writer = open_writer(target, "replay", say=diagnostics.say)
    try:
        done = replayed(
            letters,
            writer,
            prepare,
            chosen,
            read_payload=read,
            progress=lambda now: progress.show(f"{now.letters:,} of {total:,} dead letters"),
        )
    finally:
        progress.clear()
        writer.close()
    _report(done, target.location)
    return ExitCode.FINDINGS if done.kept else ExitCode.DONE


def _report(done: Replayed, location: str) -> None:
    diagnostics.say(
        f"{diagnostics.counted(done.letters, 'dead letter')} replayed: "
        f"{diagnostics.counted(done.stored, 'record')} stored in {location}"
        + (f"; {done.existing:,} were there already" if done.existing else "")
        + (f"; rules left out {done.left_out:,}" if done.left_out else "")
        + (f"; {done.kept:,} still cannot be stored and are kept, see: logship dead-letters list" if done.kept else "")
    )


@command.command()
@_chosen
@_state
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(ids: tuple[str, ...], group: str | None, state: str | None, *, everything: bool, yes: bool) -> int:
    """Delete letters for good.

    Exit status 1: there are none.
    """
    letters = _open(state)
    chosen = _wanted(letters, ids, group, everything=everything)
    total = sum(letters.count(one) for one in chosen)
    if not total:
        return _none(letters, group)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"dropping {total:,} dead letters deletes their events for good; add --yes")
        click.confirm(f"delete {diagnostics.counted(total, 'dead letter')} for good?", abort=True, err=True)
    dropped = sum(letters.drop_chosen(one) for one in chosen)
    diagnostics.say(f"dropped {diagnostics.counted(dropped, 'dead letter')}")
    return ExitCode.DONE


def _open(state: str | None) -> DeadLetters:
    from logship.forward.letters.dead_letters import DeadLetters

    letters = DeadLetters(state or options.settings().forward.state, create=False)
    click.get_current_context().call_on_close(letters.close)
    return letters


def _none(letters: DeadLetters, group: str | None = None) -> int:
    of_group = f" of the log group {group!r}" if group else ""
    diagnostics.say(f"no dead letters{of_group} in {str(letters.path.parent)!r}")
    return ExitCode.FINDINGS


def _wanted(letters: DeadLetters, ids: Sequence[str], group: str | None, *, everything: bool = False) -> list[Chosen]:
    """What is meant; exactly one way to say it."""
    from logship.forward.letters.dead_letters import Chosen

    if bool(ids) + bool(group) + everything != 1:
        raise UsageError(
            "say which dead letters: IDs, --group NAME, or --all; list them with: logship dead-letters show"
        )
    if not ids:
        return [Chosen(group=group or "")]
    whole = sorted({_whole(letters, prefix) for prefix in ids})
    return [Chosen(ids=tuple(whole[at : at + _IDS_AT_ONCE])) for at in range(0, len(whole), _IDS_AT_ONCE)]


def _whole(letters: DeadLetters, prefix: str) -> str:
    """The one id that begins so."""
    found = letters.find(prefix.lower()) if prefix else []
    if not found:
        raise UsageError(f"no dead letter's id begins with {prefix!r}; list them with: logship dead-letters show")
    if len(found) > 1:
        some = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")  # noqa: PLR2004 - as shown
        raise UsageError(f"the ids of several dead letters begin with {prefix!r}: {some}; write more of it")
    return found[0]
