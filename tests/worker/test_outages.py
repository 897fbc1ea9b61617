"""A broker that is not there, dies, or is cut off without a word, while Celery's workers have work to do.

`benchmarks/outages.py` does the same for longer and measures.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.cable import Cable
from tests.worker_service import Shop, StartWorker, wait_for
from worker.jobs.model import JobState
from worker.watchman import QUIET_SECONDS

RECEIVED = "] received"

StartRedis = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "broker.sock"


@pytest.fixture
def start_redis(socket: Path, tmp_path: Path) -> Iterator[StartRedis]:
    """`start_redis()`: a Redis without memory on `socket`, which may be killed and started again."""
    begun: list[subprocess.Popen[bytes]] = []
    server = shutil.which("redis-server")
    assert server, "Redis is not installed: apt-get install redis-server"

    def start() -> subprocess.Popen[bytes]:
        socket.unlink(missing_ok=True)
        command = [server, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path)]
        begun.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        wait_for(socket.exists)
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait(20)


def said(shop: Shop) -> str:
    """What the workers of this test have written down."""
    return (shop.folder / "worker.log").read_text(encoding="utf-8")


def all_done(shop: Shop, jobs: list[str]) -> None:
    """Each job ended once, with its verdict."""
    for job in jobs:
        assert shop.store.get(job).state is JobState.DONE
        assert shop.result(job)["report"]["verdict"] == "fake"
        assert [event.kind for event in shop.store.events(job)].count("done") == 1


def test_a_worker_whose_broker_is_down_from_the_start_works_and_says_so(
    shop: Shop, start_worker: StartWorker, socket: Path, start_redis: StartRedis
) -> None:
    job = shop.scan(shop.picture(6))

    worker = start_worker(TOUCHSTONE_BROKER_URL=f"redis+socket://{socket}")

    assert shop.ended(job).state is JobState.DONE
    assert "Cannot connect to redis+socket" in said(shop)
    start_redis()
    wait_for(lambda: "ready" in said(shop))
    worker.terminate()
    assert worker.wait(30) == 0


def test_a_redis_that_is_killed_and_comes_back_empty_loses_nothing(
    shop: Shop, start_worker: StartWorker, socket: Path, start_redis: StartRedis
) -> None:
    redis = start_redis()
    start_worker(TOUCHSTONE_BROKER_URL=f"redis+socket://{socket}")
    wait_for(lambda: "ready" in said(shop))
    jobs = [shop.scan(shop.picture(6)) for _ in range(40)]
    wait_for(lambda: shop.waiting() < 40)

    redis.kill()
    redis.wait(20)
    down = [shop.scan(shop.picture(6)) for _ in range(20)]
    time.sleep(2.0)
    start_redis()
    up = [shop.scan(shop.picture(6)) for _ in range(20)]

    wait_for(lambda: not shop.waiting())
    all_done(shop, jobs + down + up)


def test_a_broker_that_is_cut_off_without_a_word_holds_nothing_up(
    shop: Shop, start_worker: StartWorker, socket: Path, start_redis: StartRedis
) -> None:
    start_redis()
    with Cable(socket) as cable:
        start_worker(TOUCHSTONE_BROKER_URL=f"redis://127.0.0.1:{cable.port}/0")
        wait_for(lambda: "ready" in said(shop))
        jobs = [shop.scan(shop.picture(6)) for _ in range(20)]
        wait_for(lambda: shop.waiting() < 20)

        cable.cut()
        jobs += [shop.scan(shop.picture(6)) for _ in range(20)]
        wait_for(lambda: not shop.waiting(), QUIET_SECONDS + 30.0)
        cable.mend()

        # Its dead connections are given up, and messages come again.
        told = said(shop).count(RECEIVED)

        def told_again() -> bool:
            jobs.append(shop.scan(shop.picture(6)))
            wait_for(lambda: not shop.waiting())
            return said(shop).count(RECEIVED) > told

        wait_for(told_again)
    all_done(shop, jobs)
