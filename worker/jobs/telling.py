"""Which shards a broker must be told of: the ready ones that it was not told of lately.

Instead of believing that a message arrives, it is sent again while its shard is still ready; how many are
under way at once is bounded, so that a long queue does not grow longer by being asked about.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import or_, select, update

from worker.jobs.engine import translated, writing
from worker.jobs.leases import due_by
from worker.jobs.model import Lane, ShardState
from worker.jobs.schema import shards
from worker.jobs.store import JobStore

AGAIN_SECONDS = 15.0


def untold(
    store: JobStore, room: Mapping[Lane, int], *, again: float = AGAIN_SECONDS
) -> dict[Lane, list[int]]:
    """The numbers of ready shards to tell of, oldest first, at most `room` a lane; marked as told."""
    now = store.clock()
    found: dict[Lane, list[int]] = {}
    with translated(), writing(store.engine) as connection:
        for lane, most in room.items():
            if most <= 0:
                continue
            wanted = (
                select(shards.c.id)
                .where(
                    shards.c.state == ShardState.READY.value,
                    shards.c.lane == int(lane),
                    due_by(now),
                    # Told at a time to come is told by a clock that was set back since.
                    or_(shards.c.told <= now - again, shards.c.told > now + again),
                )
                .order_by(shards.c.due, shards.c.id)
                .limit(most)
                .with_for_update(skip_locked=True)
            )
            found[lane] = list(connection.execute(wanted).scalars())
            if found[lane]:
                connection.execute(update(shards).where(shards.c.id.in_(found[lane])).values(told=now))
    return found
