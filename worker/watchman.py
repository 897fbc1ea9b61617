"""Looks for work when nobody brings any: a broker that is down, cut off or stuck costs seconds, not work.

Celery's consumers have stalled after a lost connection in many versions (celery#8030, #8091, #10205), and
no probe from outside sees that. So the worker itself looks into the store once it was told of nothing for a
while.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from evidence.errors import StoreError

log = logging.getLogger("touchstone.worker")

# Told of nothing for so long, a worker looks into the store itself.
QUIET_SECONDS = 5.0
_LOOK_SECONDS = 0.1

Work = Callable[[int | None], int]
Clock = Callable[[], float]


class Watchman(threading.Thread):
    """Calls `work` for the shard of each message, and for whatever is ready when no message came.

    `work` gets the number of a shard, or None for any, and says how many it did; it is never called twice
    at a time.
    """

    def __init__(
        self, work: Work, *, quiet_seconds: float = QUIET_SECONDS, clock: Clock = time.monotonic
    ) -> None:
        super().__init__(name="watchman", daemon=True)
        self._work, self._quiet, self._clock = work, quiet_seconds, clock
        self._turn = threading.Lock()
        self._heard = clock()
        self._stopping = threading.Event()

    def told(self, number: int) -> int:
        """Do the shard of a message; what is under way here is ended first."""
        with self._turn:
            try:
                return self._work(number)
            except StoreError as error:  # the shard stays ready, or its lease runs out: it is told of again
                log.warning("%s", error)
                return 0
            finally:
                self._heard = self._clock()

    def look(self) -> int:
        """Do what is ready, if nothing was heard for long enough; how many shards that were."""
        with self._turn:
            if self._clock() - self._heard < self._quiet:
                return 0
            found = 0
            try:
                found = self._work(None)
            except StoreError as error:
                log.warning("%s", error)
            if not found:  # all is quiet because there is nothing to do
                self._heard = self._clock()
            return found

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def run(self) -> None:
        alone = False
        while not self._stopping.wait(_LOOK_SECONDS):
            found = self.look()
            if found and not alone:
                log.warning(
                    "The broker told of nothing for %.0f s; work was found in the store.", self._quiet
                )
            alone = found > 0
