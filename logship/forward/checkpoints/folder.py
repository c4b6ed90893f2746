"""The files of a state folder that processes lock: made where they are not there, readable by their owner alone."""

from __future__ import annotations

import os
from pathlib import Path

from logship.errors import DataError


def open_file(folder: str | Path, name: str) -> int:
    """Opens a file of the state folder for reading and writing; its descriptor.

    Raises:
        DataError: the folder cannot be used.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(Path(folder) / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unusable(folder, error) from None


def unusable(folder: str | Path | None, error: OSError) -> DataError:
    """The complaint about a state folder in which nothing can be made or written."""
    return DataError(f"the state folder {str(folder)!r} cannot be used: {error}; name another with --state")
