"""What the queue costs: a batch through it against a bare loop of the same scanner, and long lists of jobs.

    python -m benchmarks.queue_cost --files 2000 --workers 2 --rows 100000

The same processes scan the same files both times: once each takes its share in a loop (`Scanner.scan_all`),
once they lease shards of a batch. What registry and transparency log keep is the queue's part, unless
TOUCHSTONE_REGISTRY or TOUCHSTONE_TRANSPARENCY_LOG say false; the hashes it is asked with are the
scanner's. Then a batch of many rows is accepted and counted, with nobody to scan it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median

from benchmarks.machine import machine
from benchmarks.media import small_jpegs
from worker.jobs.leases import Leases
from worker.jobs.model import Lane
from worker.jobs.store import JobStore
from worker.media import MediaStore
from worker.requests import SHARD_ITEMS, BatchItem, BatchRequest, open_batch
from worker.scanner import Scanner
from worker.settings import Settings, load_settings
from worker.workman import Workman

# What one process does with its share of the paths, once all are ready.
_Share = Callable[[Settings, list[str], Barrier], None]


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="each way so often, in turn")
    parser.add_argument("--rows", type=int, default=100_000, help="rows that are accepted and listed")
    given = parser.parse_args(arguments)
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [str(path) for path in small_jpegs(folder / "media", given.files)]
        ratios = []
        for number in range(given.rounds):
            # A store for each round: what was scanned before would be told of in every report.
            settings = load_settings(data_dir=folder / f"data-{number}", threads=1)
            loop = _together(_loop, settings, paths, given.workers)
            queue = _together(_queue, settings, paths, given.workers)
            ratios.append(loop / queue)
            print(
                f"{given.files} files of 256 px, {given.workers} processes: {given.files / loop:.1f} files/s "
                f"in a loop, {given.files / queue:.1f} through the queue ({loop / queue:.1%} of its speed)",
                flush=True,
            )
        print(f"the middle of {given.rounds} pairs: {median(ratios):.1%} of the loop's speed")
        _store_alone(settings, given.files)
        _many_rows(settings, given.rows)
    return 0


def _together(work: _Share, settings: Settings, paths: list[str], workers: int) -> float:
    """Seconds until `workers` processes have done all paths, from when every one of them is ready."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers + 1)
    if work is _queue:
        store = JobStore(settings.store_url)
        open_batch(store, BatchRequest([BatchItem(path, path=path) for path in paths]))
        store.close()
    processes = [
        context.Process(target=work, args=(settings, paths[first::workers], barrier))
        for first in range(workers)
    ]
    for process in processes:
        process.start()
    barrier.wait()
    began = time.perf_counter()
    for process in processes:
        process.join()
    return time.perf_counter() - began


def _loop(settings: Settings, paths: list[str], barrier: Barrier) -> None:
    with Scanner(settings, previews=True, fingerprints=settings.registry) as scanner:
        barrier.wait()
        for _ in scanner.scan_all(paths):
            pass


def _queue(settings: Settings, _: list[str], barrier: Barrier) -> None:
    store = JobStore(settings.store_url)
    media = MediaStore(settings.media_folder, max_bytes=settings.max_bytes)
    with Workman(store, media, settings) as workman:
        workman.warm()
        barrier.wait()
        while workman.work():
            pass
    store.close()


def _store_alone(settings: Settings, files: int) -> None:
    """The queue's own part: claiming, renewing and handing in the shards of such a batch, without a scan."""
    store = JobStore(settings.store_url)
    leases = Leases(store)
    job, _ = open_batch(store, BatchRequest([BatchItem(str(number), path="x") for number in range(files)]))
    row = {"verdict": "real", "media": {"path": "x" * 60}, "filler": "x" * 1_500}  # a report's size
    began = time.perf_counter()
    shards = 0
    while held := leases.claim("bench", ["batch"], count=4):
        leases.renew(held)
        for lease in held:
            leases.complete(lease, {"rows": [row] * len(lease.payload["items"])})
        shards += len(held)
    each = (time.perf_counter() - began) / shards
    print(f"the store alone: {1e3 * each:.2f} ms a shard of {SHARD_ITEMS} files")
    store.remove(job.id)
    store.close()


def _many_rows(settings: Settings, rows: int) -> None:
    store = JobStore(settings.store_url)
    began = time.perf_counter()
    items = (BatchItem(f"{number:06d}.jpg", path=f"/archive/{number:06d}.jpg") for number in range(rows))
    job, _ = open_batch(store, BatchRequest(items), lane=Lane.LOW)
    accepted = time.perf_counter() - began
    leases, claims = Leases(store), []
    for _ in range(20):
        began = time.perf_counter()
        leases.claim("bench", ["scan", "batch", "generate", "part"], count=4)
        claims.append(time.perf_counter() - began)
    began = time.perf_counter()
    after, listed = -1, 0
    while part := store.shards(job.id, after=after, limit=64):
        listed += sum(len(shard.payload["items"]) for shard in part)
        after = part[-1].position
    listing = time.perf_counter() - began
    print(
        f"{rows} rows: accepted in {accepted:.1f} s, {listed} listed in {listing:.1f} s, "
        f"a claim before them {1e3 * sorted(claims)[len(claims) // 2]:.1f} ms"
    )
    store.close()


if __name__ == "__main__":
    sys.exit(main())
