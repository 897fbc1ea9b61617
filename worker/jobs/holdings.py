"""Which stored files are needed, and whose: a file lies under its sha256 until no job needs it any more.

A tenant may name a file by its sha256 only when a job of theirs holds it; that another tenant handed in
the same bytes is nobody else's business.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Engine, delete, insert, select

from worker.jobs.engine import reading, translated, writing
from worker.jobs.schema import holdings, jobs, shards


def hold(engine: Engine, job: str, media: Collection[str]) -> None:
    """Write down that a job needs further files; of one that was deleted meanwhile, nothing."""
    with translated(), writing(engine) as connection:
        tenant = connection.execute(select(jobs.c.tenant).where(jobs.c.id == job)).scalar_one_or_none()
        if tenant is not None:
            again = (holdings.c.job == job) & holdings.c.sha256.in_(media)
            connection.execute(delete(holdings).where(again))
            rows = [{"job": job, "sha256": sha256, "tenant": tenant} for sha256 in dict.fromkeys(media)]
            connection.execute(insert(holdings), rows)


def let_go(engine: Engine, job: str, shard: int, media: Collection[str]) -> None:
    """Hold files no longer that only one shard of the job needed; those that another names are kept."""
    with translated(), writing(engine) as connection:
        for sha256 in media:
            other = (shards.c.job == job) & (shards.c.id != shard)
            other &= shards.c.parent.is_distinct_from(shard) & shards.c.payload.contains(sha256)
            connection.execute(
                delete(holdings).where(
                    holdings.c.job == job,
                    holdings.c.sha256 == sha256,
                    ~select(shards.c.id).where(other).exists(),
                    ~select(shards.c.id)
                    .where(shards.c.id == shard, shards.c.payload.contains(sha256))
                    .exists(),
                )
            )


def jobs_holding(engine: Engine, tenant: str, sha256: str, *, limit: int = 50) -> list[str]:
    """The tenant's jobs that need a file; empty when the tenant never handed it in."""
    wanted = select(holdings.c.job).where(holdings.c.sha256 == sha256, holdings.c.tenant == tenant)
    with translated(), reading(engine) as connection:
        return list(connection.execute(wanted.limit(limit)).scalars())


def media_of(engine: Engine, job: str) -> list[str]:
    """The files that a job needs."""
    with translated(), reading(engine) as connection:
        return list(connection.execute(select(holdings.c.sha256).where(holdings.c.job == job)).scalars())


def unheld(engine: Engine, media: Collection[str]) -> set[str]:
    """Those of the files that no job of any tenant needs."""
    wanted = select(holdings.c.sha256).where(holdings.c.sha256.in_(media)).distinct()
    with translated(), reading(engine) as connection:
        return set(media) - set(connection.execute(wanted).scalars())
