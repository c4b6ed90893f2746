"""The only module that chooses implementations: names of places → readers, writers, sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logship import naming
from logship.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from logship.settings import Settings
    from logship.store.port import StoreReader, StoreWriter


def open_reader(location: str) -> StoreReader:
    """A reader of the store at a folder.

    Raises:
        StoreError, NewerFormatError: the folder is no store that can be read.
        MissingExtraError: the engine is not installed.
    """
    _check_embedded(location)
    from logship.store.tantivy.reader import Reader

    return Reader(location)


def open_writer(location: str, kind: str, *, long_running: bool = False) -> StoreWriter:
    """A writer of the store at a folder, which is made if it is not there.

    Args:
        location: the folder.
        kind: what the process is, such as ``"import"``; shown to whoever finds the store locked.
        long_running: whether it holds the store until it is stopped.

    Raises:
        StoreLockedError: a second long-running writer.
        StoreError, NewerFormatError: the folder is no store that can be written.
        MissingExtraError: the engine is not installed.
    """
    _check_embedded(location)
    from logship.store.tantivy.writer import open_writer as open_embedded

    return open_embedded(location, kind, long_running=long_running)


def naming_of(settings: Settings) -> naming.Naming:
    """The naming rule that the settings describe."""
    wanted = settings.naming
    return naming.Naming(app=wanted.app, group=wanted.group, stream=wanted.stream)


def _check_embedded(location: str) -> None:
    if location.startswith(("http://", "https://")):
        raise UsageError(f"--store {location!r}: this version keeps records in a folder; name one, such as ./data")
    try:
        import tantivy  # noqa: F401 - the question is whether it is there
    except ImportError:
        raise MissingExtraError("tantivy", "local") from None
