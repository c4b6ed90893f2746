"""The folder of one service's queue files: making them, bounding them, and finding those of dead processes."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from logship.handler.spool.segment import SUFFIX, BrokenSegmentError, NewerSegmentError, Segment

if TYPE_CHECKING:
    from collections.abc import Callable

SEGMENT_BYTES: Final = 4 * 2**20
_UNFINISHED_S: Final = 60.0
"""A file that is being made has its own name so long at most; older ones are of processes that died while making it."""


def folder_of(spool: str | os.PathLike[str], group: str, service: str) -> Path:
    """Where the queue of a service and group lies.

    Args:
        spool: ``auto`` is ``logship/spool`` in the state folder of the user (XDG_STATE_HOME, else ``~/.local/state``);
            anything else a folder that holds them instead.
        group: log group name.
        service: `service.name`.
    """
    if os.fspath(spool) == "auto":
        state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")  # noqa: PTH111 - may have no home
        base = Path(state) / "logship" / "spool"
    else:
        base = Path(spool)
    digest = hashlib.sha256(f"{len(group)}:{group}{service}".encode("utf-8", "surrogatepass")).hexdigest()
    return base / digest[:24]


class Files:
    """Queue files of this process, in a folder that processes of the same service share.

    Args:
        folder: made, with its parents, when the first file is.
        max_bytes: of all files in it; beyond it no more are made.
        say: told what people should know.
    """

    def __init__(self, folder: Path, max_bytes: int, say: Callable[[str], None]) -> None:
        self.folder, self._max_bytes, self._say = folder, max_bytes, say
        self.broken = 0
        """Records that were torn or corrupt, and are given up."""
        self._made = 0
        # Begins with the time, so that names are in the order in which processes began.
        self._prefix = f"{int(time.time() * 1000):013d}-{os.getpid()}-{os.urandom(4).hex()}"
        self._left_alone: set[str] = set()

    def make(self) -> Segment:
        """The next file.

        Raises:
            OSError: there can be none now; its text says why.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        held = sum(_size(entry) for entry in self._entries() if entry.name.endswith(SUFFIX))
        if held + SEGMENT_BYTES > self._max_bytes + 2 * SEGMENT_BYTES:
            raise OSError(f"its files hold {held:,} of {self._max_bytes:,} bytes")
        self._made += 1
        return Segment.create(self.folder / f"{self._prefix}-{self._made:06d}{SUFFIX}", SEGMENT_BYTES)

    def has_others(self) -> bool:
        """Whether there are files of other processes, living or dead."""
        return any(not entry.name.startswith(self._prefix) for entry in self._entries())

    def adopt(self) -> list[Segment]:
        """The files of dead processes, oldest first; this process has them from now on."""
        found = []
        for entry in sorted(self._entries(), key=lambda entry: entry.name):
            if entry.name.startswith(self._prefix) or entry.name in self._left_alone:
                continue
            if entry.name.endswith(SUFFIX):
                segment = self._adopt(Path(entry.path))
                if segment is not None:
                    found.append(segment)
        return found

    def _entries(self) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.folder) as entries:
                return list(entries)
        except OSError:
            return []

    def _adopt(self, path: Path) -> Segment | None:
        unfinished = path.name.startswith(".")
        if unfinished and time.time() - _modified(path) < _UNFINISHED_S:
            return None
        try:
            segment = Segment.adopt(path)
        except NewerSegmentError:
            self._leave(path, "was written by a newer logship, which will send it")
        except (BrokenSegmentError, OSError) as error:
            if unfinished:
                path.unlink(missing_ok=True)
            else:
                self._leave(path, f"is no queue file that can be read ({error}); delete it")
        else:
            return segment
        return None

    def _leave(self, path: Path, why: str) -> None:
        self._left_alone.add(path.name)
        self._say(f"{path} {why}")


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:  # another process has just delivered all of it
        return 0


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
