"""The `logship` program: commands are imported when they are run."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

import click

from logship import __version__
from logship.cli import diagnostics
from logship.errors import SettingsError

_COMMANDS: Final = {
    "demo": ("logship.cli.demo", "The whole pipeline on this machine, with a slow incident in it."),
    "forward": ("logship.cli.forward", "Stream log groups of CloudWatch Logs into the store."),
    "dead-letters": ("logship.cli.dead_letters", "What the store could not take: list, show, replay, drop."),
    "import": ("logship.cli.importing", "Files into the store: logs, exports, CloudWatch events."),
    "search": ("logship.cli.search", "Find records across all services."),
    "fields": ("logship.cli.fields", "Which fields records have, how often, and their values."),
    "trace": ("logship.cli.trace", "One request through all services, as a waterfall."),
    "incident": ("logship.cli.incident", "What is slow, and which service causes it."),
    "tui": ("logship.cli.tui", "The same in a terminal screen."),
    "store": ("logship.cli.store", "What the store holds; setting up, copying, deleting."),
    "generate": ("logship.cli.generate", "Files from the settings: agent configs, logging wiring, deployment."),
    "agent": ("logship.cli.agent", "Configs of the CloudWatch Agent: lint, preview, merge, diff, push."),
    "completion": ("logship.cli.completion", "Teach a shell to complete commands, fields and values."),
}


class _Lazy(click.Group):
    """Lists commands by the table above, so that `--help` imports none of them."""

    def make_context(self, *arguments: Any, **others: Any) -> click.Context:
        with diagnostics.while_read():  # `--help` prints here
            return super().make_context(*arguments, **others)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with diagnostics.while_read():
                return super().invoke(ctx)
        except SettingsError as error:
            from logship.settings import in_file

            raise in_file(error, ctx.obj) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(_COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return _with_config(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], _COMMANDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"commands are {', '.join(_COMMANDS)}"
            raise click.UsageError(f"no such command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


def _with_config(command: click.Command) -> click.Command:
    """The command, and each one below it, with `--config`."""
    for below in command.commands.values() if isinstance(command, click.Group) else [command]:
        if not any(option.name == "config" for option in below.params):
            below.params.append(
                click.Option(
                    ["--config"], metavar="FILE", expose_value=False, callback=_set_config, help="Settings file."
                )
            )
    return command


def _set_config(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    del param
    if value:
        ctx.find_root().obj = value


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "--version", message="logship %(version)s")
@click.option("--config", metavar="FILE", help="Settings file; ./logship.toml if there is one.")
@click.pass_context
def logship(ctx: click.Context, config: str | None) -> None:
    """One place to dig when users say "it loads slowly"."""
    ctx.obj = config


def run() -> None:
    """The entry point."""
    sys.exit(diagnostics.guarded(lambda: logship.main(standalone_mode=False)))
