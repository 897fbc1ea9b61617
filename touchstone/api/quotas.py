"""How much may still be handed in: room on the disk, jobs that wait, jobs of a day.

Counting them for each upload would cost more than the upload, so what a look found may be used up for a
second without another. A refusal always follows a look of its own.
"""

from __future__ import annotations

import shutil
import threading
import time

from evidence.errors import StoreFull
from touchstone.api.rates import too_many
from worker.jobs.search import count_jobs, count_waiting
from worker.jobs.store import JobStore
from worker.settings import Settings

LOOK_SECONDS = 1.0
_DAY = 86_400.0


class Quotas:
    """What each tenant may still submit, by the settings and a job store."""

    def __init__(self, settings: Settings, store: JobStore) -> None:
        self._settings, self._store = settings, store
        self._lock = threading.Lock()
        self._left: dict[str, int] = {}
        self._until = 0.0

    def spend(self, tenant: str) -> bool:
        """Whether the tenant may submit one more by a look of lately; never waits."""
        with self._lock:
            left = self._left.get(tenant, 0) if time.monotonic() < self._until else 0
            if left > 0:
                self._left[tenant] = left - 1
            return left > 0

    def look(self, tenant: str) -> None:
        """Count, for one more; raises TooMany when the quota is used up, StoreFull when the disk is."""
        self.room()
        settings, now = self._settings, self._store.clock()
        waiting = count_waiting(self._store.engine).get(tenant, 0)
        left = settings.waiting_jobs - waiting
        if left <= 0:
            raise too_many(
                f"{waiting} jobs wait already; {settings.waiting_jobs} are allowed.",
                "Wait for some to end, or hand files in as a batch.",
                30.0,
            )
        if settings.jobs_per_day:
            today = count_jobs(self._store.engine, tenant, now - _DAY)
            left = min(left, settings.jobs_per_day - today)
            if left <= 0:
                raise too_many(
                    f"{today} jobs were submitted within 24 hours; {settings.jobs_per_day} are allowed.",
                    "Come back tomorrow, or have TOUCHSTONE_JOBS_PER_DAY raised.",
                    _DAY / settings.jobs_per_day,
                )
        with self._lock:
            if time.monotonic() >= self._until:
                self._left, self._until = {}, time.monotonic() + LOOK_SECONDS
            self._left[tenant] = left - 1

    def room(self) -> None:
        """Raise StoreFull while the disk has less room than the settings want left."""
        for folder in {self._settings.data_dir, self._settings.media_folder}:
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
            if free < self._settings.free_bytes:
                raise StoreFull(
                    f"The disk has {free} bytes left; {self._settings.free_bytes} are kept free.",
                    "Try again when there is room; nothing of this request was kept.",
                )
