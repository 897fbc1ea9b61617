"""Batches in the words of the API: how far they are, and their media one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from touchstone.api.pages import number_cursor
from touchstone.api.schemas import Batch, BatchMedia, BatchMedium, Counts, Said, moment
from touchstone.api.service import Desk
from touchstone.api.tally import PASSING
from touchstone.api.views import PRIORITIES, failure
from touchstone.report.batch import shards_of
from worker.jobs.model import Job, Shard, ShardState
from worker.requests import SHARD_ITEMS, BatchItem

# A page that filters looks at no more shards than this; its `next` goes on behind them.
_MOST_SHARDS = 64


@dataclass(frozen=True)
class Wanted:
    """Which media of a batch: None is any."""

    verdict: Literal["fake", "real", "uncertain", "none"] | None = None
    status: Literal["ok", "not_applicable", "unable"] | None = None

    def takes(self, medium: BatchMedium) -> bool:
        """Whether a medium is one of them; of one without a report only the verdict "none" is true."""
        report = medium.report or {}
        if self.verdict is not None and (report.get("verdict") or "none") != self.verdict:
            return False
        status = "unable" if medium.state == "failed" else report.get("status")
        return self.status is None or status == self.status


def batch(desk: Desk, job: Job) -> Batch:
    """A batch as it stands."""
    found = desk.service.tally.counts(job)
    dead, passing = found.pop("dead", 0), found.pop(PASSING, 0)
    own = f"/v1/batches/{job.id}"
    pieces = ("items", "events", "results.csv", "results.jsonl", "results.parquet")
    return Batch(
        id=job.id,
        state=job.state.value,
        created=moment(job.created),
        finished=None if job.finished is None else moment(job.finished),
        name=str(job.request.get("name", "")),
        client_ref=job.client_ref,
        priority=PRIORITIES[job.lane],
        total=desk.service.tally.total(job),
        done=found.total(),
        failed=found["none"] + dead,
        retriable=dead + passing,
        counts=Counts(**found),
        links={
            "self": own,
            **{piece.replace(".", "_"): f"{own}/{piece}" for piece in pieces},
            "cancel": None if job.state.ended else f"{own}/cancel",
            "retry": f"{own}/retry" if dead or passing else None,
        },
    )


def page(desk: Desk, job: Job, wanted: Wanted, *, after: int, limit: int) -> BatchMedia:
    """Up to `limit` of the media behind position `after`."""
    found: list[BatchMedium] = []
    position = after
    last_shard = max(0, (after + 1) // SHARD_ITEMS) + _MOST_SHARDS
    for shard in shards_of(desk.store, job, from_shard=(after + 1) // SHARD_ITEMS):
        if shard.position >= last_shard:
            return BatchMedia(items=found, next=number_cursor(position))
        for medium in _media(shard):
            if medium.position <= after:
                continue
            position = medium.position
            if wanted.takes(medium):
                found.append(medium)
                if len(found) == limit:
                    return BatchMedia(items=found, next=number_cursor(position))
    return BatchMedia(items=found, next=None)


_STATES: dict[ShardState, Literal["queued", "done", "failed", "cancelled"]] = {
    ShardState.READY: "queued",
    ShardState.LEASED: "queued",
    ShardState.WAITING: "queued",
    ShardState.DONE: "done",
    ShardState.DEAD: "failed",
    ShardState.CANCELLED: "cancelled",
}


def _media(shard: Shard) -> Iterator[BatchMedium]:
    rows: list[dict[str, Any] | None] = list((shard.result or {}).get("rows", ()))
    error: Said | None = failure(shard)
    for index, plain in enumerate(shard.payload["items"]):
        item = BatchItem.from_plain(plain)
        yield BatchMedium(
            position=shard.position * SHARD_ITEMS + index,
            name=item.name,
            client_ref=item.client_ref,
            state=_STATES[shard.state],
            report=rows[index] if index < len(rows) else None,
            error=error,
        )
