"""A job store on SQLite and on a real PostgreSQL, with a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs_clock import FakeClock

from worker.jobs.leases import Leases
from worker.jobs.store import JobStore


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    found: str = request.getfixturevalue("postgres_database")
    return found


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
