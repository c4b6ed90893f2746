"""`logship completion SHELL`, and what a shell is offered behind a command: fields and values of the store, too.

What a shell asks for while somebody types is never answered with an error: it would show it amid the line.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Any, Final

import click

from logship.errors import LogshipError
from logship.settings import load, resolve_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from logship.settings import Settings

_PATIENCE_S: Final = 1.0

_BASH_WORDS: Final = "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\nCOMP_WORDBREAKS=${COMP_WORDBREAKS//=}\n"
"""Bash would cut `service:ord` into three words."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that teaches a shell to complete commands, flags, fields and values.

    \b
    eval "$(logship completion bash)"      in ~/.bashrc
    eval "$(logship completion zsh)"       in ~/.zshrc
    logship completion fish | source       in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    from logship.cli import output

    kind = get_completion_class(shell)
    assert kind is not None  # one of the choices
    root = click.get_current_context().find_root().command
    script = kind(root, {}, "logship", "_LOGSHIP_COMPLETE")
    text = script.source_template % script.source_vars()
    output.write_line(((_BASH_WORDS if shell == "bash" else "") + text.strip()).encode())


def query_words(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """What may stand at the end of a query."""
    del parameter
    found: list[str] = []
    with contextlib.suppress(Exception), _soon():
        settings = _settings(context)
        if incomplete.startswith("@"):
            return [f"@{name}" for name in sorted(settings.queries) if name.startswith(incomplete[1:])]
        found = _offered(context, settings, incomplete)
    return found


def store_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of `[stores.NAME]`."""
    del parameter
    found: list[str] = []
    with contextlib.suppress(Exception):
        found = [name for name in sorted(_settings(context).stores) if name.startswith(incomplete)]
    return found


def group_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Log groups that the store has records of; the account's own would cost a call to AWS."""
    del parameter
    found: list[str] = []
    with contextlib.suppress(Exception), _soon():
        from logship.query.tree import All
        from logship.record import GROUP

        known = _local_reader(context, _settings(context)).terms(All(), GROUP, size=1000)
        found = sorted(name for name, _ in known if name.startswith(incomplete))
    return found


def _settings(context: click.Context) -> Settings:
    root = context.find_root()
    return load(context.params.get("config") or root.params.get("config") or root.obj)


def _local_reader(context: click.Context, settings: Settings) -> Any:
    """A reader of the embedded store; no shell waits for a network."""
    from logship.wiring import is_remote, open_reader

    store = resolve_store(context.params.get("store"), settings)
    if is_remote(store):
        raise LookupError(store.location)
    return open_reader(store)


def _offered(context: click.Context, settings: Settings, incomplete: str) -> list[str]:
    """The word with each of its ends; words before it narrow what values there are."""
    from logship.query import completion

    before = "".join(f"{word} " for word in context.params.get("query") or ())
    text = before + incomplete
    fields: Sequence[str] = ()
    values: Callable[[str, str], list[tuple[str, int]]] = completion.none
    with contextlib.suppress(LookupError, LogshipError):
        reader = _local_reader(context, settings)
        fields, values = reader.field_names(), completion.from_reader(reader)
    found = completion.complete(text, len(text), fields=fields, values=values)
    return [(text[len(before) : item.start] + item.text).rstrip() for item in found if item.start >= len(before)]


@contextlib.contextmanager
def _soon() -> Iterator[None]:
    """Gives up on a store that takes longer than anyone waits for a key."""

    def give_up(number: int, frame: Any) -> None:
        del number, frame
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
