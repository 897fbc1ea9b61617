"""What the API counts of itself, in the text format of Prometheus."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Counters:
    """Requests by method, route and status, and how long they took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._within: Counter[float] = Counter()
        self._seconds = 0.0

    def seen(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; status 0 is one whose client went away."""
        with self._lock:
            self._requests[method, route, status] += 1
            self._seconds += seconds
            for bucket in _BUCKETS:
                self._within[bucket] += seconds <= bucket

    def text(self) -> str:
        """The counters in Prometheus' words."""
        with self._lock:
            return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield "# HELP touchstone_http_requests_total Requests answered."
        yield "# TYPE touchstone_http_requests_total counter"
        for (method, route, status), count in sorted(self._requests.items()):
            labels = f'method="{method}",route="{route}",status="{status}"'
            yield f"touchstone_http_requests_total{{{labels}}} {count}"
        yield "# HELP touchstone_http_request_seconds How long requests took."
        yield "# TYPE touchstone_http_request_seconds histogram"
        total = self._requests.total()
        for bucket in _BUCKETS:
            yield f'touchstone_http_request_seconds_bucket{{le="{bucket}"}} {self._within[bucket]}'
        yield f'touchstone_http_request_seconds_bucket{{le="+Inf"}} {total}'
        yield f"touchstone_http_request_seconds_sum {self._seconds:.6f}"
        yield f"touchstone_http_request_seconds_count {total}"
