"""The snapshot as Prometheus metrics: one table of names, and a collector that reads a snapshot for each scrape."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.core import Metric as Family

    from logship.forward.outside.status import ForwardStatus, GroupStatus, SourceStatus

PREFIX: Final = "logship_forward_"
Rows = list[tuple[tuple[str, ...], float | None]]
"""Values by their labels' values; None leaves a row out."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: how it is served, and where its values stand in a snapshot."""

    name: str
    """Without prefix, as it is served: counters end in ``_total``."""
    help: str
    rows: Callable[[ForwardStatus], Rows]
    labels: tuple[str, ...] = ()

    @property
    def kind(self) -> Literal["counter", "gauge"]:
        """What it does: only grow, or go up and down."""
        return "counter" if self.name.endswith("_total") else "gauge"

    @property
    def full_name(self) -> str:
        """As it is served."""
        return PREFIX + self.name


def _total(name: str, text: str, value: Callable[[ForwardStatus], float | None]) -> Metric:
    return Metric(name, text, lambda status: [((), value(status))])


def _source(name: str, text: str, value: Callable[[SourceStatus], float | None]) -> Metric:
    return Metric(
        f"source_{name}", text, lambda status: [((one.name,), value(one)) for one in status.sources], ("source",)
    )


def _group(name: str, text: str, value: Callable[[GroupStatus], float | None]) -> Metric:
    def rows(status: ForwardStatus) -> Rows:
        return [((one.name, group.name), value(group)) for one in status.sources for group in one.groups]

    return Metric(f"group_{name}", text, rows, ("source", "group"))


METRICS: Final = (
    _total("read_events_total", "Events read and settled: stored, there already, left out or dead letters.",
           lambda status: status.read),
    _total("stored_records_total", "Records that the store took.", lambda status: status.stored),
    _total("existing_records_total", "Records that were in the store already.", lambda status: status.existing),
    _total("rejected_records_total", "Records that cannot be stored: dead letters.", lambda status: status.rejected),
    _total("dead_letters_waiting", "Dead letters in the state folder, those of earlier processes included.",
           lambda status: status.dead_letters),
    _total("queue_bytes", "Memory of events that are read and not acknowledged.", lambda status: status.queued_bytes),
    _total("queue_limit_bytes", "At so many bytes in the queue, sources wait.",
           lambda status: status.queue_limit_bytes),
    _total("progress_age_seconds", "How long ago the storing thread last went round, or looked for answers.",
           lambda status: status.progress_age_s),
    _total("store_waiting", "1 while the store does not take records and is waited for, else 0.",
           lambda status: bool(status.store_reason)),
    _total("store_waits_total", "How often the store was waited for.", lambda status: status.store_waits),
    _total("store_requests", "Requests to the store under way.", lambda status: status.requests),
    _total("store_requests_limit", "How many requests may be under way, now.", lambda status: status.requests_limit),
    Metric("rule_dropped_records_total", "Records that a rule of the settings left out.",
           lambda status: [((rule.place,), rule.dropped) for rule in status.rules], ("rule",)),
    Metric("rule_sampled_out_records_total", "Records that a sampling rule left out.",
           lambda status: [((rule.place,), rule.sampled_out) for rule in status.rules], ("rule",)),
    Metric("redactions_total", "Secrets that were taken out, by the redaction rule that found them.",
           lambda status: [((rule,), count) for rule, count in status.redacted.items()], ("rule",)),
    _source("ready", "1 once the source knows what there is to read, else 0.", lambda source: source.ready),
    _source("calls_total", "Calls under the quota.", lambda source: source.calls),
    _source("throttled_calls_total", "Calls that the service throttled.", lambda source: source.throttled),
    _source("retried_calls_total", "Calls that failed in a way that passes, and were made again.",
            lambda source: source.retried),
    _source("rate_calls_per_second", "Calls a second that are made at most, now.", lambda source: source.rate),
    _source("quota_calls_per_second", "Calls a second that the account may make in the region.",
            lambda source: source.quota),
    _source("live_tail_seconds_total", "How long sessions of Live Tail were open, added up.",
            lambda source: source.live_tail_s),
    _source("lag_seconds", "How far a stream is read behind its newest record, by the furthest shard.",
            lambda source: source.lag_s),
    _group("lag_seconds", "Age of the oldest event that is known of and not stored, ranges of backfill apart.",
           lambda group: group.lag_s),
    _group("backlog_seconds", "Event time in ranges that are still to be read and stored.",
           lambda group: group.backlog_s),
    _group("read_age_seconds", "How long ago the newest events were last asked for.", lambda group: group.read_age_s),
    _group("ingestion_delay_seconds", "Ingestion time less event time of the newest page's last event.",
           lambda group: group.ingestion_delay_s),
    _group("newest_stored_timestamp_seconds", "Event time of the newest stored event, since 1970.",
           lambda group: group.newest_stored_ms / 1000 if group.newest_stored_ms else None),
    _group("pages_total", "Pages read.", lambda group: group.pages),
    _group("empty_pages_total", "Pages without an event.", lambda group: group.empty_pages),
    _group("events_total", "Events in all pages, those that were known included.", lambda group: group.events),
    _group("fresh_events_total", "Events that had not been read before.", lambda group: group.fresh),
    _group("known_events_total", "Events that had been read before: duplicates avoided.", lambda group: group.known),
    _group("stored_events_total", "Fresh events that are safe.", lambda group: group.stored),
    _group("received_bytes_total", "Bytes of all answers.", lambda group: group.bytes),
    _group("refused", "1 while the role may not read the group, else 0.", lambda group: bool(group.refused)),
)  # fmt: skip
"""Every metric that is served; docs/reference/metrics.md describes the same."""


class Collector:
    """Reads a snapshot for each scrape; register it with a `prometheus_client.CollectorRegistry`.

    What rules have counted is counted again when the store fails in the middle of a round, which prepares the round
    again. A counter is never served lower than before, or Prometheus would take that for a restart.
    """

    def __init__(self, status: Callable[[], ForwardStatus]) -> None:
        self._status = status
        self._most: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Family]:
        """The metrics of one scrape, all of one snapshot."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        status = self._status()
        for metric in METRICS:
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(metric.full_name, metric.help, labels=metric.labels)
            for labels, value in self._rows(metric, status):
                family.add_metric(labels, value)
            yield family

    def describe(self) -> Iterable[Family]:
        """Nothing: the registry need not ask for values before the forwarder runs."""
        return ()

    def _rows(self, metric: Metric, status: ForwardStatus) -> Iterator[tuple[tuple[str, ...], float]]:
        for labels, value in metric.rows(status):
            if value is None:
                continue
            if metric.labels != ("rule",):
                yield labels, float(value)
                continue
            with self._lock:
                most = self._most[metric.name, labels[0]] = max(value, self._most.get((metric.name, labels[0]), 0.0))
            yield labels, float(most)
