"""What the job store tells of the queue, in Prometheus' text format.

All of it is counted in the store when somebody asks: it survives every process, needs no worker to answer,
and is the same whichever API process is asked. `docs/operating.md` says what to watch.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from worker.jobs.engine import reading, translated
from worker.jobs.leases import Leases
from worker.jobs.model import JobState, Lane, ShardState
from worker.jobs.schema import deliveries, jobs, shards
from worker.jobs.store import JobStore

WINDOW_SECONDS = 300.0
QUANTILES = (0.5, 0.95, 0.99)
# Of a very busy window the newest ends are enough for its quantiles.
_MOST_ENDS = 20_000

_Labels = tuple[tuple[str, str], ...]


@dataclass
class Metric:
    """One gauge: its name, what it says, and its value for each set of labels."""

    name: str
    help: str
    values: dict[_Labels, float] = field(default_factory=dict)

    def set(self, value: float, **labels: str) -> None:
        """Give the value for these labels."""
        self.values[tuple(labels.items())] = value

    def lines(self) -> Iterator[str]:
        """As Prometheus reads it."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} gauge"
        for labels, value in self.values.items():
            inside = ",".join(f'{name}="{text}"' for name, text in labels)
            yield f"{self.name}{{{inside}}} {value:.12g}" if inside else f"{self.name} {value:.12g}"


def prometheus_text(store: JobStore, media: Path) -> str:
    """Every metric of the store, and of the disk with the `media`. Raises StoreError."""
    disk = Metric("touchstone_disk_free_bytes", "Room on the disk with the media.")
    disk.set(shutil.disk_usage(media).free)
    metrics = [*_queue(store), *_attempts(store), *_jobs(store), *_ended(store), *_owed(store), disk]
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def _queue(store: JobStore) -> Iterable[Metric]:
    ready = Metric("touchstone_queue_ready", "Shards that wait for a worker.")
    leased = Metric("touchstone_queue_leased", "Shards that a worker has.")
    dead = Metric("touchstone_queue_dead", "Shards that ended without a result; each says why.")
    oldest = Metric("touchstone_queue_oldest_seconds", "How long the oldest waiting shard has waited.")
    for lane, depth in Leases(store).depth().items():
        name = lane.name.lower()
        ready.set(depth.ready, lane=name)
        leased.set(depth.leased, lane=name)
        dead.set(depth.dead, lane=name)
        oldest.set(depth.oldest_seconds, lane=name)
    return ready, leased, dead, oldest


def _attempts(store: JobStore) -> Iterable[Metric]:
    """What did not go well at first: tried before, or with a worker that has gone silent."""
    again = select(func.count()).where(shards.c.state == ShardState.READY.value, shards.c.attempts > 0)
    silent = select(func.count()).where(
        shards.c.state == ShardState.LEASED.value, shards.c.lease_until < store.clock()
    )
    retried = Metric("touchstone_shards_to_retry", "Waiting shards that failed before.")
    overdue = Metric("touchstone_leases_overdue", "Shards whose worker has been silent for too long.")
    with translated(), reading(store.engine) as connection:
        retried.set(connection.execute(again).scalar_one())
        overdue.set(connection.execute(silent).scalar_one())
    return retried, overdue


def _jobs(store: JobStore) -> Iterable[Metric]:
    """How many jobs are kept. Retention deletes them, so these go down as well as up."""
    metric = Metric("touchstone_jobs", "Jobs in the store.")
    wanted = select(jobs.c.kind, jobs.c.state, func.count()).group_by(jobs.c.kind, jobs.c.state)
    with translated(), reading(store.engine) as connection:
        for kind, state, count in connection.execute(wanted.order_by(jobs.c.kind, jobs.c.state)):
            metric.set(count, kind=kind, state=state)
    return (metric,)


def _ended(store: JobStore) -> Iterable[Metric]:
    """What came to its end in the last five minutes, and how long that took."""
    ended = Metric("touchstone_jobs_ended_5m", "Jobs that ended in the last five minutes.")
    took = Metric("touchstone_job_seconds", "From acceptance to the end, of jobs done in five minutes.")
    since = store.clock() - WINDOW_SECONDS
    counts = (
        select(jobs.c.state, func.count())
        .where(jobs.c.finished >= since, jobs.c.state.in_([s.value for s in JobState if s.ended]))
        .group_by(jobs.c.state)
    )
    times = (
        select(jobs.c.lane, jobs.c.finished - jobs.c.created)
        .where(jobs.c.finished >= since, jobs.c.state == JobState.DONE.value)
        .order_by(jobs.c.finished.desc())
        .limit(_MOST_ENDS)
    )
    found: dict[int, list[float]] = {}
    with translated(), reading(store.engine) as connection:
        by_state = {row[0]: row[1] for row in connection.execute(counts)}
        for lane, seconds in connection.execute(times):
            found.setdefault(lane, []).append(seconds)
    for state in JobState:
        if state.ended:
            ended.set(by_state.get(state.value, 0), state=state.value)
    for number in sorted(found):
        for quantile in QUANTILES:
            labels = {"lane": Lane(number).name.lower(), "quantile": f"{quantile:g}"}
            took.set(_quantile(sorted(found[number]), quantile), **labels)
    return ended, took


def _owed(store: JobStore) -> Iterable[Metric]:
    """What webhooks have not been told yet."""
    waiting = Metric("touchstone_webhooks_waiting", "Messages that have not been delivered.")
    late = Metric("touchstone_webhooks_late_seconds", "How long the message that is due longest is overdue.")
    wanted = select(func.count(), func.min(deliveries.c.due)).where(deliveries.c.state == "pending")
    with translated(), reading(store.engine) as connection:
        count, due = connection.execute(wanted).one()
    waiting.set(count)
    late.set(max(0.0, store.clock() - due) if due is not None else 0.0)
    return waiting, late


def _quantile(ordered: Sequence[float], quantile: float) -> float:
    """The nearest-rank quantile."""
    return ordered[max(0, math.ceil(quantile * len(ordered)) - 1)]
