"""The embedded runner with real processes: killed, stopped, cancelled, and what is left when it is over."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evidence.video import write_video
from tests.tiny_detector import picture
from tests.worker_service import Shop, wait_for
from worker.embedded import EmbeddedRunner
from worker.jobs.model import JobState, ShardState
from worker.requests import BatchItem, BatchRequest, open_batch
from worker.sweeping import sweep


@pytest.fixture
def runner(shop: Shop) -> Iterator[EmbeddedRunner]:
    made = EmbeddedRunner(shop.settings, workers=1)
    made.start()
    wait_for(lambda: made.running)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two thousand frames, each of them to be looked at."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    few = [picture(64, 64, lean=-6.0, seed=seed) for seed in range(8)]
    write_video(path, (few[number % 8] for number in range(2_000)), 25.0)
    return path


def kill(processes: list[int]) -> None:
    """SIGKILL, but for those that are dead already."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


EVERY_FRAME = {"every_seconds": 0.001, "max_frames": 2_000}


def test_a_scan_is_done_and_its_job_says_so(shop: Shop, runner: EmbeddedRunner) -> None:
    job = shop.scan(shop.picture(6))

    assert shop.ended(job).state is JobState.DONE
    assert shop.result(job)["report"]["verdict"] == "fake"
    assert [event.kind for event in shop.store.events(job)] == ["queued", "running", "done"]


def test_a_cancelled_video_lets_its_worker_go_within_two_seconds(
    shop: Shop, runner: EmbeddedRunner, long_clip: Path
) -> None:
    job = shop.scan(long_clip, options=EVERY_FRAME)
    wait_for(lambda: any(event.kind == "frame" for event in shop.store.events(job)))

    shop.store.cancel(job)
    last = len(shop.store.events(job))
    time.sleep(2.0)
    next_job = shop.scan(shop.picture(6))

    assert shop.ended(next_job).state is JobState.DONE
    assert shop.store.get(job).state is JobState.CANCELLED
    told = [event for event in shop.store.events(job)[last:] if event.kind == "frame"]
    assert len(told) <= 4, "the worker went on"


def test_stopping_gives_back_what_is_under_way_without_an_attempt_counted(
    shop: Shop, runner: EmbeddedRunner, long_clip: Path
) -> None:
    job = shop.scan(long_clip, options=EVERY_FRAME)
    wait_for(lambda: any(event.kind == "frame" for event in shop.store.events(job)))

    runner.stop()

    (shard,) = shop.store.shards(job)
    assert (shard.state, shard.attempts) == (ShardState.READY, 0)
    assert not runner.running
    assert runner.processes == []


def test_a_killed_worker_is_replaced_and_its_shard_done_by_the_next(
    shop: Shop, runner: EmbeddedRunner, long_clip: Path
) -> None:
    job = shop.scan(long_clip, options={"every_seconds": 1.0})
    wait_for(lambda: shop.store.get(job).state is not JobState.QUEUED)

    kill(runner.processes)

    assert shop.ended(job).state is JobState.DONE


def test_a_shard_that_kills_its_workers_is_dead_after_three_with_its_cause(
    shop: Shop, runner: EmbeddedRunner, long_clip: Path
) -> None:
    job = shop.scan(long_clip, options=EVERY_FRAME)

    def kill_at_work() -> bool:
        (shard,) = shop.store.shards(job)
        if shard.state is ShardState.LEASED:
            kill(runner.processes)
        return shop.store.get(job).state.ended

    wait_for(kill_at_work)

    (shard,) = shop.store.shards(job)
    assert shop.store.get(job).state is JobState.FAILED
    assert (shard.state, shard.attempts) == (ShardState.DEAD, 3)
    assert shard.cause == {
        "code": "worker_died",
        "message": "The worker that had this shard ended by signal SIGKILL.",
    }


def test_workers_end_when_their_supervisor_is_gone(shop: Shop, runner: EmbeddedRunner) -> None:
    (post,) = runner._posts
    assert post.process is not None
    assert post.process.stdin is not None

    post.process.stdin.close()  # what the kernel does when the parent is killed

    assert post.process.wait(20) == 0


def test_a_kill_storm_loses_nothing_and_counts_nothing_twice(shop: Shop) -> None:
    reds, blues = shop.picture(6, name="red.png"), shop.picture(-6, name="blue.png")
    jobs = [shop.scan(path) for _ in range(100) for path in (reds, blues)]
    runner, rng = EmbeddedRunner(shop.settings, workers=2), random.Random(4)
    runner.start()
    kills = 0
    try:
        while shop.waiting():
            time.sleep(rng.uniform(0.3, 1.5))
            if kills < 5 and runner.running:
                kill([rng.choice(runner.processes)])
                kills += 1
    finally:
        runner.stop()

    found = [(shop.store.get(job).state, shop.result(job)["report"]["verdict"]) for job in jobs]
    assert found == [(JobState.DONE, "fake"), (JobState.DONE, "real")] * 100
    ends = [event for job in jobs for event in shop.store.events(job) if event.kind == "done"]
    assert len(ends) == len(jobs)
    assert kills > 0


def test_a_chore_that_fails_and_a_worker_that_cannot_start_do_not_end_the_service(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = subprocess.Popen
    refusals = [OSError("no memory for another process")]

    def start(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        if refusals:
            raise refusals.pop()
        return real(*args, **options)

    def fails(*_: object) -> None:
        raise PermissionError("somebody else's folder")

    monkeypatch.setattr("worker.embedded.sweep", fails)
    monkeypatch.setattr("worker.embedded.SWEEP_SECONDS", 0.1)
    monkeypatch.setattr("worker.embedded.subprocess.Popen", start)
    job = shop.scan(shop.picture(6))
    runner = EmbeddedRunner(shop.settings, workers=1)
    runner.start()
    try:
        assert shop.ended(job).state is JobState.DONE
        wait_for(lambda: "somebody else's folder" in caplog.text)
        assert "no memory for another process" in caplog.text
        assert runner.running
    finally:
        runner.stop()


def test_what_nobody_needs_is_swept_away_and_what_is_young_is_not(shop: Shop) -> None:
    job = shop.scan(shop.picture(6), retention_seconds=0.0)
    kept = shop.scan(shop.picture(-6, name="blue.png"))
    for outcome in shop.perform():
        assert outcome.result is not None
    shop.store.cancel(job)
    sha256 = shop.put(shop.picture(6))

    young = sweep(shop.store, shop.media)
    old = sweep(shop.store, shop.media, young_seconds=-1.0)

    assert (young.jobs, young.folders, young.media) == (1, 0, 0)
    assert (old.jobs, old.folders, old.media) == (0, 1, 1)
    assert not shop.media.has(sha256)
    assert shop.media.has(str(shop.store.get(kept).request["sha256"]))
    assert shop.media.artefact(kept, "preview.jpg").is_file()


def test_of_two_workers_one_is_for_people_who_wait_and_the_other_does_batches_and_gives_way(
    shop: Shop,
) -> None:
    photos = [shop.scan(shop.picture(name=f"{number}.png")) for number in range(2)]
    batch, _ = open_batch(shop.store, BatchRequest([BatchItem("a", path=str(shop.picture()))]))
    runner = EmbeddedRunner(shop.settings, workers=2)
    runner.start()
    try:
        for job in (*photos, batch.id):
            assert shop.ended(job).state is JobState.DONE
        niceness = [os.getpriority(os.PRIO_PROCESS, process) for process in runner.processes]
    finally:
        runner.stop()

    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert niceness == [own, min(19, own + 10)]
