"""A database as the job store needs it: SQLite that is on disk when it says so, or PostgreSQL.

SQLite runs in WAL mode with synchronous=FULL, so that what was accepted survives a power cut, and every
writing transaction takes the one write lock at its beginning: none can fail half way for the lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from evidence.errors import SettingsError, StoreError, StoreFull, StoreTooNew, StoreUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"
# How long a writer waits for another process's transaction; all of ours are short.
BUSY_SECONDS = 30.0
DEADLOCK = "40P01"  # what PostgreSQL says when it ends one of two that wait for each other
DEADLOCKS = 5  # after as many a change is given up
# A PostgreSQL that is cut off without a word is given up in seconds, not in the kernel's quarter of an hour.
_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}
Params = ParamSpec("Params")
Result = TypeVar("Result")
_turns: WeakKeyDictionary[Engine, threading.Lock] = WeakKeyDictionary()


def open_engine(url: str) -> Engine:
    """An engine on `url`, such as "sqlite:////var/lib/touchstone/jobs.db"; nothing is touched yet.

    Raises SettingsError for an address that is of neither database.
    """
    try:
        parts = make_url(url)
    except ArgumentError:
        parts = make_url("none://")
    if parts.drivername in ("postgresql", "postgres"):
        parts = parts.set(drivername="postgresql+psycopg")
    if parts.drivername not in ("sqlite", "postgresql+psycopg"):
        raise SettingsError(
            "TOUCHSTONE_DATABASE_URL is no address of a job store.",
            "Give sqlite:////folder/jobs.db or postgresql+psycopg://user:password@host/database.",
        )
    if parts.drivername == "sqlite":
        engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(parts, pool_pre_ping=True, connect_args=_PATIENCE)


def migrate(engine: Engine) -> None:
    """Bring the database to this version's tables.

    Raises StoreTooNew when a later version of Touchstone made it, StoreUnavailable when it cannot be reached.
    """
    scripts = ScriptDirectory(str(MIGRATIONS))
    with translated(), engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        known = {script.revision for script in scripts.walk_revisions()}
        if found is not None and found not in known:
            raise StoreTooNew(
                f"The job store is of revision {found}, which this version of Touchstone does not know.",
                "Run the version that made it, or a later one.",
            )
        if found == scripts.get_current_head():
            return
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with translated(), writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes; committed at the end, on disk when the block is left."""
    with _turn(engine), engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One view of the database as it is at the block's beginning."""
    with engine.connect() as connection, connection.begin():
        yield connection


def again_on_deadlock(change: Callable[Params, Result]) -> Callable[Params, Result]:
    """A change made anew, a few times, when the database undid it because two changes waited for each other.

    The order of locks (`locking.py`) makes that rare, not impossible: a video may be cut into parts, younger
    than the shards held already, while its job is being cancelled.
    """

    @wraps(change)
    def persistent(*given: Params.args, **named: Params.kwargs) -> Result:
        for _ in range(DEADLOCKS):
            try:
                return change(*given, **named)
            except StoreUnavailable as error:
                if getattr(getattr(error.__cause__, "orig", None), "sqlstate", "") != DEADLOCK:
                    raise
        return change(*given, **named)

    return persistent


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the database, in our words."""
    try:
        yield
    except OperationalError as error:
        said = str(error.orig)
        if "full" in said or "No space" in said:
            raise StoreFull(
                f"The job store's disk is full: {said}.", "Free some space; nothing was lost."
            ) from error
        raise StoreUnavailable(
            f"The job store cannot be used: {said.strip()}.",
            "Check TOUCHSTONE_DATABASE_URL and that the database runs.",
        ) from error
    except PoolTimeout as error:
        raise StoreUnavailable(
            "The job store is too busy: no connection came free.", "Ask again a little later."
        ) from error
    except DBAPIError as error:
        if "No space" in str(error.orig):
            raise StoreFull(f"The job store's disk is full: {error.orig}.", "Free some space.") from error
        raise StoreError(
            f"The job store refused: {error.orig}.", "This is a fault of ours; please report it."
        ) from error


def _turn(engine: Engine) -> AbstractContextManager[object]:
    """This process's turn to write to a SQLite database: its own waiting is by sleeping, and unfair."""
    if engine.dialect.name != "sqlite":
        return nullcontext()
    return _turns.setdefault(engine, threading.Lock())


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves
    for line in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_SECONDS * 1e3:.0f}",
    ):
        connection.execute(f"PRAGMA {line}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
