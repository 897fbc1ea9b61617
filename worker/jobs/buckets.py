"""Buckets of tokens that several processes draw on: what each has used is taken out of them now and then.

A bucket may fall below nothing, when several gave away the last of it; then all wait for longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, delete
from sqlalchemy.dialects import postgresql, sqlite

from worker.jobs.engine import again_on_deadlock, translated, writing
from worker.jobs.schema import rate_buckets
from worker.jobs.store import JobStore

# A bucket that nobody used for so long is full again, and forgotten.
FORGET_SECONDS = 3_600.0
# Clocks of machines differ by less; a time further ahead was told by a clock that was set back since.
_AHEAD_SECONDS = 60.0


class Buckets:
    """The buckets in the database of a job store, which refill evenly up to a burst."""

    def __init__(self, store: JobStore) -> None:
        self._engine, self._clock = store.engine, store.clock

    @again_on_deadlock
    def take(self, used: Mapping[str, int], *, per_second: float, burst: float) -> dict[str, float]:
        """Take out what was used, by the bucket's name; how much each holds then. Raises StoreError."""
        now = self._clock()
        with translated(), writing(self._engine) as connection:
            connection.execute(delete(rate_buckets).where(rate_buckets.c.at < now - FORGET_SECONDS))
            return {
                name: _take(connection, name, used[name], now, per_second, burst) for name in sorted(used)
            }


def _take(connection: Connection, name: str, used: int, now: float, per_second: float, burst: float) -> float:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    tokens, at = rate_buckets.c.tokens, rate_buckets.c.at
    grown = tokens + case((at < now, (now - at) * per_second), else_=0.0)
    ahead = (at > now) & (at < now + _AHEAD_SECONDS)
    later: dict[str, ColumnElement[Any]] = {
        "tokens": case((grown < burst, grown), else_=burst) - used,
        "at": case((ahead, at), else_=now),
    }
    taken = dialect.insert(rate_buckets).values(name=name, tokens=burst - used, at=now)
    taken = taken.on_conflict_do_update(index_elements=["name"], set_=later)
    return float(connection.execute(taken.returning(tokens)).scalar_one())
