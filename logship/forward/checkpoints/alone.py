"""A state folder is one process's: a lock that the kernel lets go of when the process dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from logship.errors import StoreLockedError
from logship.forward.checkpoints.folder import open_file

if TYPE_CHECKING:
    from pathlib import Path

_FILE: Final = "forwarder.lock"


class Alone:
    """Keeps other processes out of a state folder until it is closed.

    A file system without locks keeps nobody out; what two processes do there is found out when they save.

    Args:
        folder: the state folder, made if it is not there.

    Raises:
        StoreLockedError: another process uses it.
        DataError: it cannot be used.
    """

    def __init__(self, folder: str | Path) -> None:
        self._file = open_file(folder, _FILE)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 20, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise StoreLockedError(
                f"the state folder {str(folder)!r} is in use by another forwarder{holder and f' (pid {holder})'}; "
                "stop it, or name another --state"
            ) from None
        except OSError:  # there are no locks here
            return
        with suppress(OSError):  # for people alone: a full disk is no reason not to run
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Lets others in."""
        os.close(self._file)
