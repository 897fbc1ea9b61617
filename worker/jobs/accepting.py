"""Accepting jobs within a transaction, any number at once: what a commit costs is then paid once for all.

An idempotency key that comes again gives the job it gave before, also within one group.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from evidence.errors import KeyConflict
from worker.jobs.model import Job, JobState, NewJob, Plain, ShardState
from worker.jobs.rows import in_parts, text_of, to_job
from worker.jobs.schema import events, holdings, jobs, keys, shards

# A job that was accepted, True beside it when it is new; or why it was not.
Outcome = tuple[Job, bool] | KeyConflict
_Place = tuple[str, str]  # tenant, key


def accept_in(connection: Connection, wanted: Sequence[NewJob], now: float, *, more: bool) -> list[Outcome]:
    """What becomes of each; the new ones are written down. With `more` they stay open for shards."""
    known = _known(connection, wanted)
    outcomes: list[Outcome] = []
    fresh: list[tuple[Job, NewJob]] = []
    for new in wanted:
        place = (new.tenant, new.key)
        if new.key and place in known:
            digest, job = known[place]
            outcomes.append((job, False) if digest == _digest(new) else _conflict(new.key))
            continue
        job = _queued(new, now, more=more)
        fresh.append((job, new))
        outcomes.append((job, True))
        if new.key:
            known[place] = (_digest(new), job)
    _write(connection, fresh, now)
    return outcomes


def shard_rows(
    job: str, payloads: Iterable[Plain], *, first: int, now: float, tenant: str, kind: str, lane: int
) -> list[dict[str, Any]]:
    """Ready shards of a job as rows, from position `first` on."""
    return [
        {
            "job": job,
            "position": position,
            "tenant": tenant,
            "kind": kind,
            "lane": lane,
            "state": ShardState.READY.value,
            "payload": text_of(payload),
            "due": now,
            "created": now,
            "attempts": 0,
            "owner": "",
            "token": "",
        }
        for position, payload in enumerate(payloads, first)
    ]


def _known(connection: Connection, wanted: Sequence[NewJob]) -> dict[_Place, tuple[str, Job]]:
    """The keys among those wanted that were used before, with the digest and the job of each."""
    asked: dict[str, set[str]] = {}
    for new in wanted:
        if new.key:
            asked.setdefault(new.tenant, set()).add(new.key)
    found: dict[_Place, tuple[str, Job]] = {}
    for tenant, names in asked.items():
        rows = select(keys.c.key, keys.c.request_sha256, jobs).join(jobs, jobs.c.id == keys.c.job)
        rows = rows.where(keys.c.tenant == tenant, keys.c.key.in_(names))
        for row in connection.execute(rows):
            found[tenant, row.key] = (row.request_sha256, to_job(row))
    return found


def _queued(new: NewJob, now: float, *, more: bool) -> Job:
    return Job(
        id=uuid.uuid4().hex,
        tenant=new.tenant,
        kind=new.kind,
        lane=new.lane,
        state=JobState.QUEUED,
        request=json.loads(text_of(new.request)),
        client_ref=new.client_ref,
        batch=new.batch,
        total=len(new.shards),
        remaining=len(new.shards) + int(more),  # an open job waits for its seal as for one shard more
        dead=0,
        created=now,
        finished=None,
    )


def _write(connection: Connection, fresh: Sequence[tuple[Job, NewJob]], now: float) -> None:
    rows: Mapping[Any, list[dict[str, Any]]] = {jobs: [], keys: [], holdings: [], shards: [], events: []}
    for job, new in fresh:
        rows[jobs].append(
            {
                "id": job.id,
                "tenant": job.tenant,
                "kind": job.kind,
                "lane": int(job.lane),
                "state": job.state.value,
                "request": text_of(new.request),
                "client_ref": job.client_ref,
                "batch": job.batch,
                "total": job.total,
                "remaining": job.remaining,
                "dead": job.dead,
                "created": now,
                "retention_seconds": new.retention_seconds,
            }
        )
        if new.key:
            used = {"tenant": job.tenant, "key": new.key, "job": job.id, "created": now}
            rows[keys].append(used | {"request_sha256": _digest(new)})
        rows[holdings] += [
            {"job": job.id, "sha256": sha256, "tenant": job.tenant} for sha256 in dict.fromkeys(new.media)
        ]
        rows[shards] += shard_rows(
            job.id, new.shards, first=0, now=now, tenant=job.tenant, kind=job.kind, lane=int(job.lane)
        )
        told = {"job": job.id, "at": now, "kind": "queued"}
        rows[events].append(told | {"data": text_of({"shards": job.total})})
    # Two groups that hold the same keys in one order cannot wait for each other in a circle.
    rows[keys].sort(key=lambda row: (row["tenant"], row["key"]))
    for table, values in rows.items():
        for part in in_parts(values):
            connection.execute(insert(table), part)


def _digest(new: NewJob) -> str:
    asked = {"kind": new.kind, "request": new.request, "shards": list(new.shards)}
    return hashlib.sha256(text_of(asked).encode()).hexdigest()


def _conflict(key: str) -> KeyConflict:
    return KeyConflict(f"The key {key!r} was used for another request.", "Use a new key for a new request.")
