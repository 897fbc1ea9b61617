"""The job store: what was accepted is here, on disk, until it has ended and its time is over.

One implementation for SQLite and PostgreSQL (`engine.py` knows the difference). Workers lease shards
(`leases.py`), so that a killed worker loses nothing; a broker, where there is one, only carries numbers
of shards, and may be flushed at any time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from evidence.errors import KeyConflict, NoSuchJob, StoreError, UsageError
from worker.jobs.accepting import Outcome, accept_in, shard_rows
from worker.jobs.engine import again_on_deadlock, migrate, open_engine, reading, translated, writing
from worker.jobs.locking import hold_shards
from worker.jobs.model import Event, Job, JobState, NewJob, Plain, Shard, ShardState
from worker.jobs.owed import owe_in
from worker.jobs.rows import in_parts, text_of, to_job, to_shard
from worker.jobs.schema import events, jobs, shards

Clock = Callable[[], float]


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
        (outcome,) = self.submit_all([new], more=more)
        if isinstance(outcome, KeyConflict):
            raise outcome
        return outcome

    def submit_all(self, wanted: Sequence[NewJob], *, more: bool = False) -> list[Outcome]:
        """Accept jobs together, with one commit for all; what `submit` gives or raises for each of them."""
        if not more and not all(new.shards for new in wanted):
            raise UsageError("A job needs at least one shard.", "Give what is to be worked on.")
        with translated():
            try:
                with writing(self.engine) as connection:
                    return accept_in(connection, wanted, self.clock(), more=more)
            except IntegrityError:  # another process used one of the keys just now: its job is there
                with writing(self.engine) as connection:
                    return accept_in(connection, wanted, self.clock(), more=more)

    def add(self, job: str, payloads: Iterable[Plain]) -> None:
        """More shards for an open job, on disk in parts of a thousand."""
        for part in in_parts(payloads):
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

    @again_on_deadlock
    def cancel(self, job: str, tenant: str = "local") -> Job:
        """End a job that has not ended: nobody claims its shards any more, and held leases are lost."""
        with translated(), writing(self.engine) as connection:
            self._job(connection, job, tenant)
            going = (ShardState.READY.value, ShardState.LEASED.value, ShardState.WAITING.value)
            going_on = (shards.c.job == job) & shards.c.state.in_(going)
            hold_shards(connection, going_on)
            connection.execute(
                update(shards)
                .where(going_on)
                .values(state=ShardState.CANCELLED.value, token="", lease_until=None)
            )
            self._end(connection, job, JobState.CANCELLED)
            return self._job(connection, job, tenant)

    @again_on_deadlock
    def retry_dead(self, job: str, tenant: str = "local") -> int:
        """Make the dead shards of a job ready again, with all their attempts; returns how many."""
        with translated(), writing(self.engine) as connection:
            found = self._job(connection, job, tenant)
            if found.state is JobState.CANCELLED:
                return 0
            dead = (shards.c.job == job) & (shards.c.state == ShardState.DEAD.value)
            dead &= shards.c.parent.is_(None)
            hold_shards(connection, dead)
            revived = connection.execute(
                update(shards)
                .where(dead)
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

    @again_on_deadlock
    def remove(self, job: str, tenant: str = "local") -> None:
        """Delete a job with all that belongs to it; raises NoSuchJob."""
        with translated(), writing(self.engine) as connection:
            self._job(connection, job, tenant)
            hold_shards(connection, shards.c.job == job)
            connection.execute(delete(jobs).where(jobs.c.id == job))

    @again_on_deadlock
    def sweep(self, *, limit: int = 1_000) -> int:
        """Delete jobs whose time after their end is over; returns how many."""
        over = jobs.c.finished + jobs.c.retention_seconds <= self.clock()
        with translated(), writing(self.engine) as connection:
            chosen = connection.execute(select(jobs.c.id).where(over).limit(limit)).scalars().all()
            hold_shards(connection, shards.c.job.in_(chosen))
            return connection.execute(delete(jobs).where(jobs.c.id.in_(chosen), over)).rowcount

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
        connection.execute(insert(events).values(job=job, at=self.clock(), kind=kind, data=text_of(data)))

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
        terms = {"tenant": row.tenant, "kind": row.kind, "lane": row.lane}
        values = shard_rows(job, payloads, first=row.total - len(payloads), now=self.clock(), **terms)
        connection.execute(insert(shards), values)

    def _job(self, connection: Connection, job: str, tenant: str) -> Job:
        row = connection.execute(select(jobs).where(jobs.c.id == job, jobs.c.tenant == tenant)).first()
        if row is None:
            raise NoSuchJob(f"There is no job {job}.", "List what there is, or submit it again.")
        return to_job(row)
