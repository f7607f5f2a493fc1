"""Rate, errors and duration of requests, by route template: numbers without ids."""

from __future__ import annotations

from prometheus_client import Counter, Histogram
from starlette.types import Scope

from shared.runtime.metrics import Metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measures:
    """The HTTP metrics of one service."""

    def __init__(self, metrics: Metrics) -> None:
        labels = ("method", "route", "status")
        self._requests = metrics.counter("http_requests", "Requests answered.", *labels)
        self._seconds = metrics.histogram("http_request_duration_seconds", "Time to answer.", *labels[:2])
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def request(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one answered request; unknown addresses and methods share one label each."""
        template = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        found = self._children.get((method, template, status))
        if found is None:
            found = (self._requests(method, template, str(status)), self._seconds(method, template))
            self._children[method, template, status] = found
        found[0].inc()
        found[1].observe(seconds)
