"""The metrics of the queue are counts of the store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import re
from pathlib import Path

from jobs_clock import FakeClock

from worker.jobs.leases import Leases
from worker.jobs.model import Lane, NewJob
from worker.jobs.store import JobStore
from worker.metrics import WINDOW_SECONDS, prometheus_text


def asked(count: int = 1, lane: Lane = Lane.LIVE) -> NewJob:
    return NewJob(kind="scan", request={}, shards=tuple({"n": n} for n in range(count)), lane=lane)


def values(store: JobStore) -> dict[str, float]:
    """Each line that is no comment: name and labels, and the value."""
    lines = prometheus_text(store, Path.cwd()).splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_what_waits_is_worked_on_and_died_is_counted_by_lane(
    store: JobStore, leases: Leases, clock: FakeClock
) -> None:
    store.submit(asked(5, Lane.LOW))
    store.submit(asked(2))
    clock.now += 12.5
    first, second, third = leases.claim("w", ["scan"], count=3)
    leases.complete(first, {})
    leases.fail(second, {"code": "x"}, final=True)

    found = values(store)

    assert [found[f'touchstone_queue_{name}{{lane="low"}}'] for name in ("ready", "leased", "dead")] == [
        4, 1, 0,
    ]  # fmt: skip
    assert [found[f'touchstone_queue_{name}{{lane="live"}}'] for name in ("ready", "leased", "dead")] == [
        0, 0, 1,
    ]  # fmt: skip
    assert found['touchstone_queue_oldest_seconds{lane="low"}'] == 12.5
    assert found['touchstone_queue_oldest_seconds{lane="live"}'] == 0
    assert found['touchstone_jobs{kind="scan",state="done"}'] == 1
    assert found['touchstone_jobs{kind="scan",state="running"}'] == 1
    assert third.job != first.job


def test_a_failed_attempt_and_a_silent_worker_are_seen(
    store: JobStore, leases: Leases, clock: FakeClock
) -> None:
    store.submit(asked(2))
    failed, _silent = leases.claim("w", ["scan"], count=2, seconds=60)
    leases.fail(failed, {"code": "x"})
    assert values(store)["touchstone_shards_to_retry"] == 1
    assert values(store)["touchstone_leases_overdue"] == 0

    clock.now += 61

    assert values(store)["touchstone_leases_overdue"] == 1


def test_ends_of_five_minutes_are_counted_with_the_quantiles_of_their_times(
    store: JobStore, leases: Leases, clock: FakeClock
) -> None:
    for _ in range(100):
        store.submit(asked())
    for _ in range(100):
        clock.now += 1
        (lease,) = leases.claim("w", ["scan"])
        leases.complete(lease, {})

    found = values(store)

    # Job n of 100 ended n seconds after all were accepted: nearest-rank quantiles are these exactly.
    assert found['touchstone_jobs_ended_5m{state="done"}'] == 100
    assert found['touchstone_jobs_ended_5m{state="failed"}'] == 0
    for quantile, seconds in (("0.5", 50), ("0.95", 95), ("0.99", 99)):
        assert found[f'touchstone_job_seconds{{lane="live",quantile="{quantile}"}}'] == seconds

    clock.now += WINDOW_SECONDS + 1

    assert values(store)['touchstone_jobs_ended_5m{state="done"}'] == 0


def test_every_line_is_one_that_prometheus_reads(store: JobStore, leases: Leases) -> None:
    store.submit(asked(3))
    sample = re.compile(r'[a-z_0-9]+(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? -?[0-9.e+]+')
    comment = re.compile(r"# (HELP [a-z_0-9]+ .+|TYPE [a-z_0-9]+ gauge)")
    lines = prometheus_text(store, Path.cwd()).splitlines()
    assert [line for line in lines if not (comment.fullmatch(line) or sample.fullmatch(line))] == []
