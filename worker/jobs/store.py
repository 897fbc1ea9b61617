"""The job store: what was accepted is here, on disk, until it has ended and its time is over.

One implementation for SQLite and PostgreSQL (`engine.py` knows the difference). Workers lease shards
(`leases.py`), so that a killed worker loses nothing; a broker, where there is one, only carries numbers
of shards, and may be flushed at any time.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from evidence.errors import KeyConflict, NoSuchJob, StoreError, UsageError
from worker.jobs.engine import migrate, open_engine, reading, translated, writing
from worker.jobs.holdings import hold_in
from worker.jobs.model import Event, Job, JobState, Lane, NewJob, Plain, Shard, ShardState
from worker.jobs.owed import owe_in
from worker.jobs.schema import events, jobs, keys, shards

Clock = Callable[[], float]

# Rows of one INSERT: SQLite takes 32 766 values a statement, a shard has 14.
_ROWS = 1_000


class JobStore:
    """Jobs and their shards in the database at `url`; safe for any number of threads and processes.

    Raises StoreUnavailable, StoreTooNew, StoreFull.
    """

    def __init__(self, url: str, *, clock: Clock = time.time) -> None:
        self.engine = open_engine(url)
        self.clock = clock
        try:
            migrate(self.engine)
        except StoreError:
            self.engine.dispose()
            raise

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def submit(self, new: NewJob, *, more: bool = False) -> tuple[Job, bool]:
        """Accept a job; True beside it when it is new, False when its key had been used for it before.

        With `more`, shards may be added until `seal`. On disk when this returns. Raises KeyConflict when the
        key was used for another request.
        """
        if not new.shards and not more:
            raise UsageError("A job needs at least one shard.", "Give what is to be worked on.")
        digest = _digest(new)
        with translated(), writing(self.engine) as connection:
            if new.key:
                found = connection.execute(
                    select(keys).where(keys.c.tenant == new.tenant, keys.c.key == new.key)
                ).first()
                if found is not None:
                    if found.request_sha256 != digest:
                        raise KeyConflict(
                            f"The key {new.key!r} was used for another request.",
                            "Use a new key for a new request.",
                        )
                    return self._job(connection, found.job, new.tenant), False
            job = uuid.uuid4().hex
            now = self.clock()
            connection.execute(
                insert(jobs).values(
                    id=job,
                    tenant=new.tenant,
                    kind=new.kind,
                    lane=int(new.lane),
                    state=JobState.QUEUED.value,
                    request=_text(new.request),
                    client_ref=new.client_ref,
                    batch=new.batch,
                    total=0,
                    remaining=int(more),  # an open job waits for its seal as for one shard more
                    dead=0,
                    created=now,
                    retention_seconds=new.retention_seconds,
                )
            )
            if new.key:
                connection.execute(
                    insert(keys).values(
                        tenant=new.tenant, key=new.key, request_sha256=digest, job=job, created=now
                    )
                )
            hold_in(connection, job, new.tenant, new.media)
            self._add(connection, job, new.shards)
            self.note_in(connection, job, "queued", {"shards": len(new.shards)})
            return self._job(connection, job, new.tenant), True

    def add(self, job: str, payloads: Iterable[Plain]) -> None:
        """More shards for an open job, on disk in parts of a thousand."""
        for part in _parts(payloads):
            with translated(), writing(self.engine) as connection:
                self._add(connection, job, part)

    def seal(self, job: str) -> None:
        """No more shards will come: the job ends with its last one."""
        with translated(), writing(self.engine) as connection:
            self.count_down(connection, job)

    def get(self, job: str, tenant: str = "local") -> Job:
        """The job as it stands; raises NoSuchJob, for another tenant's too."""
        with translated(), reading(self.engine) as connection:
            return self._job(connection, job, tenant)

    def find(
        self,
        tenant: str = "local",
        *,
        state: JobState | None = None,
        batch: str | None = None,
        before: tuple[float, str] | None = None,
        limit: int = 50,
    ) -> list[Job]:
        """A tenant's jobs, newest first; `before` is (created, id) of the last one of the page before."""
        wanted = select(jobs).where(jobs.c.tenant == tenant)
        if state is not None:
            wanted = wanted.where(jobs.c.state == state.value)
        if batch is not None:
            wanted = wanted.where(jobs.c.batch == batch)
        if before is not None:
            created, job = before
            later = (jobs.c.created == created) & (jobs.c.id < job)
            wanted = wanted.where((jobs.c.created < created) | later)
        wanted = wanted.order_by(jobs.c.created.desc(), jobs.c.id.desc()).limit(limit)
        with translated(), reading(self.engine) as connection:
            return [to_job(row) for row in connection.execute(wanted)]

    def shards(
        self, job: str, *, after: int = -1, limit: int = 1_000, state: ShardState | None = None
    ) -> list[Shard]:
        """Shards of a job in their order, from behind position `after`."""
        wanted = select(shards).where(shards.c.job == job, shards.c.position > after)
        if state is not None:
            wanted = wanted.where(shards.c.state == state.value)
        with translated(), reading(self.engine) as connection:
            rows = connection.execute(wanted.order_by(shards.c.position).limit(limit))
            return [to_shard(row) for row in rows]

    def events(self, job: str, *, after: int = 0, limit: int = 1_000) -> list[Event]:
        """What happened to a job since event `after`, in order."""
        wanted = select(events).where(events.c.job == job, events.c.seq > after)
        with translated(), reading(self.engine) as connection:
            rows = connection.execute(wanted.order_by(events.c.seq).limit(limit))
            return [Event(row.seq, row.job, row.at, row.kind, json.loads(row.data)) for row in rows]

    def note(self, job: str, kind: str, data: Plain) -> None:
        """Write down that something happened, for whoever watches the job."""
        with translated(), writing(self.engine) as connection:
            self.note_in(connection, job, kind, data)

    def cancel(self, job: str, tenant: str = "local") -> Job:
        """End a job that has not ended: nobody claims its shards any more, and held leases are lost."""
        with translated(), writing(self.engine) as connection:
            self._job(connection, job, tenant)
            going = (ShardState.READY.value, ShardState.LEASED.value)
            connection.execute(
                update(shards)
                .where(shards.c.job == job, shards.c.state.in_(going))
                .values(state=ShardState.CANCELLED.value, token="", lease_until=None)
            )
            self._end(connection, job, JobState.CANCELLED)
            return self._job(connection, job, tenant)

    def retry_dead(self, job: str, tenant: str = "local") -> int:
        """Make the dead shards of a job ready again, with all their attempts; returns how many."""
        with translated(), writing(self.engine) as connection:
            found = self._job(connection, job, tenant)
            if found.state is JobState.CANCELLED:
                return 0
            revived = connection.execute(
                update(shards)
                .where(shards.c.job == job, shards.c.state == ShardState.DEAD.value)
                .values(state=ShardState.READY.value, attempts=0, due=self.clock(), cause=None, told=0.0)
            ).rowcount
            if revived:
                connection.execute(
                    update(jobs)
                    .where(jobs.c.id == job)
                    .values(
                        remaining=jobs.c.remaining + revived,
                        dead=jobs.c.dead - revived,
                        state=JobState.RUNNING.value,
                        finished=None,
                    )
                )
                self.note_in(connection, job, "retried", {"shards": revived})
            return revived

    def remove(self, job: str, tenant: str = "local") -> None:
        """Delete a job with all that belongs to it; raises NoSuchJob."""
        with translated(), writing(self.engine) as connection:
            self._job(connection, job, tenant)
            connection.execute(delete(jobs).where(jobs.c.id == job))

    def sweep(self, *, limit: int = 1_000) -> int:
        """Delete jobs whose time after their end is over; returns how many."""
        over = jobs.c.finished + jobs.c.retention_seconds <= self.clock()
        with translated(), writing(self.engine) as connection:
            chosen = select(jobs.c.id).where(over).limit(limit)
            return connection.execute(delete(jobs).where(jobs.c.id.in_(chosen))).rowcount

    def count_down(self, connection: Connection, job: str, *, dead: int = 0) -> None:
        """One shard of `job` ended, `dead` of it without a result; the last one ends the job."""
        row = connection.execute(
            update(jobs)
            .where(jobs.c.id == job)
            .values(remaining=jobs.c.remaining - 1, dead=jobs.c.dead + dead)
            .returning(jobs.c.remaining, jobs.c.dead, jobs.c.total)
        ).one()
        if row.remaining == 0:
            failed = row.total > 0 and row.dead == row.total
            self._end(connection, job, JobState.FAILED if failed else JobState.DONE)

    def note_in(self, connection: Connection, job: str, kind: str, data: Plain) -> None:
        """`note` within a transaction."""
        connection.execute(insert(events).values(job=job, at=self.clock(), kind=kind, data=_text(data)))

    def _end(self, connection: Connection, job: str, state: JobState) -> None:
        """End the job, unless it has ended: its last worker may hand in while its owner cancels it."""
        going = jobs.c.state.in_([one.value for one in JobState if not one.ended])
        ended = update(jobs).where(jobs.c.id == job, going)
        if not connection.execute(
            ended.values(state=state.value, finished=self.clock(), remaining=0)
        ).rowcount:
            return
        self.note_in(connection, job, state.value, {})
        owe_in(connection, job, state.value, self.clock())

    def _add(self, connection: Connection, job: str, payloads: Sequence[Plain]) -> None:
        row = connection.execute(
            update(jobs)
            .where(jobs.c.id == job, jobs.c.finished.is_(None))
            .values(total=jobs.c.total + len(payloads), remaining=jobs.c.remaining + len(payloads))
            .returning(jobs.c.total, jobs.c.tenant, jobs.c.kind, jobs.c.lane)
        ).first()
        if row is None:
            raise NoSuchJob(f"There is no open job {job}.", "It may have been cancelled or deleted.")
        now, first = self.clock(), row.total - len(payloads)
        values: list[dict[str, Any]] = [
            {
                "job": job,
                "position": first + index,
                "tenant": row.tenant,
                "kind": row.kind,
                "lane": row.lane,
                "state": ShardState.READY.value,
                "payload": _text(payload),
                "due": now,
                "created": now,
                "attempts": 0,
                "owner": "",
                "token": "",
            }
            for index, payload in enumerate(payloads)
        ]
        for part in _parts(values):
            connection.execute(insert(shards), part)

    def _job(self, connection: Connection, job: str, tenant: str) -> Job:
        row = connection.execute(select(jobs).where(jobs.c.id == job, jobs.c.tenant == tenant)).first()
        if row is None:
            raise NoSuchJob(f"There is no job {job}.", "List what there is, or submit it again.")
        return to_job(row)


def to_job(row: Row[Any]) -> Job:
    """A row of `jobs` in our words."""
    return Job(
        id=row.id,
        tenant=row.tenant,
        kind=row.kind,
        lane=Lane(row.lane),
        state=JobState(row.state),
        request=json.loads(row.request),
        client_ref=row.client_ref,
        batch=row.batch,
        total=row.total,
        remaining=row.remaining,
        dead=row.dead,
        created=row.created,
        finished=row.finished,
    )


def to_shard(row: Row[Any]) -> Shard:
    """A row of `shards` in our words."""
    return Shard(
        job=row.job,
        position=row.position,
        state=ShardState(row.state),
        payload=json.loads(row.payload),
        attempts=row.attempts,
        result=None if row.result is None else json.loads(row.result),
        cause=None if row.cause is None else json.loads(row.cause),
    )


def _parts(values: Iterable[Any]) -> Iterator[list[Any]]:
    left = iter(values)
    while part := list(islice(left, _ROWS)):
        yield part


def _text(value: Plain) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _digest(new: NewJob) -> str:
    asked = {"kind": new.kind, "request": new.request, "shards": list(new.shards)}
    return hashlib.sha256(_text(asked).encode()).hexdigest()
