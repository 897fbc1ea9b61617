"""The reports of a batch in the order of its items, read from the job store part by part."""

from __future__ import annotations

from collections.abc import Iterator

from evidence.verdict import Reason, Report
from worker.decide import MEDIA_KEYS
from worker.jobs.model import Job, Plain, Shard, ShardState
from worker.jobs.store import JobStore
from worker.requests import BatchItem

_SHARDS_AT_ONCE = 8


def reports(store: JobStore, job: Job) -> Iterator[tuple[BatchItem, Report]]:
    """Every medium that has ended, with its report; of a shard that died, one that says so."""
    for shard in shards_of(store, job):
        items = [BatchItem.from_plain(item) for item in shard.payload["items"]]
        if shard.state is ShardState.DONE:
            for item, row in zip(items, (shard.result or {})["rows"], strict=True):
                yield item, Report.from_dict(row)
        elif shard.state is ShardState.DEAD:
            for item in items:
                media = {**dict.fromkeys(MEDIA_KEYS), "path": item.name}
                yield item, Report(job.id, media, "unable", reason_of(shard.cause))


def shards_of(store: JobStore, job: Job, *, from_shard: int = 0) -> Iterator[Shard]:
    """The shards of a job in their order, few in memory at the same time."""
    after = from_shard - 1
    while part := store.shards(job.id, after=after, limit=_SHARDS_AT_ONCE):
        yield from part
        after = part[-1].position


def reason_of(cause: Plain | None) -> Reason:
    """Why a shard is dead."""
    known = cause or {}
    return Reason(str(known.get("code", "failed")), str(known.get("message", "It failed.")))
