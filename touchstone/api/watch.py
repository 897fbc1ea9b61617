"""Waiting for news of jobs: one look at the database a moment, however many clients wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from starlette.concurrency import run_in_threadpool

from evidence.errors import StoreError
from worker.jobs.model import Event
from worker.jobs.search import newest_events
from worker.jobs.store import JobStore

LOOK_SECONDS = 0.1
OUTAGE_SECONDS = 1.0


class Watch:
    """Tells waiting clients of one process when something happened to their jobs."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._bells: dict[str, dict[asyncio.Event, int]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def news(self, job: str, after: int, seconds: float) -> list[Event]:
        """What happened to `job` behind event `after`, as soon as there is any; empty after `seconds`.

        Empty at once when the job is deleted meanwhile.
        """
        found = await run_in_threadpool(self._store.events, job, after=after)
        if found or seconds <= 0:
            return found
        with self._bell(job, after) as bell:
            try:
                await asyncio.wait_for(bell.wait(), seconds)
            except TimeoutError:
                return []
        return await run_in_threadpool(self._store.events, job, after=after)

    @contextlib.contextmanager
    def _bell(self, job: str, after: int) -> Iterator[asyncio.Event]:
        bell = asyncio.Event()
        self._bells.setdefault(job, {})[bell] = after
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield bell
        finally:
            bells = self._bells[job]
            del bells[bell]
            if not bells:
                del self._bells[job]

    async def _look(self) -> None:
        """Ring for every job with news, or that is gone, until nobody waits."""
        while self._bells:
            try:
                newest = await run_in_threadpool(newest_events, self._store.engine, list(self._bells))
            except StoreError:  # out of reach for a moment: whoever waits goes on waiting
                await asyncio.sleep(OUTAGE_SECONDS)
                continue
            for job, bells in self._bells.items():
                for bell, after in bells.items():
                    if newest.get(job, after + 1) > after:
                        bell.set()
            await asyncio.sleep(LOOK_SECONDS)
