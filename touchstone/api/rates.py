"""How often a tenant may ask: a bucket of tokens each, which refills evenly and holds a short burst.

A process counts for itself, without a word to the store. Where several serve together, each tells the store
once a second what it gave, and goes on with what all of them left: for longer than that second they allow no
more than one would.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress

from evidence.errors import StoreError, TooMany
from worker.jobs.buckets import Buckets

BURST_SECONDS = 10.0  # what was not used in so long may be used at once
SHARE_SECONDS = 1.0
_MOST_BUCKETS = 10_000


class Rates:
    """Buckets by name, at `per_minute` tokens; 0 is no limit. The least recently used ones are forgotten.

    `shared` are those that other processes draw on too, where they are called `what` and the name.
    """

    def __init__(
        self,
        per_minute: float,
        what: str = "",
        shared: Buckets | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_second, self.clock = per_minute / 60, clock
        self._what, self._shared = what, shared
        self.burst = max(1.0, self.per_second * BURST_SECONDS)
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._given: Counter[str] = Counter()

    def take(self, name: str) -> None:
        """Use one token; raises TooMany with the seconds until there is one again."""
        if self.per_second == 0:
            return
        with self._lock:
            now = self.clock()
            tokens, since = self._buckets.pop(name, (self.burst, now))
            tokens = min(self.burst, tokens + max(0.0, now - since) * self.per_second)
            if tokens >= 1 and self._shared is not None:
                self._given[name] += 1
            self._put(name, tokens - 1 if tokens >= 1 else tokens, now)
        if tokens < 1:
            raise too_many(
                f"More than {self.per_second * 60:g} requests a minute were made.",
                "Wait, and ask less often; events and `Prefer: wait` spare polling.",
                (1 - tokens) / self.per_second,
            )

    def share(self) -> None:
        """Tell what was given since the last time, and go on with what all have left. Raises StoreError."""
        with self._lock:
            given, self._given = self._given, Counter()
        if not given or self._shared is None:
            return
        names = {name: f"{self._what}:{name}" for name in given}
        try:
            used = {names[name]: count for name, count in given.items()}
            left = self._shared.take(used, per_second=self.per_second, burst=self.burst)
        except StoreError:
            with self._lock:
                self._given += given
            raise
        with self._lock:
            for name in given:
                self._put(name, left[names[name]] - self._given[name], self.clock())

    def _put(self, name: str, tokens: float, now: float) -> None:
        self._buckets.pop(name, None)
        self._buckets[name] = (tokens, now)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)


class Sharing(threading.Thread):
    """Shares some rates with other processes, again and again."""

    def __init__(self, rates: Sequence[Rates]) -> None:
        super().__init__(name="rates", daemon=True)
        self._rates, self._stopping = rates, threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(SHARE_SECONDS):
            for rates in self._rates:
                with suppress(StoreError):  # told the next time; until then this process counts alone
                    rates.share()

    def stop(self) -> None:
        self._stopping.set()
        self.join()


def too_many(message: str, advice: str, seconds: float) -> TooMany:
    """The error that says when to come again."""
    error = TooMany(message, advice)
    error.retry_after_seconds = seconds
    return error
