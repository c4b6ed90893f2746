"""`logship demo`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logship.cli import diagnostics
from logship.errors import ExitCode, MissingExtraError

if TYPE_CHECKING:
    from logship.demo.story import Outcome


@click.command()
@click.option("--no-tui", is_flag=True, help="Print the finding and end.")
@click.option("--format", "wanted", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the load.")
@click.option("--dir", "folder", metavar="DIR", help="Keep everything in this folder; a temporary one if not set.")
def command(*, no_tui: bool, wanted: str, seed: int, folder: str | None) -> int:
    """The whole pipeline on this machine: real services, an incident, and what logship says about it.

    Four small HTTP services with logship's handler, and log files as an agent ships them, travel through
    CloudWatch Logs on loopback and the forwarder into a store. Then one service becomes slow.

    Exit status 0: every record arrived exactly once and the finding names a service; 1: not so.
    """
    try:
        import httpx  # noqa: F401 - the question is whether it is there
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(error.name or "uvicorn", "demo") from None
    from logship.cli.tui import has_terminal, start
    from logship.demo import story

    if not no_tui and not has_terminal():
        _say("there is no terminal to draw on, so the finding is printed")
        no_tui = True
    with tempfile.TemporaryDirectory(prefix="logship-demo-") as temporary:
        outcome = story.run(Path(folder or temporary), seed=seed, say=_say)
        exact = outcome.delivery.exact and outcome.finding.alarm
        if no_tui:
            _print(outcome, wanted)
        else:
            start(outcome.store, screen="incident", window=outcome.finding.window, baseline=outcome.finding.baseline)
    return ExitCode.DONE if exact else ExitCode.FINDINGS


def _say(text: str) -> None:
    diagnostics.say(f"demo: {text}")


def _print(outcome: Outcome, wanted: str) -> None:
    from logship.cli import output

    delivery = outcome.delivery.to_json()
    if wanted == "json":
        output.write_line(output.dumps(outcome.finding.to_json() | {"delivery": delivery}))
        return
    verdict = "exactly once" if delivery["exact"] else "NOT exactly once"
    text = (
        f"edge, p95 of load times: {outcome.quiet_p95_s * 1000:.0f} ms → {outcome.slow_p95_s * 1000:.0f} ms\n"
        f"delivered: {delivery['stored']:,} of {delivery['written']:,} records, {verdict}\n\n"
        f"{outcome.finding.to_text()}"
    )
    output.write_line(text.encode())
