"""One file of the queue, mapped into memory: records with length, checksum and number, one after the other.

Layout, little-endian. Head, 64 bytes: ``logship`` and a zero byte, format (u32), size of the head (u32), mark (4
bytes), zero (u32), end of what was delivered (u64). Record: mark, length (u32), CRC-32 (u32), number (u32), event
time in ms (i64), then the line. The mark is random in each file, so that a reader finds the next record behind a
broken one.

A mapped file survives the death of the process, not of the machine.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAGIC: Final = b"logship\0"
FORMAT: Final = 1
"""Grows when a process of this version could not read what the next one writes."""
HEAD_BYTES: Final = 64
SUFFIX: Final = ".queue"
_HEAD: Final = struct.Struct("<8sII4sIQ")
_DONE_AT: Final = 24
_DONE: Final = struct.Struct("<Q")
RECORD: Final = struct.Struct("<4sIIIq")
RECORD_BYTES: Final = RECORD.size
_NUMBERS: Final = 0xFFFFFFFF
_POPULATE_WRITE: Final = 23
"""MADV_POPULATE_WRITE of madvise(2), Linux 5.14."""
_TOUCHED_BYTES: Final = 131_072
"""At a time."""


class NewerSegmentError(Exception):
    """A later version of logship has written the file; it is left to that."""


class BrokenSegmentError(Exception):
    """The file has no head that can be read."""


class Found(NamedTuple):
    """A record that a dead process has left."""

    timestamp_ms: int
    line: bytes
    end: int
    """Where the next record begins."""


class Segment:
    """A file that this process has locked; `Segment.create` and `Segment.adopt` make them.

    One thread at a time writes; another may read what was written.
    """

    __slots__ = ("_fd", "_mark", "data", "end", "number", "path", "size")

    def __init__(self, path: Path, fd: int, data: mmap.mmap, mark: bytes, end: int) -> None:
        self.path, self._fd, self.data, self._mark = path, fd, data, mark
        self.size = len(data)
        self.end = end
        """Where the next record is written."""
        self.number = 0

    @classmethod
    def create(cls, path: Path, size: int) -> Segment:
        """A new file, all of whose blocks are there: a full disk shows here and never while records are copied.

        Raises:
            OSError: no room, no permission, no such folder.
        """
        beside = path.with_name(f".{path.name}")
        fd = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            _allocate(fd, size)
            mark = b"\xff" + os.urandom(3)
            os.pwrite(fd, _HEAD.pack(MAGIC, FORMAT, HEAD_BYTES, mark, 0, HEAD_BYTES), 0)
            data = mmap.mmap(fd, size)
            beside.rename(path)  # others look at it from now on, and find it locked
        except BaseException:
            os.close(fd)
            beside.unlink(missing_ok=True)
            raise
        return cls(path, fd, data, mark, HEAD_BYTES)

    @classmethod
    def adopt(cls, path: Path) -> Segment | None:
        """The file of a process that has died; None while its owner, or somebody who adopted it, lives.

        Raises:
            OSError: it cannot be opened.
            NewerSegmentError, BrokenSegmentError: it cannot be read.
        """
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if not _lock(fd) or os.fstat(fd).st_nlink == 0:
                os.close(fd)
                return None
            size, mark, done = _read_head(fd)
            data = mmap.mmap(fd, size)
        except BaseException:
            os.close(fd)
            raise
        return cls(path, fd, data, mark, done)

    def touch(self, pace: Callable[[], None]) -> None:
        """Has the system give the pages now, so that no writer waits for them; what is in them stays as it is.

        Args:
            pace: called between two steps, each of which holds the GIL.
        """
        for start in range(0, self.size, _TOUCHED_BYTES):
            try:
                self.data.madvise(_POPULATE_WRITE, start, min(_TOUCHED_BYTES, self.size - start))
            except (OSError, ValueError, AttributeError):  # not Linux, or before 5.14: writers wait for a page each
                return
            pace()

    def has_room(self, size_bytes: int) -> bool:
        """Whether a line of that length fits."""
        return self.end + RECORD_BYTES + size_bytes <= self.size

    def write(self, timestamp_ms: int, line: bytes) -> int:
        """Appends a record that there is room for; where it begins."""
        begin, length = self.end, len(line)
        number = self.number
        # Taken before it is filled: a signal handler that logs in between writes behind it.
        start = begin + RECORD_BYTES
        self.end = end = start + length
        self.number = number + 1
        self.data[start:end] = line
        RECORD.pack_into(
            self.data,
            begin,
            self._mark,
            length,
            crc32(line, (timestamp_ms + (timestamp_ms >> 32) + number) & _NUMBERS),
            number,
            timestamp_ms,
        )
        return begin

    def read(self, begin: int) -> tuple[int, bytes]:
        """The record that `write` put there: (event time in ms, line)."""
        _mark, length, _sum, _number, timestamp_ms = RECORD.unpack_from(self.data, begin)
        start = begin + RECORD_BYTES
        return timestamp_ms, self.data[start : start + length]

    def length(self, begin: int) -> int:
        """Of the line of the record there."""
        return int(RECORD.unpack_from(self.data, begin)[1])

    def delivered(self, end: int) -> None:
        """Everything before is delivered: the next process begins there."""
        _DONE.pack_into(self.data, _DONE_AT, end)

    def rest(self) -> Iterator[Found | None]:
        """The records of an adopted file that are not delivered; None stands for one that is torn or corrupt."""
        at, broken = self.end, False
        while (at := self.data.find(self._mark, at)) >= 0:
            found = self._valid(at)
            if found is None:
                broken = True
                at += 1
                continue
            if broken:
                yield None
            broken = False
            yield found
            at = found.end
        if broken:
            yield None

    def _valid(self, begin: int) -> Found | None:
        start = begin + RECORD_BYTES
        if start > self.size:
            return None
        _mark, length, checksum, number, timestamp_ms = RECORD.unpack_from(self.data, begin)
        if start + length > self.size:
            return None
        line = self.data[start : start + length]
        if crc32(line, (timestamp_ms + (timestamp_ms >> 32) + number) & _NUMBERS) != checksum:
            return None
        return Found(timestamp_ms, line, start + length)

    @property
    def is_lost(self) -> bool:
        """Whether somebody has deleted the file: it dies with this process."""
        try:
            return os.fstat(self._fd).st_nlink == 0
        except OSError:  # closed meanwhile, at the end of the process
            return False

    def close(self, *, remove: bool) -> None:
        """Lets go of the file, so that others may adopt it, or deletes it."""
        if remove:
            try:
                self.path.unlink(missing_ok=True)
            except OSError:
                self.delivered(self.end)  # cannot be deleted: at least it is not sent again
        self.data.close()
        os.close(self._fd)


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _read_head(fd: int) -> tuple[int, bytes, int]:
    """Size of a file, the mark of its records, and where the first one begins that is not delivered."""
    size, head = os.fstat(fd).st_size, os.pread(fd, _HEAD.size, 0)
    if len(head) < _HEAD.size:
        raise BrokenSegmentError("it is too short")
    magic, version, head_bytes, mark, _zero, done = _HEAD.unpack(head)
    if magic != MAGIC:
        raise BrokenSegmentError("its head is broken")
    if version > FORMAT:
        raise NewerSegmentError
    return size, mark, done if head_bytes <= done <= size else head_bytes


def _allocate(fd: int, size: int) -> None:
    allocate = getattr(os, "posix_fallocate", None)  # not on macOS
    if allocate is not None:
        allocate(fd, 0, size)
        return
    zeros = b"\0" * 65_536
    for start in range(0, size, len(zeros)):
        os.pwrite(fd, zeros[: size - start], start)
