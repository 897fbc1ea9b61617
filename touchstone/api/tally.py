"""How far batches are, without reading their reports twice: only a retry changes a done shard."""

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
from worker.retrying import may_pass

PASSING = "passing"
_MOST_JOBS = 256

Words = Callable[[Shard], Counter[str]]


class Tally:
    """Counts of verdicts by batch, remembered for the batches that were asked for last.

    `words` counts something else in a done shard.
    """

    def __init__(self, store: JobStore, words: Words | None = None) -> None:
        self._store, self._words = store, words or _verdicts
        self._lock = threading.Lock()
        self._known: OrderedDict[str, dict[int, tuple[float, Counter[str]]]] = OrderedDict()

    def counts(self, job: Job) -> Counter[str]:
        """Media of done shards by verdict, "none" where there is none, "dead" for those of dead shards.

        With the usual words also "passing", those among "none" whose cause may pass.
        """
        with self._lock:
            known = self._known.setdefault(job.id, {})
            self._known.move_to_end(job.id)
            while len(self._known) > _MOST_JOBS:
                self._known.popitem(last=False)
        rows = select(shards.c.position, shards.c.state, shards.c.due).where(
            shards.c.job == job.id, shards.c.parent.is_(None)
        )
        with translated(), reading(self._store.engine) as connection:
            states = {row.position: (row.state, row.due) for row in connection.execute(rows)}
        total: Counter[str] = Counter()
        for position, (state, due) in sorted(states.items()):
            if state == ShardState.DONE.value:
                counted, words = known.get(position, (None, Counter()))
                if counted != due:  # a retry makes it due anew
                    (shard,) = self._store.shards(job.id, after=position - 1, limit=1)
                    words = self._words(shard)
                    known[position] = (due, words)
                total += words
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
    rows = (shard.result or {})["rows"]
    words = Counter(str(row.get("verdict") or "none") for row in rows)
    return words + Counter({PASSING: sum(map(may_pass, rows))})
