"""Names of workers, kept in the state folder so that a restarted process need not wait for its own lease to end."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from pathlib import Path
from typing import Final

from logship.errors import DataError

_FILE: Final = "worker"


class Names:
    """Gives names that nobody has had before, and tells the one that this folder's process before had.

    The file is locked as long as its process lives, so whoever gets the lock knows that the one before is dead:
    a process that is only paused still holds it. Where another process has it, nothing is known, and nothing kept.

    Args:
        folder: the state folder, made if it is not there; None keeps nothing.

    Raises:
        DataError: the folder cannot be used.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self._file: int | None = None
        self._folder = folder
        self.dead = ""
        """The worker that is certainly dead; "" if there is none."""
        if folder is None:
            return
        try:
            Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
            opened = os.open(Path(folder) / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(folder, error) from None
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(opened)
            return
        self._file = opened
        self.dead = os.pread(opened, 1024, 0).decode(errors="replace").strip()

    def new(self) -> str:
        """A name that says where the process runs, written down before anybody sees it.

        Raises:
            DataError: it cannot be written.
        """
        name = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(6)}"
        if self._file is not None:
            try:
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, f"{name}\n".encode(), 0)
            except OSError as error:
                raise _unusable(self._folder, error) from None
        return name

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _unusable(folder: str | Path | None, error: OSError) -> DataError:
    return DataError(f"the state folder {str(folder)!r} cannot be used: {error}; name another with --state")
