"""One object of S3 → events, in constant memory: it is copied to a file that lives as long as it is read."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from logship.errors import BrokenFileError, DataError, UsageError
from logship.forward import files
from logship.record import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from logship.cloudwatch.paging import Retry
    from logship.forward.sources.s3.notice import Notice
    from logship.record import LogEvent

_PIECE_BYTES: Final = 2**20
_OPTIONS: Final = files.FileOptions(final=True, listing_bytes=64 * 2**20)
"""Nobody delivers listings to a bucket, and a small object that unpacks to one is none of a service's business."""
_BATCH_EVENTS: Final = 2_500
_BATCH_CHARACTERS: Final = 2 * 2**20
_WRITE_TEST: Final = "aws-logs-write-test"
"""What CreateExportTask leaves in a bucket to see whether it may."""
_GONE: Final = "NoSuchKey"
"""What S3 says; a mere 404 is the answer of whatever else is asked, and no reason to let a message go."""


class GoneError(Exception):
    """The object is no longer there."""


def is_log(notice: Notice) -> bool:
    """Whether an object may hold lines: folders of the console and test objects do not."""
    return not notice.key.endswith("/") and PurePosixPath(notice.key).name != _WRITE_TEST


def path_of(notice: Notice) -> PurePosixPath:
    """The path that tells group and stream of an object, as ``aws s3 sync s3://BUCKET BUCKET`` would name it."""
    return PurePosixPath("/", notice.bucket, notice.key.lstrip("/"))


def read(client: Any, notice: Notice, retry: Retry) -> Iterator[LogEvent]:
    """The events of an object, with the ids that `logship import` gives them.

    Lines of files without any time have the time at which the object was stored.

    Args:
        client: of S3.
        notice: which object.
        retry: how long to try.

    Raises:
        Stopped: while S3 was tried again.
        GoneError: it has been deleted.
        BrokenFileError: it cannot be read on; the events before were given out.
        AccessError, ConnectError, UsageError: S3 does not give it.
        DataError: there is no room for it here.
    """
    with _folder(notice) as folder:
        path = Path(folder) / "object"
        stored_ms = retry.call(notice.uri, _copy_known, client=client, notice=notice, path=path)
        try:
            yield from _events(path, notice, _OPTIONS)
        except UsageError:  # no line has a time, and none was given out
            yield from _events(path, notice, replace(_OPTIONS, time_ms=stored_ms))


def _folder(notice: Notice) -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="logship-s3-")
    except OSError as error:
        raise _no_room(notice, tempfile.tempdir or "any folder for temporary files", error) from None


def _no_room(notice: Notice, place: str, error: OSError) -> DataError:
    return DataError(
        f"{notice.uri} cannot be kept in {place!r} while it is read: "
        f"{error.strerror or error}; set TMPDIR to a folder with room for it"
    )


def _events(path: Path, notice: Notice, options: files.FileOptions) -> Iterator[LogEvent]:
    cloud = Cloud(region=notice.region)
    for found in files.read_events(path, options, named=path_of(notice), called=notice.uri):
        if found.record is not None or found.letter is not None:
            raise BrokenFileError(
                f"{notice.uri} holds records or dead letters that logship wrote, not log lines; "
                "copy it, and bring it in with: logship import"
            )
        yield found.event._replace(cloud=cloud)


def _copy_known(client: Any, notice: Notice, path: Path) -> int:
    """As `_copy`; an object that is gone is told apart from S3 that is away."""
    from botocore.exceptions import ClientError

    try:
        return _copy(client, notice, path)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == _GONE:
            raise GoneError(notice.uri) from None
        raise


def _copy(client: Any, notice: Notice, path: Path) -> int:
    """Copies an object to a file; when it was stored, milliseconds since 1970."""
    from botocore.exceptions import BotoCoreError

    answer = client.get_object(Bucket=notice.bucket, Key=notice.key)
    try:
        with path.open("wb") as file:
            for piece in answer["Body"].iter_chunks(_PIECE_BYTES):
                file.write(piece)
    except OSError as error:
        if isinstance(error, BotoCoreError):  # a timeout of the SDK is one, too
            raise
        raise _no_room(notice, str(path.parent), error) from None
    at: datetime = answer["LastModified"]
    return int(at.timestamp() * 1000)


def batches(events: Iterable[LogEvent]) -> Iterator[list[LogEvent]]:
    """Events in lists of bounded size. What came before an error is given out before it is raised."""
    batch: list[LogEvent] = []
    held = 0
    try:
        for event in events:
            batch.append(event)
            held += len(event.message)
            if len(batch) >= _BATCH_EVENTS or held >= _BATCH_CHARACTERS:
                yield batch
                batch, held = [], 0
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
