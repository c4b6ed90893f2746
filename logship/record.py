"""The one record shape, its severities, its identity and its order.

Named after OpenTelemetry's log data model as OpenSearch indexes it (``logs-otel-v1``). This module
imports the standard library alone, since applications embed it with the handler.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HANDLER_ID: Final = "logship.id"
"""Key of the id that our handler writes into each line: what keeps a resend one record."""

GROUP: Final = "aws.log.group.name"
STREAM: Final = "aws.log.stream.name"
EVENT_TIME: Final = "aws.log.timestamp"
ORIGINAL: Final = "log.record.original"
ORIGINAL_BASE64: Final = "log.record.original_base64"
KIND: Final = "logship.kind"
CONTINUES: Final = "logship.continues"
PART: Final = "logship.part"
"""Which piece of an oversize record this is, such as ``2/3``; the texts of a field joined in order are the whole."""
PARSE_ERROR: Final = "logship.parse_error"
SAMPLE_RATE: Final = "logship.sample_rate"
"""The part of such records that is kept: each stands for 1 / rate."""
SERVICE: Final = "service.name"
HOST: Final = "host.name"
ACCOUNT: Final = "cloud.account.id"
REGION: Final = "cloud.region"
PEER: Final = "peer.service"
DURATION_MS: Final = "duration_ms"

RESOURCE_NAMES: Final = frozenset({SERVICE, HOST, "service.version", "deployment.environment.name", ACCOUNT, REGION})
"""Names that belong to `Record.resource`; every other one belongs to `Record.attributes`."""

SEVERITY_NUMBERS: Final = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
"""OpenTelemetry's number of each level (log data model, "Severity fields"); 0 means unknown."""

_LEVEL_NAMES: Final = (
    {"TRACE": "TRACE", "FINEST": "TRACE", "FINER": "TRACE", "SILLY": "TRACE", "VERBOSE": "TRACE"}
    | {"DEBUG": "DEBUG", "FINE": "DEBUG", "DBG": "DEBUG", "D": "DEBUG"}
    | dict.fromkeys(("DEBUG1", "DEBUG2", "DEBUG3", "DEBUG4", "DEBUG5"), "DEBUG")
    | dict.fromkeys(("INFO", "INFORMATION", "INF", "I", "NOTICE", "LOG", "STATEMENT", "DETAIL", "HINT", "OK"), "INFO")
    | dict.fromkeys(("WARN", "WARNING", "WRN", "W"), "WARN")
    | dict.fromkeys(("ERROR", "ERR", "E", "SEVERE", "FAILURE"), "ERROR")
    | dict.fromkeys(("FATAL", "CRITICAL", "CRIT", "PANIC", "EMERG", "EMERGENCY", "ALERT", "DPANIC", "F"), "FATAL")
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_TIME_US: Final = 253_402_300_799_999_999  # 9999-12-31, the last day that datetime can write
_MIN_TIME_US: Final = -62_135_596_800_000_000  # 0001-01-01
_MAX_ID_MS: Final = 2**48 - 1
_OWN_ID: Final = re.compile(r"[0-9a-f]{32}\Z")


def severity(text: str) -> str:
    """The OpenTelemetry level of a level's name in any common dialect and case; "" when it is none."""
    return _LEVEL_NAMES.get(text) or _LEVEL_NAMES.get(text.strip().upper(), "")


def severities(texts: Sequence[str]) -> list[str]:
    """The same of many names; mostly they are few."""
    known = {text: severity(text) for text in set(texts)}
    return [known[text] for text in texts]


def level_names(level: str) -> list[str]:
    """Every name, in capitals, that stands for an OpenTelemetry level."""
    return [name for name, known in _LEVEL_NAMES.items() if known == level]


class Cloud(NamedTuple):
    """Where a log group lies; "" where that is not known."""

    account: str = ""
    region: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the fields of a record's resource that it fills, in their order."""
        return tuple(name for name, value in zip((ACCOUNT, REGION), self, strict=True) if value)


NO_CLOUD: Final = Cloud()


class LogEvent(NamedTuple):
    """One event as CloudWatch Logs hands it out, or a file's line in the same shape."""

    group: str
    stream: str
    timestamp_ms: int
    """Event time, milliseconds since 1970."""
    message: str
    event_id: str = ""
    """CloudWatch's 56-digit id; "" where the source has none."""
    ingestion_ms: int = 0
    """When CloudWatch took it in, milliseconds since 1970; 0 means unknown."""
    cloud: Cloud = NO_CLOUD


@dataclass(slots=True)
class Record:
    """One log record. `attributes` and `resource` are flat maps with dotted keys."""

    id: str
    """32 lower-case hex digits; see `record_id`."""
    time_us: int
    """Microseconds since 1970, UTC."""
    body: str
    severity: str = ""
    """TRACE, DEBUG, INFO, WARN, ERROR or FATAL; "" means unknown."""
    observed_ms: int = 0
    """When CloudWatch took it in, milliseconds since 1970; 0 means unknown."""
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    resource: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def order(self) -> tuple[int, str]:
        """The key that every listing is ordered by."""
        return self.time_us, self.id

    @property
    def service(self) -> str:
        """`service.name`, or "" when nobody said."""
        return str(self.resource.get(SERVICE, ""))

    @property
    def kind(self) -> str:
        """`logship.kind`: log (the default), request, call, internal, change or deploy."""
        return str(self.attributes.get(KIND, "log"))

    @property
    def original(self) -> str:
        """The line as it arrived, after redaction."""
        return str(self.attributes.get(ORIGINAL, self.body))


def record_id(timestamp_ms: int, group: str, stream: str, event_id: str, handler_id: str = "") -> str:
    """Identity of a record: 12 hex digits of the event time and 20 of a digest of its origin.

    The digest is blake2b over the length-prefixed parts (group, handler_id) where the line carries our
    handler's id, else (group, stream, event_id). The same event therefore always has the same id, and
    an event that the handler sent twice, after a lost answer, is one record.

    Args:
        timestamp_ms: CloudWatch's event time; for files, the time given at import. Times outside
            1970-10889 are cut to that range.
        group: log group name.
        stream: log stream name.
        event_id: CloudWatch's event id, or the stand-in that sources without ids make.
        handler_id: the line's own ``logship.id``; "" when it has none.
    """
    part = handler_id or event_id
    last = part.encode() if part.isascii() else part.encode("utf-8", "surrogatepass")
    digest = (_started(len(last), group) if handler_id else _started(len(last), group, stream)).copy()
    digest.update(last)
    if not 0 <= timestamp_ms <= _MAX_ID_MS:
        timestamp_ms = min(max(timestamp_ms, 0), _MAX_ID_MS)
    return (timestamp_ms.to_bytes(6, "big") + digest.digest()).hex()


def record_ids(
    times_ms: Sequence[int], groups: Sequence[str], streams: Sequence[str], parts: Sequence[str], *, of_handler: bool
) -> list[str]:
    """The identities of many records, of which there is at least one, as `record_id` makes them.

    Args:
        times_ms: of their events.
        groups: of each event.
        streams: of each event.
        parts: our handler's ids, or the event ids.
        of_handler: which of the two.
    """
    are_ascii = all(map(str.isascii, parts))
    raw = list(map(str.encode, parts)) if are_ascii else [part.encode("utf-8", "surrogatepass") for part in parts]
    sizes = list(map(len, raw))
    origins: tuple[Sequence[Any], ...] = (sizes, groups) if of_handler else (sizes, groups, streams)
    copies: Iterable[Callable[[], blake2b]]
    if all(column.count(column[0]) == len(column) for column in origins):  # mostly all are of one stream
        copies = repeat(_started(*(column[0] for column in origins)).copy)
    else:
        copies = [digest.copy for digest in map(_started, *origins)]
    heads = {at_ms: f"{min(max(at_ms, 0), _MAX_ID_MS):012x}" for at_ms in set(times_ms)}
    made = []
    for at_ms, copy, part in zip(times_ms, copies, raw, strict=False):
        digest = copy()
        digest.update(part)
        made.append(heads[at_ms] + digest.hexdigest())
    return made


@lru_cache(maxsize=4096)
def _started(size_bytes: int, *parts: str) -> blake2b:
    """A digest that has read all parts but the last, of which it knows the length."""
    digest = blake2b(digest_size=10)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(4, "big") + raw)
    digest.update(size_bytes.to_bytes(4, "big"))
    return digest


def with_own_id(record: Record) -> Record:
    """The record, with an id of our shape in place of one that another tool gave: always the same one."""
    if _OWN_ID.match(record.id):
        return record
    group, stream = (str(record.attributes.get(name, "")) for name in (GROUP, STREAM))
    return replace(record, id=record_id(record.time_us // 1000, group, stream, record.id))


def format_time(time_us: int) -> str:
    """ISO 8601 in UTC with microseconds, such as ``2026-11-23T14:21:05.871234Z``."""
    if time_us < _MIN_TIME_US or time_us > _MAX_TIME_US:
        time_us = min(max(time_us, _MIN_TIME_US), _MAX_TIME_US)
    second = time_us // 1_000_000
    # The last digits of a number cost less than a division and its padding.
    micros = str(time_us)[-6:] if second > 0 else f"{time_us % 1_000_000:06d}"
    return f"{second_text(second)}{micros}Z"


@lru_cache(maxsize=4096)
def second_text(second: int) -> str:
    """ISO 8601 of seconds since 1970 in UTC, up to the point before their fraction: ``2026-11-23T14:21:05.``."""
    return f"{_minute_text(second // 60)}{second % 60:02d}."


@lru_cache(maxsize=1024)
def _minute_text(minute: int) -> str:
    return (_EPOCH + timedelta(minutes=minute)).isoformat()[:17]


def time_us_of(at: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exact."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def to_document(record: Record) -> dict[str, Any]:
    """The record in the shape of the reference, as ``--format ndjson`` prints it. Empty parts are left out."""
    document: dict[str, Any] = {"_id": record.id, "@timestamp": format_time(record.time_us)}
    if record.observed_ms:
        document["observedTime"] = format_time(record.observed_ms * 1000)[:-4] + "Z"
    document["body"] = record.body
    if record.severity:
        document["severity"] = {"text": record.severity, "number": SEVERITY_NUMBERS[record.severity]}
    if record.trace_id:
        document["traceId"] = record.trace_id
    if record.span_id:
        document["spanId"] = record.span_id
    if record.parent_span_id:
        document["parentSpanId"] = record.parent_span_id
    document["resource"] = {"attributes": record.resource}
    document["attributes"] = record.attributes
    return document


def from_document(document: dict[str, Any]) -> Record:
    """The inverse of `to_document`.

    Raises:
        KeyError, ValueError: the mapping is no record.
    """
    observed = document.get("observedTime")
    return Record(
        id=document["_id"],
        time_us=time_us_of(datetime.fromisoformat(document["@timestamp"])),
        body=document["body"],
        severity=document.get("severity", {}).get("text", ""),
        observed_ms=time_us_of(datetime.fromisoformat(observed)) // 1000 if observed else 0,
        trace_id=document.get("traceId", ""),
        span_id=document.get("spanId", ""),
        parent_span_id=document.get("parentSpanId", ""),
        resource=document.get("resource", {}).get("attributes", {}),
        attributes=document.get("attributes", {}),
    )
