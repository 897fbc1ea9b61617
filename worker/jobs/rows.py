"""Rows of the job store in our words, and our values as its columns hold them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Row

from worker.jobs.model import Job, JobState, Lane, Plain, Shard, ShardState

# Rows of one INSERT: SQLite takes 32 766 values a statement, a shard has 14.
_ROWS = 1_000


def to_job(row: Row[Any]) -> Job:
    """A row of `jobs`."""
    return Job(
        id=row.id,
        tenant=row.tenant,
        kind=row.kind,
        lane=Lane(row.lane),
        state=JobState(row.state),
        request=json.loads(row.request),
        client_ref=row.client_ref,
        batch=row.batch,
        total=row.total,
        remaining=row.remaining,
        dead=row.dead,
        created=row.created,
        finished=row.finished,
    )


def to_shard(row: Row[Any]) -> Shard:
    """A row of `shards`."""
    return Shard(
        job=row.job,
        position=row.position,
        state=ShardState(row.state),
        payload=json.loads(row.payload),
        attempts=row.attempts,
        result=json.loads(row.result) if row.result and row.state == ShardState.DONE.value else None,
        cause=None if row.cause is None else json.loads(row.cause),
    )


def text_of(value: Plain) -> str:
    """JSON, the same for equal values."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def in_parts(values: Iterable[Any]) -> Iterator[list[Any]]:
    """The values in order, as many at once as one INSERT takes."""
    left = iter(values)
    while part := list(islice(left, _ROWS)):
        yield part
