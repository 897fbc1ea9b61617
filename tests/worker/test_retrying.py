"""Media that failed in passing are tried again when asked, and what is known of the others stays."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.command_line import write_picture
from tests.worker_service import Shop
from touchstone.api.tally import PASSING, Tally
from worker.jobs.leases import Leases
from worker.jobs.model import Job, JobState
from worker.jobs.store import JobStore
from worker.requests import SHARD_ITEMS, BatchItem, BatchRequest, open_batch
from worker.retrying import may_pass, retry_failed
from worker.workman import Workman


@pytest.fixture(params=["sqlite", "postgres"])
def shop(shop: Shop, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """The same on either database."""
    if request.param == "sqlite":
        yield shop
        return
    settings = shop.settings.model_copy(update={"database_url": request.getfixturevalue("postgres_database")})
    with closing(JobStore(settings.store_url)) as store:
        yield replace(shop, settings=settings, store=store)


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """A picture that is not there yet."""
    return tmp_path / "late.png"


@pytest.fixture
def batch(shop: Shop, late: Path, tmp_path: Path) -> Job:
    """A fake, one that is missing, one that is broken, and a bad row."""
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    items = [
        BatchItem("red", path=str(shop.picture(6))),
        BatchItem("late", path=str(late), client_ref="second"),
        BatchItem("broken", path=str(tmp_path / "broken.jpg")),
        BatchItem("bad", problem="It makes no sense."),
    ]
    return open_batch(shop.store, BatchRequest(items))[0]


def work(shop: Shop) -> None:
    with Workman(shop.store, shop.media, shop.settings) as workman:
        while workman.work():
            pass


def test_only_what_failed_in_passing_is_scanned_again(shop: Shop, batch: Job, late: Path) -> None:
    tally = Tally(shop.store)
    work(shop)
    first = shop.result(batch.id)["rows"]
    assert [row["status"] for row in first] == ["ok", "unable", "unable", "unable"]
    assert tally.counts(batch)[PASSING] == 1
    write_picture(late, -6, side=64)

    assert retry_failed(shop.store, shop.store.get(batch.id)) == 1
    assert shop.store.get(batch.id).state is JobState.RUNNING
    assert tally.counts(batch).total() == 0
    work(shop)

    again = shop.result(batch.id)["rows"]
    assert (again[1]["verdict"], again[1]["media"]["path"]) == ("real", "late")
    assert [again[n] for n in (0, 2, 3)] == [first[n] for n in (0, 2, 3)]
    job = shop.store.get(batch.id)
    assert (job.state, job.total, job.remaining, job.dead) == (JobState.DONE, 1, 0, 0)
    assert tally.counts(batch) == {"fake": 1, "real": 1, "none": 2}
    assert retry_failed(shop.store, job) == 0


def test_what_fails_again_can_be_tried_again(shop: Shop, batch: Job, late: Path) -> None:
    work(shop)
    first = shop.result(batch.id)["rows"][1]
    for _ in range(2):
        assert retry_failed(shop.store, shop.store.get(batch.id)) == 1
        work(shop)
    assert shop.result(batch.id)["rows"][1]["reason"] == first["reason"]


def test_of_many_who_ask_at_the_same_time_one_has_each_medium_tried_again(
    shop: Shop, late: Path, tmp_path: Path
) -> None:
    items = [BatchItem(f"{number}", path=str(late)) for number in range(3 * SHARD_ITEMS)]
    batch = open_batch(shop.store, BatchRequest(items))[0]
    work(shop)
    job = shop.store.get(batch.id)

    def asked(_: int) -> int:
        with closing(JobStore(shop.settings.store_url)) as store:
            return retry_failed(store, job)

    with ThreadPoolExecutor(4) as sides:
        assert sum(sides.map(asked, range(4))) == len(items)

    assert shop.store.get(batch.id).remaining == 3
    write_picture(late, -6, side=64)
    work(shop)
    job = shop.store.get(batch.id)
    assert (job.state, job.remaining) == (JobState.DONE, 0)
    assert Tally(shop.store).counts(job) == {"real": len(items)}


def test_media_of_dead_shards_are_counted_with_them(shop: Shop, batch: Job) -> None:
    (lease,) = Leases(shop.store).claim("test", ["batch"])
    Leases(shop.store).fail(lease, {"code": "worker_died", "message": "It ended."}, final=True)

    assert retry_failed(shop.store, shop.store.get(batch.id)) == 4
    work(shop)

    assert shop.result(batch.id)["rows"][0]["verdict"] == "fake"


def test_a_cancelled_batch_stays_cancelled(shop: Shop, batch: Job) -> None:
    work(shop)
    assert retry_failed(shop.store, shop.store.cancel(batch.id)) == 1  # it had ended before
    assert retry_failed(shop.store, shop.store.cancel(batch.id)) == 0


@pytest.mark.parametrize(
    ("code", "passes"),
    [("fetch_failed", True), ("timeout", True), ("part_lost", True), ("damaged", False), ("bad_row", False)],
)
def test_which_causes_may_pass(code: str, passes: bool) -> None:
    assert may_pass({"status": "unable", "reason": {"code": code}}) is passes
    assert not may_pass({"status": "ok", "reason": {"code": code}})
