"""Names of workers, kept in the state folder so that a restarted process need not wait for its own lease to end."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from typing import TYPE_CHECKING, Final

from logship.forward.checkpoints.folder import open_file, unusable

if TYPE_CHECKING:
    from pathlib import Path

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
        opened = open_file(folder, _FILE)
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
                raise unusable(self._folder, error) from None
        return name

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
