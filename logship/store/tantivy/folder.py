"""A store's folder: its format, its one writer, and the inbox through which short writers hand work over.

::

    STORE/format.json     engine and format version
    STORE/index/          the engine's files
    STORE/writer.lock     held (flock) by the one writer; the kernel lets go of it when the process dies
    STORE/writer.json     who holds it: kind, pid, whether long-running
    STORE/inbox/          NAME.batch, NAME.prune handed over, NAME.done the answer
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from logship.errors import DiskFullError, NewerFormatError, StoreError
from logship.store.tantivy import schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENGINE: Final = "tantivy"
_MADE: Final = frozenset({"index", "inbox", "writer.lock"})
"""What a store that is being made consists of."""
_FULL: Final = ("No space left", "StorageFull")
_KILLED: Final = "index writer was killed"
_ROOM_BYTES: Final = 64 * 2**20
"""What the engine's buffer becomes on disk takes less; where that failed, less than this was free."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who writes the store at the moment."""

    kind: str
    pid: int
    long_running: bool


def check(folder: Path) -> None:
    """Whether the folder holds a store that this version reads.

    Raises:
        StoreError: it does not exist, or is something else.
        NewerFormatError: a newer logship wrote it.
    """
    if not folder.exists():
        raise StoreError(f"there is no store at {str(folder)!r}; create one with: logship import FILE --store {folder}")
    try:
        facts = json.loads((folder / "format.json").read_bytes())
        engine, version = facts["engine"], int(facts["format"])
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError(
            f"{str(folder)!r} is not a logship store (no readable format.json); name another folder with --store"
        ) from None
    if engine != ENGINE or version > schema.FORMAT:
        raise NewerFormatError(
            f"the store {str(folder)!r} has format {engine} {version}, this logship reads {ENGINE} {schema.FORMAT}; "
            "upgrade with: pip install -U 'logship[local]'"
        )
    if version < schema.FORMAT:
        raise StoreError(
            f"the store {str(folder)!r} has format {version} of an earlier logship, which lacks indexes of format "
            f"{schema.FORMAT}; import its logs into a new folder"
        )


def create(folder: Path) -> None:
    """Makes a store of an empty or absent folder; leaves one that is there as it is.

    Raises:
        StoreError: the folder holds something else, or cannot be written.
        NewerFormatError: a newer logship wrote it.
    """
    with explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)  # logs are nobody else's business
        if not (folder / "format.json").exists() and not any(path.name not in _MADE for path in folder.iterdir()):
            _make(folder)
        check(folder)


def _make(folder: Path) -> None:
    """Fills a folder; `format.json` comes last, so that a store which has one is whole."""
    import tantivy

    with (folder / "writer.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "format.json").exists():
            return  # another process was faster
        for part in ("index", "inbox"):
            (folder / part).mkdir(exist_ok=True)
        if not tantivy.Index.exists(str(folder / "index")):
            tantivy.Index(schema.build(), str(folder / "index"))
        write_atomically(folder / "format.json", json.dumps({"engine": ENGINE, "format": schema.FORMAT}).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """The file has its old content or all of the new one, also after a crash."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def size_bytes(index: Path) -> int:
    """Of an index that may be written meanwhile: a merge takes files away after they were listed."""
    total = 0
    for path in index.iterdir():
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turns what the operating system and the engine complain about into errors of the store."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(folder) from None
        if isinstance(error, FileNotFoundError) and not (folder / "format.json").exists():
            raise StoreError(
                f"the store {str(folder)!r} is gone: it was removed, or what it lies on; start again when it is back"
            ) from None
        raise StoreError(
            f"the store {str(folder)!r} cannot be used: {error.strerror or error}; check its rights"
        ) from None
    except ValueError as error:
        if any(sign in str(error) for sign in _FULL) or (_KILLED in str(error) and _has_no_room(folder)):
            raise _full(folder) from None
        raise StoreError(f"the index in {str(folder)!r} cannot be used: {error}") from None
    except BaseException as error:
        # The engine's panics are no `Exception`; anything else passes.
        if type(error).__name__ != "PanicException":
            raise
        raise StoreError(f"the index in {str(folder)!r} failed: {error}") from None


def _has_no_room(folder: Path) -> bool:
    """The engine's thread that could not write tells nobody why."""
    return shutil.disk_usage(folder).free < _ROOM_BYTES


def _full(folder: Path) -> DiskFullError:
    return DiskFullError(
        f"no space left for the store {str(folder)!r}; free some, or delete old records with: "
        f"logship store prune --store {folder} --older-than 7d"
    )


class WriterLock:
    """The right to write the store, held by one process at a time."""

    def __init__(self, folder: Path, kind: str, *, long_running: bool) -> None:
        self._folder, self._holder = folder, Holder(kind, os.getpid(), long_running)
        self._file: Any = None

    def try_acquire(self) -> bool:
        """Takes the lock if nobody holds it."""
        file = (self._folder / "writer.lock").open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        facts = {"kind": self._holder.kind, "pid": self._holder.pid, "long_running": self._holder.long_running}
        write_atomically(self._folder / "writer.json", json.dumps(facts).encode())
        return True

    def release(self) -> None:
        """Lets go; safe to call twice."""
        if self._file is not None:
            (self._folder / "writer.json").unlink(missing_ok=True)
            self._file.close()
            self._file = None


def writer_of(folder: Path) -> Holder | None:
    """Who writes the store at the moment; None when nobody does."""
    try:
        with (folder / "writer.lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return holder(folder)
    except OSError:
        return None
    return None


def holder(folder: Path) -> Holder:
    """Who wrote `writer.json` last; an unknown long-running writer while that file is being replaced."""
    try:
        facts = json.loads((folder / "writer.json").read_bytes())
        return Holder(str(facts["kind"]), int(facts["pid"]), bool(facts["long_running"]))
    except (OSError, ValueError, KeyError):
        return Holder("writer", 0, long_running=False)
