"""The names that JSON dialects give to the same things.

A dialect differs from the next by names alone, so one table of synonyms reads them all.
"""

from __future__ import annotations

from typing import Final

from logship.record import DURATION_MS, HOST, KIND, PEER, SERVICE

TIME: Final = (
    "timestamp",
    "@timestamp",
    "time",
    "ts",
    "msec",
    "timeUnixNano",
    "eventTime",
    "datetime",
    "asctime",
    "date",
    "t",
)
BODY: Final = ("body", "message", "msg", "log", "event.original", "short_message", "text")
LEVEL: Final = (
    "severity_text",
    "level",
    "severity",
    "log.level",
    "severityText",
    "loglevel",
    "levelname",
    "lvl",
    "error_severity",
    "log_level",
)
TRACE: Final = (
    "trace_id",
    "traceId",
    "trace.id",
    "traceid",
    "otelTraceID",
    "dd.trace_id",
    "xray_trace_id",
    "mdc.traceId",
)
SPAN: Final = ("span_id", "spanId", "span.id", "spanid", "otelSpanID", "dd.span_id", "mdc.spanId")
PARENT: Final = ("parent_span_id", "parentSpanId", "parent.id", "parent_id", "parentId")

RESOURCE: Final = {
    SERVICE: SERVICE, "service": SERVICE, "serviceName": SERVICE, "service_name": SERVICE, "app": SERVICE,
    "application": SERVICE, "otelServiceName": SERVICE, "dd.service": SERVICE,
    "spring.application.name": SERVICE,
    HOST: HOST, "host": HOST, "hostname": HOST, "host.hostname": HOST,
    "service.version": "service.version", "deployment.environment.name": "deployment.environment.name",
    "deployment.environment": "deployment.environment.name", "service.environment": "deployment.environment.name",
    "cloud.account.id": "cloud.account.id", "cloud.region": "cloud.region",
}  # fmt: skip
ATTRIBUTE: Final = {
    "method": "http.request.method", "request_method": "http.request.method", "http.method": "http.request.method",
    "req.method": "http.request.method", "request.method": "http.request.method",
    "status": "http.response.status_code", "status_code": "http.response.status_code", "statusCode": "http.response.status_code",
    "http.status_code": "http.response.status_code", "res.statusCode": "http.response.status_code",
    "response.status": "http.response.status_code", "http.status": "http.response.status_code",
    "route": "http.route", "path": "url.path", "uri": "url.path", "request_uri": "url.path", "req.url": "url.path",
    "http.target": "url.path", "request_path": "url.path", "url": "url.path",
    "peer_service": PEER, "peer.service": PEER, "upstream": PEER,
    "logger_name": "logger", "log.logger": "logger", "logger.name": "logger", "name": "logger", "loggerName": "logger",
    "exception": "exception.stacktrace", "stack_trace": "exception.stacktrace", "stacktrace": "exception.stacktrace",
    "error.stack_trace": "exception.stacktrace", "err.stack": "exception.stacktrace", "exc_info": "exception.stacktrace",
    "error.stack": "exception.stacktrace", "exception.stack_trace": "exception.stacktrace",
    "error.type": "exception.type", "err.type": "exception.type", "exception_name": "exception.type",
    "error.name": "exception.type", "exception_class": "exception.type",
    "error.message": "exception.message", "err.message": "exception.message", "exception_message": "exception.message",
    "thread_name": "thread.name", "process.thread.name": "thread.name",
    "remote_addr": "client.address", "client_ip": "client.address", "client": "client.address", "req.remoteAddress": "client.address",
    "user_agent": "user_agent.original", "http_user_agent": "user_agent.original",
    "operation": "operation",
}  # fmt: skip
DURATIONS: Final = {
    DURATION_MS: 1.0, "duration": 1.0, "elapsed_ms": 1.0, "latency_ms": 1.0, "responseTime": 1.0, "response_time_ms": 1.0,
    "took_ms": 1.0, "elapsed": 1.0, "event.duration": 1e-6, "duration_ns": 1e-6, "duration_us": 1e-3,
    "request_time": 1e3, "duration_s": 1e3, "elapsed_s": 1e3, "duration_seconds": 1e3, "latency": 1.0,
}  # fmt: skip
KINDS: Final = {
    "request": "request", "server": "request", "span_kind_server": "request", "http_request": "request", "2": "request",
    "call": "call", "client": "call", "span_kind_client": "call", "3": "call", "producer": "call",
    "internal": "internal", "span_kind_internal": "internal", "consumer": "internal", "1": "internal",
    "change": "change", "deploy": "deploy", "log": "log",
}  # fmt: skip
KIND_NAMES: Final = (KIND, "span.kind", "kind", "event")
PINO: Final = {10: "TRACE", 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR", 60: "FATAL"}
"""The numbers that pino and bunyan write for levels."""
INT64: Final = 2**63
HANDLED: Final = frozenset(
    (*TIME[:4], "msec", "timeUnixNano", "asctime", *BODY[:3], "severity_text", "level", "log.level", "severityText",
     "severityNumber", "levelname", "lvl", "error_severity", *TRACE[:5], *SPAN[:5], *PARENT[:4], "span.kind")
)  # fmt: skip
"""Names that are parts of the record, and therefore none of its attributes."""
