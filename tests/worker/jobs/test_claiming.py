"""What a worker claims of a batch, at once and beside what it holds."""

from __future__ import annotations

from jobs_clock import FakeClock

from worker.jobs.leases import LONGEST_BACKOFF_SECONDS, MEDIA_AT_ONCE, Leases
from worker.jobs.model import Lane, NewJob
from worker.jobs.store import JobStore

HALF = {"items": [{"path": "x"}] * (MEDIA_AT_ONCE // 2)}  # a shard: half of what is claimed at once


def batch(count: int) -> NewJob:
    """A batch of so many shards."""
    return NewJob("batch", {}, (HALF,) * count, lane=Lane.BATCH)


def test_a_claim_takes_as_many_media_as_fill_batches_and_leaves_the_rest_to_others(
    store: JobStore, leases: Leases
) -> None:
    store.submit(batch(3))

    mine = leases.claim("worker-1", ["batch"], count=16)
    theirs = leases.claim("worker-2", ["batch"], count=16)

    assert (len(mine), len(theirs)) == (2, 1)


def test_further_shards_of_a_batch_are_claimed_beside_others_until_something_else_goes_first(
    store: JobStore, leases: Leases
) -> None:
    kinds = ["scan", "batch", "part"]
    store.submit(batch(6))
    first = leases.claim("worker-1", kinds, count=16)

    beside = leases.claim("worker-1", kinds, count=16, beside="batch")
    store.submit(NewJob("scan", {}, ({"path": "a.jpg"},)))

    assert [lease.position for lease in first + beside] == [0, 1, 2, 3]
    assert leases.claim("worker-1", kinds, count=16, beside="batch") == []
    assert [lease.kind for lease in leases.claim("worker-1", kinds)] == ["scan"]
    assert [lease.position for lease in leases.claim("w", kinds, count=16, beside="batch")] == [4, 5]


def test_a_shard_that_was_tried_before_is_never_claimed_beside_others(
    store: JobStore, leases: Leases, clock: FakeClock
) -> None:
    store.submit(batch(2))
    (tried, _) = leases.claim("worker-1", ["batch"], count=16)
    leases.lost("worker-1", {"code": "worker_died", "message": "It is gone."})
    clock.now += LONGEST_BACKOFF_SECONDS

    assert leases.claim("worker-2", ["batch"], count=16, beside="batch") == []
    assert [lease.shard for lease in leases.claim("worker-2", ["batch"], count=16)] == [tried.shard]
