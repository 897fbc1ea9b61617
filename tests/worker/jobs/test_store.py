"""What every job store keeps to, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading

import pytest
from jobs_clock import FakeClock
from sqlalchemy import update

from evidence.errors import KeyConflict, NoSuchJob, UsageError
from worker.jobs.engine import writing
from worker.jobs.leases import MOST_ATTEMPTS, Leases
from worker.jobs.model import JobState, Lane, Lease, NewJob, ShardState
from worker.jobs.schema import shards
from worker.jobs.search import Search, find_jobs
from worker.jobs.store import JobStore


def asked(count: int = 1, **fields: object) -> NewJob:
    """A scan of `count` made-up files."""
    shards = tuple({"path": f"file-{n}.jpg"} for n in range(count))
    return NewJob(**{"kind": "scan", "request": {"n": count}, "shards": shards} | fields)  # type: ignore[arg-type]


def claim(leases: Leases, count: int = 100, **options: object) -> list[Lease]:
    return leases.claim("worker-1", ["scan"], count=count, **options)  # type: ignore[arg-type]


def states(store: JobStore, job: str) -> list[ShardState]:
    return [shard.state for shard in store.shards(job)]


def test_an_accepted_job_is_there_in_another_process_s_eyes(store: JobStore, url: str) -> None:
    job, new = store.submit(asked(3, client_ref="desk 4"))
    other = JobStore(url)
    found = other.get(job.id)
    other.close()
    assert new
    assert (found.state, found.total, found.remaining, found.client_ref) == ("queued", 3, 3, "desk 4")


def test_a_job_goes_from_queued_over_running_to_done_and_says_so(store: JobStore, leases: Leases) -> None:
    job, _ = store.submit(asked(2))
    first, second = claim(leases)
    assert store.get(job.id).state is JobState.RUNNING
    assert leases.complete(first, {"verdict": "real"})
    assert store.get(job.id).remaining == 1
    assert leases.complete(second, {"verdict": "fake"})
    assert store.get(job.id).state is JobState.DONE
    assert [shard.result for shard in store.shards(job.id)] == [{"verdict": "real"}, {"verdict": "fake"}]
    assert [event.kind for event in store.events(job.id)] == ["queued", "running", "done"]


def test_the_same_key_gives_the_same_job_and_another_request_is_refused(store: JobStore) -> None:
    first, new = store.submit(asked(1, key="k1"))
    again, repeated = store.submit(asked(1, key="k1"))
    assert (new, repeated, first.id == again.id) == (True, False, True)
    with pytest.raises(KeyConflict):
        store.submit(asked(2, key="k1"))
    other, fresh = store.submit(asked(2, key="k1", tenant="other"))
    assert fresh
    assert other.id != first.id


def test_jobs_accepted_together_are_accepted_or_refused_each_for_itself(store: JobStore) -> None:
    before, _ = store.submit(asked(1, key="k1"))
    new, same, again, other, refused = store.submit_all(
        [asked(1), asked(1, key="k2"), asked(1, key="k2"), asked(1, key="k1"), asked(2, key="k1")]
    )
    assert isinstance(refused, KeyConflict)
    accepted = [one for one in (new, same, again, other) if not isinstance(one, KeyConflict)]
    assert [fresh for _, fresh in accepted] == [True, True, False, False]
    assert accepted[1][0] == accepted[2][0]
    assert accepted[3][0].id == before.id
    for job, _ in accepted:
        assert store.get(job.id) == job  # what was answered is what is kept
        assert states(store, job.id) == [ShardState.READY]
        assert [event.kind for event in store.events(job.id)] == ["queued"]
    assert len(store.find()) == 3


def test_one_key_from_many_sides_at_the_same_moment_is_one_job(store: JobStore, url: str) -> None:
    found: list[str] = []
    start = threading.Barrier(4)

    def ask() -> None:
        own = JobStore(url, clock=store.clock)
        start.wait()
        for number in range(10):
            found.append(own.submit(asked(1, key=f"k{number}"))[0].id)
        own.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40
    assert len(set(found)) == len(store.find()) == 10


def test_no_two_workers_get_one_shard(store: JobStore, url: str) -> None:
    store.submit(asked(60))
    taken: list[int] = []
    guard = threading.Lock()

    def work(name: str) -> None:
        own = JobStore(url, clock=store.clock)
        while found := Leases(own).claim(name, ["scan"], count=7):
            with guard:
                taken.extend(lease.shard for lease in found)
        own.close()

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 60


def test_the_urgent_lane_goes_first_and_the_oldest_in_a_lane(
    store: JobStore, leases: Leases, clock: FakeClock
) -> None:
    jobs = []
    for lane in (Lane.LOW, Lane.BATCH, Lane.LIVE, Lane.LIVE):
        jobs.append(store.submit(asked(1, lane=lane))[0].id)
        clock.now += 1
    order = [lease.job for lease in claim(leases)]
    assert order == [jobs[2], jobs[3], jobs[1], jobs[0]]
    assert claim(leases, lanes=[Lane.LIVE]) == []


def test_a_lease_that_runs_out_is_taken_back_and_its_late_result_is_not_counted(
    store: JobStore, leases: Leases, clock: FakeClock
) -> None:
    job, _ = store.submit(asked(1))
    (dead,) = claim(leases, seconds=30)
    assert leases.late(*leases.held())
    assert claim(leases) == []  # it waits a little first
    clock.now += 60
    (alive,) = claim(leases)
    assert alive.attempt == 2
    assert not leases.complete(dead, {"verdict": "late"})
    assert leases.complete(alive, {"verdict": "real"})
    assert not leases.complete(alive, {"verdict": "twice"})
    assert store.get(job.id).remaining == 0
    assert store.shards(job.id)[0].result == {"verdict": "real"}


@pytest.mark.parametrize(
    ("claim_of_a_file", "kept"), [("a\0b", "a\ufffdb"), ("\ud800!", "\ufffd!"), ("\U0001f600", "\U0001f600")]
)
def test_whatever_a_file_claims_its_scan_is_found_by_its_verdict(
    store: JobStore, leases: Leases, claim_of_a_file: str, kept: str
) -> None:
    store.submit(asked())
    leases.complete(claim(leases)[0], {"report": {"verdict": "fake", "claims": [{claim_of_a_file: 1}]}})

    ((_, shard),) = find_jobs(store.engine, "local", Search("scan", verdict="fake"))

    assert shard is not None
    assert shard.result == {"report": {"verdict": "fake", "claims": [{kept: 1}]}}


def test_a_shard_that_fails_is_tried_again_and_then_dead_with_its_cause(
    store: JobStore, leases: Leases, clock: FakeClock
) -> None:
    job, _ = store.submit(asked(2))
    good, bad = claim(leases)
    leases.complete(good, {})
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert bad.attempt == attempt
        assert leases.fail(bad, {"code": "crashed", "attempt": attempt})
        clock.now += 1_000
        if attempt < MOST_ATTEMPTS:
            (bad,) = claim(leases)
    assert claim(leases) == []
    found = store.get(job.id)
    assert (found.state, found.dead, found.remaining) == (JobState.DONE, 1, 0)
    (shard,) = store.shards(job.id, state=ShardState.DEAD)
    assert shard.cause == {"code": "crashed", "attempt": MOST_ATTEMPTS}
    assert store.get(job.id).finished == clock.now - 1_000


def test_a_final_failure_is_not_tried_again_and_a_job_of_failures_failed(
    store: JobStore, leases: Leases
) -> None:
    job, _ = store.submit(asked(1))
    (lease,) = claim(leases)
    leases.fail(lease, {"code": "unsupported"}, final=True)
    assert store.get(job.id).state is JobState.FAILED


def test_dead_shards_are_tried_again_when_asked(store: JobStore, leases: Leases) -> None:
    job, _ = store.submit(asked(2))
    good, bad = claim(leases)
    leases.complete(good, {})
    leases.fail(bad, {"code": "model_missing"}, final=True)
    assert store.retry_dead(job.id) == 1
    assert store.get(job.id).state is JobState.RUNNING
    (again,) = claim(leases)
    assert (again.position, again.attempt) == (1, 1)
    leases.complete(again, {})
    found = store.get(job.id)
    assert (found.state, found.dead) == (JobState.DONE, 0)
    assert store.retry_dead(job.id) == 0


def test_cancelling_stops_what_waits_and_what_runs(store: JobStore, leases: Leases) -> None:
    job, _ = store.submit(asked(3))
    (running,) = claim(leases, count=1)
    assert store.cancel(job.id).state is JobState.CANCELLED
    assert leases.renew([running]) == set()
    assert not leases.complete(running, {})
    assert claim(leases) == []
    assert set(states(store, job.id)) == {ShardState.CANCELLED}
    assert store.cancel(job.id).state is JobState.CANCELLED  # twice is as good as once


def test_a_job_that_ends_while_it_is_cancelled_ends_once(store: JobStore, leases: Leases) -> None:
    job, _ = store.submit(asked())
    (lease,) = claim(leases)
    cancelling = threading.Thread(target=store.cancel, args=(job.id,))
    with writing(store.engine) as connection:  # what `complete` does, held open for a moment
        done = {"state": ShardState.DONE.value, "token": "", "result": "{}"}
        connection.execute(update(shards).where(shards.c.id == lease.shard).values(done))
        store.count_down(connection, job.id)
        cancelling.start()
        cancelling.join(0.3)
        assert cancelling.is_alive(), "it does not wait"
    cancelling.join()

    assert store.get(job.id).state is JobState.DONE
    assert [event.kind for event in store.events(job.id)] == ["queued", "running", "done"]


def test_a_worker_that_stops_on_purpose_costs_no_attempt(store: JobStore, leases: Leases) -> None:
    store.submit(asked(1))
    leases.release(claim(leases))
    (lease,) = claim(leases)
    assert lease.attempt == 1


def test_an_open_job_takes_shards_until_it_is_sealed(store: JobStore, leases: Leases) -> None:
    job, _ = store.submit(asked(1), more=True)
    (lease,) = claim(leases)
    leases.complete(lease, {})
    assert store.get(job.id).state is JobState.RUNNING
    store.add(job.id, ({"path": f"more-{n}.jpg"} for n in range(1_100)))
    assert store.get(job.id).total == 1_101
    assert [shard.position for shard in store.shards(job.id, after=1_097)] == [1_098, 1_099, 1_100]
    for lease in claim(leases, count=1_100):
        leases.complete(lease, {})
    assert not store.get(job.id).state.ended
    store.seal(job.id)
    assert store.get(job.id).state is JobState.DONE
    with pytest.raises(NoSuchJob):
        store.add(job.id, [{"path": "late.jpg"}])


def test_one_tenant_cannot_see_or_touch_another_s_job(store: JobStore) -> None:
    job, _ = store.submit(asked(1, tenant="ours"))
    for touch in (store.get, store.cancel, store.remove, store.retry_dead):
        with pytest.raises(NoSuchJob):
            touch(job.id, "theirs")
    assert store.find("theirs") == []
    assert [found.id for found in store.find("ours")] == [job.id]


def test_pages_of_jobs_neither_skip_nor_repeat(store: JobStore, clock: FakeClock) -> None:
    made = []
    for number in range(7):
        made.append(store.submit(asked(1))[0].id)
        clock.now += number % 2  # some are of one second
    seen: list[str] = []
    page = store.find(limit=3)
    while page:
        seen += [job.id for job in page]
        page = store.find(limit=3, before=(page[-1].created, page[-1].id))
    assert sorted(seen) == sorted(made)
    assert len(seen) == 7


def test_what_is_over_is_swept_and_what_is_kept_is_not(
    store: JobStore, leases: Leases, clock: FakeClock
) -> None:
    gone, _ = store.submit(asked(1, retention_seconds=60, key="k"))
    kept, _ = store.submit(asked(1))
    waiting, _ = store.submit(asked(1, retention_seconds=0))
    for lease in claim(leases, count=2):
        leases.complete(lease, {})
    clock.now += 61
    assert store.sweep() == 1
    with pytest.raises(NoSuchJob):
        store.get(gone.id)
    assert {store.get(kept.id).state, store.get(waiting.id).state} == {JobState.DONE, JobState.QUEUED}
    assert store.events(gone.id) == []
    assert store.submit(asked(1, key="k"))[1]  # its key is free again


def test_events_are_read_on_from_where_one_stopped(store: JobStore) -> None:
    job, _ = store.submit(asked(1))
    (queued,) = store.events(job.id)
    store.note(job.id, "frame", {"done": 3, "of": 10})
    (frame,) = store.events(job.id, after=queued.seq)
    assert (frame.kind, frame.data) == ("frame", {"done": 3, "of": 10})


def test_depth_counts_each_lane(store: JobStore, leases: Leases, clock: FakeClock) -> None:
    store.submit(asked(4, lane=Lane.BATCH))
    clock.now += 10
    (lease, *_) = claim(leases, count=2)
    leases.fail(lease, {"code": "bad"}, final=True)
    depth = leases.depth()[Lane.BATCH]
    assert (depth.ready, depth.leased, depth.dead, depth.oldest_seconds) == (2, 1, 1, 10)
    assert leases.depth()[Lane.LIVE].ready == 0


def test_a_job_of_nothing_is_refused(store: JobStore) -> None:
    with pytest.raises(UsageError, match="at least one shard"):
        store.submit(asked(0))
