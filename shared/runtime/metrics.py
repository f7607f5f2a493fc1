"""Prometheus metrics named `plumbline_*`, every one labelled with the service that counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

M = TypeVar("M", Counter, Gauge, Histogram)

CONTENT_TYPE = CONTENT_TYPE_LATEST
PREFIX = "plumbline_"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics of one service; services that share a process share the page, through `of`.

    Each method returns a function from label values to the metric to count on:

        appended = metrics.counter("events_appended", "Events appended to the log.", "stream")
        appended("request").inc()

    Asking twice for a name gives the same metric. Names come without prefix; units are base units (seconds,
    bytes); labels never carry ids.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        self._known: dict[str, Any] = {}
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def of(self, service: str) -> Metrics:
        """Return the metrics of another service on the same page."""
        other = Metrics.__new__(Metrics)
        vars(other).update(vars(self), service=service)
        return other

    def counter(self, name: str, meaning: str, *labels: str) -> Callable[..., Counter]:
        return self._get(Counter, name, meaning, labels)

    def gauge(self, name: str, meaning: str, *labels: str) -> Callable[..., Gauge]:
        return self._get(Gauge, name, meaning, labels)

    def histogram(
        self, name: str, meaning: str, *labels: str, buckets: tuple[float, ...] = SECONDS
    ) -> Callable[..., Histogram]:
        return self._get(Histogram, name, meaning, labels, buckets=buckets)

    def page(self) -> bytes:
        """Return everything as text for Prometheus; its media type is `CONTENT_TYPE`."""
        return generate_latest(self.registry)

    def _get(
        self, kind: type[M], name: str, meaning: str, labels: tuple[str, ...], **more: Any
    ) -> Callable[..., M]:
        metric = self._known.get(name)
        if metric is None:
            metric = kind(PREFIX + name, meaning, ("service", *labels), registry=self.registry, **more)
            self._known[name] = metric
        return partial(metric.labels, self.service)
