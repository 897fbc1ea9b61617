"""Handing in media and waiting for what comes of them, as the API does it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.command_line import write_picture
from worker.jobs.leases import Leases
from worker.jobs.model import Job, Lane, Lease
from worker.jobs.store import JobStore
from worker.keeping import Keeper
from worker.media import MediaStore
from worker.perform import Outcome, perform_all
from worker.requests import ScanRequest, scan_job
from worker.settings import Settings
from worker.tools import Tools

# A busy machine takes its time; what never comes fails all the same.
WAIT_SECONDS = 240.0

StartWorker = Callable[..., subprocess.Popen[bytes]]


@dataclass
class Shop:
    """The stores of a service and the settings they were made with."""

    settings: Settings
    store: JobStore
    media: MediaStore
    folder: Path
    told: list[tuple[int, int]] = field(default_factory=list)

    def put(self, path: Path) -> str:
        """Store a file; its sha256."""
        with self.media.receive() as receiving:
            receiving.write(path.read_bytes())
            return receiving.finish().sha256

    def scan(self, path: Path, **how: Any) -> str:
        """Submit a scan of a file; the job."""
        sha256 = self.put(path)
        request = ScanRequest(sha256, path.name, path.stat().st_size, **how.pop("options", {}))
        return self.store.submit(scan_job(request, **how))[0].id

    def picture(self, lean: float = 6.0, *, name: str = "a.png", side: int = 64) -> Path:
        """A picture that the colour detector knows."""
        return write_picture(self.folder / name, lean, side=side)

    def perform(self, leases: list[Lease] | None = None) -> list[Outcome]:
        """What comes of everything that is ready, in this process, without handing it in."""
        owned = Leases(self.store)
        leases = leases or owned.claim("test", ["scan", "batch", "generate", "testset", "part"], count=100)
        with (
            Keeper(owned, 60.0) as keeper,
            Tools(
                self.settings, self.media, keeper, lambda _, done, of: self.told.append((done, of))
            ) as tools,
        ):
            return list(perform_all(leases, tools))

    def result(self, job: str) -> dict[str, Any]:
        """The result of a job's first shard."""
        (shard,) = self.store.shards(job, limit=1)
        assert shard.result is not None, shard.cause
        return dict(shard.result)

    def ended(self, job: str) -> Job:
        """The job, once it has ended."""
        wait_for(lambda: self.store.get(job).state.ended)
        return self.store.get(job)

    def waiting(self) -> int:
        """Shards that have not ended."""
        depth = Leases(self.store).depth()
        return sum(depth[lane].ready + depth[lane].leased for lane in Lane)


def wait_for(true: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
    """Return as soon as it is; fail when it never is."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"still not so after {seconds} seconds"
        time.sleep(0.05)
