"""`CloudWatchHandler`: what an application puts into its logging configuration."""

from __future__ import annotations

import logging
import time
import weakref
from _thread import get_ident
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from logship.cloudwatch.limits import EVENT_OVERHEAD_BYTES, MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from logship.errors import SettingsError
from logship.handler import exits, forks
from logship.handler.backlog import OVERFLOWS, Overflow
from logship.handler.context import bind
from logship.handler.delivery import SENDER_THREADS, Delivery, holds_logging_lock
from logship.handler.forks import MARK
from logship.handler.gate import Gate
from logship.handler.line import LineBuilder, is_dated
from logship.handler.options import (
    check_choice,
    check_group,
    check_sizes,
    group_name,
    resource_of,
    service_name,
)
from logship.handler.request_buffer import CURRENT, BufferDebug, want
from logship.handler.spool.files import folder_of
from logship.handler.streams import Streams
from logship.naming import GROUP_NAME
from logship.record import SAMPLE_RATE

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from logship.handler.stats import Stats

QUEUE_BYTES: Final = 256 * 2**20


class CloudWatchHandler(logging.Handler):
    """Sends records to CloudWatch Logs as JSON lines, in the background, with watchtower's parameter names.

    Neither the constructor nor `emit` touches the network or loads the AWS SDK; a daemon thread does both. The
    queue is a file: whatever `emit` has returned for survives the end of the process, SIGKILL and ``os._exit``
    included, and is sent by the next process of the service, or by another one that lives. `stats` counts every
    record given up.

    A formatter, where one is set, writes the body; the line around it stays the same. Fields come from
    ``extra={...}``, from a mapping logged as the message, and from `logship.handler.bind`.

    Args:
        log_group_name: None means ``/{app}/{service}``, app being the variable LOGSHIP_APP or ``app``.
        log_stream_name: None means ``{host}/{pid}``; may hold ``{machine_name}``, ``{program_name}``,
            ``{process_id}``, ``{strftime:%Y-%m-%d}`` (UTC), and ``{logger_name}`` and ``{thread_name}``, by which
            records go to several streams, all sent by the one thread.
        log_group, stream_name: older names of the two.
        service: `service.name` of every record; None means OTEL_SERVICE_NAME, else the group's last part,
            else the program's name.
        use_queues: False delivers each record before `emit` returns (at most `flush_timeout` seconds).
        send_interval: longest time a record waits for company: seconds or a timedelta.
        max_batch_size: bytes of one call, at most 1,048,576, which counts 26 for each event.
        max_batch_count: events of one call, at most 10,000.
        max_message_size: bytes of one event with its 26; a longer record is sent in marked pieces.
        boto3_client: a ``logs`` client of your own; it keeps its own retries and timeouts.
        boto3_profile_name, region_name, endpoint_url: for the client made here; AWS_ENDPOINT_URL holds, too.
        create_log_group, create_log_stream: whether what is missing is created, when the first batch is sent.
        log_group_retention_days, log_group_tags: set on the group before the first batch.
        log_group_kms_key_id, log_group_class: of the group, where it is created here.
        json_serialize_default: called with a value that JSON does not know; None writes its repr.
        spool: where the queue's files lie: "auto" is a folder of the service in the user's state folder
            (XDG_STATE_HOME), with one warning and a queue in memory where there can be none; a folder holds it
            instead; None keeps to memory. Files are readable by their owner alone.
        redact: True takes secrets out in the background, before anything leaves the process; "emit" in the
            thread that logs, so that none reaches the queue's file either; False sends lines as they are.
        queue_bytes: bound of waiting records, and of all the service's files together.
        overflow: what gives way when it is reached: "drop_new", "drop_oldest", or "block", which makes
            the caller wait up to `block_timeout` seconds and then drops the new record.
        flush_timeout: deadline in seconds of `flush`, of the interpreter's exit and of SIGTERM.
        flush_on_sigterm: False leaves SIGTERM alone.
        profile: names of the fields: "otel" (OpenTelemetry) or "ecs" (Elastic Common Schema).
        version, environment: `service.version` and `deployment.environment.name` of every record; further ones
            are taken from OTEL_RESOURCE_ATTRIBUTES.
        dedupe: seconds in which records of the same logger, level, template and exception are sent once; the
            last of the others follows with their number as ``logship.repeated``. None sends each.
        sample: the part of a level that is sent, such as ``{"DEBUG": 0.1}``; whole traces are kept or left out.
        buffer_debug: True keeps DEBUG records of a request aside and sends them only if it fails or takes a second;
            a mapping sets ``level``, ``slow_ms``, ``max_records``, ``max_bytes``. The request is what our middleware
            records.
        metrics: "emf" writes the handler's counters into the stream each minute, as CloudWatch metrics.
        level: the lowest level handled.

    Raises:
        SettingsError: a parameter that cannot be used.
    """

    def __init__(  # noqa: PLR0917 - watchtower's order, so that its positional arguments mean the same
        self,
        log_group_name: str | None = None,
        log_stream_name: str | None = None,
        use_queues: bool = True,
        send_interval: float | timedelta = 1.0,
        max_batch_size: int = MAX_BATCH_BYTES,
        max_batch_count: int = MAX_BATCH_EVENTS,
        boto3_client: Any = None,
        boto3_profile_name: str | None = None,
        create_log_group: bool = True,
        log_group_tags: Mapping[str, str] | None = None,
        json_serialize_default: Callable[[Any], Any] | None = None,
        log_group_retention_days: int | None = None,
        create_log_stream: bool = True,
        max_message_size: int = MAX_BATCH_BYTES,
        log_group: str | None = None,
        stream_name: str | None = None,
        *,
        service: str | None = None,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        log_group_kms_key_id: str | None = None,
        log_group_class: str | None = None,
        spool: str | os.PathLike[str] | None = "auto",
        redact: bool | Literal["emit"] = True,
        queue_bytes: int = QUEUE_BYTES,
        overflow: Overflow = "drop_new",
        block_timeout: float = 0.1,
        flush_timeout: float = 10.0,
        flush_on_sigterm: bool = True,
        profile: Literal["otel", "ecs"] = "otel",
        version: str | None = None,
        environment: str | None = None,
        dedupe: float | None = None,
        sample: Mapping[str, float] | None = None,
        buffer_debug: bool | Mapping[str, Any] = False,
        metrics: Literal["emf"] | None = None,
        level: int | str = logging.NOTSET,
    ) -> None:
        log_group_name, log_stream_name = log_group_name or log_group, log_stream_name or stream_name
        self.flush_timeout = flush_timeout
        self.use_queues = use_queues
        check_choice("redact", redact, (True, False, "emit"))
        check_choice("overflow", overflow, OVERFLOWS)
        check_choice("profile", profile, ("otel", "ecs"))
        check_choice("metrics", metrics, (None, "emf"))
        check_sizes(max_batch_size, max_batch_count, max_message_size, queue_bytes)
        check_group(log_group_retention_days, log_group_class)
        if boto3_client is not None and (boto3_profile_name or region_name or endpoint_url):
            raise SettingsError("boto3_client already has a profile, region and endpoint; leave the others out")
        self.service = service or service_name(log_group_name)
        self.log_group_name = log_group_name or group_name(self.service)
        if not GROUP_NAME.match(self.log_group_name):
            raise SettingsError(f"log_group_name={self.log_group_name!r}; use 1 to 512 letters, digits and . - _ / #")
        self._streams = Streams(log_stream_name)
        resource = resource_of(version=version, environment=environment)
        self._lines = LineBuilder(self.service, json_serialize_default, resource=resource, profile=profile)
        self._gate = (
            Gate(dedupe_s=dedupe, sample=sample, clock=time.monotonic) if dedupe is not None or sample else None
        )
        self._aside = _buffer_of(buffer_debug)
        self._aside_level = logging.getLevelName(self._aside.level) if self._aside else -1
        interval = send_interval.total_seconds() if isinstance(send_interval, timedelta) else float(send_interval)
        self._delivery = Delivery(
            group=self.log_group_name,
            stream=self._streams.own,
            options={
                "create_group": create_log_group,
                "create_stream": create_log_stream,
                "retention_days": log_group_retention_days,
                "tags": dict(log_group_tags or {}),
                "kms_key_id": log_group_kms_key_id,
                "log_class": log_group_class,
                "client": boto3_client,
                "profile": boto3_profile_name,
                "region": region_name,
                "endpoint_url": endpoint_url,
            },
            queue_bytes=queue_bytes,
            overflow=overflow,
            block_timeout=block_timeout,
            send_interval=interval,
            max_batch_bytes=max_batch_size,
            max_batch_events=max_batch_count,
            max_message_bytes=min(max_message_size, max_batch_size) - EVENT_OVERHEAD_BYTES,
            spool=None if spool is None else folder_of(spool, self.log_group_name, self.service),
            redact=_redact_many if redact is True else None,
            held_back=self._gate,
            emf_service=self.service if metrics == "emf" else None,
        )
        self._redact = _redact_many() if redact == "emit" else None
        self._selects = bool(self._gate or self._aside or self._redact or self._streams.by_record)
        super().__init__(level)  # last: what is refused above is never known to logging.shutdown
        weakref.finalize(self, self._delivery.close).atexit = False
        exits.allow(flush_timeout)
        if flush_on_sigterm:
            exits.install_sigterm()

    def createLock(self) -> None:  # noqa: N802  # logging's name
        """No lock: the queue has its own, and a signal handler may log while `emit` is interrupted."""
        self.lock = None

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802  # logging's name
        """Let this formatter write the body of each line.

        The one that ``logging.basicConfig(handlers=[…])`` gives to handlers without is ignored: it would only
        repeat level and logger, which are fields of every line.
        """
        if type(fmt) is logging.Formatter and fmt._fmt == logging.BASIC_FORMAT:  # noqa: SLF001 - no public way to ask
            return
        super().setFormatter(fmt)
        self._lines.formatter = fmt

    @property
    def log_stream_name(self) -> str:
        """The stream of this process; of what no record stands behind, where each has its own."""
        return self._streams.own()

    @property
    def stats(self) -> Stats:
        """What became of the records so far."""
        return self._delivery.stats()

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter and emit, without a lock."""
        passed: object = self.filter(record) if self.filters else True
        if not passed:
            return False
        self.emit(passed if isinstance(passed, logging.LogRecord) else record)  # a record since Python 3.12
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record. Never raises and never waits (but see `overflow` and `use_queues`)."""
        if not MARK[0]:
            forks.begin_anew()
        if get_ident() in SENDER_THREADS:  # botocore's own records about sending this very line
            return
        try:
            if self._selects:
                self._emit_selected(record)
            else:
                self._delivery.put(int(record.created * 1000), self._lines.build(record))
            if not self.use_queues:
                self.flush()
        except Exception:
            if is_dated(record):
                self.handleError(record)
            else:
                self.emit(logging.makeLogRecord(record.__dict__ | {"created": time.time()}))

    def _emit_selected(self, record: logging.LogRecord) -> None:
        """What a request keeps aside is neither sampled nor counted, so that a failed one is told in full."""
        timestamp_ms = int(record.created * 1000)
        buffer = CURRENT.get() if record.levelno <= self._aside_level else None
        if buffer is not None and self._aside is not None:
            buffer.add(self._delivery, self._aside, timestamp_ms, self._line(record, None))
            return
        gate = self._gate
        rate = gate.rate(record) if gate is not None else None
        if gate is not None and rate is not None and not gate.keeps(record, rate):
            return
        line = self._line(record, rate)
        if gate is None or gate.is_first(record, timestamp_ms, line):
            self._delivery.put(timestamp_ms, line)

    def _line(self, record: logging.LogRecord, rate: float | None) -> bytes:
        if rate is None:
            line = self._lines.build(record)
        else:  # not set on the record, which other handlers see, too
            with bind({SAMPLE_RATE: rate}):
                line = self._lines.build(record)
        if self._redact is not None:
            line = self._redact([line.decode()])[0].encode()
        return self._streams.before(record, line) if self._streams.by_record else line

    def flush(self, timeout: float | None = None) -> bool:  # type: ignore[override]  # says more than logging asks
        """Wait until everything logged before is delivered.

        Args:
            timeout: seconds; None means `flush_timeout`, and what is left of it when the interpreter ends.

        Returns:
            False when the time was up, or when the calling thread holds logging's lock (as in
            dictConfig), where nobody may wait: delivery then goes on in the background.
        """
        return self._delivery.flush(exits.left_of(self.flush_timeout) if timeout is None else timeout)

    def close(self) -> None:
        """Flush, and let the thread end when everything is delivered."""
        if not holds_logging_lock():
            self.flush()
        self._delivery.close()
        super().close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.log_group_name} ({logging.getLevelName(self.level)})>"


def _buffer_of(wanted: bool | Mapping[str, Any]) -> BufferDebug | None:
    if wanted is False:
        return None
    try:
        made = BufferDebug(**({} if wanted is True else wanted))
    except TypeError:
        raise SettingsError(
            f"buffer_debug={wanted!r}; use True, or a mapping of level, slow_ms, max_records and max_bytes"
        ) from None
    check_choice("buffer_debug level", made.level, ("DEBUG", "INFO", "WARNING"))
    want(made)
    return made


def _redact_many() -> Callable[[Sequence[str]], Sequence[str]]:
    """Takes secrets out of lines, by the built-in rules; loaded where it is used, since it compiles them."""
    from logship.secrets import Redactor

    return Redactor().redact_many
