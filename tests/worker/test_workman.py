"""A worker's way through an archive: one stream of media through claim after claim."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from evidence.errors import StoreFull, StoreUnavailable
from tests.worker_service import Shop
from worker.jobs.leases import Leases
from worker.jobs.model import JobState, Lease
from worker.perform import perform_all
from worker.requests import SHARD_ITEMS, BatchItem, BatchRequest, ScanOptions, open_batch
from worker.scanner import Scanner
from worker.workman import Workman


@pytest.fixture
def worker(shop: Shop) -> Iterator[Workman]:
    with Workman(shop.store, shop.media, shop.settings, owner="test") as workman:
        yield workman


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One for each time that media were put through a scanner without a break."""
    begun: list[object] = []
    scan_or_cut = Scanner.scan_or_cut

    def counted(self: Scanner, paths: Iterator[str]) -> object:
        begun.append(paths)
        return scan_or_cut(self, paths)

    monkeypatch.setattr(Scanner, "scan_or_cut", counted)
    return begun


def batch(shop: Shop, count: int, **how: Any) -> str:
    """A batch of one picture, many times; the job."""
    path = str(shop.picture())
    items = [BatchItem(f"{number}", path=path) for number in range(count)]
    return open_batch(shop.store, BatchRequest(items, **how))[0].id


def names(shop: Shop, job: str) -> list[str]:
    """The media that have a verdict, in the order of the batch."""
    results = [shard.result or {"rows": []} for shard in shop.store.shards(job)]
    return [row["media"]["path"] for result in results for row in result["rows"] if row["verdict"]]


def test_all_shards_of_an_archive_go_through_the_scanner_as_one_stream(
    shop: Shop, worker: Workman, streams: list[object]
) -> None:
    count = 3 * SHARD_ITEMS + 1
    job = batch(shop, count)

    assert worker.work() == 4

    assert len(streams) == 1
    assert names(shop, job) == [str(number) for number in range(count)]
    assert shop.store.get(job).state is JobState.DONE
    assert {shard.attempts for shard in shop.store.shards(job)} == {1}


def test_what_is_looked_at_otherwise_follows_as_a_stream_of_its_own(
    shop: Shop, worker: Workman, streams: list[object]
) -> None:
    first = batch(shop, SHARD_ITEMS)
    second = batch(shop, 2, options=ScanOptions(max_frames=3))

    assert worker.work() == 2

    assert len(streams) == 2
    assert (len(names(shop, first)), len(names(shop, second))) == (SHARD_ITEMS, 2)


def test_an_upload_waits_for_what_is_under_way_and_for_no_more(
    shop: Shop, worker: Workman, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = batch(shop, 3 * SHARD_ITEMS)
    claim, uploads = Leases.claim, list[str]()

    def uploaded_first(self: Leases, *given: Any, **how: Any) -> list[Lease]:
        if how["beside"]:
            uploads.append(shop.scan(shop.picture(name="b.png")))
        return claim(self, *given, **how)

    monkeypatch.setattr(Leases, "claim", uploaded_first)

    assert worker.work() == 1
    assert len(names(shop, job)) == SHARD_ITEMS
    worker.work()
    assert shop.store.get(uploads[0]).state is JobState.DONE


def test_nobody_joins_a_shard_that_was_tried_before(shop: Shop, worker: Workman) -> None:
    batch(shop, SHARD_ITEMS)
    lease = Lease(**{**vars(Leases(shop.store).claim("other", ["batch"])[0]), "attempt": 2})
    asked: list[str] = []

    def more(kind: str) -> list[Lease]:
        asked.append(kind)
        return []

    assert len(list(perform_all([lease], worker._tools, more))) == 1
    assert asked == []


def test_a_store_that_is_away_at_the_next_claim_costs_nothing_of_what_is_under_way(
    shop: Shop, worker: Workman, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = batch(shop, SHARD_ITEMS + 1)
    claim = Leases.claim

    def away(self: Leases, *given: Any, **how: Any) -> list[Lease]:
        if how["beside"]:
            raise StoreUnavailable("It is away.", "Wait.")
        return claim(self, *given, **how)

    monkeypatch.setattr(Leases, "claim", away)

    assert worker.work() == 1
    assert len(names(shop, job)) == SHARD_ITEMS


def test_a_shard_is_handed_in_while_the_next_is_scanned_and_renewed_until_then(
    shop: Shop, worker: Workman, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = batch(shop, 2 * SHARD_ITEMS)
    complete, scanned = Leases.complete, Scanner._scanned
    media, kept = list[object](), list[bool]()
    following = threading.Event()

    def counted(self: Scanner, *given: Any) -> Any:
        media.append(given)
        if len(media) > SHARD_ITEMS:
            following.set()
        return scanned(self, *given)

    def slow(self: Leases, lease: Lease, result: Any) -> bool:
        if lease.position == 0:
            assert following.wait(60)
        kept.append(lease.token in worker._keeper._held)
        return complete(self, lease, result)

    monkeypatch.setattr(Scanner, "_scanned", counted)
    monkeypatch.setattr(Leases, "complete", slow)

    assert worker.work() == 2

    assert kept == [True, True]
    assert worker._keeper._held == {}
    assert len(names(shop, job)) == 2 * SHARD_ITEMS


def test_what_the_store_does_not_take_is_given_back_with_all_that_was_to_follow_and_costs_no_attempt(
    shop: Shop, worker: Workman, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = batch(shop, 3 * SHARD_ITEMS)
    complete = Leases.complete

    def full(self: Leases, lease: Lease, result: Any) -> bool:
        if lease.position == 1:
            raise StoreFull("The job store's disk is full.")
        return complete(self, lease, result)

    monkeypatch.setattr(worker, "_seconds", 0)  # nothing is tried again
    monkeypatch.setattr("worker.workman.STORE_SECONDS", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(Leases, "complete", full)
        with pytest.raises(StoreFull):
            worker.work()

    states = [(shard.state.value, shard.attempts) for shard in shop.store.shards(job)]
    assert states[1] == ("ready", 0)
    assert set(states) <= {("done", 1), ("ready", 0)}
    assert worker._keeper._held == {}
    while worker.work():
        pass
    assert len(names(shop, job)) == 3 * SHARD_ITEMS


def test_a_worker_that_stops_gives_back_all_it_claimed(
    shop: Shop, worker: Workman, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = batch(shop, 3 * SHARD_ITEMS)
    complete = Leases.complete

    def last(self: Leases, *given: Any) -> bool:
        worker.stop()
        return complete(self, *given)

    monkeypatch.setattr(Leases, "complete", last)

    worker.work()

    # The second may have been scanned meanwhile.
    first, second, third = ((shard.state.value, shard.attempts) for shard in shop.store.shards(job))
    assert (first, third) == (("done", 1), ("ready", 0))
    assert second in (first, third)
