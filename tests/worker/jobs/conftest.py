"""A job store on SQLite and on a real PostgreSQL that the tests start, with a clock that tests move."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from jobs_clock import FakeClock

from worker.jobs.leases import Leases
from worker.jobs.store import JobStore

# Debian keeps the server's programs out of the path.
_PROGRAMS = os.pathsep.join(
    [os.environ.get("PATH", ""), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server of this test session, reached through a socket in its folder."""
    initdb, server = (shutil.which(name, path=_PROGRAMS) for name in ("initdb", "postgres"))
    assert initdb, "PostgreSQL is not installed: apt-get install postgresql"
    assert server
    folder = Path(tempfile.mkdtemp(prefix="touchstone-pg-"))  # pytest's own folders are closed to other users
    shutil.chown(folder, *_owner())
    run = _as_owner()
    subprocess.run(
        [*run, initdb, "-D", str(folder / "data"), "-A", "trust", "-U", "touchstone", "-N"],
        check=True,
        capture_output=True,
        cwd=folder,
    )
    command = [*run, server, "-D", str(folder / "data"), "-k", str(folder), "-c", "listen_addresses="]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen([*command, "-c", "fsync=off"], stdout=log, stderr=log, cwd=folder)
    url = f"postgresql+psycopg://touchstone@/postgres?host={folder}"
    try:
        _wait(url)
        yield url
    finally:
        running.send_signal(signal.SIGINT)  # its fast shutdown
        running.wait(20)
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'jobs.db'}"
        return
    server = request.getfixturevalue("postgres")
    name = f"t{time.monotonic_ns()}"
    admin = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield server.replace("/postgres?", f"/{name}?")
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


def _owner() -> tuple[str, str]:
    """PostgreSQL refuses to run as root; Debian's package makes a user for it."""
    return ("postgres", "postgres") if os.geteuid() == 0 else (str(os.geteuid()), str(os.getegid()))


def _as_owner() -> list[str]:
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []


def _wait(url: str, seconds: float = 30.0) -> None:
    engine = sqlalchemy.create_engine(url)
    until = time.monotonic() + seconds
    while True:
        try:
            engine.connect().close()
            engine.dispose()
            return
        except sqlalchemy.exc.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
