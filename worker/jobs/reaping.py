"""Takes back what silent workers hold, whatever the clocks of the machines say.

A worker renews its leases every second. Whoever reaps watches them move, and takes back the one that stood
still for its length by a clock that only counts: a wall clock that is set ahead ends no lease, one that is
set back makes none immortal, and while the store was out of reach, or full, nobody's time ran.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from evidence.errors import StoreError
from worker.jobs.leases import Leases
from worker.jobs.model import Held

REAP_SECONDS = 1.0
# A longer time between two looks was a store out of reach, or a machine asleep: what passed does not count.
_GAP_SECONDS = 5 * REAP_SECONDS


class Reaper:
    """One who watches the leases of a store, which are `seconds` long; call `reap` every second or so."""

    def __init__(
        self, leases: Leases, seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._leases, self._seconds, self._clock = leases, seconds, clock
        self._seen: dict[str, tuple[float, float]] = {}
        self._looked = clock()

    def reap(self) -> int:
        """Take back shards whose leases stood still for too long, counting the attempt; how many."""
        held = self._leases.held()
        now = self._clock()
        slept = now - self._looked if now - self._looked > _GAP_SECONDS else 0.0
        self._looked = now
        seen: dict[str, tuple[float, float]] = {}
        late = 0
        for lease in held:
            stood_at, since = self._seen.get(lease.token, (lease.until, now))
            since = min(now, since + slept) if stood_at == lease.until else now
            if now - since > self._seconds:
                late += self._taken(lease)
            else:
                seen[lease.token] = (lease.until, since)
        self._seen = seen
        return late

    def _taken(self, lease: Held) -> bool:
        try:
            return self._leases.late(lease)
        except StoreError:  # a store that takes nothing took no renewals either
            self._seen = {}
            raise
