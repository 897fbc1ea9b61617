"""How often a tenant may ask: a bucket of tokens each, which refills evenly and holds a short burst."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from evidence.errors import TooMany

BURST_SECONDS = 10.0  # what was not used in so long may be used at once
_MOST_BUCKETS = 10_000


class Rates:
    """Buckets by name, at `per_minute` tokens; 0 is no limit. The least recently used ones are forgotten."""

    def __init__(self, per_minute: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_second, self.clock = per_minute / 60, clock
        self.burst = max(1.0, self.per_second * BURST_SECONDS)
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        """Use one token; raises TooMany with the seconds until there is one again."""
        if self.per_second == 0:
            return
        with self._lock:
            now = self.clock()
            tokens, since = self._buckets.pop(name, (self.burst, now))
            tokens = min(self.burst, tokens + max(0.0, now - since) * self.per_second)
            self._buckets[name] = (tokens - 1 if tokens >= 1 else tokens, now)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
        if tokens < 1:
            raise too_many(
                f"More than {self.per_second * 60:g} requests a minute were made.",
                "Wait, and ask less often; events and `Prefer: wait` spare polling.",
                (1 - tokens) / self.per_second,
            )


def too_many(message: str, advice: str, seconds: float) -> TooMany:
    """The error that says when to come again."""
    error = TooMany(message, advice)
    error.retry_after_seconds = seconds
    return error
