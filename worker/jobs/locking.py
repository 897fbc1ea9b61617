"""The order in which rows are locked: shards before their job, and of several shards the youngest first.

A part of a video is younger than the whole that it counts down, so what ends a part keeps this order by
itself; whoever touches many shards of a job must take them so, or two of them wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, select

from worker.jobs.model import Lease
from worker.jobs.schema import shards


def hold_shards(connection: Connection, which: ColumnElement[bool]) -> None:
    """Lock these shards until the transaction ends; SQLite has one lock for all, which is ours already."""
    if connection.dialect.name != "sqlite":
        youngest_first = select(shards.c.id).where(which).order_by(shards.c.id.desc())
        connection.execute(youngest_first.with_for_update()).all()


def youngest_first(leases: Iterable[Lease]) -> list[Lease]:
    """The order in which the shards of these may be changed one by one."""
    return sorted(leases, key=lambda lease: lease.shard, reverse=True)
