"""What may be asked of the queue, and how it is cut into shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.errors import KeyConflict, UsageError
from worker import requests
from worker.jobs.model import JobState, Lane
from worker.jobs.store import JobStore
from worker.requests import (
    SHARD_ITEMS,
    BatchItem,
    BatchRequest,
    GenerateRequest,
    ScanOptions,
    ScanRequest,
    generate_job,
    open_batch,
    scan_job,
)

SCAN = ScanRequest("a" * 64, "cat.jpg", 9, every_seconds=0.2, model="small")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    made = JobStore(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield made
    made.close()


def test_a_scan_is_one_shard_that_says_everything(store: JobStore) -> None:
    job, _ = store.submit(scan_job(SCAN, lane=Lane.LOW, webhook="w1"))
    (shard,) = store.shards(job.id)
    assert ScanRequest.from_plain(shard.payload) == ScanRequest.from_plain(job.request) == SCAN
    assert (job.kind, job.lane, job.request["webhook"]) == ("scan", Lane.LOW, "w1")
    assert SCAN.options == ScanOptions(every_seconds=0.2, model="small")


def rows(count: int) -> Iterator[BatchItem]:
    return (BatchItem(f"{n}.jpg", path=f"/in/{n}.jpg", client_ref=str(n)) for n in range(count))


def test_a_batch_is_cut_into_shards_and_keeps_its_order(store: JobStore) -> None:
    job, fresh = open_batch(store, BatchRequest(rows(70), name="night", options=ScanOptions(keyframes=True)))
    shards = store.shards(job.id)
    found = [BatchItem.from_plain(item) for shard in shards for item in shard.payload["items"]]
    assert fresh
    assert found == list(rows(70))
    assert [len(shard.payload["items"]) for shard in shards] == [SHARD_ITEMS, SHARD_ITEMS, 6]
    assert {shard.payload["options"]["keyframes"] for shard in shards} == {True}
    assert (job.total, job.remaining, job.state) == (3, 3, JobState.QUEUED)


def test_a_batch_too_large_for_one_transaction_is_whole_all_the_same(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "_ADDED_AT_ONCE", 2)
    job, _ = open_batch(store, BatchRequest(rows(5 * SHARD_ITEMS + 1)))
    assert (job.total, job.remaining) == (6, 6)


def test_a_batch_of_nothing_is_refused_and_not_kept(store: JobStore) -> None:
    with pytest.raises(UsageError, match="no items"):
        open_batch(store, BatchRequest(rows(0)))
    assert store.find() == []


def test_a_key_with_another_manifest_is_refused(store: JobStore) -> None:
    first, _ = open_batch(store, BatchRequest(rows(40), digest="one"), key="k")
    again, fresh = open_batch(store, BatchRequest(rows(40), digest="one"), key="k")
    assert (first.id, fresh) == (again.id, False)
    with pytest.raises(KeyConflict):
        open_batch(store, BatchRequest(rows(41), digest="two"), key="k")


def test_a_generation_keeps_its_conditions_and_its_bounds(store: JobStore) -> None:
    asked = GenerateRequest("cgan", 4, seed=7, conditions={"classes": "3"})
    job, _ = store.submit(generate_job(asked))
    assert GenerateRequest.from_plain(store.shards(job.id)[0].payload) == asked
    for count in (0, requests.MOST_GENERATED + 1):
        with pytest.raises(UsageError, match="made at once"):
            generate_job(GenerateRequest("cgan", count))
