"""Cutting: a shard that proves long becomes several parts, and goes on when the last of them has ended.

It waits with what is known of it so far. Its parts are shards like any other: leased, tried again, cancelled
with their job; but the job counts the whole alone. How many parts are missing is a number in the whole's row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from worker.jobs.engine import again_on_deadlock, reading, translated, writing
from worker.jobs.model import Lease, Plain, Shard, ShardState
from worker.jobs.rows import to_shard
from worker.jobs.schema import jobs, shards
from worker.jobs.store import JobStore

PART = "part"  # the kind of these shards


@again_on_deadlock
def cut(store: JobStore, lease: Lease, so_far: Plain, parts: Sequence[Plain]) -> bool:
    """Put parts in the place of a held shard, which comes back with `so_far` when they have ended.

    False when the lease no longer counts, and then nothing changes.
    """
    with translated(), writing(store.engine) as connection:
        held = (shards.c.id == lease.shard) & (shards.c.token == lease.token)
        whole = connection.execute(
            update(shards)
            .where(held)
            .values(
                state=ShardState.WAITING.value,
                result=json.dumps(so_far, separators=(",", ":")),
                token="",
                lease_until=None,
                waits=len(parts),
            )
            .returning(shards.c.lane)
        ).first()
        if whole is None:
            return False
        # The job's row is locked so that two wholes of it never give a part the same position.
        connection.execute(update(jobs).where(jobs.c.id == lease.job).values(total=jobs.c.total))
        first = connection.execute(select(func.min(shards.c.position)).where(shards.c.job == lease.job))
        lowest, now = min(0, first.scalar_one()), store.clock()
        rows: list[dict[str, Any]] = [
            {
                "job": lease.job,
                "position": lowest - 1 - index,  # below zero, where nobody looks for what was asked for
                "tenant": lease.tenant,
                "kind": PART,
                "lane": whole.lane,
                "state": ShardState.READY.value,
                "payload": json.dumps(part, separators=(",", ":")),
                "due": now,
                "created": now,
                "attempts": 0,
                "owner": "",
                "token": "",
                "parent": lease.shard,
            }
            for index, part in enumerate(parts)
        ]
        connection.execute(insert(shards), rows)
        return True


def parts_of(store: JobStore, whole: int) -> list[Shard]:
    """The parts of a shard in their order, as they stand."""
    wanted = select(shards).where(shards.c.parent == whole).order_by(shards.c.position.desc())
    with translated(), reading(store.engine) as connection:
        return [to_shard(row) for row in connection.execute(wanted)]


def frames_seen(store: JobStore, part: Lease, frames: int) -> int:
    """Write down how many frames of a part were looked at; how many of all parts of its whole."""
    with translated(), writing(store.engine) as connection:
        held = (shards.c.id == part.shard) & (shards.c.token == part.token)
        connection.execute(update(shards).where(held).values(frames=frames))
        seen = select(func.sum(shards.c.frames)).where(shards.c.parent == part.parent)
        return int(connection.execute(seen).scalar() or 0)


def part_ended_in(connection: Connection, whole: int, now: float) -> None:
    """One part of a whole has ended; the last one makes the whole ready. Within a transaction."""
    left = connection.execute(
        update(shards).where(shards.c.id == whole).values(waits=shards.c.waits - 1).returning(shards.c.waits)
    ).scalar_one()
    if left == 0:
        connection.execute(
            update(shards)
            .where(shards.c.id == whole, shards.c.state == ShardState.WAITING.value)
            .values(state=ShardState.READY.value, attempts=0, due=now, told=0.0)
        )
