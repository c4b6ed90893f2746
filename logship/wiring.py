"""The only module that chooses implementations: names of places → readers, writers, sources."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

from logship import naming
from logship.errors import MissingExtraError, SettingsError
from logship.settings import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from logship.forward.checkpoints.port import Checkpoints
    from logship.settings import Forward, Settings
    from logship.store.opensearch.setup import Setup
    from logship.store.port import StoreReader, StoreWriter


def open_reader(store: Store | str) -> StoreReader:
    """A reader of a store; text is the location of one.

    Raises:
        StoreError, NewerFormatError: it is no store that can be read.
        ConnectError, AccessError: its server does not answer, or does not let us in.
        MissingExtraError: the engine is not installed.
    """
    wanted = Store(location=store) if isinstance(store, str) else store
    if is_remote(wanted):
        _check_package("opensearchpy", "opensearch")
        from logship.store.opensearch.reading.reader import open_reader as open_remote

        return open_remote(wanted)
    _check_package("tantivy", "local")
    from logship.store.tantivy.reader import Reader

    return Reader(wanted.location)


def open_writer(store: Store | str, kind: str, *, long_running: bool = False) -> StoreWriter:
    """A writer of a store, which is made if it is not there.

    Args:
        store: the store; text is the location of one.
        kind: what the process is, such as ``"import"``; shown to whoever finds the store locked.
        long_running: whether it holds the store until it is stopped.

    Raises:
        StoreLockedError: a second long-running writer.
        StoreError, NewerFormatError: it is no store that can be written.
        ConnectError, AccessError: its server does not answer, or does not let us in.
        MissingExtraError: the engine is not installed.
    """
    wanted = Store(location=store) if isinstance(store, str) else store
    if is_remote(wanted):
        _check_package("opensearchpy", "opensearch")
        from logship.store.opensearch.writing.writer import open_writer as open_remote

        return open_remote(wanted)
    _check_package("tantivy", "local")
    from logship.store.tantivy.writer import open_writer as open_embedded

    return open_embedded(wanted.location, kind, long_running=long_running)


def open_checkpoints(forward: Forward, store: str, *, say: Callable[[str], None] = lambda _: None) -> Checkpoints:
    """Checkpoints of a forwarder: in its state folder, or in a table that several processes share.

    Args:
        forward: the settings. The table lies in the region of the first source that names one.
        store: which store they are about, in words; those of another store are refused.
        say: told what people should know, a line each.

    Raises:
        SettingsError: `checkpoints` is neither empty nor ``dynamodb:TABLE``.
        DataError: they cannot be used, or are about another store.
        ConnectError, AccessError: DynamoDB does not answer, or does not let us in.
    """
    if not forward.checkpoints:
        from logship.forward.checkpoints.sqlite import SqliteCheckpoints

        return SqliteCheckpoints(forward.state, store=store)
    from logship.forward.checkpoints.dynamodb import DynamoCheckpoints, dynamodb_client

    named = re.fullmatch(r"dynamodb:([A-Za-z0-9_.-]{3,255})", forward.checkpoints)
    if named is None:
        raise SettingsError(
            f"[forward] checkpoints = {forward.checkpoints!r} names no place for checkpoints; it is dynamodb:TABLE "
            "(3 to 255 of letters, digits, '_', '.' and '-'), or empty for the state folder"
        )
    region = next((source.region for source in forward.source if source.region), None)
    return DynamoCheckpoints(dynamodb_client(region=region), named[1], store=store, state=forward.state, say=say)


def cluster_setup(store: Store) -> Setup:
    """What sets a cluster up for a store.

    Raises:
        MissingExtraError: the client is not installed.
    """
    _check_package("opensearchpy", "opensearch")
    from logship.store.opensearch.setup import Setup

    return Setup(store)


def is_remote(store: Store) -> bool:
    """Whether a store is a cluster, not a folder."""
    return store.location.startswith(("http://", "https://"))


def naming_of(settings: Settings) -> naming.Naming:
    """The naming rule that the settings describe."""
    wanted = settings.naming
    return naming.Naming(app=wanted.app, group=wanted.group, stream=wanted.stream)


def _check_package(package: str, extra: str) -> None:
    if find_spec(package) is None:
        raise MissingExtraError(package, extra)
