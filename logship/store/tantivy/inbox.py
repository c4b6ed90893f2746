"""The inbox of a store: a short writer's work, handed to the process that holds the index."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING

from logship.store.port import AddResult
from logship.store.tantivy.documents import decode, encode
from logship.store.tantivy.folder import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from logship.record import Record


class Entry:
    """One batch handed over; its sender waits for `result` or withdraws it."""

    def __init__(self, inbox: Path, records: Sequence[Record]) -> None:
        name = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._batch, self._done = inbox / f"{name}.batch", inbox / f"{name}.done"
        inbox.mkdir(exist_ok=True)
        write_atomically(self._batch, b"\n".join(encode(record) for record in records))

    def result(self) -> AddResult | None:
        """The answer once it is there: everything in the batch is durable then."""
        try:
            counts = json.loads(self._done.read_bytes())
        except FileNotFoundError:
            return None
        self._done.unlink(missing_ok=True)
        return AddResult(counts["accepted"], counts["existing"])

    def withdraw(self) -> None:
        """Takes the batch back. Should it have been taken in meanwhile, doing it again changes nothing."""
        self._batch.unlink(missing_ok=True)
        self._done.unlink(missing_ok=True)


def waiting(inbox: Path) -> Iterator[tuple[Path, list[Record]]]:
    """The batches that wait, oldest first."""
    try:
        names = sorted(path for path in inbox.iterdir() if path.suffix == ".batch")
    except FileNotFoundError:
        return
    for path in names:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue  # withdrawn
        try:
            records = [decode(line) for line in content.split(b"\n") if line]
        except (ValueError, TypeError):
            path.rename(path.with_suffix(".unreadable"))  # its sender goes on waiting, and says so
            continue
        yield path, records


def answer(path: Path, result: AddResult) -> None:
    """Tells the sender that its batch is durable."""
    counts = {"accepted": result.accepted, "existing": result.existing}
    write_atomically(path.with_suffix(".done"), json.dumps(counts).encode())
    path.unlink(missing_ok=True)
