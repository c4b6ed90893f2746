"""The only module that chooses implementations: names of places → readers, writers, sources."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from logship import naming
from logship.cloudwatch.tags import Tags
from logship.errors import LogshipError, MissingExtraError, SettingsError
from logship.settings import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logship import settings as config
    from logship.forward.checkpoints.port import Checkpoints
    from logship.forward.letters.dead_letters import DeadLetter
    from logship.forward.port import Source
    from logship.record import Record
    from logship.settings import Forward, Settings
    from logship.store.opensearch.setup import Setup
    from logship.store.port import StoreReader, StoreWriter


_LAST_PORT: Final = 65_535


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


def open_writer(
    store: Store | str, kind: str, *, long_running: bool = False, say: Callable[[str], None] = lambda _: None
) -> StoreWriter:
    """A writer of a store, which is made if it is not there.

    Args:
        store: the store; text is the location of one.
        kind: what the process is, such as ``"import"``; shown to whoever finds the store locked.
        long_running: whether it holds the store until it is stopped.
        say: told what people should know, a line each.

    Raises:
        StoreLockedError: a second long-running writer.
        StoreError, NewerFormatError: it is no store that can be written.
        ConnectError, AccessError: its server does not answer, or does not let us in.
        MissingExtraError: the engine is not installed.
    """
    wanted = Store(location=store) if isinstance(store, str) else store
    if is_remote(wanted):
        _check_package("opensearchpy", "opensearch")
        from logship.store.opensearch.writing.opening import open_writer as open_remote

        return open_remote(wanted, say)
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
        DataError: they cannot be used, are about another store, or another process moves them.
        ConnectError, AccessError: DynamoDB does not answer, or does not let us in.
    """
    if not forward.checkpoints:
        from logship.forward.checkpoints.alone import Alone
        from logship.forward.checkpoints.sqlite import SqliteCheckpoints

        alone = Alone(forward.state)
        try:
            return SqliteCheckpoints(forward.state, store=store, say=say, alone=alone)
        except LogshipError:
            alone.close()
            raise
    from logship.forward.checkpoints.dynamodb import DynamoCheckpoints, dynamodb_client

    table, client = table_of(forward), dynamodb_client(region=_region_of_table(forward))
    return DynamoCheckpoints(client, table, store=store, state=forward.state, say=say)


def table_of(forward: Forward) -> str:
    """The table of DynamoDB that checkpoints are in; "" where they are in the state folder. Nothing is asked or opened.

    Raises:
        SettingsError: `checkpoints` is neither empty nor ``dynamodb:TABLE``.
    """
    if not forward.checkpoints:
        return ""
    named = re.fullmatch(r"dynamodb:([A-Za-z0-9_.-]{3,255})", forward.checkpoints)
    if named is None:
        raise SettingsError(
            f"[forward] checkpoints = {forward.checkpoints!r} names no place for checkpoints; it is dynamodb:TABLE "
            "(3 to 255 of letters, digits, '_', '.' and '-'), or empty for the state folder"
        )
    return named[1]


def checkpoints_of(forward: Forward) -> str:
    """Where a forwarder keeps its checkpoints, in words; raises as `table_of` does."""
    table = table_of(forward)
    if not table:
        return f"the state folder {str(Path(forward.state).resolve())!r}"
    region = _region_of_table(forward)
    return f"the DynamoDB table {table!r}" + (f" in {region}" if region else "")


def _region_of_table(forward: Forward) -> str | None:
    return next((source.region for source in forward.source if source.region), None)


def place_of(store: Store) -> Callable[[Record], str]:
    """Where the store would put a record, in words: its folder, or the index. Nothing is asked or opened."""
    if not is_remote(store):
        return lambda _: store.location
    from logship.store.opensearch import partition

    return lambda record: f"{store.index}-{partition.span(int(record.id[:12], 16), store.partition).suffix}"


def cluster_setup(store: Store) -> Setup:
    """What sets a cluster up for a store.

    Raises:
        MissingExtraError: the client is not installed.
    """
    _check_package("opensearchpy", "opensearch")
    from logship.store.opensearch.setup import Setup

    return Setup(store)


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """How all sources of a forwarder read."""

    now_us: int
    """What spans such as ``1h`` count back from, microseconds since 1970."""
    interval_s: float = 1.0
    """Pause between two rounds of a source that asks."""
    once: bool = False
    """End when everything that is there now has been read."""
    heard: Tags = field(default_factory=Tags)
    """Tags of log groups that this process knows from before: nothing waits until they are asked for."""
    waits: bool = False
    """Whether log groups that are named and not there, and an endpoint that does not answer, are waited for: they were
    there when these settings began."""


@dataclass(frozen=True, kw_only=True)
class SourcePorts:
    """What a forwarder that runs gives to its sources."""

    checkpoints: Checkpoints
    keep: Callable[[Sequence[DeadLetter]], object]
    """Takes what cannot be read; returns when it is safe."""
    redact: Callable[[str], str] | None = None
    """Takes secrets out of what cannot be read; None leaves it as it is."""
    say: Callable[[str], None] = lambda _: None
    """Told what people should know, a line each."""


def sources_of(wanted: Sequence[config.Source], options: SourceOptions) -> Callable[[SourcePorts], list[Source]]:
    """Makes, once, the sources that ``[[forward.source]]`` describes, in its order; what can be wrong is known before.

    Raises:
        SettingsError: a key is missing or cannot be used; the message names it.
        UsageError, AccessError: no region, credentials or such role are known.
        MissingExtraError: what a source needs is not installed.
    """
    makers: dict[str, Callable[[config.Source, str, SourceOptions], Callable[[SourcePorts], Source]]]
    makers = {"cloudwatch": _Pollers(), "kinesis": _kinesis, "firehose": _firehose, "s3": _s3}
    checked = [makers[source.type](source, f"forward.source[{at}]", options) for at, source in enumerate(wanted)]

    def make(ports: SourcePorts) -> list[Source]:
        from logship.forward.letters.payload_letters import redacting

        ports = replace(ports, keep=redacting(ports.keep, ports.redact), redact=None)
        return [source(ports) for source in checked]

    return make


class _Pollers:
    """Makes pollers; those of one account and region share its quota and no group, and all the memory of known ids."""

    def __init__(self) -> None:
        from logship.cloudwatch.quotas import Governors
        from logship.forward.sources.poll.known import Memory

        self._memory = Memory()
        self._readers: dict[str, object] = {}
        self._governors = Governors()

    def __call__(self, source: config.Source, place: str, options: SourceOptions) -> Callable[[SourcePorts], Source]:
        from logship.cloudwatch.client import logs_client
        from logship.cloudwatch.session import account_of
        from logship.forward.sources.poll.poller import CloudWatchPoller, Polled

        client = logs_client(region=source.region, role=source.role, external_id=source.external_id)
        polled = Polled(
            groups=tuple(source.groups),
            exclude=tuple(source.exclude_groups),
            tags=source.tags,
            heard=options.heard,
            linked=source.linked_accounts,
            start_ms=_start_ms(source, place, options),
            interval_s=options.interval_s,
            once=options.once,
            waits=options.waits,
            account=account_of(source.role),
            memory=self._memory,
            tps=source.tps,
            governors=self._governors,
            readers=self._readers,
            live_tail=source.live_tail,
        )
        return lambda ports: CloudWatchPoller(client, ports.checkpoints, polled, say=ports.say)


def _kinesis(source: config.Source, place: str, options: SourceOptions) -> Callable[[SourcePorts], Source]:
    from logship.cloudwatch.session import account_of, open_client, open_session
    from logship.forward.sources.kinesis.consumed import Consumed
    from logship.forward.sources.kinesis.source import KinesisSource

    if not source.stream:
        raise SettingsError(f"{place}.stream is missing; name the data stream that the subscription filter writes to")
    consumed = Consumed(
        stream=source.stream,
        start_ms=_start_ms(source, place, options),
        interval_s=options.interval_s,
        once=options.once,
        account=account_of(source.role),
    )
    session = open_session(region=source.region, role=source.role, external_id=source.external_id)
    client = open_client("kinesis", session)
    return lambda ports: KinesisSource(client, ports.checkpoints, consumed, keep=ports.keep, say=ports.say)


def _firehose(source: config.Source, place: str, options: SourceOptions) -> Callable[[SourcePorts], Source]:
    from logship.forward.sources.firehose.source import FirehoseSource, is_loopback
    from logship.settings import secret

    host, _, port = source.listen.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or not 0 < int(port) <= _LAST_PORT:
        raise SettingsError(f"{place}.listen = {source.listen!r} is no host and port; write 127.0.0.1:8088")
    if options.once:
        raise SettingsError(f"{place}: deliveries of Firehose have no end to stop at; leave --once or this source out")
    access_key = secret(source.access_key, f"{place}.access_key")
    if not access_key and not is_loopback(host):
        raise SettingsError(
            f'{place}.listen = {source.listen!r} is open to others without a key; set access_key = "env:NAME", '
            "and the same key in the delivery stream"
        )
    _check_package("uvicorn", "firehose")
    return lambda ports: FirehoseSource(host, int(port), keep=ports.keep, access_key=access_key, say=ports.say)


def _s3(source: config.Source, place: str, options: SourceOptions) -> Callable[[SourcePorts], Source]:
    from logship.cloudwatch.session import open_client, open_session
    from logship.forward.sources.s3.source import S3Source

    if not source.queue.startswith(("https://", "http://")):
        raise SettingsError(f"{place}.queue = {source.queue!r} is no URL of an SQS queue; write https://sqs.…/QUEUE")
    session = open_session(region=source.region, role=source.role, external_id=source.external_id)
    s3, sqs = open_client("s3", session), open_client("sqs", session)
    return lambda ports: S3Source(s3, sqs, source.queue, once=options.once, say=ports.say)


def _start_ms(source: config.Source, place: str, options: SourceOptions) -> int:
    from logship.errors import TimeRangeError
    from logship.timerange import parse_past

    try:
        return parse_past(source.start, now_us=options.now_us) // 1000
    except TimeRangeError as error:
        raise SettingsError(f"{place}.start: {error}") from None


def name_of(store: Store) -> str:
    """Which store it is, in words that mean the same from every folder."""
    return store.location if is_remote(store) else str(Path(store.location).resolve())


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
