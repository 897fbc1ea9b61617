"""Uploads that come at the same time go to disk together, and each is answered for itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from evidence.errors import StoreFull
from touchstone.api.intake import GROUPS, Intake
from worker.jobs.accepting import Outcome
from worker.jobs.model import Job, NewJob
from worker.jobs.store import JobStore
from worker.media import MediaStore
from worker.requests import ScanRequest, scan_job


class SlowStore(JobStore):
    """A job store whose disk is busy until it is told, and which knows how many came at once."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.groups: list[int] = []
        self.free = threading.Event()
        self.full = False

    def submit_all(self, wanted: Sequence[NewJob], *, more: bool = False) -> list[Outcome]:
        self.groups.append(len(wanted))
        assert self.free.wait(20)
        if self.full:
            raise StoreFull("The job store's disk is full.")
        return super().submit_all(wanted, more=more)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SlowStore]:
    made = SlowStore(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield made
    made.close()


@pytest.fixture
def media(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path / "media", max_bytes=1_000)


async def take(intake: Intake, media: MediaStore, data: bytes) -> tuple[Job, bool]:
    with media.receive() as receiving:
        receiving.write(data)
        return await intake.take(scan_job(ScanRequest(receiving.sha256, "a.png", len(data))), receiving)


def files(media: MediaStore) -> list[Path]:
    return [path for path in media.folder.rglob("*") if path.is_file()]


async def take_while_busy(
    store: SlowStore, media: MediaStore, count: int
) -> list[tuple[Job, bool] | BaseException]:
    """What becomes of uploads that come one after another while the disk is busy with the first ones."""
    intake = Intake(store, media)
    tasks = []
    for number in range(count):
        tasks.append(asyncio.create_task(take(intake, media, b"%d" % number)))
        while len(store.groups) < min(number + 1, GROUPS):  # each of the first takes a way for itself
            await asyncio.sleep(0.01)
    while len(intake._waiting) < count - GROUPS:
        await asyncio.sleep(0.01)
    assert not any(task.done() for task in tasks)  # nothing is answered before it is on disk
    store.free.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.to_thread(intake.close)
    return found


def test_what_comes_while_the_disk_is_busy_shares_the_next_commit(
    store: SlowStore, media: MediaStore
) -> None:
    found = asyncio.run(take_while_busy(store, media, 20))
    assert store.groups == [1] * GROUPS + [20 - GROUPS]
    jobs = [one[0] for one in found if not isinstance(one, BaseException)]
    assert len({job.id for job in jobs}) == len(store.find()) == 20
    assert all(media.has(job.request["sha256"]) for job in jobs)


def test_of_what_the_job_store_refuses_no_medium_is_kept(store: SlowStore, media: MediaStore) -> None:
    store.full = True
    found = asyncio.run(take_while_busy(store, media, 5))
    assert [type(one) for one in found] == [StoreFull] * 5
    assert files(media) == []
