"""Takes broker or database away under load: how much is done meanwhile, and how soon when it is back?

    python -m benchmarks.outages --seconds 30

Two `touchstone worker` on Redis, reached through a cable that can be cut, and on PostgreSQL: Redis forgets
everything, is killed and comes back empty, is cut off without a word; PostgreSQL crashes and is away.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cable import Cable
from benchmarks.machine import machine
from benchmarks.media import photo_like
from benchmarks.servers import Postgres, Redis, postgres
from evidence.errors import StoreError
from evidence.jpeg import encode_jpeg
from worker.jobs.leases import Leases
from worker.jobs.model import JobState, Lane
from worker.jobs.store import JobStore
from worker.media import MediaStore
from worker.requests import ScanRequest, scan_job
from worker.settings import load_settings

# So much always waits when something is taken away.
WAITING = 1_500
START_SECONDS, STUCK_SECONDS = 120.0, 180.0


@dataclass(frozen=True)
class Outage:
    """Something that is taken away for a while and given back."""

    name: str
    take: Callable[[], None]
    give: Callable[[], None]
    seconds: float


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; 1 when anything was lost, counted twice or failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each is away")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        redis, database = Redis(Path(folder)), stack.enter_context(postgres())
        redis.start()
        stack.callback(redis.kill)
        cable = stack.enter_context(Cable(redis.socket))
        load = Load(Path(folder), database)
        stack.callback(load.close)
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
            "TOUCHSTONE_DATA_DIR": str(Path(folder) / "data"),
            "TOUCHSTONE_DATABASE_URL": database.url,
            "TOUCHSTONE_BROKER_URL": f"redis://127.0.0.1:{cable.port}/0",
            "TOUCHSTONE_DECODERS": "1",
        }
        with (Path(folder) / "log").open("wb") as log:
            for _ in range(2):
                worker = subprocess.Popen(
                    [sys.executable, "-m", "touchstone", "worker"], env=environment, stdout=log, stderr=log
                )
                stack.callback(worker.wait, 60)
                stack.callback(worker.terminate)
        load.add()
        load.wait_for_more(load.ended(), START_SECONDS)
        outages = (
            Outage("Redis forgets everything", lambda: None, redis.flush, 0.0),
            Outage("Redis killed, back empty", redis.kill, redis.start, given.seconds),
            Outage("Redis cut off", cable.cut, cable.mend, given.seconds),
            Outage("PostgreSQL crashes", database.crash, database.start, given.seconds),
        )
        for outage in outages:
            print(json.dumps(load.measure(outage)), flush=True)
        wrong = load.wrong()
    print(json.dumps({"jobs": len(load.jobs), **wrong, **machine()}, indent=1))
    return int(any(wrong.values()))


class Load:
    """Scans of one small picture, as many as are wanted."""

    def __init__(self, folder: Path, database: Postgres) -> None:
        settings = load_settings(data_dir=folder / "data", database_url=database.url)
        self._store = JobStore(settings.store_url)
        media = MediaStore(settings.media_folder, max_bytes=settings.max_bytes)
        with media.receive() as receiving:
            receiving.write(encode_jpeg(photo_like(64, 64, 1), 90))
            stored = receiving.finish()
        self._job = scan_job(ScanRequest(stored.sha256, "a.jpg", stored.size_bytes))
        self.jobs: list[str] = []

    def close(self) -> None:
        self._store.close()

    def add(self) -> None:
        """Top up what waits."""
        for _ in range(WAITING - self._waiting()):
            self.jobs.append(self._store.submit(self._job)[0].id)

    def ended(self) -> int:
        """How many jobs have ended; asked until the store answers."""
        return len(self.jobs) - self._waiting()

    def measure(self, outage: Outage) -> dict[str, object]:
        """What is done while something is away, and how soon after it is back."""
        self.add()
        before = self.ended()
        outage.take()
        time.sleep(outage.seconds)
        back = time.monotonic()
        outage.give()
        there = self.ended()
        self.wait_for_more(there, STUCK_SECONDS)
        again = time.monotonic() - back
        return {"outage": outage.name, "away_seconds": outage.seconds, "done_meanwhile": there - before,
                "first_done_seconds_after": round(again, 1)}  # fmt: skip

    def wait_for_more(self, than: int, seconds: float) -> None:
        """Until more jobs have ended."""
        end = time.monotonic() + seconds
        while self.ended() <= than:
            assert time.monotonic() < end, f"nothing was done in {seconds} seconds"
            time.sleep(0.05)

    def wrong(self) -> dict[str, int]:
        """What was lost, counted twice or failed, when all is over."""
        while (ended := self.ended()) < len(self.jobs):
            self.wait_for_more(ended, STUCK_SECONDS)
        found = {"lost": 0, "counted_twice": 0, "failed": 0}
        for job in self.jobs:
            state = self._store.get(job).state
            found["lost"] += not state.ended
            found["failed"] += state is JobState.FAILED
            found["counted_twice"] += sum(event.kind == "done" for event in self._store.events(job)) > 1
        return found

    def _waiting(self) -> int:
        while True:
            try:
                depth = Leases(self._store).depth()
            except StoreError:
                time.sleep(0.2)
                continue
            return sum(depth[lane].ready + depth[lane].leased for lane in Lane)


if __name__ == "__main__":
    sys.exit(main())
