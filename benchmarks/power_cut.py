"""Cuts the power of a service at random instants: is all on its disk that was answered for?

    python -m benchmarks.power_cut --cuts 1000
    python -m benchmarks.power_cut --cuts 100 --careless    must lose: its writes are never synced

The data lie on a disk with ext4 of their own. At each cut that disk is copied as of one instant, while
service and worker go on: what the system still kept in memory is lost, as when the power goes. Each copy is
mounted as after a cut, half of the logs get a torn write at their end, and every upload that was answered
before must be there, whole; the store must open, take back what was leased, and work off what waits. Needs
root, loop devices and xfsprogs; `--careless` eatmydata too. A disk that forgets in its own cache what it was
not told to flush is not played: what reached it stays.

`cut` does a weaker form without root: processes stand still while the files are copied, synced or not.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.accepts import form_request
from benchmarks.disks import apart, snapshots
from benchmarks.machine import machine
from benchmarks.services import serving_process
from evidence.errors import NoSuchJob, StoreError
from worker.jobs.leases import Leases
from worker.jobs.model import Lane
from worker.jobs.reaping import Reaper
from worker.jobs.store import JobStore
from worker.media import MediaStore
from worker.settings import load_settings

UPLOADERS = 4
PAUSE_SECONDS = 0.02  # between two uploads of one, so that copies stay small
BETWEEN_SECONDS = (0.0, 0.1)
ROUND_CUTS = 100  # then a fresh service
DISK_MEGABYTES = 1_024
BAD = ("lost", "torn", "damaged", "stuck")
LATER_SECONDS = 60.0  # every back-off is over


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; 1 when anything was lost, torn or stuck."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--careless", action="store_true", help="a service that never syncs")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)  # the folder of the service to work for
    given = parser.parse_args(arguments)
    if given.work:
        _work(given.work)
    apart("benchmarks.power_cut", sys.argv[1:] if arguments is None else arguments)
    rng, found = random.Random(given.seed), Counter[str]()
    wrapper = ("eatmydata",) if given.careless else ()
    for first in range(0, given.cuts, ROUND_CUTS):
        with tempfile.TemporaryDirectory() as folder:
            found += pull(Path(folder), min(ROUND_CUTS, given.cuts - first), rng, wrapper)
            print(
                f"{found['cuts']} cuts, {sum(found[name] for name in BAD)} bad", file=sys.stderr, flush=True
            )
    row = {name: found[name] for name in ("cuts", "answered", "leased", *BAD)}
    print(json.dumps({**row, **machine()}, indent=1))
    return int(any(found[name] for name in BAD))


def pull(folder: Path, cuts: int, rng: random.Random, wrapper: Sequence[str] = ()) -> Counter[str]:
    """What was found on a disk whose power was cut so often while a service was at work in `folder`."""
    found = Counter[str]()
    answered: list[tuple[str, bytes]] = []
    taken: list[tuple[Path, int]] = []
    with snapshots(folder, folder / "data", DISK_MEGABYTES) as disk:
        with (
            serving_process(folder, "--workers", "0", wrapper=wrapper) as (url, _),
            _working(folder, wrapper),
            _uploading(url, answered),
        ):
            while len(answered) < UPLOADERS:
                time.sleep(0.01)
            for _ in range(cuts):
                time.sleep(rng.uniform(*BETWEEN_SECONDS))
                promised = len(answered)
                taken.append((disk.take(), promised))
        for copy, promised in taken:
            with disk.opened(copy, folder / "after"):
                _tear(folder / "after", rng)
                _tear(folder / "after", rng, "media/journals/journal-*")
                found += _examine(folder / "after", answered[:promised])
    return found


def cut(folder: Path, cuts: int, rng: random.Random) -> Counter[str]:
    """What was found in copies of a service that is at work in `folder`."""
    found = Counter[str]()
    answered: list[tuple[str, bytes]] = []
    with (
        serving_process(folder, "--workers", "0") as (url, service),
        _working(folder) as worker,
        _uploading(url, answered),
    ):
        while len(answered) < UPLOADERS:
            time.sleep(0.01)
        for number in range(cuts):
            time.sleep(rng.uniform(*BETWEEN_SECONDS))
            copy = folder / f"cut-{number}"
            with _standing_still(service, worker):
                promised = list(answered)
                _copy(folder / "data", copy)
            _tear(copy, rng)
            found += _examine(copy, promised)
            shutil.rmtree(copy)
    return found


def _tear(copy: Path, rng: random.Random, logs: str = "jobs.db-wal") -> None:
    """Half a write at the end of every other log."""
    for path in sorted(copy.glob(logs)):
        if rng.random() < 0.5:
            with path.open("ab") as log:
                log.write(rng.randbytes(rng.randrange(1, 8_000)))


def _copy(data: Path, copy: Path) -> None:
    """The store as it lies there; a medium in its place is never changed, so a second name is a copy."""
    shutil.copytree(
        data, copy, ignore=lambda folder, names: [n for n in names if n in ("media", "jobs.db-shm")]
    )
    shutil.copytree(data / "media", copy / "media", copy_function=os.link)


def _examine(copy: Path, promised: list[tuple[str, bytes]]) -> Counter[str]:
    try:
        return _found_in(copy, promised)
    except StoreError as error:
        print(error, file=sys.stderr)
        return Counter(cuts=1, answered=len(promised), damaged=1)


def _found_in(copy: Path, promised: list[tuple[str, bytes]]) -> Counter[str]:
    ahead = itertools.count()
    later = 0.0
    settings = load_settings(data_dir=copy)
    MediaStore(settings.media_folder, max_bytes=settings.max_bytes)  # opened as by the next service
    store = JobStore(settings.store_url, clock=lambda: time.time() + later)
    found = Counter[str](cuts=1, answered=len(promised))
    with store.engine.connect() as connection:
        said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        found["damaged"] += said != ["ok"]
    for job, data in promised:
        try:
            sha256 = store.get(job).request["sha256"]
        except NoSuchJob:
            found["lost"] += 1
            continue
        place = copy / "media" / sha256[:2] / sha256[2:4] / sha256
        whole = place.is_file() and place.read_bytes() == data and hashlib.sha256(data).hexdigest() == sha256
        found["torn"] += not whole
    leases = Leases(store)
    reaper = Reaper(leases, 0.0, clock=lambda: float(next(ahead)))
    found["leased"] += len(leases.held())
    reaper.reap()
    reaper.reap()
    later = LATER_SECONDS
    while claimed := leases.claim("after the cut", ["scan"], count=100):
        for lease in claimed:
            leases.complete(lease, {})
    depth = leases.depth()
    found["stuck"] += sum(depth[lane].ready + depth[lane].leased for lane in Lane)
    if not found["lost"]:
        found["stuck"] += sum(not store.get(job).state.ended for job, _ in promised[-UPLOADERS:])
    store.close()
    return found


@contextmanager
def _uploading(url: str, answered: list[tuple[str, bytes]]) -> Iterator[None]:
    """Uploads of different files while the block runs; each is in `answered` once it is."""
    stop = threading.Event()
    address = urlsplit(url)
    assert address.hostname is not None

    def upload() -> None:
        line = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        while not stop.wait(PAUSE_SECONDS):
            data = os.urandom(random.choice((500, 5_000, 400_000)))
            head, _, body = form_request(address.netloc, data).partition(b"\r\n\r\n")
            kind = next(part for part in head.decode().split("\r\n") if part.startswith("Content-Type: "))
            line.request("POST", "/v1/scans", body, {"Content-Type": kind.partition(": ")[2]})
            answer = line.getresponse()
            said = json.loads(answer.read())
            if answer.status != 202:
                raise RuntimeError(f"An upload was not accepted: {said}")
            answered.append((said["id"], data))
        line.close()

    threads = [threading.Thread(target=upload) for _ in range(UPLOADERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def _working(folder: Path, wrapper: Sequence[str] = ()) -> Iterator[int]:
    """A process that takes shards and hands in results while the block runs; its number."""
    command = [*wrapper, sys.executable, "-m", "benchmarks.power_cut", "--work", str(folder / "data")]
    with subprocess.Popen(command, cwd=Path(__file__).resolve().parents[1]) as running:
        try:
            yield running.pid
        finally:
            running.kill()


def _work(data: Path) -> None:
    leases = Leases(JobStore(load_settings(data_dir=data).store_url))
    while True:
        for lease in leases.claim("at work", ["scan"], count=4):
            leases.renew([lease])
            leases.complete(lease, {})
        time.sleep(0.005)


@contextmanager
def _standing_still(*processes: int) -> Iterator[None]:
    """Processes that do nothing while the block runs, wherever they were."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    while any(state != "T" for process in processes for state in _states(process)):
        time.sleep(0.0005)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def _states(process: int) -> Iterator[str]:
    """What the threads of a process do; "T" is nothing."""
    for thread in Path(f"/proc/{process}/task").iterdir():
        yield (thread / "stat").read_text().rpartition(")")[2].split()[0]


if __name__ == "__main__":
    sys.exit(main())
