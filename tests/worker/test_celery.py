"""Celery's workers on a real Redis: told of shards, flushed in the middle, killed, started both ways."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
import redis
from sqlalchemy import select

from evidence.video import write_video
from tests.tiny_detector import picture
from tests.worker_service import Shop, StartWorker, wait_for
from worker.jobs.cutting import PART
from worker.jobs.leases import Leases
from worker.jobs.model import JobState, Lane, ShardState
from worker.jobs.schema import shards
from worker.jobs.telling import untold
from worker.requests import SHARD_ITEMS, BatchItem, BatchRequest, open_batch


def flush(broker: str) -> None:
    """Forget everything that Redis holds."""
    with redis.Redis(unix_socket_path=broker.removeprefix("redis+socket://")) as client:
        client.flushall()


def test_a_worker_that_is_asked_to_end_gives_back_what_it_works_on_without_an_attempt_counted(
    shop: Shop, start_worker: StartWorker
) -> None:
    large = str(shop.picture(6, side=2048))
    job, _ = open_batch(shop.store, BatchRequest([BatchItem(name="a.png", path=large)] * SHARD_ITEMS))
    worker = start_worker()
    wait_for(lambda: shop.store.get(job.id).state is JobState.RUNNING)

    worker.terminate()

    assert worker.wait(30) == 0
    (shard,) = shop.store.shards(job.id)
    assert (shard.state, shard.attempts) == (ShardState.READY, 0)


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.mark.parametrize("way", ["touchstone", "celery"])
def test_a_worker_does_what_was_accepted_and_ends_well_when_asked(
    shop: Shop, start_worker: StartWorker, way: str
) -> None:
    job = shop.scan(shop.picture(6))

    worker = start_worker(way)

    assert shop.ended(job).state is JobState.DONE
    assert shop.result(job)["report"]["verdict"] == "fake"
    worker.terminate()
    assert worker.wait(30) == 0


def test_a_long_video_is_cut_and_its_parts_reach_the_workers_through_the_broker(
    shop: Shop, start_worker: StartWorker, tmp_path: Path
) -> None:
    leans = [-6.0] * 20 + [6.0] * 40 + [-6.0] * 20
    pictures = [picture(64, 96, lean=lean, seed=seed) for seed, lean in enumerate(leans)]
    write_video(tmp_path / "film.mp4", pictures, 10.0, "mpeg4")
    job = shop.scan(tmp_path / "film.mp4", options={"every_seconds": 0.1})

    start_worker("celery", TOUCHSTONE_PART_TILES="15")

    assert shop.ended(job).state is JobState.DONE
    with shop.store.engine.connect() as connection:
        parts = connection.execute(select(shards).where(shards.c.kind == PART)).all()
    assert len(parts) >= 3
    assert {part.state for part in parts} == {ShardState.DONE}
    report = shop.result(job)["report"]
    assert (report["coverage"]["decoded"], len(report["timeline"])) == (80, 80)
    assert [(part["start"], part["end"]) for part in report["segments"]] == [(2.0, 6.0)]


def test_flower_shows_the_workers(start_worker: StartWorker, free_port: int) -> None:
    start_worker("celery")
    flower = start_worker("flower", FLOWER_PORT=str(free_port))

    def seen() -> bool:
        assert flower.poll() is None, "Flower ended"
        address = f"http://127.0.0.1:{free_port}/workers?json=1"
        with contextlib.suppress(OSError), urlopen(address, timeout=20) as answer:
            return any(row["status"] for row in json.load(answer)["data"])
        return False

    wait_for(seen)


def test_a_worker_of_one_lane_leaves_the_others_alone(shop: Shop, start_worker: StartWorker) -> None:
    low = shop.scan(shop.picture(), lane=Lane.LOW)
    live = shop.scan(shop.picture())

    start_worker("live")

    assert shop.ended(live).state is JobState.DONE
    assert shop.store.get(low).state is JobState.QUEUED


def test_kills_and_a_redis_that_forgets_everything_lose_nothing(
    shop: Shop, start_worker: StartWorker, broker: str
) -> None:
    red, blue = shop.picture(6, name="red.png"), shop.picture(-6, name="blue.png")
    jobs = [shop.scan(path) for _ in range(100) for path in (red, blue)]
    rng, workers = random.Random(7), [start_worker(), start_worker()]
    kills = 0
    wait_for(lambda: shop.waiting() < 200)

    def storm() -> bool:
        nonlocal kills
        flush(broker)
        if kills < 3:
            victim = rng.randrange(2)
            workers[victim].kill()
            workers[victim] = start_worker()
            kills += 1
        time.sleep(rng.uniform(1.0, 3.0))
        return shop.waiting() == 0

    wait_for(storm, 240.0)

    found = [(shop.store.get(job).state, shop.result(job)["report"]["verdict"]) for job in jobs]
    assert found == [(JobState.DONE, "fake"), (JobState.DONE, "real")] * 100
    ends = [event for job in jobs for event in shop.store.events(job) if event.kind == "done"]
    assert len(ends) == len(jobs)


def test_a_broker_is_told_once_and_again_only_when_nothing_came_of_it(shop: Shop) -> None:
    live = [shop.scan(shop.picture()) for _ in range(3)]
    shop.scan(shop.picture(), lane=Lane.LOW)
    now = time.time()
    shop.store.clock = lambda: now
    room = {Lane.LIVE: 2, Lane.LOW: 0}

    first, second, third = (untold(shop.store, room) for _ in range(3))
    now += 20.0
    Leases(shop.store).claim("somebody", ["scan"], count=2, lanes=[Lane.LIVE])
    again = untold(shop.store, {Lane.LIVE: 9, Lane.LOW: 9})

    assert [len(told[Lane.LIVE]) for told in (first, second, third)] == [2, 1, 0]
    assert Lane.LOW not in first
    assert len(live) == len({*first[Lane.LIVE], *second[Lane.LIVE]})
    assert again[Lane.LIVE] == second[Lane.LIVE]
    assert len(again[Lane.LOW]) == 1


def test_a_dead_shard_that_is_to_be_tried_again_is_told_of_again(shop: Shop) -> None:
    job = shop.scan(shop.picture())
    leases = Leases(shop.store)
    untold(shop.store, {Lane.LIVE: 9})
    (lease,) = leases.claim("somebody", ["scan"])
    leases.fail(lease, {"code": "internal", "message": "It broke."}, final=True)
    assert untold(shop.store, {Lane.LIVE: 9})[Lane.LIVE] == []

    shop.store.retry_dead(job)

    assert untold(shop.store, {Lane.LIVE: 9})[Lane.LIVE] == [lease.shard]


def test_a_message_for_a_shard_that_is_taken_does_nothing(shop: Shop) -> None:
    shop.scan(shop.picture())
    leases = Leases(shop.store)
    (lease,) = leases.claim("somebody", ["scan"])

    assert leases.claim("another", ["scan"], shard=lease.shard) == []
    assert leases.renew([lease]) == {lease.token}
