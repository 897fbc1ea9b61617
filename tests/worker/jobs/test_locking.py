"""One job from many sides at once, on a real PostgreSQL: no two of them wait for each other."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import psycopg
import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from evidence.errors import NoSuchJob, StoreUnavailable
from tests.worker_service import wait_for
from worker.jobs.cutting import PART, cut
from worker.jobs.engine import again_on_deadlock
from worker.jobs.hooks import Webhooks
from worker.jobs.leases import Leases
from worker.jobs.model import Lease, NewJob
from worker.jobs.schema import deliveries
from worker.jobs.store import JobStore
from worker.webhooks import Courier

Act = Callable[[JobStore, str, list[Lease]], object]
ROUNDS = 40
BLOCKED = "SELECT count(*) FROM pg_locks WHERE NOT granted"

# What one side does with the shards that it holds.
AT_WORK: dict[str, Act] = {
    "completes": lambda store, _, held: Leases(store).complete(held[0], {}),
    "gives up": lambda store, _, held: Leases(store).fail(held[0], {}, final=True),
    "renews": lambda store, _, held: Leases(store).renew(held),
    "releases": lambda store, _, held: Leases(store).release(held),
}
# What somebody else does with the job meanwhile.
BESIDE: dict[str, Act] = {
    "cancels": lambda store, job, _: store.cancel(job),
    "removes": lambda store, job, _: store.remove(job),
    "renews": lambda store, _, held: Leases(store).renew(held[::-1]),
}


@pytest.fixture
def url(postgres_database: str) -> str:
    """SQLite has one lock for all who write."""
    return postgres_database


@pytest.fixture
def others(url: str) -> Iterator[JobStore]:
    """The same store through other connections."""
    made = JobStore(url)
    yield made
    made.close()


def parts_at_work(store: JobStore) -> tuple[str, list[Lease]]:
    """A video that was cut into three parts, and their leases."""
    job, _ = store.submit(NewJob("scan", {}, ({},)))
    leases = Leases(store)
    (whole,) = leases.claim("w", ["scan"])
    assert cut(store, whole, {}, [{}, {}, {}])
    return job.id, [lease for _ in range(3) for lease in leases.claim("w", [PART])]


def shards_at_work(store: JobStore) -> tuple[str, list[Lease]]:
    """A batch of three shards, and their leases."""
    job, _ = store.submit(NewJob("scan", {}, ({}, {}, {})))
    return job.id, Leases(store).claim("w", ["scan"], count=3)


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("at_work", AT_WORK)
@pytest.mark.parametrize("begin", [parts_at_work, shards_at_work])
def test_who_ends_a_shard_and_who_ends_its_job_never_wait_for_each_other(
    store: JobStore, others: JobStore, begin: Callable[[JobStore], tuple[str, list[Lease]]],
    at_work: str, beside: str,
) -> None:  # fmt: skip
    job, held = begin(store)

    meet(store, lambda: AT_WORK[at_work](store, job, held), lambda: BESIDE[beside](others, job, held))


def test_a_receiver_that_is_gone_and_one_who_deletes_its_webhook_never_wait_for_each_other(
    store: JobStore, others: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, _ = Webhooks(store).add("local", "http://127.0.0.1:1/")
    job, _ = store.submit(NewJob("scan", {"webhook": hook.id}, ({},)))
    store.cancel(job.id)
    monkeypatch.setattr("worker.webhooks.post", lambda *_, **__: 410)
    courier = Courier(store, private=True)
    owed = courier._claim()
    assert owed is not None

    meet(
        store,
        lambda: courier._write_down(owed, 410, ""),
        lambda: Webhooks(others).remove("local", hook.id),
    )

    with others.engine.connect() as connection:
        assert connection.execute(deliveries.select()).all() == []


def test_a_change_that_lost_a_deadlock_is_made_anew_and_another_fault_is_not() -> None:
    faults = [deadlock("40P01"), deadlock("40P01")]

    @again_on_deadlock
    def change() -> str:
        if faults:
            raise StoreUnavailable("It was undone.", "Ask again.") from faults.pop()
        return "done"

    assert change() == "done"
    faults.append(deadlock("53300"))
    with pytest.raises(StoreUnavailable):
        change()


def deadlock(state: str) -> OperationalError:
    """What SQLAlchemy raises when PostgreSQL answers with this state."""
    said = psycopg.OperationalError()
    said.sqlstate = state
    return OperationalError("UPDATE", {}, said)


def test_many_sides_at_one_job_for_a_while_are_never_told_that_the_store_failed(
    store: JobStore, url: str
) -> None:
    def hammer(number: int) -> int:
        rng, done = random.Random(number), 0
        with closing(JobStore(url)) as own:
            leases = Leases(own)
            for _ in range(ROUNDS):
                own.submit(NewJob("scan", {}, ({}, {}, {})))
                for lease in (held := leases.claim(f"w{number}", ["scan", PART], count=4)):
                    leases.renew(rng.sample(held, len(held)))
                    if lease.kind == "scan" and rng.random() < 0.5:
                        cut(own, lease, {}, [{}] * 3)
                    else:
                        done += leases.complete(lease, {})
                for job in own.find(limit=3):
                    with suppress(NoSuchJob):  # another one removed it just now
                        rng.choice((own.cancel, own.remove, own.retry_dead, own.get))(job.id)
        return done

    with ThreadPoolExecutor(4) as sides:
        assert sum(sides.map(hammer, range(4))) > 0


def meet(store: JobStore, first: Callable[[], object], second: Callable[[], object]) -> None:
    """Do `first`, and in its transaction, after its first change, let `second` run into it."""
    errors: list[BaseException] = []
    running: list[threading.Thread] = []

    def run() -> None:
        try:
            second()
        except BaseException as error:
            errors.append(error)

    def pause(connection: Connection, _: object, statement: str, *__: object) -> None:
        if running or not statement.startswith("UPDATE") or threading.current_thread() is not here:
            return
        running.append(threading.Thread(target=run))
        running[0].start()
        with store.engine.connect() as look:
            wait_for(lambda: look.exec_driver_sql(BLOCKED).scalar() or not running[0].is_alive())

    here = threading.current_thread()
    event.listen(store.engine, "after_cursor_execute", pause)
    try:
        first()
    finally:
        event.remove(store.engine, "after_cursor_execute", pause)
    assert running, "it changed nothing"
    running[0].join()
    assert errors == []
