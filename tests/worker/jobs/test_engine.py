"""The database below the store: its shape, a later version's, a full disk, a power cut."""

from __future__ import annotations

import random
import shutil
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, event, text

from benchmarks import servers
from evidence.errors import SettingsError, StoreFull, StoreTooNew, StoreUnavailable
from worker.jobs.engine import open_engine, reading, translated, writing
from worker.jobs.leases import Leases
from worker.jobs.model import JobState, NewJob
from worker.jobs.schema import metadata
from worker.jobs.store import JobStore

SNAPSHOTS = 8


def a_job(**request: object) -> NewJob:
    return NewJob("scan", dict(request), ({"path": "a.jpg"},))


def test_the_migrations_make_the_tables_that_the_code_speaks_of(store: JobStore) -> None:
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_opening_twice_changes_nothing(store: JobStore, url: str) -> None:
    job, _ = store.submit(a_job())
    again = JobStore(url)
    assert again.get(job.id).id == job.id
    again.close()


def test_a_store_of_a_later_version_is_left_alone(store: JobStore, url: str) -> None:
    with writing(store.engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreTooNew, match="9999"):
        JobStore(url)


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all/jobs.db", "postgresql+psycopg://touchstone@/postgres?host=/nowhere"]
)
def test_a_database_that_is_not_there_is_said(url: str) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        JobStore(url)


@pytest.mark.parametrize("url", ["nonsense", "mysql://u:secret@h/d", "postgresql+psycopg2://h/d", "jobs.db"])
def test_an_address_of_no_database_that_we_know_is_said_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="no address of a job store") as refused:
        JobStore(url)
    assert "secret" not in str(refused.value)


def test_the_usual_address_of_postgresql_is_understood() -> None:
    assert open_engine("postgresql://h/d").url.drivername == "postgresql+psycopg"


def test_a_full_disk_refuses_what_is_new_and_keeps_what_was_accepted(tmp_path: Path) -> None:
    store = JobStore(f"sqlite:///{tmp_path / 'jobs.db'}")
    accepted = [store.submit(a_job())[0].id]
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    # The limit holds for a connection, so every new one is given it.
    event.listen(store.engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count={pages + 40}"))
    store.engine.dispose()

    def fill() -> None:
        for number in range(2_000):
            accepted.append(store.submit(a_job(padding="x" * 2_000, number=number))[0].id)

    with pytest.raises(StoreFull, match="full"):
        fill()
    assert [store.get(job).id for job in accepted] == accepted
    store.close()


def test_after_a_power_cut_every_accepted_job_is_there(tmp_path: Path) -> None:
    """The files are copied while jobs come in, each with a torn write at its log's end."""
    live = tmp_path / "live"
    live.mkdir()
    url = f"sqlite:///{live / 'jobs.db'}"
    store = JobStore(url)
    accepted: list[str] = []
    stop = threading.Event()

    def accept() -> None:
        leases = Leases(store)
        while not stop.is_set():
            accepted.append(store.submit(a_job(number=len(accepted)))[0].id)
            for lease in leases.claim("w", ["scan"], count=1):
                leases.complete(lease, {"verdict": "real"})

    thread = threading.Thread(target=accept)
    thread.start()
    rng = random.Random(0)
    promised: list[list[str]] = []
    outside = open_engine(url)
    for number in range(SNAPSHOTS):
        stop.wait(rng.uniform(0, 0.05))
        promised.append(list(accepted))
        with writing(outside):  # nothing is half written while the lock is ours
            shutil.copytree(live, tmp_path / f"cut-{number}")
        with (tmp_path / f"cut-{number}" / "jobs.db-wal").open("ab") as log:
            log.write(rng.randbytes(rng.randrange(8_000)))
    stop.set()
    thread.join()
    outside.dispose()
    store.close()
    for number, jobs in enumerate(promised):
        copy = JobStore(f"sqlite:///{tmp_path / f'cut-{number}' / 'jobs.db'}")
        assert all(copy.get(job).id == job for job in jobs)
        copy.close()
    assert promised[-1]


def test_a_store_whose_connections_are_all_taken_is_busy_and_not_broken(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'jobs.db'}", pool_size=1, max_overflow=0, pool_timeout=0.1)
    with reading(engine), pytest.raises(StoreUnavailable, match="busy"), translated(), reading(engine):
        pass
    engine.dispose()


def test_writers_of_one_process_take_turns(tmp_path: Path) -> None:
    store = JobStore(f"sqlite:///{tmp_path / 'jobs.db'}")
    begun = threading.Event()

    def write() -> None:
        with writing(store.engine):
            begun.set()

    other = threading.Thread(target=write)
    with writing(store.engine):
        other.start()
        assert not begun.wait(0.2)
    assert begun.wait(20)
    other.join()
    store.close()


def test_a_postgresql_that_crashes_is_said_and_what_was_claimed_is_handed_in_when_it_is_back() -> None:
    with servers.postgres() as server:
        store = JobStore(server.url)
        leases = Leases(store)
        job, _ = store.submit(NewJob("scan", {}, ({},)))
        (lease,) = leases.claim("worker-1", ["scan"])

        server.crash()
        with pytest.raises(StoreUnavailable) as said:
            leases.complete(lease, {"verdict": "real"})
        server.start()

        assert "TOUCHSTONE_DATABASE_URL" in str(said.value.advice)
        assert leases.complete(lease, {"verdict": "real"})
        assert store.get(job.id).state is JobState.DONE
        store.close()
