"""A job store on SQLite and on a real PostgreSQL that the tests start, with a clock that tests move."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from jobs_clock import FakeClock

from benchmarks import servers
from worker.jobs.leases import Leases
from worker.jobs.store import JobStore


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server of this test session, reached through a socket in its folder."""
    with servers.postgres(fsync=False) as server:  # pytest's own folders are closed to other users
        yield server.url


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    found: str = request.getfixturevalue("postgres_database")
    return found


@pytest.fixture
def postgres_database(postgres: str) -> Iterator[str]:
    """A fresh database of the PostgreSQL server."""
    name = f"t{time.monotonic_ns()}"
    admin = sqlalchemy.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield postgres.replace("/postgres?", f"/{name}?")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(url: str, clock: FakeClock) -> Iterator[JobStore]:
    made = JobStore(url, clock=clock)
    yield made
    made.close()


@pytest.fixture
def leases(store: JobStore) -> Leases:
    return Leases(store)
