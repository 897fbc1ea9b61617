"""Taking in uploads: those that wait at the same time go to disk together, files and jobs alike.

A lone upload goes at once. While some are on their way to the disk, the next ones gather, and then share one
transaction and its syncs; each is on disk, file and job, before it is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from evidence.errors import StoreError, StoreUnavailable, TouchstoneError
from worker.jobs.model import Job, NewJob
from worker.jobs.store import JobStore
from worker.journal import Journal
from worker.media import MediaStore
from worker.receiving import Receiving
from worker.sweeping import drop_unheld

GROUPS = 2  # on their way to the disk at once: one waits for the database while the other writes files
GROUP_SIZE = 64
_SYNCS = 16  # of files, at once


_Outcome = tuple[Job, bool] | TouchstoneError


@dataclass(frozen=True)
class _Wish:
    """A job that waits to be accepted, with its medium unless that is here already."""

    new: NewJob
    medium: Receiving | None
    done: asyncio.Future[tuple[Job, bool]]


class Intake:
    """The way of uploads into a job store and a media store, for one event loop."""

    def __init__(self, store: JobStore, media: MediaStore) -> None:
        self._store, self._media = store, media
        self._journal = Journal(media.shelf)
        self._waiting: list[_Wish] = []
        self._under_way = 0
        self._threads = ThreadPoolExecutor(GROUPS, thread_name_prefix="intake")
        self._syncing = ThreadPoolExecutor(_SYNCS, thread_name_prefix="sync")

    def close(self) -> None:
        """Wait for what is on its way to the disk, and take nothing more."""
        self._threads.shutdown()
        self._syncing.shutdown()
        self._journal.close()

    async def take(self, new: NewJob, medium: Receiving | None = None) -> tuple[Job, bool]:
        """The job, True beside it when it is new; on disk with its medium when this returns.

        Raises KeyConflict, StoreFull, StoreUnavailable; then nothing of the medium is kept.
        """
        loop = asyncio.get_running_loop()
        wish = _Wish(new, medium, loop.create_future())
        self._waiting.append(wish)
        loop.call_soon(self._start, loop)  # after what else arrived in this moment
        return await wish.done

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting and self._under_way < GROUPS:
            group, self._waiting = self._waiting[:GROUP_SIZE], self._waiting[GROUP_SIZE:]
            self._under_way += 1
            self._threads.submit(self._work, loop, group)

    def _work(self, loop: asyncio.AbstractEventLoop, group: Sequence[_Wish]) -> None:
        try:
            outcomes: list[_Outcome] | Exception = self._accept(group)
        except Exception as error:
            outcomes = error
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(self._settle, loop, group, outcomes)

    def _settle(
        self, loop: asyncio.AbstractEventLoop, group: Sequence[_Wish], outcomes: list[_Outcome] | Exception
    ) -> None:
        self._under_way -= 1
        self._start(loop)
        found = [outcomes] * len(group) if isinstance(outcomes, Exception) else outcomes
        for wish, outcome in zip(group, found, strict=True):
            if wish.done.done():  # its client gave up
                continue
            if isinstance(outcome, Exception):
                wish.done.set_exception(outcome)
            else:
                wish.done.set_result(outcome)

    def _accept(self, group: Sequence[_Wish]) -> list[_Outcome]:
        """What becomes of each of a group: on disk, or nothing of it kept."""
        media = {number: wish.medium for number, wish in enumerate(group) if wish.medium is not None}
        outcomes: dict[int, _Outcome] = {}
        for number, error in zip(media, self._keep(list(media.values())), strict=True):
            if error is not None:
                outcomes[number] = error
        left = [number for number in range(len(group)) if number not in outcomes]
        for number, outcome in zip(left, self._submit([group[number].new for number in left]), strict=True):
            outcomes[number] = outcome
        useless = [media[number].sha256 for number in media if isinstance(outcomes[number], TouchstoneError)]
        if useless:
            with suppress(StoreError):  # else they go an hour later
                drop_unheld(self._store.engine, self._media, useless)
        return [outcomes[number] for number in range(len(group))]

    def _keep(self, media: list[Receiving]) -> list[StoreError | None]:
        return self._journal.keep(media) if len(media) == 1 else self._journal.keep(media, self._syncing.map)

    def _submit(self, wanted: Sequence[NewJob]) -> list[_Outcome]:
        if not wanted:
            return []
        try:
            accepted = self._store.submit_all(wanted)
        except StoreError as error:
            return [error] * len(wanted)
        return [self._checked(new, outcome) for new, outcome in zip(wanted, accepted, strict=True)]

    def _checked(self, new: NewJob, outcome: _Outcome) -> _Outcome:
        """The outcome, unless a medium was deleted after it was found here and before the job held it."""
        if isinstance(outcome, TouchstoneError):
            return outcome
        job, fresh = outcome
        if fresh and not all(self._media.has(sha256) for sha256 in new.media):
            self._store.remove(job.id, job.tenant)
            return StoreUnavailable("The medium was deleted while it was handed in.", "Send it again.")
        return outcome
