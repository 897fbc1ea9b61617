"""Looking through a tenant's jobs of one kind, with what came of each: for lists, histories and counts."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, ColumnElement, Engine, cast, func, select

from worker.jobs.engine import reading, translated
from worker.jobs.model import Job, JobState, Shard, ShardState
from worker.jobs.rows import to_job, to_shard
from worker.jobs.schema import events, jobs, shards


@dataclass(frozen=True)
class Search:
    """What is wanted: all jobs of a kind, or only some states, verdicts, names, references or times.

    `verdict` "none" is of jobs that have ended without one, `name` a part of the name, in any case. `since`
    and `until` are seconds since the epoch, `until` past the end. `before` is (created, id) of the last one
    of the page before.
    """

    kind: str
    state: JobState | None = None
    verdict: str | None = None
    name: str | None = None
    client_ref: str | None = None
    since: float | None = None
    until: float | None = None
    before: tuple[float, str] | None = None
    limit: int = 50


def find_jobs(engine: Engine, tenant: str, search: Search) -> list[tuple[Job, Shard | None]]:
    """The tenant's jobs, newest first, each with its first shard: of a scan that is all there is."""
    wanted = select(jobs).where(jobs.c.tenant == tenant, jobs.c.kind == search.kind)
    if search.state is not None:
        wanted = wanted.where(jobs.c.state == search.state.value)
    if search.client_ref is not None:
        wanted = wanted.where(jobs.c.client_ref == search.client_ref)
    if search.verdict is not None:
        first = (shards.c.job == jobs.c.id) & (shards.c.position == 0)
        said = _inside(engine, shards.c.result, "report", "verdict")
        ended = jobs.c.state.in_((JobState.DONE.value, JobState.FAILED.value))
        is_it = said.is_(None) & ended if search.verdict == "none" else said == search.verdict
        wanted = wanted.join(shards, first).where(is_it)
    if search.since is not None:
        wanted = wanted.where(jobs.c.created >= search.since)
    if search.until is not None:
        wanted = wanted.where(jobs.c.created < search.until)
    if search.name is not None:
        name = func.lower(_inside(engine, jobs.c.request, "name"))
        wanted = wanted.where(name.contains(search.name.lower(), autoescape=True))
    if search.before is not None:
        created, job = search.before
        same = (jobs.c.created == created) & (jobs.c.id < job)
        wanted = wanted.where((jobs.c.created < created) | same)
    wanted = wanted.order_by(jobs.c.created.desc(), jobs.c.id.desc()).limit(search.limit)
    with translated(), reading(engine) as connection:
        found = [to_job(row) for row in connection.execute(wanted)]
        parts = select(shards).where(shards.c.job.in_([job.id for job in found]), shards.c.position == 0)
        first_of = {row.job: to_shard(row) for row in connection.execute(parts)}
    return [(job, first_of.get(job.id)) for job in found]


def existing(engine: Engine, candidates: Collection[str]) -> set[str]:
    """Those of the jobs that are there, of whatever tenant."""
    wanted = select(jobs.c.id).where(jobs.c.id.in_(candidates))
    with translated(), reading(engine) as connection:
        return set(connection.execute(wanted).scalars())


def is_open(engine: Engine, job: str) -> bool:
    """Whether more shards may come: the job waits for more than those it has."""
    going = (ShardState.READY.value, ShardState.LEASED.value, ShardState.WAITING.value)
    counted = select(func.count()).where(
        shards.c.job == job, shards.c.state.in_(going), shards.c.parent.is_(None)
    )
    with translated(), reading(engine) as connection:
        waiting = connection.execute(counted).scalar_one()
        remaining: int = connection.execute(select(jobs.c.remaining).where(jobs.c.id == job)).scalar_one()
    return remaining > waiting


def count_states(engine: Engine, tenant: str, *, since: float = 0.0) -> dict[tuple[str, str], int]:
    """How many jobs of each (kind, state) the tenant made since then."""
    wanted = (
        select(jobs.c.kind, jobs.c.state, func.count())
        .where(jobs.c.tenant == tenant, jobs.c.created >= since)
        .group_by(jobs.c.kind, jobs.c.state)
    )
    with translated(), reading(engine) as connection:
        return {(row[0], row[1]): row[2] for row in connection.execute(wanted)}


def count_jobs(engine: Engine, tenant: str, since: float) -> int:
    """How many jobs the tenant made since then."""
    wanted = select(func.count()).where(jobs.c.tenant == tenant, jobs.c.created >= since)
    with translated(), reading(engine) as connection:
        return connection.execute(wanted).scalar_one()


def count_waiting(engine: Engine) -> dict[str, int]:
    """How many jobs of each tenant have not ended; takes as long as there are such jobs, not as all."""
    wanted = select(jobs.c.tenant, func.count()).where(jobs.c.finished.is_(None)).group_by(jobs.c.tenant)
    with translated(), reading(engine) as connection:
        return {row[0]: row[1] for row in connection.execute(wanted)}


def newest_events(engine: Engine, wanted: Collection[str], kind: str | None = None) -> dict[str, int]:
    """The number of the newest event, of a kind if one is named, of each of the jobs that has one."""
    rows = select(events.c.job, func.max(events.c.seq)).where(events.c.job.in_(wanted))
    if kind is not None:
        rows = rows.where(events.c.kind == kind)
    with translated(), reading(engine) as connection:
        return {row[0]: row[1] for row in connection.execute(rows.group_by(events.c.job))}


def newest_progress(engine: Engine, wanted: Collection[str]) -> dict[str, dict[str, Any]]:
    """What each job last said of its frames: {"done", "of"}; none of jobs that said nothing."""
    newest = newest_events(engine, wanted, "frame")
    rows = select(events.c.job, events.c.data).where(events.c.seq.in_(newest.values()))
    with translated(), reading(engine) as connection:
        return {row[0]: json.loads(row[1]) for row in connection.execute(rows)}


def _inside(engine: Engine, column: Any, *path: str) -> ColumnElement[str]:
    """A text within a column of JSON text; NULL where there is none."""
    if engine.dialect.name == "sqlite":
        return func.json_extract(column, "$." + ".".join(path))
    return func.json_extract_path_text(cast(column, JSON), *path)
