"""`logship store setup`: prepares an OpenSearch cluster, shows what that would send, or compares what is there."""

from __future__ import annotations

import click

from logship.cli import diagnostics, options
from logship.errors import ExitCode, UsageError


@click.command()
@options.store_option
@click.option("--dry-run", is_flag=True, help="Print the requests as JSON lines; send none.")
@click.option("--check", is_flag=True, help="Report what differs from the settings; exit status 1 if something does.")
def setup(store: str | None, *, dry_run: bool, check: bool) -> int:
    """Prepare an OpenSearch cluster: index template, alias, retention policy, roles.

    Running it again changes only what differs. The partition (month or day) and the output names are chosen on
    the first run and stay.
    """
    from logship.cli import output
    from logship.wiring import cluster_setup, is_remote

    if dry_run and check:
        raise UsageError("--dry-run and --check exclude each other; give one of them")
    target = options.chosen_store(store)
    if not is_remote(target):
        raise UsageError(f"--store {target.location!r} is a folder, which needs no setup; name the URL of a cluster")
    work = cluster_setup(target)
    if dry_run:
        for step in work.steps():
            request = {"for": step.what, "method": step.method, "path": step.path, "body": step.body}
            output.write_line(output.dumps(request))
        return ExitCode.DONE
    if check:
        found = list(work.drift())
        for line in found:
            output.write_line(output.printable(line).encode("utf-8", "replace"))
        diagnostics.say(
            f"{len(found)} differences" if found else f"{target.location}/{target.index} is as it should be"
        )
        return ExitCode.FINDINGS if found else ExitCode.DONE
    work.apply(diagnostics.say)
    diagnostics.say(f"{target.location}/{target.index} is set up")
    return ExitCode.DONE
