"""Files into the store: what `logship import` does."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from logship.errors import BrokenFileError, LogshipError
from logship.forward import files
from logship.forward.between.prepare import Preparer
from logship.forward.letters.replay import work_of
from logship.forward.sources import subscription
from logship.record import ORIGINAL_BASE64

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from logship.forward.between.rules import Rules
    from logship.forward.files import FileEvent, FileOptions
    from logship.forward.letters.dead_letters import DeadLetter
    from logship.parse import Parser
    from logship.record import Record
    from logship.store.port import StoreWriter

_BATCH: Final = 5_000
_COMMIT_EVERY: Final = 100_000
_MOST_REASONS: Final = 3
_LONG: Final = 2**20
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(slots=True)
class ImportResult:
    """What became of the files."""

    files: int = 0
    accepted: int = 0
    existing: int = 0
    waiting: list[str] = field(default_factory=list)
    """Files whose last line has no newline yet: it is left for the next import."""
    strange: int = 0
    """Lines that are no UTF-8, hold control characters, or are longer than 1 MiB; they are stored."""
    left_out: int = 0
    """By the rules."""
    rejected: int = 0
    """Can never be stored."""
    reasons: list[str] = field(default_factory=list)
    """Why, of the first few."""
    unread: int = 0
    """Payloads among dead letters that still cannot be read, or not whole."""
    unread_reasons: list[str] = field(default_factory=list)
    """Why, of the first few."""
    errors: list[LogshipError] = field(default_factory=list)
    """Files that could not be read, or not to their end."""


def import_paths(
    paths: Iterable[str],
    writer: StoreWriter,
    parser: Parser,
    options: FileOptions,
    *,
    redact: Callable[[str], str] | None = None,
    rules: Rules | None = None,
    progress: Callable[[ImportResult], None] = lambda _: None,
) -> ImportResult:
    """Reads files and folders into a store. A file that cannot be read does not keep the others out.

    Dead letters among the lines become the records that would have been stored at once, wherever they stand.

    Args:
        paths: files, and folders that are searched whole.
        writer: where records go.
        parser: makes a record of one event.
        options: how files without group, stream or times of their own are read.
        redact: takes secrets out of a line; None leaves lines as they are. Records that a store gave out are left.
        rules: which records are stored; None means all. Those that a store gave out have passed them.
        progress: told of each batch.

    Raises:
        StoreError, DiskFullError: the store cannot take more; what was committed before is there.
    """
    result = ImportResult()
    reader = _Reader(parser, options, redact or _as_it_is, rules, result)
    since_commit = 0
    for path in _found(paths, result):
        result.files += 1
        records = reader.records(path)
        while batch := list(islice(records, _BATCH)):
            added = writer.add(batch)
            result.accepted += added.accepted
            result.existing += added.existing
            result.rejected += len(added.rejected)
            result.reasons += [item.reason for item in added.rejected][: _MOST_REASONS - len(result.reasons)]
            since_commit += added.accepted
            if since_commit >= _COMMIT_EVERY:
                writer.commit()
                since_commit = 0
            progress(result)
    writer.commit()
    return result


def _found(paths: Iterable[str], result: ImportResult) -> Iterator[Path]:
    for name in paths:
        try:
            yield from files.find([name])
        except BrokenFileError as error:
            result.errors.append(error)


def _as_it_is(line: str) -> str:
    return line


@dataclass(slots=True)
class _Reader:
    """Makes records of files; counts into the result."""

    parser: Parser
    options: FileOptions
    redact: Callable[[str], str]
    rules: Rules | None
    result: ImportResult
    letters: Preparer = field(init=False)
    """Makes records of dead letters."""

    def __post_init__(self) -> None:
        self.letters = Preparer(
            self.parser, rules=self.rules, redact_many=lambda texts: [self.redact(text) for text in texts]
        )

    def records(self, path: Path) -> Iterator[Record]:
        """Those of a file, as far as it can be read."""
        try:
            for found in files.read_events(path, self.options, waits=lambda: self.result.waiting.append(str(path))):
                if found.letter:
                    yield from self._of_letter(found.letter)
                    continue
                record = found.record or self._record(found)
                if found.record or self.rules is None or self.rules.apply([record]):
                    yield record
                else:
                    self.result.left_out += 1
        except LogshipError as error:
            self.result.errors.append(error)

    def _of_letter(self, letter: DeadLetter) -> Sequence[Record]:
        work = work_of(letter, self.letters, subscription.read)
        self.result.left_out += work.left_out
        if work.problem:
            self.result.unread += 1
            self.result.unread_reasons += [work.problem][: _MOST_REASONS - len(self.result.unread_reasons)]
        return work.records

    def _record(self, found: FileEvent) -> Record:
        message = found.event.message
        if found.exact is None:
            record = self.parser.record(found.event, found.parsed, redacted=self.redact(message))
        else:
            exact = _redacted_bytes(found.exact, self.redact)
            redacted = message if exact == found.exact else exact.decode("utf-8", "replace")
            record = self.parser.record(found.event, found.parsed, redacted=redacted)
            record.attributes[ORIGINAL_BASE64] = base64.b64encode(exact).decode()
        if found.exact is not None or len(message) > _LONG or _CONTROL.search(message):
            self.result.strange += 1
        return record


def _redacted_bytes(line: bytes, redact: Callable[[str], str]) -> bytes:
    """A line that is no UTF-8, without its secrets and otherwise to the byte."""
    return redact(line.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
