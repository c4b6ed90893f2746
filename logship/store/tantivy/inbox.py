"""The inbox of a store: a short writer's work, handed to the process that holds the index."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from logship.errors import StoreError
from logship.store.tantivy.documents import decode, encode
from logship.store.tantivy.folder import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from logship.record import Record

_BATCH: Final = "batch"
_PRUNE: Final = "prune"
_UNREADABLE: Final = ".unreadable"


class Entry:
    """Work handed over; its sender waits for `result` or withdraws it."""

    def __init__(self, inbox: Path, kind: str, content: bytes) -> None:
        name = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._work, self._done = inbox / f"{name}.{kind}", inbox / f"{name}.done"
        inbox.mkdir(exist_ok=True)
        write_atomically(self._work, content)

    @classmethod
    def batch(cls, inbox: Path, records: Sequence[Record]) -> Entry:
        """Records to add; the answer has `accepted` and `existing`."""
        return cls(inbox, _BATCH, b"\n".join(encode(record) for record in records))

    @classmethod
    def prune(cls, inbox: Path, before_us: int) -> Entry:
        """Records older than that time to delete; the answer has `deleted`."""
        return cls(inbox, _PRUNE, json.dumps({"before_us": before_us}).encode())

    def result(self) -> dict[str, int] | None:
        """The answer once it is there: everything that was handed over is durable then.

        Raises:
            StoreError: whoever holds the store cannot read what was handed over.
        """
        try:
            counts: dict[str, int] = json.loads(self._done.read_bytes())
        except FileNotFoundError:
            unreadable = self._work.with_suffix(_UNREADABLE)
            if not unreadable.exists():
                return None
            raise StoreError(
                f"the process that holds the store cannot read {str(unreadable)!r}; "
                "run this as the same user and with the same version of logship, or stop that process"
            ) from None
        self._done.unlink(missing_ok=True)
        return counts

    def withdraw(self) -> None:
        """Takes the work back. Should it have been done meanwhile, doing it again changes nothing."""
        self._work.unlink(missing_ok=True)
        self._done.unlink(missing_ok=True)


def waiting(inbox: Path) -> Iterator[tuple[Path, list[Record] | int]]:
    """What waits, oldest first: records to add, or the time before which records are to be deleted."""
    for path in sorted(_listed(inbox), key=_age):
        try:
            work = _read(path, path.read_bytes())
        except (PermissionError, ValueError, TypeError, KeyError):
            with suppress(OSError):
                path.rename(path.with_suffix(_UNREADABLE))  # its sender says so
            continue
        except OSError:
            continue  # withdrawn, or not to be read at the moment
        yield path, work


def facts(inbox: Path) -> dict[str, int]:
    """How many entries wait, and how many nobody could read."""
    return {"waiting": len(_listed(inbox)), "unreadable": len(_listed(inbox, (_UNREADABLE,)))}


def answer(path: Path, **counts: int) -> None:
    """Tells the sender that its work is durable."""
    write_atomically(path.with_suffix(".done"), json.dumps(counts).encode())
    path.unlink(missing_ok=True)


def _listed(inbox: Path, kinds: tuple[str, ...] = (f".{_BATCH}", f".{_PRUNE}")) -> list[Path]:
    try:
        return [path for path in inbox.iterdir() if path.suffix in kinds]
    except FileNotFoundError:
        return []


def _age(path: Path) -> tuple[float, str]:
    try:
        return path.stat().st_mtime, path.name
    except FileNotFoundError:
        return 0.0, path.name


def _read(path: Path, content: bytes) -> list[Record] | int:
    if path.suffix == f".{_PRUNE}":
        return int(json.loads(content)["before_us"])
    return [decode(line) for line in content.split(b"\n") if line]
