"""What a worker process keeps open from shard to shard: scanners, the files it fetched, ears for news."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from evidence.errors import Abandoned
from worker.fetching import Fetcher
from worker.jobs.cutting import PART
from worker.jobs.model import Lease
from worker.keeping import Keeper
from worker.media import MediaStore
from worker.requests import ScanOptions
from worker.scanner import Scanner
from worker.scanners import Scanners
from worker.settings import Settings
from worker.testset_shards import SetBuilder

OnProgress = Callable[[Lease, int, int], None]

PROGRESS_SECONDS = 0.5


class Tools:
    """A context; `on_progress(lease, done, of)` hears of the frames of a video, twice a second at most."""

    def __init__(
        self, settings: Settings, media: MediaStore, keeper: Keeper, on_progress: OnProgress
    ) -> None:
        self.settings, self.media, self.keeper = settings, media, keeper
        self.fetcher = Fetcher(settings, media)
        self._on_progress = on_progress
        self.sets = SetBuilder(settings, media, keeper)
        self._scanners = Scanners(settings, self._open)
        self._watched: dict[str, list[Lease]] = {}
        self._told: dict[str, float] = {}

    def __enter__(self) -> Tools:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scanners.close()

    def scanner(self, options: ScanOptions) -> Scanner:
        """The scanner for these options, kept open until its model changes. Raises ModelError."""
        return self._scanners.get(options)

    def watch(self, path: str, lease: Lease) -> None:
        """Count the frames of the file at `path` for a lease."""
        self._watched.setdefault(path, []).append(lease)

    def unwatch(self) -> None:
        """Count nothing any more."""
        self._watched, self._told = {}, {}

    def _open(self, settings: Settings, options: ScanOptions) -> Scanner:
        return Scanner(
            settings,
            sampling=options.sampling(settings),
            previews=True,
            on_frame=self._frame,
            reach=self.fetcher.reach,
            fingerprints=settings.registry,
        )

    def _frame(self, path: str, done: int, of: int) -> None:
        """Tell of a frame; raises Abandoned when nobody waits for this file any more."""
        leases = [lease for lease in self._watched.get(path, []) if self.keeper.wanted(lease)]
        if not leases:
            raise Abandoned("Nobody waits for this file any more.")
        for lease in leases:
            if lease.kind == "scan" or (lease.kind == PART and lease.payload["of"]):
                self._tell(lease, done, of)

    def drawn(self, lease: Lease, done: int, of: int) -> None:
        """Tell of a picture that was made; raises Abandoned when nobody waits for the others any more."""
        self.heed(lease)
        self._tell(lease, done, of)

    def heed(self, lease: Lease) -> None:
        """Raise Abandoned when nobody waits for what a lease asks for any more."""
        if not self.keeper.wanted(lease):
            raise Abandoned("Nobody waits for these pictures any more.")

    def _tell(self, lease: Lease, done: int, of: int) -> None:
        now = time.monotonic()
        due = now - self._told.get(lease.token, 0.0) >= PROGRESS_SECONDS
        if of > 1 and (due or (done == of and lease.kind == PART)):  # the next part counts on from there
            self._told[lease.token] = now
            self._on_progress(lease, done, of)
