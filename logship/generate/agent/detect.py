"""What logs on this host, or in an unpacked image: recipes proposed by units, processes and files."""

from __future__ import annotations

import glob
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from logship_agent_configs import names, recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINES: Final = 2
_READ_BYTES: Final = 65_536
_UNIT_FOLDERS: Final = (
    "etc/systemd/system/multi-user.target.wants", "lib/systemd/system", "usr/lib/systemd/system", "etc/systemd/system",
)  # fmt: skip


@dataclass
class Proposal:
    """A recipe that fits this host."""

    recipe: str
    files: list[str] = field(default_factory=list)
    """That are there."""
    because: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """The last ones of its newest file."""
    unreadable: list[str] = field(default_factory=list)
    """Files that the agent's user may not read."""
    advice: str = ""


def detect(root: str = "/", *, user_groups: frozenset[int] = frozenset()) -> list[Proposal]:
    """Recipes whose log files are there, best known first; a unit or process alone is no reason.

    Args:
        root: folder that stands for ``/``; another one than that is looked at without its processes.
        user_groups: ids of the groups that the agent's user is in.
    """
    running, units = _processes() if root == "/" else frozenset(), _units(root)
    found = []
    for name in names():
        known, proposal = recipe(name), Proposal(name)
        for file in known.file:
            for paths in (file.paths.get("debian", ()), file.paths.get("rhel", ())):
                for path in paths:
                    proposal.files += [one for one in _matching(root, path) if one not in proposal.files]
        if known.journal is not None and _has_journal(root):
            proposal.because.append("the systemd journal is kept")
        if not proposal.files and not proposal.because:
            continue
        proposal.because += [f"unit {unit}" for unit in known.units if unit in units]
        proposal.because += [f"process {unit}" for unit in known.units if unit in running]
        proposal.because += [f"{len(proposal.files)} log files"] if proposal.files else []
        _look(proposal, root, user_groups)
        proposal.advice = known.readable if proposal.unreadable else ""
        found.append(proposal)
    return found


def _matching(root: str, pattern: str) -> list[str]:
    base = root.rstrip("/")
    found = sorted(glob.iglob(base + pattern))  # noqa: PTH207 - absolute patterns
    return [path.removeprefix(base) for path in found if Path(path).is_file()]


def _look(proposal: Proposal, root: str, user_groups: frozenset[int]) -> None:
    base = root.rstrip("/")
    for path in proposal.files:
        stat = Path(base + path).stat()
        readable = stat.st_mode & 0o004 or (stat.st_mode & 0o040 and stat.st_gid in user_groups)
        if not readable:
            proposal.unreadable.append(path)
    newest = sorted(proposal.files, key=lambda path: -Path(base + path).stat().st_mtime)[:1]
    for path in newest:
        proposal.lines = list(_last_lines(Path(base + path)))


def _last_lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _READ_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return
    yield from [line for line in lines if line.strip()][-_LINES:]


def _processes() -> frozenset[str]:
    """Names of programs that run."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.add((folder / "comm").read_text().strip())
        except OSError:  # it has ended
            continue
    return frozenset(found)


def _units(root: str) -> frozenset[str]:
    found = set()
    for folder in _UNIT_FOLDERS:
        for path in Path(root, folder).glob("*.service"):
            found.add(path.name.removesuffix(".service").partition("@")[0])
    return frozenset(found)


def _has_journal(root: str) -> bool:
    return any(Path(root, place).is_dir() for place in ("var/log/journal", "run/log/journal"))


def groups_of(user: str) -> frozenset[int]:
    """Ids of a user's groups; none where there is no such user."""
    import grp
    import pwd

    try:
        own = pwd.getpwnam(user)
    except KeyError:
        return frozenset()
    return frozenset([own.pw_gid, *(group.gr_gid for group in grp.getgrall() if user in group.gr_mem)])


def as_toml(proposals: list[Proposal]) -> str:
    """Tables for logship.toml."""
    return "".join(
        f'\n[[service]]\nname = "{os.path.basename(one.recipe)}"\nrecipe = "{one.recipe}"\n'  # noqa: PTH119
        for one in proposals
    )


def file_table(service: str, path: str, timestamp: str, zone: str) -> str:
    """A service with a file of its own, for logship.toml."""
    lines = [f"name = {json.dumps(service)}", "[[service.file]]", f"path = {json.dumps(path)}"]
    if timestamp:
        lines += [f"timestamp = {json.dumps(timestamp)}", f'timezone = "{zone}"', 'multi_line = "{timestamp_format}"']
    return "\n[[service]]\n" + "".join(f"{line}\n" for line in lines)
