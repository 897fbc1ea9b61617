"""How far batches are, without reading their reports twice: what is done of a shard never changes."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable

from sqlalchemy import select

from worker.jobs.engine import reading, translated
from worker.jobs.model import Job, Shard, ShardState
from worker.jobs.schema import shards
from worker.jobs.store import JobStore
from worker.requests import SHARD_ITEMS

_MOST_JOBS = 256

Words = Callable[[Shard], Counter[str]]


class Tally:
    """Counts of verdicts by batch, remembered for the batches that were asked for last.

    `words` counts something else in a done shard.
    """

    def __init__(self, store: JobStore, words: Words | None = None) -> None:
        self._store, self._words = store, words or _verdicts
        self._lock = threading.Lock()
        self._known: OrderedDict[str, dict[int, Counter[str]]] = OrderedDict()

    def counts(self, job: Job) -> Counter[str]:
        """Media of done shards by verdict, "none" where there is none, "dead" for those of dead shards."""
        with self._lock:
            known = self._known.setdefault(job.id, {})
            self._known.move_to_end(job.id)
            while len(self._known) > _MOST_JOBS:
                self._known.popitem(last=False)
        rows = select(shards.c.position, shards.c.state).where(
            shards.c.job == job.id, shards.c.parent.is_(None)
        )
        with translated(), reading(self._store.engine) as connection:
            states = {row[0]: row[1] for row in connection.execute(rows)}
        for position in sorted(states):
            if states[position] == ShardState.DONE.value and position not in known:
                (shard,) = self._store.shards(job.id, after=position - 1, limit=1)
                known[position] = self._words(shard)
        total: Counter[str] = Counter()
        for position, state in states.items():
            if state == ShardState.DONE.value:
                total += known[position]
            elif state == ShardState.DEAD.value:
                total["dead"] += self._items(job, position)
        return total

    def total(self, job: Job) -> int:
        """How many media the batch has: all its shards are full but the last."""
        return (job.total - 1) * SHARD_ITEMS + self._items(job, job.total - 1)

    def _items(self, job: Job, position: int) -> int:
        if position < job.total - 1:
            return SHARD_ITEMS
        last = self._store.shards(job.id, after=position - 1, limit=1)
        return len(last[0].payload["items"]) if last else 0


def _verdicts(shard: Shard) -> Counter[str]:
    return Counter(str(row.get("verdict") or "none") for row in (shard.result or {})["rows"])
