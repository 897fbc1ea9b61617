"""Fills the disk of a service while it takes uploads and works: what is said, what is lost, what goes on?

    python -m benchmarks.full_disk --jobs 400 --seconds 60

The data lie on a small disk in memory, then the media alone do, and nothing is kept free. Pictures, clips in
parts, a batch and wishes to generators are accepted; then the disk is filled to its last byte, and kept full,
while uploads go on and workers have results, events and pictures to write. Each upload must be answered 202
or 507; after room was made every accepted job must be done, with its medium whole and its files there.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.disks import apart, small
from benchmarks.machine import machine
from benchmarks.media import pan, photo_like
from benchmarks.services import serving_process
from evidence.jpeg import encode_jpeg
from evidence.video import write_video

DISKS = ("data", "media")  # all that the service keeps, or its media alone
UPLOADERS = 2
LEASE_SECONDS = 5.0  # short, so that the disk stays full for longer than any lease
STUCK_SECONDS = 600.0
BAD = ("unclean", "lost", "torn", "failed", "stuck")
ENDED = ("done", "failed", "cancelled")


@dataclass
class Load:
    """What was handed in and what was answered; `sent` are the bytes behind each scan."""

    http: httpx.Client
    statuses: Counter[str] = field(default_factory=Counter)
    sent: dict[str, bytes] = field(default_factory=dict)
    media: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def upload(self, data: bytes, name: str) -> bool:
        """Hand in a medium; whether it was accepted."""
        answer = self.http.post("/v1/scans", files={"file": (name, data)})
        self._note(answer)
        if answer.status_code == 202:
            self.sent[answer.json()["id"]] = data
            self.media.append(answer.json()["sha256"])
        return answer.status_code == 202

    def ask(self, path: str, body: dict[str, object]) -> bool:
        """Ask for a batch or a generation; whether it was accepted."""
        answer = self.http.post(path, json=body)
        self._note(answer)
        if answer.status_code == 202:
            self.others.append(f"{path}/{answer.json()['id']}")
        return answer.status_code == 202

    def picture(self) -> bool:
        """Hand in a picture that nobody has seen."""
        return self.upload(encode_jpeg(photo_like(96, 96, next(self.numbers)), 90), "a.jpg")

    def wish(self) -> bool:
        """Ask a generator for some files."""
        return self.ask("/v1/generations", {"model": "cgan-mnist", "count": 40})

    def _note(self, answer: httpx.Response) -> None:
        said = str(answer.status_code)
        if said == "507" and answer.json()["code"] != "store_full":
            said = "507 with another code"
        self.statuses[said] += 1


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; 1 when anything was answered badly, lost, torn, failed or stuck."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=400, help="pictures that are accepted before")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the disk is full")
    parser.add_argument("--megabytes", type=int, default=64, help="the size of the disk")
    parser.add_argument(
        "--disk", choices=DISKS, nargs="*", help="what lies on the disk; default: each in turn"
    )
    given = parser.parse_args(arguments)
    apart("benchmarks.full_disk", sys.argv[1:] if arguments is None else arguments)
    rows = {}
    for disk in given.disk or DISKS:
        with tempfile.TemporaryDirectory() as folder:
            rows[disk] = fill(Path(folder), disk, given.jobs, given.seconds, given.megabytes)
    print(json.dumps({**rows, **machine()}, indent=1))
    return int(any(row[name] for row in rows.values() for name in BAD))


def fill(folder: Path, disk: str, jobs: int, seconds: float, megabytes: int) -> dict[str, float]:
    """What became of a service whose disk, or that of its media, was full for so long."""
    settings = {
        "TOUCHSTONE_MEDIA_DIR": str(folder / ("media" if disk == "media" else "data/media")),
        "TOUCHSTONE_FREE_BYTES": "0", "TOUCHSTONE_LEASE_SECONDS": str(LEASE_SECONDS),
        "TOUCHSTONE_PART_TILES": "40", "TOUCHSTONE_DECODERS": "1", "TOUCHSTONE_WORKERS": "2",
    }  # fmt: skip
    clip = folder / "clip.mp4"
    write_video(clip, pan(96, 128, 250, seed=2), 25, crf=20, keyframe_every=25)
    with (
        small(folder / disk, megabytes),
        serving_process(folder, **settings) as (url, _),
        httpx.Client(base_url=url, timeout=120) as http,
    ):
        load = Load(http)
        for _ in range(jobs):
            load.picture()
        for number in range(3):
            load.upload(clip.read_bytes() + bytes([number]), "clip.mp4")
            load.wish()
        load.ask("/v1/batches", {"items": [{"sha256": sha256} for sha256 in load.media[-40:]]})
        accepted = len(load.sent) + len(load.others)
        ended = _ended(load)
        with _filled(folder / disk), _uploading(load):
            time.sleep(seconds)
            there = sum(http.get(f"/v1/scans/{scan}").status_code == 200 for scan in list(load.sent)[:20])
        meanwhile = _ended(load) - ended
        during = Counter(load.statuses)
        made = time.monotonic()
        while (waiting := _waiting(load)) and time.monotonic() - made < STUCK_SECONDS:
            time.sleep(0.2)
        after = time.monotonic() - made
        again = load.picture() and load.wish()
        found = _examined(load)
    return {
        "accepted_before": accepted, "accepted_meanwhile": during["202"] - accepted,
        "refused_507": during["507"], "read_meanwhile": there, "ended_meanwhile": meanwhile,
        "seconds_until_all_done": round(after, 1), "accepted_again": again,
        "unclean": sum(count for said, count in load.statuses.items() if said not in ("202", "507")),
        **found, "stuck": len(waiting) + (not again),
    }  # fmt: skip


@contextmanager
def _filled(folder: Path) -> Iterator[None]:
    """A disk without a byte of room while the block runs, whatever is deleted on it."""
    over = threading.Event()
    place = folder / "filler"

    def keep_full(file: int) -> None:
        size = 1 << 20
        while not over.is_set():
            try:
                os.write(file, bytes(size))
            except OSError:  # full: then what is left in smaller and smaller pieces
                size = max(size >> 4, 1)
                over.wait(0.0 if size > 1 else 0.01)

    file = os.open(place, os.O_WRONLY | os.O_CREAT)
    filler = threading.Thread(target=keep_full, args=(file,))
    filler.start()
    try:
        yield
    finally:
        over.set()
        filler.join()
        os.close(file)
        place.unlink()


@contextmanager
def _uploading(load: Load) -> Iterator[None]:
    """Uploads and wishes without a pause while the block runs."""
    over = threading.Event()

    def upload() -> None:
        while not over.wait(0.05):
            load.picture()
            if not next(load.numbers) % 10:
                load.wish()

    threads = [threading.Thread(target=upload) for _ in range(UPLOADERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _paths(load: Load) -> list[str]:
    return [f"/v1/scans/{scan}" for scan in load.sent] + load.others


def _waiting(load: Load) -> list[str]:
    """Those that have not ended; one that is not there waits for nothing."""
    answers = ((path, load.http.get(path)) for path in _paths(load))
    return [path for path, one in answers if one.status_code == 200 and one.json()["state"] not in ENDED]


def _ended(load: Load) -> int:
    return len(_paths(load)) - len(_waiting(load))


def _examined(load: Load) -> dict[str, int]:
    """Whether every job is there and done, with what it was given and what it made."""
    found = Counter[str](lost=0, torn=0, failed=0)
    for path in _paths(load):
        answer = load.http.get(path)
        if answer.status_code != 200:
            found["lost"] += 1
            continue
        job = answer.json()
        if job["state"] in ("queued", "running"):
            continue
        found["failed"] += job["state"] != "done" or job.get("status") == "unable"
        scan = path.rpartition("/")[2]
        if scan in load.sent:
            whole = load.http.get(f"{path}/media").content == load.sent[scan]
            pictures = [load.http.get(f"{path}/{name}").status_code for name in ("heat.png", "preview.jpg")]
            found["torn"] += not whole or pictures != [200, 200]
        for file in job.get("files", ()):
            found["torn"] += len(load.http.get(file["url"]).content) != file["size_bytes"]
    return dict(found)


if __name__ == "__main__":
    sys.exit(main())
