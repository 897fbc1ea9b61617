"""Once more: the media of a batch whose workers died, or that failed for a cause that may pass.

What is known of the others in the same shard stays as it is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import delete, select, update

from evidence.errors import DecoderCrashed, DecodeTimeout, FetchFailed, PartLost, UnreadableMedia
from worker.asked import AGAIN
from worker.jobs.engine import again_on_deadlock, reading, translated, writing
from worker.jobs.locking import hold_shards
from worker.jobs.model import Job, JobState, Plain, ShardState
from worker.jobs.schema import jobs, shards
from worker.jobs.store import JobStore

# A server that was away, a share that was not mounted, a machine too busy or short of memory.
PASSING = frozenset(
    kind.code for kind in (FetchFailed, UnreadableMedia, DecodeTimeout, DecoderCrashed, PartLost)
)
_AT_ONCE = 8  # shards in memory


def may_pass(row: Plain) -> bool:
    """Whether a row of a result says that its medium failed for a cause that may pass."""
    return row.get("status") == "unable" and (row.get("reason") or {}).get("code") in PASSING


def retry_failed(store: JobStore, job: Job) -> int:
    """Work again on the media of a batch that failed in passing, with all attempts anew; how many.

    None of a cancelled batch. A file that is broken stays so, and is not tried again.
    """
    if job.state is JobState.CANCELLED:
        return 0
    media = _dead_media(store, job)
    media = media if store.retry_dead(job.id, job.tenant) else 0
    for shard in list(_failed(store, job)):
        media += _send_back(store, job, shard)
    return media


def _dead_media(store: JobStore, job: Job) -> int:
    found, after = 0, -1
    while part := store.shards(job.id, after=after, limit=_AT_ONCE, state=ShardState.DEAD):
        found += sum(len(shard.payload["items"]) for shard in part)
        after = part[-1].position
    return found


def _failed(store: JobStore, job: Job) -> Iterator[int]:
    """The numbers of the done shards in which a medium failed in passing."""
    after = -1
    while True:
        wanted = (
            select(shards.c.id, shards.c.position, shards.c.result)
            .where(shards.c.job == job.id, shards.c.position > after)
            .where(shards.c.state == ShardState.DONE.value, shards.c.result.contains('"unable"'))
            .order_by(shards.c.position)
            .limit(_AT_ONCE)
        )
        with translated(), reading(store.engine) as connection:
            found = connection.execute(wanted).all()
        if not found:
            return
        yield from (row.id for row in found if any(map(may_pass, json.loads(row.result)["rows"])))
        after = found[-1].position


@again_on_deadlock
def _send_back(store: JobStore, job: Job, shard: int) -> int:
    """Make a done shard ready again, with what is known of its other media; how many it is tried for."""
    with translated(), writing(store.engine) as connection:
        # Held until the end, so that of two who ask at the same time only one finds the shard done.
        hold_shards(connection, (shards.c.id == shard) | (shards.c.parent == shard))
        row = connection.execute(
            select(shards.c.result).where(shards.c.id == shard, shards.c.state == ShardState.DONE.value)
        ).first()
        if row is None:  # somebody else asked at the same time
            return 0
        known: Sequence[dict[str, Any]] = json.loads(row.result)["rows"]
        rows = [AGAIN if may_pass(one) else one for one in known]
        connection.execute(delete(shards).where(shards.c.parent == shard))  # of videos cut before
        connection.execute(
            update(shards)
            .where(shards.c.id == shard)
            .values(
                state=ShardState.READY.value,
                result=json.dumps({"rows": rows}, separators=(",", ":")),
                attempts=0,
                due=store.clock(),
                told=0.0,
            )
        )
        connection.execute(
            update(jobs)
            .where(jobs.c.id == job.id)
            .values(remaining=jobs.c.remaining + 1, state=JobState.RUNNING.value, finished=None)
        )
        store.note_in(connection, job.id, "retried", {"shards": 1})
        return Counter(map(may_pass, known))[True]
