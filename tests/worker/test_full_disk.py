"""A disk that is full while workers have something to write: nothing fails for it, and all goes on later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.full_disk import BAD
from evidence.errors import StoreFull
from tests.conftest import ROOT
from tests.worker_service import Shop
from worker.jobs.leases import Leases
from worker.jobs.model import JobState, ShardState
from worker.jobs.reaping import Reaper
from worker.requests import GenerateRequest, generate_job
from worker.workman import Workman


@contextmanager
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No file is renamed into its place while the block runs."""

    def refuse(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        patch.setattr("worker.workman.STORE_SECONDS", 0.01)
        yield


@pytest.mark.parametrize("kind", ["scan", "generate"])
def test_what_cannot_be_written_costs_no_attempt_leaves_nothing_and_is_done_when_there_is_room(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "scan":
        job = shop.scan(shop.picture(6))
    else:
        job = shop.store.submit(generate_job(GenerateRequest("dots", count=2, seed=1)))[0].id
    with Workman(shop.store, shop.media, shop.settings) as workman:
        for _ in range(4):  # more often than anything may be tried
            with full(monkeypatch), pytest.raises(StoreFull, match="no room to work"):
                workman.work()
            (shard,) = shop.store.shards(job)
            assert (shard.state, shard.attempts) == (ShardState.READY, 0)
            assert [path for path in (shop.media.folder / "jobs").rglob("*") if path.is_file()] == []

        assert workman.work() == 1

    assert shop.store.get(job).state is JobState.DONE
    assert shop.result(job)


def test_while_the_store_takes_no_renewals_nobody_s_time_runs(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.scan(shop.picture(6))
    leases, now = Leases(shop.store), [0.0]
    (lease,) = leases.claim("w", ["scan"])
    reaper = Reaper(leases, 3.0, clock=lambda: now[0])

    def look(seconds: int) -> int:
        taken = 0
        for _ in range(seconds):
            now[0] += 1.0
            taken += reaper.reap()
        return taken

    def refuse(*_: object) -> bool:
        raise StoreFull("The job store's disk is full.")

    assert look(3) == 0
    with monkeypatch.context() as patch:
        patch.setattr(leases, "late", refuse)
        with pytest.raises(StoreFull):
            look(2)
    assert look(3) == 0, "its worker had no time to renew it"
    assert leases.renew([lease]) == {lease.token}
    assert look(3) == 0
    assert look(3) == 1


@pytest.mark.slow
def test_a_service_on_a_disk_that_fills_up_says_so_loses_nothing_and_goes_on() -> None:
    # A real disk, in a mount namespace of its own: the kernel wants root for that, or user namespaces.
    short = ["--jobs", "12", "--seconds", "15", "--megabytes", "32", "--disk", "media"]
    command = [sys.executable, "-m", "benchmarks.full_disk", *short]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.stdout, ran.stderr
    row = json.loads(ran.stdout)["media"]
    assert {name: row[name] for name in BAD} == dict.fromkeys(BAD, 0)
    assert row["refused_507"] > 0
    assert row["accepted_again"]
