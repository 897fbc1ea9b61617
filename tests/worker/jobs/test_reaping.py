"""Leases of silent workers, with clocks that are set ahead, set back, and stand still."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from jobs_clock import FakeClock

from worker.jobs.leases import LOST, Leases
from worker.jobs.model import Lane, Lease, NewJob, ShardState
from worker.jobs.reaping import Reaper
from worker.jobs.store import JobStore
from worker.jobs.telling import untold

HOUR = 3_600.0


@dataclass
class Watched:
    """A worker with one lease of thirty seconds, and a reaper with a counting clock of its own."""

    store: JobStore
    leases: Leases
    wall: FakeClock
    counting: FakeClock
    reaper: Reaper
    job: str
    lease: Lease

    def pass_seconds(self, seconds: int, *, renew: bool) -> int:
        """So many seconds with a look each; how many leases were taken back."""
        taken = 0
        for _ in range(seconds):
            self.wall.now += 1
            self.counting.now += 1
            if renew:
                assert self.leases.renew([self.lease], seconds=30) == {self.lease.token}
            taken += self.reaper.reap()
        return taken


@pytest.fixture
def watched(store: JobStore, leases: Leases, clock: FakeClock) -> Watched:
    job, _ = store.submit(NewJob("scan", {}, ({},)))
    (lease,) = leases.claim("worker-1", ["scan"], seconds=30)
    counting = FakeClock(0.0)
    reaper = Reaper(leases, 30, clock=counting)
    assert reaper.reap() == 0
    return Watched(store, leases, clock, counting, reaper, job.id, lease)


def test_a_silent_worker_loses_its_shard_when_the_lease_is_over_and_not_before(watched: Watched) -> None:
    assert watched.pass_seconds(30, renew=False) == 0
    assert watched.pass_seconds(1, renew=False) == 1

    (shard,) = watched.store.shards(watched.job)
    assert (shard.state, shard.attempts, shard.cause) == (ShardState.READY, 1, LOST)


def test_a_worker_that_renews_keeps_its_shard(watched: Watched) -> None:
    assert watched.pass_seconds(90, renew=True) == 0


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_that_jumps_takes_nothing_from_a_worker_that_lives(watched: Watched, jump: float) -> None:
    watched.pass_seconds(10, renew=True)

    watched.wall.now += jump

    assert watched.reaper.reap() == 0
    assert watched.pass_seconds(60, renew=True) == 0


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_that_jumps_leaves_nothing_with_a_dead_worker(watched: Watched, jump: float) -> None:
    watched.wall.now += jump

    assert watched.pass_seconds(31, renew=False) == 1


def test_another_machine_s_clock_an_hour_ahead_takes_nothing_from_a_worker_that_lives(
    watched: Watched, url: str
) -> None:
    ahead = JobStore(url, clock=lambda: watched.wall.now + HOUR)
    watched.reaper = Reaper(Leases(ahead), 30, clock=watched.counting)

    taken = watched.pass_seconds(60, renew=True)
    ahead.close()

    assert taken == 0


def test_nobody_s_time_runs_while_the_store_is_out_of_reach(watched: Watched) -> None:
    watched.pass_seconds(10, renew=False)

    watched.counting.now += HOUR

    assert watched.reaper.reap() == 0
    assert watched.pass_seconds(20, renew=False) == 0
    assert watched.pass_seconds(1, renew=False) == 1


def test_a_clock_that_is_set_back_holds_up_neither_claims_nor_messages(
    store: JobStore, leases: Leases, clock: FakeClock
) -> None:
    store.submit(NewJob("scan", {}, ({}, {})))
    told = untold(store, {Lane.LIVE: 9})[Lane.LIVE]

    clock.now -= HOUR

    assert untold(store, {Lane.LIVE: 9})[Lane.LIVE] == told
    assert untold(store, {Lane.LIVE: 9})[Lane.LIVE] == []
    assert len(leases.claim("worker-1", ["scan"], count=9)) == 2


def test_what_failed_waits_for_its_next_attempt_by_a_clock_that_runs(
    watched: Watched, leases: Leases
) -> None:
    leases.fail(watched.lease, {"code": "internal", "message": "It broke."})

    assert leases.claim("worker-2", ["scan"]) == []
    watched.wall.now += 2
    assert len(leases.claim("worker-2", ["scan"])) == 1
