"""A state folder is one process's: a lock that the kernel lets go of when the process dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from logship.errors import DataError, StoreLockedError

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
        try:
            Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(Path(folder) / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataError(
                f"the state folder {str(folder)!r} cannot be used: {error}; name another with --state"
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 20, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise StoreLockedError(
                f"the state folder {str(folder)!r} is in use by another forwarder{holder and f' (pid {holder})'}; "
                "stop it, or name another --state"
            ) from None
        except OSError:
            return
        with suppress(OSError):  # for people alone: a full disk is no reason not to run
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Lets others in."""
        os.close(self._file)
