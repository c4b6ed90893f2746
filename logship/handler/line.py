"""One `logging.LogRecord` → the one JSON line that is sent, as the record reference shows it.

Keys stand in this order: timestamp, severity_text, service.name, body, trace_id, span_id, parent_span_id, other
fields as they came, exception.*, logger, logship.id. The application's objects are turned into bytes here, in
the thread that logs, since they may change afterwards.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
import traceback
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import orjson

from logship.handler import forks
from logship.handler.context import OWN_NAMES, context_fields
from logship.handler.ecs import renamed
from logship.record import HANDLER_ID, SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EMIT_ERROR: Final = "logship.emit_error"
"""Marks a record whose message or fields could not be written as they were, and says why."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"taskName"}
_STANDARD_COUNT: Final = len(vars(logging.makeLogRecord({})))
_FORMATTED: Final = frozenset({"message", "asctime"})  # what a logging.Formatter leaves on the record
_SPAN: Final = ("trace_id", "span_id", "parent_span_id")
# Names that OpenTelemetry's logging instrumentation puts on records.
_OTEL: Final = {"otelTraceID": "trace_id", "otelSpanID": "span_id"}
_OTEL_NOISE: Final = frozenset({"otelServiceName", "otelTraceSampled"})
_BODY_NAMES: Final = ("body", "message", "msg", "event")
_LEVELS: Final = {10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR", 50: "FATAL"}
_MAX_DEPTH: Final = 20
_MEANT: Final = (KeyboardInterrupt, SystemExit)
"""What ends the program on purpose; whatever else a value raises when it is asked for its text is its own affair."""
_MAX_INTEGER: Final = 2**63
_YEAR_10000_S: Final = 253_402_300_800


class _Ids:
    """Ids that no other record has: 16 random hex digits of the process, and a count."""

    def __init__(self) -> None:
        self.prefix = ""
        self.count: Iterator[int] = itertools.count(1)
        self.renew()

    def renew(self) -> None:
        self.prefix, self.count = os.urandom(8).hex() + "-", itertools.count(1)


_IDS: Final = _Ids()
forks.in_child(_IDS.renew)


class LineBuilder:
    """Writes lines for one handler.

    Args:
        service: the line's `service.name`.
        default: what to write for a value that JSON does not know; None means its `repr`.
        resource: further fields of every line.
        profile: "otel", or "ecs" for the names of the Elastic Common Schema.
    """

    def __init__(
        self,
        service: str,
        default: Callable[[Any], Any] | None = None,
        *,
        resource: Mapping[str, str] = MappingProxyType({}),
        profile: str = "otel",
    ) -> None:
        self.service = service
        self._resource = dict(resource)
        self._ecs = profile == "ecs"
        self.formatter: logging.Formatter | None = None
        """Writes the body where the application has set one."""
        self._default = default or repr
        self._second: tuple[int, str] = (-1, "")

    def build(self, record: logging.LogRecord) -> bytes:
        """The line as UTF-8 JSON without a newline. Never raises: what cannot be written is marked."""
        try:
            # Copied to its own size: orjson's buffer, shrunk and kept, costs 2 us a line in the allocator.
            document = renamed(self._document(record)) if self._ecs else self._document(record)
            return b"%b" % orjson.dumps(document, self._default)
        except _MEANT:
            raise
        except BaseException:
            return self._build_hostile(record)

    def _document(self, record: logging.LogRecord) -> dict[str, Any]:
        extras = len(record.__dict__) != _STANDARD_COUNT
        if self.formatter is not None or type(record.msg) is not str or record.exc_info or extras or record.stack_info:
            return self._rich_document(record)
        level = record.levelno
        return {
            "timestamp": self._timestamp(record.created),
            "severity_text": _LEVELS.get(level) or _severity(level),
            SERVICE: self.service,
            "body": record.msg % record.args if record.args else record.msg,
            **context_fields(),
            **self._resource,
            "logger": record.name,
            HANDLER_ID: _IDS.prefix + str(next(_IDS.count)),
        }

    def _rich_document(self, record: logging.LogRecord, body: str | None = None) -> dict[str, Any]:
        fields = {**context_fields(), **self._resource, **_extras(record)}
        if body is None:
            body = self._body(record, fields)
        document = {
            "timestamp": self._timestamp(record.created),
            "severity_text": _LEVELS.get(record.levelno) or _severity(record.levelno),
            SERVICE: self.service,
            "body": body,
        }
        for name in _SPAN:
            if fields.get(name):
                document[name] = fields[name]
        for name, value in fields.items():
            if name not in _SPAN:
                document[f"extra.{name}" if name in OWN_NAMES else name] = value
        document |= _exception(record)
        document["logger"] = record.name
        document[HANDLER_ID] = _IDS.prefix + str(next(_IDS.count))
        return document

    def _body(self, record: logging.LogRecord, fields: dict[str, Any]) -> str:
        if self.formatter is not None:
            return self.formatter.format(record)
        if not isinstance(record.msg, Mapping):
            return record.getMessage()
        fields |= record.msg
        for name in _BODY_NAMES:
            if isinstance(record.msg.get(name), str):
                return str(fields.pop(name))
        return orjson.dumps(_plain(record.msg, self._default, [])).decode()

    def _timestamp(self, created: float) -> str:
        second = int(created // 1)
        known = self._second
        if known[0] != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
            self._second = known = (second, text)
        return f"{known[1]}{min(round((created - second) * 1e6), 999_999):06d}Z"

    def _build_hostile(self, record: logging.LogRecord) -> bytes:
        """The line of a record whose arguments or fields raise, with a marker that says so."""
        problems: list[str] = []
        try:
            document = self._rich_document(record)
        except _MEANT:
            raise
        except BaseException as error:
            problems.append(f"message: {_text_of(error)}")
            document = self._hostile_document(record, f"{_text_of(record.msg)} {_text_of(record.args)}", problems)
        if self._ecs:
            document = renamed(document)
        safe = {_clean(name): _plain(value, self._default, problems) for name, value in document.items()}
        identity = safe.pop(HANDLER_ID)
        if problems:
            safe[EMIT_ERROR] = _clean("; ".join(problems)[:1000])
        safe[HANDLER_ID] = identity
        return orjson.dumps(safe)

    def _hostile_document(self, record: logging.LogRecord, body: str, problems: list[str]) -> dict[str, Any]:
        try:
            return self._rich_document(record, body)
        except _MEANT:
            raise
        except BaseException as error:
            problems.append(f"fields: {_text_of(error)}")
            return self._rich_document(_bare(record), body)


def _severity(levelno: int) -> str:
    """OpenTelemetry's name of a level between or beyond the standard ones: the highest one it reaches."""
    return _LEVELS.get(min(levelno // 10 * 10, 50), "TRACE") if levelno > 0 else "TRACE"


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in record.__dict__.items():
        if name in _STANDARD or name in _OTEL_NOISE:
            continue
        if name in _FORMATTED:
            continue
        if name in _OTEL:
            if value not in ("0", "", None):
                fields[_OTEL[name]] = value
        else:
            fields[name] = value
    return fields


def _exception(record: logging.LogRecord) -> dict[str, str]:
    fields: dict[str, str] = {}
    if record.exc_info and record.exc_info[0] is not None:
        kind, error, trace = record.exc_info
        module = "" if kind.__module__ in ("builtins", "__main__") else kind.__module__ + "."
        fields["exception.type"] = module + kind.__qualname__
        fields["exception.message"] = _text_of(error)
        fields["exception.stacktrace"] = "".join(traceback.format_exception(kind, error, trace)).rstrip("\n")
    elif record.exc_text:
        fields["exception.stacktrace"] = record.exc_text
    if record.stack_info:
        fields["code.stacktrace"] = record.stack_info
    return fields


def _bare(record: logging.LogRecord) -> logging.LogRecord:
    """The record without fields and exception; a level or time that is no number becomes INFO, now."""
    level = record.__dict__.get("levelno")
    known = level if isinstance(level, int) else logging.INFO
    bare = logging.LogRecord(_text_of(record.name), known, "", 0, "", (), None)
    if is_dated(record):
        bare.created = float(record.created)
    return bare


def is_dated(record: logging.LogRecord) -> bool:
    """Whether a record has a time that can be written."""
    created: object = record.__dict__.get("created")
    return isinstance(created, int | float) and 0 <= created < _YEAR_10000_S


def _text_of(value: object) -> str:
    try:
        return _clean(str(value))
    except _MEANT:
        raise
    except BaseException:
        return f"<{type(value).__qualname__} whose text cannot be read>"


def _clean(text: object) -> str:
    """Valid Unicode: lone surrogates are spelled out in ASCII."""
    whole = text if isinstance(text, str) else _text_of(text)
    return whole.encode("utf-8", "backslashreplace").decode("utf-8")


def _plain(value: Any, default: Callable[[Any], Any], problems: list[str], depth: int = 0) -> Any:
    """The value in JSON's own types, whatever it is made of."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return int(value) if -_MAX_INTEGER <= value < _MAX_INTEGER else str(value)
    if isinstance(value, str):
        return _clean(value)
    if depth < _MAX_DEPTH:
        if isinstance(value, Mapping):
            return {_clean(name): _plain(item, default, problems, depth + 1) for name, item in list(value.items())}
        if isinstance(value, list | tuple | set | frozenset):
            return [_plain(item, default, problems, depth + 1) for item in list(value)]
    return _by_default(value, default, problems)


def _by_default(value: Any, default: Callable[[Any], Any], problems: list[str]) -> Any:
    try:
        return orjson.loads(orjson.dumps(value, default))
    except _MEANT:
        raise
    except BaseException as error:
        problems.append(f"{type(value).__qualname__}: {_text_of(error)}")
    try:
        return _clean(repr(value))
    except _MEANT:
        raise
    except BaseException:
        return f"<{type(value).__qualname__} whose text cannot be read>"
