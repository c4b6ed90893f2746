"""Files → events: CloudWatch events and records as NDJSON, exports, and plain logs, compressed or not."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zlib
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from logship.errors import BrokenFileError, UsageError
from logship.forward.letters.letter_lines import LetterLines
from logship.parse import json_text, parse_line, times
from logship.record import SEVERITY_NUMBERS, LogEvent, from_document, with_own_id
from logship.timerange import LATEST_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import PurePath
    from typing import BinaryIO

    from logship.forward.letters.dead_letters import DeadLetter
    from logship.parse.parsed import Parsed
    from logship.record import Record

_MAGIC: Final = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
_ARCHIVES: Final = (
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"\x28\xb5\x2f\xfd", "packed by zstd"),
    (257, b"ustar", "a tar archive"),
)
"""Where a file that has to be unpacked first has which bytes; a tar archive may be compressed besides."""
_LONGEST_LINE: Final = 32 * 2**20
"""Longer lines are read in pieces of that many bytes, so that memory stays bounded."""
_FIRST_LINE: Final = 4096
_MOST_EQUALS: Final = 100_000
"""How many different lines are remembered to number equal ones; some 15 MB."""
_EXPORT_NAME: Final = re.compile(r"\d{6}(?:\.gz)?\Z")
_EXPORT_LINE: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (.*)\Z", re.DOTALL)
_EXPORT_TASK: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_EVENT: Final = LogEvent("", "", 0, "")
_BROKEN: Final = (OSError, EOFError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """How files without group, stream or times of their own are read."""

    group: str | None = None
    """Log group; None takes the name of the file's folder."""
    stream: str | None = None
    """Log stream; None takes a digest of the first line, so that a rotated file keeps its identity."""
    time_ms: int | None = None
    """Time of lines before the first dated one, and of files without any."""
    final: bool = False
    """Whether a last line without a newline is complete."""
    listing_bytes: int = 2**30
    """A listing is one object, so it is read at once, and takes some five times its size: longer ones, as they are
    unpacked, are refused."""


@dataclass(frozen=True, slots=True)
class FileEvent:
    """An event of a file, with what is already known of its line."""

    event: LogEvent
    parsed: Parsed | None = None
    exact: bytes | None = None
    """The line's bytes where they are no UTF-8."""
    record: Record | None = None
    """The record itself, where the line is one that a store gave out; `event` says nothing then."""
    letter: DeadLetter | None = None
    """The dead letter, where the line is one; `event` is what it keeps, which may be a payload in place of events."""


def find(paths: Iterable[str]) -> list[Path]:
    """The files that paths name, folders searched whole, in order of name.

    Raises:
        BrokenFileError: a path does not exist.
    """
    found: list[Path] = []
    for name in paths:
        path = Path(name)
        if path.is_dir():
            inside = sorted(item for item in path.rglob("*") if item.is_file() and not item.name.startswith("."))
            found += [item for item in inside if item.name != "aws-logs-write-test"]
        elif path.exists():
            found.append(path)
        else:
            raise BrokenFileError(f"{name!r} does not exist; name a file or folder")
    return found


def read_events(
    path: Path,
    options: FileOptions,
    *,
    named: PurePath | None = None,
    called: str = "",
    waits: Callable[[], None] = lambda: None,
) -> Iterator[FileEvent]:
    """The events of one file, in its order, in bounded memory: a listing alone is read at once.

    Args:
        path: the file.
        options: how it is read.
        named: the path that tells group and stream, where that is not the file's own.
        called: what errors call the file; its path if not set.
        waits: called when a last line is left out, since it has no newline yet and need not be complete.

    Raises:
        BrokenFileError: the file cannot be read, or not to its end; the events before were given out.
        UsageError: no line has a time, and none was given.
    """
    name = named or path.resolve()
    try:
        with path.open("rb") as raw:
            start = raw.peek()  # opened once, since what a pipe gave does not come again
            opener = next((open_ for magic, open_ in _MAGIC if start.startswith(magic)), None)
            with opener(raw, "rb") if opener else raw as file:
                lines = _Lines(file, complete=options.final or opener is not None, waits=waits)  # type: ignore[arg-type]
                yield from _events(name, lines, options)
    except _BROKEN as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BrokenFileError(
            f"{called or str(path)!r} cannot be read on: {reason}; what came before it is stored"
        ) from None


def _events(path: PurePath, lines: _Lines, options: FileOptions) -> Iterator[FileEvent]:
    first = lines.peek()
    if archive := next((what for at, sign, what in _ARCHIVES if first.startswith(sign, at)), None):
        raise OSError(f"it is {archive}; unpack it, and import the files")
    group = options.group or path.parent.name or "files"
    stream = options.stream or blake2b(first[:_FIRST_LINE], digest_size=8).hexdigest()
    stand_in = _StandIn(group, stream)
    if first.strip() == b"{" or _is_listing(first):
        yield from _listing(lines.rest(options.listing_bytes), options.listing_bytes, stand_in)
    elif _cloudwatch(first) or _document(first):
        yield from _ndjson(lines, stand_in)
    elif _EXPORT_NAME.match(path.name) and _EXPORT_LINE.match(_text(first)[0]):
        group = options.group or _group_of_export(path)
        yield from _export(lines, _StandIn(group, options.stream or path.parent.name))
    else:
        yield from _plain(path, lines, stand_in, options.time_ms)


def _group_of_export(path: PurePath) -> str:
    """The last folder of the export's prefix, which is all that a path says of the group: PREFIX/TASK/STREAM/000000.gz.

    Where the task is none of AWS's, the stream's folder, as of any file.
    """
    folders = [*path.parents]
    is_export = len(folders) > 2 and _EXPORT_TASK.fullmatch(folders[1].name)  # noqa: PLR2004 - of the stream, the task
    return folders[2 if is_export else 0].name or "files"


class _Lines:
    """The complete lines of a file, without their newline."""

    def __init__(self, file: BinaryIO, *, complete: bool, waits: Callable[[], None]) -> None:
        self._file, self._complete, self._waits = file, complete, waits
        self._first: bytes | None = None

    def peek(self) -> bytes:
        """The first line, which will be given out again."""
        self._first = self._file.readline(_LONGEST_LINE)
        return self._first.rstrip(b"\r\n")

    def rest(self, limit_bytes: int) -> bytes:
        """Everything at once; one byte more than the limit where it is longer."""
        first = self._first or b""
        return first + self._file.read(max(limit_bytes + 1 - len(first), 0))

    def __iter__(self) -> Iterator[bytes]:
        line, self._first = self._first, None
        while line is None or line:
            if line:
                if line.endswith(b"\n"):
                    yield line[:-2] if line.endswith(b"\r\n") else line[:-1]
                elif self._complete or len(line) == _LONGEST_LINE:
                    yield line
                else:
                    self._waits()
            line = self._file.readline(_LONGEST_LINE)


class _StandIn:
    """Event ids for sources without: stream, time, message and the ordinal among equals."""

    def __init__(self, group: str, stream: str) -> None:
        self.group, self.stream = group, stream
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def event(self, timestamp_ms: int, message: str, raw: bytes) -> LogEvent:
        """The event of a line."""
        key = blake2b(b"%d:" % timestamp_ms + raw, digest_size=12).digest()
        ordinal = self._seen.pop(key, 0)
        self._seen[key] = ordinal + 1
        if len(self._seen) > _MOST_EQUALS:
            self._seen.popitem(last=False)
        return LogEvent(self.group, self.stream, timestamp_ms, message, f"{key.hex()}-{ordinal}")


def _text(raw: bytes) -> tuple[str, bytes | None]:
    try:
        return raw.decode(), None
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace"), raw


def _cloudwatch(raw: bytes) -> dict[str, Any] | None:
    """The line as a CloudWatch event; None when it is none."""
    try:
        found = json_text.loads(raw)
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("message"), str):
        return None
    is_event = isinstance(found.get("timestamp"), int) and ("logGroup" in found or "logStreamName" in found)
    return found if is_event else None


def _document(raw: bytes) -> Record | None:
    """The line as a record that `logship search --format ndjson` printed; None when it is none."""
    if not raw.startswith(b'{"_id":'):
        return None
    try:
        record: Any = from_document(json_text.loads(raw))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    texts = (record.id, record.body, record.severity, record.trace_id, record.span_id, record.parent_span_id)
    whole = all(isinstance(text, str) for text in texts) and (
        not record.severity or record.severity in SEVERITY_NUMBERS
    )
    maps = isinstance(record.resource, dict) and isinstance(record.attributes, dict)
    return with_own_id(record) if whole and maps else None


def _is_listing(raw: bytes) -> bool:
    """Whether a line begins `aws logs filter-log-events` output in one line."""
    try:
        found = json_text.loads(raw) if b'"events"' in raw[:4096] else None
    except ValueError:
        return False
    return isinstance(found, dict) and isinstance(found.get("events"), list)


def _listing(content: bytes, limit_bytes: int, stand_in: _StandIn) -> Iterator[FileEvent]:
    if len(content) > limit_bytes:
        raise OSError(
            "it begins like the output of `aws logs filter-log-events` and is longer than "
            f"{limit_bytes:,} bytes unpacked; make lines of it with: jq -c '.events[]'"
        )
    try:
        events = json_text.loads(content)["events"]
        last_ms: int | None = None
        for found in events:
            event = _event(found, stand_in, last_ms)
            last_ms = event.timestamp_ms
            yield FileEvent(event)
    except (KeyError, TypeError, ValueError) as error:
        raise OSError(f"it begins like the output of `aws logs filter-log-events` but is none ({error})") from None


def _event(found: dict[str, Any], stand_in: _StandIn, last_ms: int | None) -> LogEvent:
    """The event of an object; one whose time no record can have takes the time before it, as undated lines do.

    Raises:
        ValueError: there is none before it.
    """
    at, message = _time_ms(found["timestamp"], last_ms), str(found["message"])
    group, stream = str(found.get("logGroup") or stand_in.group), str(found.get("logStreamName") or stand_in.stream)
    event_id = found.get("eventId")
    if not event_id:
        return stand_in.event(at, message, message.encode("utf-8", "replace"))
    return LogEvent(group, stream, at, message, str(event_id), _time_ms(found.get("ingestionTime"), 0))


def _time_ms(value: Any, otherwise_ms: int | None) -> int:
    """Milliseconds since 1970, if that is what a value says: stores hold no times behind the year 9999.

    Raises:
        ValueError: it is not, and nothing stands in for it.
    """
    at_us = times.iso(value) if isinstance(value, str) else None
    with suppress(TypeError, ValueError, OverflowError):
        at_ms = at_us[0] // 1000 if at_us else int(value)
        if 0 <= at_ms * 1000 < LATEST_US:
            return at_ms
    if otherwise_ms is None:
        raise ValueError(f"{value!r} is no time in milliseconds since 1970")
    return otherwise_ms


def _ndjson(lines: _Lines, stand_in: _StandIn) -> Iterator[FileEvent]:
    last_ms, letters = 0, LetterLines()
    for raw in lines:
        record = _document(raw)
        if record:
            last_ms = record.time_us // 1000
            yield FileEvent(_NO_EVENT, record=record)
        elif found := _cloudwatch(raw):
            if (whole := letters.take(found)) is not None:
                yield from (FileEvent(letter.event, letter=letter) for letter in whole)
                continue
            event = _event(found, stand_in, last_ms)
            last_ms = event.timestamp_ms
            yield FileEvent(event)
        elif raw:
            text, exact = _text(raw)
            yield FileEvent(stand_in.event(last_ms, text, raw), exact=exact)
    if letters.open:
        raise EOFError(f"dead letters of which a part is missing: {letters.open:,}")


def _export(lines: _Lines, stand_in: _StandIn) -> Iterator[FileEvent]:
    last_ms = 0
    for raw in lines:
        text, exact = _text(raw)
        found = _EXPORT_LINE.match(text)
        if found and (at := times.iso(found[1])):
            last_ms, text = at[0] // 1000, found[2]
        yield FileEvent(stand_in.event(last_ms, text, raw), exact=exact)


def _plain(path: PurePath, lines: _Lines, stand_in: _StandIn, time_ms: int | None) -> Iterator[FileEvent]:
    """Undated lines take the time of the dated line before them; those at the top the first time there is."""
    waiting: list[tuple[bytes, Parsed]] = []
    last_ms = time_ms
    for raw in lines:
        if not raw:
            continue
        parsed = parse_line(_text(raw)[0])
        if parsed.time_us is not None:
            last_ms = parsed.time_us // 1000
        if last_ms is None:
            waiting.append((raw, parsed))
            continue
        for early in waiting:
            yield _plain_event(*early, last_ms, stand_in)
        waiting.clear()
        yield _plain_event(raw, parsed, last_ms, stand_in)
    if waiting:
        raise UsageError(f"no line of {str(path)!r} has a time; say when it was written: --time 2026-11-23T14:00:00Z")


def _plain_event(raw: bytes, parsed: Parsed, at_ms: int, stand_in: _StandIn) -> FileEvent:
    text, exact = _text(raw)
    return FileEvent(stand_in.event(at_ms, text, raw), parsed, exact)
