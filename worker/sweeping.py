"""Cleaning up: jobs and messages whose time is over, pictures of gone jobs, media that nobody needs."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Engine

from worker.jobs.holdings import unheld
from worker.jobs.hooks import Webhooks
from worker.jobs.search import existing
from worker.jobs.store import JobStore
from worker.media import MediaStore

# A file this young may belong to a job that is being accepted.
YOUNG_SECONDS = 3_600.0
_AT_ONCE = 500


@dataclass(frozen=True)
class Swept:
    """How much was deleted."""

    jobs: int
    folders: int
    media: int


def sweep(store: JobStore, media: MediaStore, *, young_seconds: float = YOUNG_SECONDS) -> Swept:
    """Delete what nobody needs any more, and nothing younger than `young_seconds`."""
    jobs = 0
    while found := store.sweep():
        jobs += found
    Webhooks(store).sweep()
    old = time.time() - young_seconds
    gone = folders = 0
    for part in _parts(list(media.jobs(before=old))):
        for job in set(part) - existing(store.engine, part):
            media.forget(job)
            folders += 1
    for part in _parts(list(media.media(before=old))):
        gone += drop_unheld(store.engine, media, part)
    return Swept(jobs, folders, gone)


def drop_unheld(engine: Engine, media: MediaStore, sha256s: Collection[str]) -> int:
    """Delete those of the media that no job needs; how many.

    Somebody may be handing in the same bytes: out of the way first, then a second look.
    """
    dropped = 0
    for sha256 in unheld(engine, sha256s):
        with media.aside(sha256) as drop:
            if unheld(engine, [sha256]):
                drop()
                dropped += 1
    return dropped


def _parts(names: list[str]) -> list[list[str]]:
    return [names[first : first + _AT_ONCE] for first in range(0, len(names), _AT_ONCE)]
