"""Poison files among good ones: do only they fail, in how many attempts, and what do their neighbours pay?

    python -m benchmarks.poison --good 1000 --a-second 8

Good pictures are handed in at a steady rate to two embedded workers, once alone and once with poison among
them: files under which the decode process crashes (SIGSEGV), files under which it hangs (SIGSTOP), and
pictures of 900 megapixels in a hundred kilobytes. The poisoner does what a broken decoder would: it waits
until a decode process has such a file open.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from benchmarks.kill_storm import descendants
from benchmarks.machine import machine
from benchmarks.media import photo_like
from evidence.jpeg import encode_jpeg
from worker.embedded import EmbeddedRunner
from worker.jobs.model import JobState
from worker.jobs.store import JobStore
from worker.media import MediaStore
from worker.requests import ScanRequest, scan_job
from worker.settings import Settings, load_settings

# A hang is over after so long; the shipped setting is longer, and a worker then waits longer for it.
DECODE_SECONDS = 5.0
BOMB_SIDE = 30_000
STUCK_SECONDS = 300.0


@dataclass(frozen=True)
class Item:
    """A file that is handed in; `does` is what happens to the decode process that opens it."""

    name: str
    data: bytes
    does: signal.Signals | None = None
    good: bool = True


@dataclass(frozen=True)
class Fate:
    """What came of it."""

    item: Item
    status: str
    code: str
    attempts: int
    seconds: float


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; 1 when a good file failed, or a bad one was tried too often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--good", type=int, default=1_000, help="good pictures")
    parser.add_argument("--a-second", type=float, default=8.0, help="handed in each second")
    given = parser.parse_args(arguments)
    good = [Item(f"{n}.jpg", encode_jpeg(photo_like(64, 64, n), 90)) for n in range(given.good)]
    bad = poison(crashes=4, hangs=2, bombs=4)
    found = {}
    for name, items in (("without", good), ("with", mixed(good, bad))):
        with tempfile.TemporaryDirectory() as folder:
            settings = load_settings(
                data_dir=Path(folder) / "data", decode_seconds=DECODE_SECONDS, lease_seconds=10.0
            )
            found[name] = run(settings, items, workers=2, pause=1 / given.a_second)
    fates = found["with"]
    wrong = [fate for fate in fates if fate.item.good != (fate.status == "ok") or fate.attempts > 3]
    for fate in fates:
        if not fate.item.good:
            print(f"{fate.item.name}: {fate.code}, attempts {fate.attempts}, {fate.seconds:.1f} s")
    row: dict[str, object] = {"good": given.good, "a_second": given.a_second, "wrong": len(wrong)}
    for part in (0.5, 0.99):
        row[f"p{part * 100:.0f}_seconds"] = {
            name: _part([fate.seconds for fate in ended if fate.item.good], part)
            for name, ended in found.items()
        }
    print(json.dumps({**row, **machine()}, indent=1))
    return int(bool(wrong))


def poison(*, crashes: int, hangs: int, bombs: int) -> list[Item]:
    """Files that harm whoever opens them."""
    # Forty-eight megapixels of PNG take long enough to decode for the poisoner to come in time.
    large, bomb = BytesIO(), BytesIO()
    Image.fromarray(photo_like(1500, 2000, 1).repeat(4, 0).repeat(4, 1)).save(large, "PNG", compress_level=1)
    Image.new("1", (BOMB_SIDE, BOMB_SIDE)).save(bomb, "PNG")
    of_kind = (
        ("crash", crashes, large.getvalue(), signal.SIGSEGV),
        ("hang", hangs, large.getvalue(), signal.SIGSTOP),
        ("bomb", bombs, bomb.getvalue(), None),
    )
    return [
        Item(f"{name}-{number}", data + f"{name} {number}".encode(), does, good=False)
        for name, count, data, does in of_kind
        for number in range(count)
    ]


def mixed(good: Sequence[Item], bad: Sequence[Item]) -> list[Item]:
    """The bad ones spread evenly among the good ones."""
    items, every = list(good), max(1, len(good) // (len(bad) + 1))
    for number, item in enumerate(bad):
        items.insert((number + 1) * every + number, item)
    return items


def run(settings: Settings, items: Sequence[Item], *, workers: int, pause: float = 0.0) -> list[Fate]:
    """Hand the items in, `pause` seconds apart, and wait for their ends."""
    store = JobStore(settings.store_url)
    media = MediaStore(settings.media_folder, max_bytes=settings.max_bytes)
    runner = EmbeddedRunner(settings, workers=workers)
    victims: dict[str, signal.Signals] = {}
    runner.start()
    jobs: list[str] = []
    try:
        while not runner.running:
            time.sleep(0.05)
        with _poisoner(runner, victims):
            begun = time.monotonic()
            for number, item in enumerate(items):
                with media.receive() as receiving:
                    receiving.write(item.data)
                    stored = receiving.finish()
                if item.does is not None:
                    victims[str(media.place(stored.sha256).resolve())] = item.does
                jobs.append(
                    store.submit(scan_job(ScanRequest(stored.sha256, item.name, stored.size_bytes)))[0].id
                )
                time.sleep(max(0.0, begun + (number + 1) * pause - time.monotonic()))
            _until_ended(store, jobs)
    finally:
        runner.stop()
    fates = [_fate(store, item, job) for item, job in zip(items, jobs, strict=True)]
    store.close()
    return fates


@contextmanager
def _poisoner(runner: EmbeddedRunner, victims: dict[str, signal.Signals]) -> Iterator[None]:
    """Sends their signal to decode processes that have one of the files open."""
    over = threading.Event()

    def poison_all() -> None:
        while not over.wait(0.005):
            for child in (child for worker in runner.processes for child in descendants(worker)):
                if _is_worker(child):  # or a copy of one that has yet to become a decode process
                    continue
                for path in _open_files(child):
                    if path in victims:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(child, victims[path])

    thread = threading.Thread(target=poison_all)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _is_worker(process: int) -> bool:
    with contextlib.suppress(OSError):
        return "worker.process" in Path(f"/proc/{process}/cmdline").read_text().split("\0")
    return True


def _open_files(process: int) -> list[str]:
    found = []
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(os.readlink(link))
    return found


def _until_ended(store: JobStore, jobs: Sequence[str]) -> None:
    end = time.monotonic() + STUCK_SECONDS
    for job in jobs:
        while not store.get(job).state.ended:
            assert time.monotonic() < end, "it never ended"
            time.sleep(0.05)


def _fate(store: JobStore, item: Item, job: str) -> Fate:
    ended, (shard,) = store.get(job), store.shards(job)
    if ended.state is not JobState.DONE or shard.result is None:
        status, code = "dead", str((shard.cause or {}).get("code", ""))
    else:
        report = shard.result["report"]
        status, code = report["status"], str((report["reason"] or {}).get("code", ""))
    return Fate(item, status, code, shard.attempts, (ended.finished or 0.0) - ended.created)


def _part(seconds: Sequence[float], part: float) -> float:
    return round(sorted(seconds)[int(part * (len(seconds) - 1))], 3)


if __name__ == "__main__":
    sys.exit(main())
