"""Accepts jobs and kills at random whatever works on them: what is lost, counted twice, stuck or different?

    python -m benchmarks.kill_storm --jobs 10000 --seconds 300 --on embedded
    python -m benchmarks.kill_storm --jobs 10000 --seconds 300 --on redis
    python -m benchmarks.kill_storm --jobs 10000 --seconds 300 --on postgres

Embedded, the victims are `touchstone serve`, its workers and their decode children; on Redis
`touchstone serve` without workers, two `touchstone worker` and their decode children. At every fifth kill
Redis forgets everything, or is killed itself; with PostgreSQL as the store that crashes in its turn too.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2

from benchmarks.machine import machine
from benchmarks.media import photo_like
from benchmarks.servers import Postgres, Redis, postgres
from evidence.errors import StoreError
from worker.jobs.leases import Leases
from worker.jobs.model import Lane, ShardState
from worker.jobs.store import JobStore
from worker.media import MediaStore
from worker.requests import BatchItem, BatchRequest, ScanRequest, open_batch, scan_job
from worker.scanner import Scanner
from worker.settings import load_settings

LEASE_SECONDS = 5.0
# So long a service may take to have all its kinds of processes running.
READY_SECONDS = 30.0

KINDS = ("service", "worker", "decode child")
Start = Callable[[], subprocess.Popen[bytes]]
PICTURES, SIDE_PX = 8, 64
KILL_EVERY_SECONDS = (1.0, 5.0)
# When the storm is over and nothing was done for so long, what is left is stuck.
STUCK_SECONDS = 120.0


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; 1 when anything was lost, counted twice, stuck or different."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="jobs to accept")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long it storms, at most")
    parser.add_argument("--batch", action="store_true", help="they are the rows of one batch")
    parser.add_argument("--on", choices=("embedded", "redis", "postgres"), default="embedded")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        database = stack.enter_context(postgres()) if given.on == "postgres" else None
        return _storm(Path(folder), given, database)


def _storm(folder: Path, given: argparse.Namespace, database: Postgres | None) -> int:
    settings = load_settings(data_dir=folder / "data", database_url=database and database.url)
    store = JobStore(settings.store_url)
    media = MediaStore(settings.media_folder, max_bytes=settings.max_bytes)
    paths = _pictures(folder)
    with Scanner(settings) as scanner:
        calm = [_comparable(scanned.named(path.name).report.to_dict())
                for path, scanned in zip(paths, scanner.scan_all(map(str, paths)), strict=True)]  # fmt: skip
    accept = _accept_batch if given.batch else _accept
    jobs = accept(store, media, paths, given.jobs)
    services = _services(folder, given.on, database)
    rng, killed, started = random.Random(given.seed), Counter[str](), time.monotonic()
    try:
        while _waiting(store) and time.monotonic() - started < given.seconds:
            time.sleep(rng.uniform(*KILL_EVERY_SECONDS))
            killed[services.kill_one(rng)] += 1
        stormed = moved = time.monotonic()
        left = _waiting(store)
        while left and time.monotonic() - moved < STUCK_SECONDS:
            services.revive()
            time.sleep(0.5)
            if (now := _waiting(store)) != left:
                left, moved = now, time.monotonic()
        ended = time.monotonic()
    finally:
        services.end()
    found = _count(store, jobs, calm)
    row = {"on": given.on, "jobs": given.jobs, "batch": given.batch,
           "storm_seconds": round(stormed - started), "seconds": round(ended - started),
           "killed": dict(killed), "disturbed": services.disturbed, **found}  # fmt: skip
    print(json.dumps({**row, **machine()}, indent=1))
    store.close()
    return int(any(found[name] for name in ("lost", "counted_twice", "stuck", "different")))


class _Services:
    """Processes that work on the jobs, each started again once it is dead."""

    def __init__(
        self, starts: list[Start], kinds: Sequence[str], disturbances: Sequence[Callable[[], None]] = ()
    ) -> None:
        self._starts, self._kinds, self._disturbances = starts, kinds, disturbances
        self._kills = self.disturbed = 0
        self._running = [start() for start in starts]

    def kill_one(self, rng: random.Random) -> str:
        """SIGKILL one process of ours or of theirs, each kind as likely, once all kinds are there."""
        kinds: dict[str, list[int]] = {}
        end = time.monotonic() + READY_SECONDS
        while len(kinds) < len(self._kinds) and time.monotonic() < end:
            self.revive()
            time.sleep(0.2)
            kinds = {}
            for service in self._running:
                for process in descendants(service.pid):
                    kinds.setdefault(_kind(process), []).append(process)
        self._kills += 1
        if self._kills % 5 == 0 and self._disturbances:
            self._disturbances[self.disturbed % len(self._disturbances)]()
            self.disturbed += 1
        kind = rng.choice(sorted(kinds))
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(kinds[kind]), signal.SIGKILL)
        return kind

    def revive(self) -> None:
        """Start again what is dead."""
        for place, service in enumerate(self._running):
            if service.poll() is not None:
                self._running[place] = self._starts[place]()

    def end(self) -> None:
        """Stop all of it."""
        for service in self._running:
            service.terminate()
        for service in self._running:
            service.wait(60)


def _services(folder: Path, on: str, database: Postgres | None) -> _Services:
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        "TOUCHSTONE_DATA_DIR": str(folder / "data"),
        "TOUCHSTONE_DATABASE_URL": database.url if database else "",
        "TOUCHSTONE_LEASE_SECONDS": str(LEASE_SECONDS),
        "TOUCHSTONE_WORKERS": "2",
        "TOUCHSTONE_DECODERS": "1",
    }

    def start(*command: str, **more: str) -> subprocess.Popen[bytes]:
        with (folder / "log").open("ab") as log:
            touchstone = (sys.executable, "-m", "touchstone", *command)
            return subprocess.Popen(touchstone, stdout=log, stderr=log, cwd=folder, env=environment | more)

    if on == "embedded":
        return _Services([lambda: start("serve", "--port", "0")], KINDS)
    redis = Redis(folder)
    redis.start()

    def restart() -> None:
        redis.kill()
        redis.start()

    def crash(store: Postgres) -> None:
        store.crash()
        store.start()

    services = _Services(
        [
            lambda: start("serve", "--port", "0", "--workers", "0"),
            *[lambda: start("worker", TOUCHSTONE_BROKER_URL=redis.url)] * 2,
        ],
        KINDS,
        [redis.flush, restart, *([lambda: crash(database)] if database else [])],
    )
    stop = services.end

    def end() -> None:
        stop()
        redis.kill()

    services.end = end  # type: ignore[method-assign]
    return services


def _pictures(folder: Path) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(PICTURES)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), photo_like(SIDE_PX, SIDE_PX, seed=number)[:, :, ::-1])
    return paths


def _accept(store: JobStore, media: MediaStore, paths: list[Path], count: int) -> list[str]:
    jobs = []
    for number in range(count):
        path = paths[number % len(paths)]
        with media.receive() as receiving:
            receiving.write(path.read_bytes())
            stored = receiving.finish()
        jobs.append(store.submit(scan_job(ScanRequest(stored.sha256, path.name, stored.size_bytes)))[0].id)
    return jobs


def _accept_batch(store: JobStore, _: MediaStore, paths: list[Path], count: int) -> list[str]:
    items = [BatchItem(path.name, path=str(path)) for path in islice(cycle(paths), count)]
    return [open_batch(store, BatchRequest(items))[0].id]


def _waiting(store: JobStore) -> int:
    """Shards that have not ended; a store that is just crashing is asked again."""
    while True:
        with contextlib.suppress(StoreError):
            depth = Leases(store).depth()
            return sum(depth[lane].ready + depth[lane].leased for lane in Lane)
        time.sleep(0.5)


def _count(store: JobStore, jobs: list[str], calm: list[dict[str, Any]]) -> dict[str, int]:
    found = Counter[str](lost=0, counted_twice=0, stuck=0, different=0, given_up=0, attempts=0)
    expected = cycle(calm)
    for job in jobs:
        shards = store.shards(job)
        ends = [event for event in store.events(job) if event.kind in ("done", "failed")]
        found["lost"] += len(shards) != store.get(job).total
        found["counted_twice"] += len(ends) > 1 or store.get(job).remaining < 0
        found["stuck"] += not ends
        for shard in shards:
            found["attempts"] += shard.attempts
            found["given_up"] += shard.state is ShardState.DEAD
            asked = len(shard.payload.get("items", (1,)))
            result = shard.result or {}
            reports = result.get("rows") or [result[name] for name in ("report",) if name in result]
            found["lost"] += asked - len(reports)
            calmly = list(islice(expected, asked))
            for report, wanted in zip(map(_comparable, reports), calmly, strict=False):
                found["different"] += report != wanted
                for name in sorted(wanted):
                    found[f"different: {name}"] += report.get(name) != wanted[name]
    return {name: count for name, count in found.items() if count or ":" not in name}


def _comparable(report: dict[str, Any]) -> dict[str, Any]:
    """A report without what differs from run to run: times, the job's id, what was scanned before it."""
    plain = json.loads(json.dumps(report))
    models = [{**model, "ms": 0} for model in plain["models"]]
    evidence = [one for one in plain["evidence"] if one["kind"] != "registry"]
    provenance = {**plain["provenance"], "near_duplicates": []}
    known = {"evidence": evidence, "provenance": provenance}
    return {**plain, **known, "models": models, "id": "", "timings": {}}


def descendants(root: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, left = [], [root]
    while left:
        process = left.pop()
        found.append(process)
        left += children.get(process, [])
    return found


def _kind(process: int) -> str:
    """What a process is, by its command line; decode children say nothing that the others say."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{process}/cmdline").read_text().split("\0")
        if "serve" in words:
            return "service"
        if "worker" in words or "worker.process" in words:
            return "worker"
    return "decode child"


if __name__ == "__main__":
    sys.exit(main())
