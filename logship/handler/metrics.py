"""A handler's counters for Prometheus, or as an EMF record of its own log stream."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logship.handler.front import CloudWatchHandler
    from logship.handler.stats import Stats

NAMESPACE: Final = "logship"
EVERY_S: Final = 60.0
_COUNTERS: Final = {
    "sent": "Records that CloudWatch took in",
    "retried": "PutLogEvents calls that were made again",
    "dropped": "Records given up in the process",
    "rejected": "Records that CloudWatch refused",
    "left_out": "Records sampled out, or counted as repeated",
    "recovered": "Records of dead processes that were sent",
}
_GAUGES: Final = {
    "queued": "Records that wait or are being sent",
    "spooled": "Records in the queue's files",
    "lag_seconds": "Age of the oldest record being sent",
}


def prometheus(handler: CloudWatchHandler, registry: Any = None) -> Any:
    """Registers a collector of a handler's counters; it can be unregistered.

    Args:
        handler: whose `stats` are read at each scrape.
        registry: a ``prometheus_client.CollectorRegistry``; None is the default one.

    Raises:
        ImportError: prometheus-client is not installed; ``pip install 'logship[metrics]'``.
    """
    from prometheus_client import REGISTRY
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.registry import Collector

    labels = ["service", "log_group"]

    class HandlerCollector(Collector):
        def collect(self) -> Iterator[Any]:
            stats, values = handler.stats, [handler.service, handler.log_group_name]
            for name, text in _COUNTERS.items():
                family = CounterMetricFamily(f"logship_handler_{name}", text, labels=labels)
                family.add_metric(values, getattr(stats, name))
                yield family
            for name, text in _GAUGES.items():
                gauge = GaugeMetricFamily(f"logship_handler_{name}", text, labels=labels)
                gauge.add_metric(values, getattr(stats, name))
                yield gauge

    collector = HandlerCollector()
    (registry or REGISTRY).register(collector)
    return collector


def emf_line(stats: Stats, before: Stats | None, service: str) -> bytes:
    """One record in CloudWatch's Embedded Metric Format: counters since the last one, gauges as they are."""
    values: dict[str, float] = {
        name: getattr(stats, name) - (getattr(before, name) if before else 0) for name in _COUNTERS
    }
    values |= {name: getattr(stats, name) for name in _GAUGES}
    metrics = [{"Name": name, "Unit": "Seconds" if name.endswith("seconds") else "Count"} for name in values]
    now = time.time()
    document = {
        "_aws": {
            "Timestamp": int(now * 1000),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["service.name"]], "Metrics": metrics}],
        },
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "severity_text": "INFO",
        "service.name": service,
        "body": "logship handler metrics",
        **values,
    }
    return orjson.dumps(document)
