"""Leases: how workers take shards, keep them, and give them back with a result or a cause.

A claimed shard belongs to its worker until the lease runs out; a worker that dies lets it run out, and the
next one gets the shard. Every lease carries a token, and only the newest token of a shard counts: whatever
was done twice is counted once. A shard whose attempts are used up is dead, with the cause of the last; one
that was tried before is claimed alone, so that what ends its worker does not end its neighbours.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select, update

from provenance.registry import storable
from provenance.transparency.entries import entries_of
from worker.jobs.cutting import PART, part_ended_in
from worker.jobs.engine import again_on_deadlock, reading, translated, writing
from worker.jobs.ledger import log_in
from worker.jobs.locking import youngest_first
from worker.jobs.model import Depth, Held, JobState, Lane, Lease, Plain, ShardState
from worker.jobs.schema import jobs, shards
from worker.jobs.store import JobStore

MOST_ATTEMPTS = 3
# A failed shard waits before its next attempt: two seconds, then eight.
BACKOFF_SECONDS = 2.0
BACKOFF_GROWTH = 4.0
LONGEST_BACKOFF_SECONDS = BACKOFF_SECONDS * BACKOFF_GROWTH ** (MOST_ATTEMPTS - 1)
# Media of the shards of a batch that are claimed at once, which fill the detector's batches; who claims more
# while these are under way leaves little to wait for at the end of an archive.
MEDIA_AT_ONCE = 32
# Kinds whose shards are claimed one at a time: parts are for several workers, and a whole set takes its time.
ALONE = (PART, "testset")
LOST = {"code": "worker_lost", "message": "The worker that had this shard stopped answering."}

_HELD = (shards.c.id, shards.c.token, shards.c.job, shards.c.attempts)


class Leases:
    """The workers' side of a job store. `logged` is whether verdicts go into the transparency log."""

    def __init__(self, store: JobStore, *, attempts: int = MOST_ATTEMPTS, logged: bool = True) -> None:
        self.store, self.attempts, self.logged = store, attempts, logged

    @again_on_deadlock
    def claim(
        self,
        owner: str,
        kinds: Sequence[str],
        *,
        count: int = 1,
        seconds: float = 60.0,
        lanes: Sequence[Lane] = tuple(Lane),
        shard: int | None = None,
        beside: str = "",
    ) -> list[Lease]:
        """Up to `count` ready shards of these kinds, most urgent lane first.

        In a lane the oldest go first, and parts of videos after what is whole: they are many.

        With `shard`, that one or none. With `beside`, only shards of that kind that may share the fate of
        others that their worker holds: none when anything else goes first.
        """
        now = self.store.clock()
        ready = (
            select(shards)
            .where(
                shards.c.state == ShardState.READY.value,
                shards.c.kind.in_(kinds),
                shards.c.lane.in_([int(lane) for lane in lanes]),
                due_by(now),
            )
            .order_by(shards.c.lane, shards.c.parent.is_not(None), shards.c.due, shards.c.id)
            .limit(count)
            .with_for_update(skip_locked=True)
        )
        if shard is not None:
            ready = ready.where(shards.c.id == shard)
        with translated(), writing(self.store.engine) as connection:
            found = _together(connection.execute(ready).all(), beside)
            leases = [
                Lease(
                    shard=row.id,
                    job=row.job,
                    tenant=row.tenant,
                    kind=row.kind,
                    position=row.position,
                    payload=json.loads(row.payload),
                    attempt=row.attempts + 1,
                    token=uuid.uuid4().hex,
                    until=now + seconds,
                    parent=row.parent,
                    so_far=None if row.result is None else json.loads(row.result),
                )
                for row in found
            ]
            for lease in leases:
                connection.execute(
                    update(shards)
                    .where(shards.c.id == lease.shard)
                    .values(
                        state=ShardState.LEASED.value,
                        owner=owner,
                        token=lease.token,
                        lease_until=lease.until,
                        attempts=lease.attempt,
                    )
                )
            for job in sorted({lease.job for lease in leases}):  # in one order: two claims never deadlock
                begun = connection.execute(
                    update(jobs)
                    .where(jobs.c.id == job, jobs.c.state == JobState.QUEUED.value)
                    .values(state=JobState.RUNNING.value)
                ).rowcount
                if begun:
                    self.store.note_in(connection, job, "running", {})
            return leases

    @again_on_deadlock
    def renew(self, leases: Sequence[Lease], *, seconds: float = 60.0) -> set[str]:
        """Hold the leases longer; returns the tokens that still count. Others were cancelled or taken."""
        until = self.store.clock() + seconds
        kept: set[str] = set()
        with translated(), writing(self.store.engine) as connection:
            for lease in youngest_first(leases):
                held = connection.execute(
                    update(shards)
                    .where(shards.c.id == lease.shard, shards.c.token == lease.token)
                    .values(lease_until=until)
                ).rowcount
                if held:
                    kept.add(lease.token)
        return kept

    @again_on_deadlock
    def complete(self, lease: Lease, result: Plain) -> bool:
        """Hand in the result; False when the lease no longer counts, and then nothing changes.

        What the transparency log is to hold of it is written down with it.
        """
        text, kept = _storable(result)
        entries = entries_of(kept, self.store.clock()) if self.logged else []
        with translated(), writing(self.store.engine) as connection:
            counted = connection.execute(
                update(shards)
                .where(shards.c.id == lease.shard, shards.c.token == lease.token)
                .values(
                    state=ShardState.DONE.value,
                    result=text,
                    cause=None,
                    token="",
                    lease_until=None,
                )
            ).rowcount
            if counted:
                self._count(connection, lease.job, lease.parent)
                log_in(connection, entries, lease.job)
            return bool(counted)

    @again_on_deadlock
    def fail(self, lease: Lease, cause: Plain, *, final: bool = False) -> bool:
        """Give a shard back with what went wrong; `final` when another attempt cannot help.

        Returns False when the lease no longer counts.
        """
        return self._give_back(lease.shard, lease.token, lease.job, lease.attempt, cause, final=final)

    @again_on_deadlock
    def release(self, leases: Sequence[Lease]) -> None:
        """Give shards back untouched, without an attempt counted: a worker stops on purpose."""
        with translated(), writing(self.store.engine) as connection:
            for lease in youngest_first(leases):
                connection.execute(
                    update(shards)
                    .where(shards.c.id == lease.shard, shards.c.token == lease.token)
                    .values(
                        state=ShardState.READY.value,
                        attempts=lease.attempt - 1,
                        token="",
                        lease_until=None,
                        told=0.0,
                    )
                )

    def held(self) -> list[Held]:
        """The leases that are held, and when each runs out by the clock of its worker."""
        held = select(*_HELD, shards.c.lease_until).where(shards.c.state == ShardState.LEASED.value)
        with translated(), reading(self.store.engine) as connection:
            return [Held(*row) for row in connection.execute(held)]

    def late(self, held: Held) -> bool:
        """Take back the shard of a silent worker, counting the attempt; False when it holds it no more."""
        return self._give_back(held.shard, held.token, held.job, held.attempt, LOST)

    @again_on_deadlock
    def lost(self, owner: str, cause: Plain) -> int:
        """Take back at once what a worker held that is known to be dead, counting the attempt; how many."""
        held = select(*_HELD).where(shards.c.state == ShardState.LEASED.value, shards.c.owner == owner)
        with translated(), reading(self.store.engine) as connection:
            found = connection.execute(held).all()
        return sum(self._give_back(row.id, row.token, row.job, row.attempts, cause) for row in found)

    def newest(self) -> float | None:
        """When the last of the held leases runs out: that moves while a worker lives."""
        held = select(func.max(shards.c.lease_until)).where(shards.c.state == ShardState.LEASED.value)
        with translated(), reading(self.store.engine) as connection:
            return connection.execute(held).scalar()

    def depth(self, kinds: Sequence[str] = ()) -> dict[Lane, Depth]:
        """How much waits in each lane."""
        now = self.store.clock()
        wanted = select(shards.c.lane, shards.c.state, func.count(), func.min(shards.c.created)).group_by(
            shards.c.lane, shards.c.state
        )
        if kinds:
            wanted = wanted.where(shards.c.kind.in_(kinds))
        with translated(), reading(self.store.engine) as connection:
            rows = {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(wanted)}
        found = {}
        for lane in Lane:
            ready, oldest = rows.get((int(lane), ShardState.READY.value), (0, now))
            leased = rows.get((int(lane), ShardState.LEASED.value), (0, now))[0]
            dead = rows.get((int(lane), ShardState.DEAD.value), (0, now))[0]
            found[lane] = Depth(ready, leased, dead, max(0.0, now - oldest))
        return found

    def _give_back(
        self, shard: int, token: str, job: str, attempt: int, cause: Plain, *, final: bool = False
    ) -> bool:
        dead = final or attempt >= self.attempts
        state = ShardState.DEAD if dead else ShardState.READY
        due = self.store.clock() + BACKOFF_SECONDS * BACKOFF_GROWTH ** (attempt - 1)
        with translated(), writing(self.store.engine) as connection:
            counted = connection.execute(
                update(shards)
                .where(shards.c.id == shard, shards.c.token == token)
                .values(
                    state=state.value,
                    due=due,
                    cause=json.dumps(cause, separators=(",", ":")),
                    token="",
                    lease_until=None,
                    told=0.0,
                )
                .returning(shards.c.parent)
            ).first()
            if counted is not None and dead:
                self.store.note_in(connection, job, "shard_dead", cause)
                self._count(connection, job, counted.parent, dead=1)
            return counted is not None

    def _count(self, connection: Connection, job: str, parent: int | None, *, dead: int = 0) -> None:
        """A shard ended: one less that its job waits for, or the whole that it is a part of."""
        if parent is None:
            self.store.count_down(connection, job, dead=dead)
        else:
            part_ended_in(connection, parent, self.store.clock())


def _storable(result: Plain) -> tuple[str, Plain]:
    """A result as JSON that PostgreSQL can look into, and itself so: without NUL and half characters."""
    text = json.dumps(result, separators=(",", ":"))
    if "\\u0000" in text or "\\ud" in text:  # a file may claim anything of itself
        result = _whole(result)
        text = json.dumps(result, separators=(",", ":"))
    return text, result


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {_whole(name): _whole(inside) for name, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(inside) for inside in value]
    return value


def due_by(now: float) -> ColumnElement[bool]:
    """Whether a shard's time has come: also when it lies further ahead than any shard ever waits.

    Then the clock was set back since, or another machine's is ahead.
    """
    return or_(shards.c.due <= now, shards.c.due > now + LONGEST_BACKOFF_SECONDS)


def _together(found: Sequence[Row[Any]], beside: str) -> Sequence[Row[Any]]:
    """Those of the found shards that may share a worker's fate.

    The first alone, if it was tried before or is of a kind in ALONE.
    Else no more shards of a batch than hold MEDIA_AT_ONCE media: the others need some at the end. `beside`
    shards of a kind, only such ones, that are at their beginning.
    """
    if beside:
        found = list(takewhile(lambda row: _fresh(row) and row.kind == beside and row.result is None, found))
    elif found and not _fresh(found[0]):
        return found[:1]
    together, media = [], 0
    for row in found:
        if _fresh(row) and media < MEDIA_AT_ONCE:
            together.append(row)
            media += len(json.loads(row.payload).get("items", ()))
    return together


def _fresh(row: Row[Any]) -> bool:
    return not row.attempts and row.kind not in ALONE
